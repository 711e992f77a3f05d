"""Who answers whom, by the route's own words: users on trial, users who stay, and all others; and that people were asked first.

It shares nothing with docc: a request is held against the rules as Gateway API says, and what is wanted is read from the
manifest that lies on the candidate's Deployment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.sim.world import Object, Violation, World

TRIAL = {"x-docc-release": "canary"}
TRIED = ("awaiting", "shifting")
SILENT_SECONDS = 8.0
"""Before that a stable version that answers nobody is only away for a moment."""


def cookie(name: str) -> dict[str, str]:
    """Of a user whom that revision has answered, among others of the application's own."""
    return {"cookie": f"a=b; docc-shop={name.rpartition('-')[2]}; c=d"}


def sent(route: Object, headers: Mapping[str, str]) -> dict[str, str]:
    """To which backends a request goes, each with the cookie that its answer sets; of the rules that match it the one that asks
    for most headers, and of several the first."""
    found = [
        (len(match.get("headers", [])), rule)
        for rule in route["spec"].get("rules", [])
        for match in rule.get("matches") or [{}]
        if all(_has(headers, wanted) for wanted in match.get("headers", []))
    ]
    chosen: Object = max(found, key=lambda each: each[0], default=(0, {}))[1]  # max takes the first of equals
    return {each["name"]: _baked(each) for each in chosen.get("backendRefs", []) if each.get("weight", 1)}


def _has(headers: Mapping[str, str], wanted: Object) -> bool:
    value = headers.get(wanted["name"])
    if value is None or wanted.get("type", "Exact") == "Exact":
        return bool(value == wanted["value"])
    return re.fullmatch(wanted["value"], value) is not None


def _baked(backend: Object) -> str:
    for each in backend.get("filters", []):
        for header in each.get("responseHeaderModifier", {}).get("add", []):
            if header["name"] == "Set-Cookie":
                return str(header["value"]).partition(";")[0]
    return ""


def strategy_of(world: World, number: object) -> dict[str, Any]:
    """As the revision was last deployed with it."""
    body = world.objects.get(("Deployment", f"shop-v{number}"), {"metadata": {}})
    text = (body["metadata"].get("annotations") or {}).get("docc.dev/manifest", "{}")
    found: dict[str, Any] = json.loads(text).get("deployment_strategy", {})
    return found


@dataclass
class Users:
    """approved, hurried: the rollouts, by candidate and when they were begun, that somebody has let go on; to all traffic."""

    approved: set[tuple[object, object]] = field(default_factory=set)
    hurried: set[tuple[object, object]] = field(default_factory=set)

    def asked(self, record: dict[str, Any]) -> None:
        which = (record.get("candidate"), record.get("started"))
        if record.get("request") in ("promote", "full"):
            self.approved.add(which)
        if record.get("request") == "full":
            self.hurried.add(which)

    def grown(self, world: World, before: dict[str, Any], after: dict[str, Any], name: str, by: float) -> None:
        """docc has given a candidate `by` percent more. before, after: the record."""
        number, which = before.get("candidate"), (before.get("candidate"), before.get("started"))
        if name != f"shop-v{number}" or before.get("stable") is None or after.get("verb") == "rollback":
            return
        strategy = strategy_of(world, number)
        asks = strategy.get("ab_testing", {}).get("pause_before_rollout", False)
        _require(not asks or which in self.approved, f"{name} has grown by {by:.0f} %, and nobody has approved it")
        step = strategy.get("canary", {}).get("increment", 100)
        stable = f"shop-v{before['stable']}"
        since, _ = world.weather.down.get(world.tag(stable), (world.now, 0.0))
        silent = world.now - since >= SILENT_SECONDS or not world.objects["Deployment", stable]["spec"]["replicas"]
        hurried = which in self.hurried or silent
        _require(by <= step or hurried, f"{name} has grown by {by:.0f} % at once, and its steps are of {step} %")

    def served(self, world: World, before: dict[str, Any], after: dict[str, Any], route: Object) -> None:
        """docc has written the route in a step, and nobody else's hand is in it."""
        number, stable, weight = after.get("candidate"), after.get("stable"), after.get("weight", 0)
        others = sent(route, {})
        tried = after.get("phase") in TRIED and weight < 100 and stable is not None
        if not tried:
            for headers in (TRIAL, *(cookie(name) for name in others)):
                phase = after.get("phase")
                _require(sent(route, headers) == others, f"in phase {phase} users with {headers} are sent elsewhere")
            _require(not any(others.values()), f"cookies are set in phase {after.get('phase')}")
            return
        if before.get("plan") != after.get("plan") or before.get("step") == after.get("step"):
            return  # who has just taken it over with another strategy is on the way to its rules
        strategy, mine, former = strategy_of(world, number), f"shop-v{number}", f"shop-v{stable}"
        sticky = strategy.get("sticky", False)
        trial = strategy.get("ab_testing", {}).get("enable_headers", False)
        for headers in (TRIAL, {**TRIAL, **cookie(former)}) if trial else ():
            _require(set(sent(route, headers)) == {mine}, f"users on trial go to {set(sent(route, headers))}")
        held = {mine: mine, former: former} if weight else {mine: mine} if trial else {}
        for name in held if sticky else ():
            _require(set(sent(route, cookie(name))) == {name}, f"whom {name} has answered goes elsewhere")
        for headers in ({}, TRIAL):
            for name, baked in sent(route, headers).items():
                wanted = f"docc-shop={name.rpartition('-')[2]}" if sticky and name in held else ""
                _require(baked == wanted, f"an answer of {name} sets the cookie {baked!r}, and should {wanted!r}")


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise Violation(what)
