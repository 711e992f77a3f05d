"""What must hold after every write, read from the raw objects by code that shares nothing with docc."""

from __future__ import annotations

import json
import math
from typing import Any

from docc.model.errors import ExitCode
from tests.sim.world import World

SCALE = 3
LOGIN_SECONDS = 60
"""How long a lost login is waited for."""


class Violation(AssertionError):
    """docc did what it must never do; the message has the trace in words."""


class Auditor:
    def __init__(self) -> None:
        self.weights: dict[str, int] = {}
        self.epoch = 0
        self.writer = ""
        self.trial: set[str] = set()
        self.fell: dict[str, float] = {}
        """When a revision's weight last fell to 0, or its header rule went."""

    def __call__(self, world: World, label: str) -> None:
        def require(holds: bool, what: str) -> None:
            if not holds:
                raise Violation(f"{what}\nafter: {label}\n" + "\n".join(world.trace))

        self._selected_lives(world, require)
        route = world.objects.get(("HTTPRoute", "shop"))
        if route is None:
            return
        record = json.loads(route["metadata"].get("annotations", {}).get("docc.dev/rollout", "{}"))
        weights = self._route_weights(route, require)
        for parent in route["spec"].get("parentRefs", []):
            there = parent.get("kind") != "Service" or ("Service", parent["name"]) in world.objects
            require(there, f"the route's parent Service {parent['name']} does not exist")
        self._epoch(record, require)
        trial = {
            rule["backendRefs"][0]["name"]
            for rule in route["spec"].get("rules", [])
            if any(match.get("headers") for match in rule.get("matches", []))
        }
        self.fell.update(dict.fromkeys(self.trial - trial, world.now))
        self.trial = trial
        for name, weight in weights.items():
            require(("Service", name) in world.objects, f"the route names {name}, which has no Service")
            if weight == 0 and self.weights.get(name, 0) > 0:
                self.fell[name] = world.now
            if weight > self.weights.get(name, 0):
                self._grown(world, record, name, weight, require)
        self._record_tells_the_truth(record, weights, require)
        self.weights = weights

    def promptly(self, world: World) -> None:
        """Nothing disturbed the driver: a breach must end within poll + scrape, a death of all pods at once."""
        for ends, seconds in ((world.scenario.failing, 3.0), (world.scenario.dies, 0.1)):
            for number, instant in ends.items():
                after = self.fell.get(f"shop-v{number}", math.inf) - instant
                _plain(after <= seconds, f"v{number} had traffic for {after} s after it went bad")

    def gave_up(self, world: World, code: ExitCode) -> None:
        """A driver ended because its login was gone: after a minute, and with "users are where they were" only if so."""
        waited = world.now - world.locked[0]
        _plain(waited >= LOGIN_SECONDS, f"it gave up {waited:.0f} s after the login was lost")
        _plain(code in (ExitCode.FAILED_SAFE, ExitCode.FAILED_NOT_CLEAN), f"it gave up with {code}")
        record = json.loads(world.objects["HTTPRoute", "shop"]["metadata"]["annotations"]["docc.dev/rollout"])
        exposed = self.weights.get(f"shop-v{record['candidate']}", 0) if record.get("candidate") else 0
        _plain(code is not ExitCode.FAILED_SAFE or exposed == 0, f"it called {exposed} % to the candidate safe")

    def at_rest(self, world: World) -> None:
        """What must be true when no driver has anything left to do."""
        route = world.objects[("HTTPRoute", "shop")]
        record = json.loads(route["metadata"]["annotations"]["docc.dev/rollout"])
        stable, weights = record.get("stable"), self._route_weights(route, _plain)
        _plain(record["phase"] in ("succeeded", "reverted", "parked"), f"at rest in phase {record['phase']}")
        if stable is None:
            return
        _plain(weights.get(f"shop-v{stable}") == 100, f"record says v{stable}, the route says {weights}")
        selector = world.objects[("Service", "shop")]["spec"]["selector"]
        _plain(selector["docc.dev/revision"] == f"v{stable}", f"the front selects {selector}, stable is v{stable}")
        _plain(world.ready(f"shop-v{stable}") > 0, "stable serves nobody")
        kept = world.objects.get(("ConfigMap", "docc-shop"), {}).get("data", {})
        noted = [json.loads(text)["ended"] for text in kept.values()]
        _plain(
            noted.count(record["since"]) == 1,
            f"{record['since']} is in the history {noted.count(record['since'])} times",
        )
        if record["phase"] != "parked":
            kept = {f"shop-v{n}" for n in (stable, record.get("previous")) if n is not None}
            for (kind, name), body in world.objects.items():
                if kind == "Deployment" and name not in kept:
                    _plain(body["spec"]["replicas"] == 0, f"{name} is orphaned")
                if kind == "Service" and name not in kept | {"shop"}:
                    _plain(False, f"Service {name} is orphaned")

    def _route_weights(self, route: dict[str, Any], require: Any) -> dict[str, int]:
        found: list[dict[str, int]] = []
        for rule in route["spec"].get("rules", []):
            backends = {b["name"]: b["weight"] for b in rule.get("backendRefs", []) if b["name"].startswith("shop-v")}
            if backends and not any(m.get("headers") for m in rule.get("matches", [])):
                require(sum(backends.values()) == 100, f"weights {backends} do not sum to 100")
                found.append(backends)
        require(all(weights == found[0] for weights in found), f"rules disagree: {found}")
        return found[0] if found else {}

    def _epoch(self, record: dict[str, Any], require: Any) -> None:
        epoch, writer = record.get("epoch", 0), record.get("by", "")
        require(epoch >= self.epoch, f"a writer with the old epoch {epoch} wrote after {self.epoch}")
        require(epoch > self.epoch or writer == self.writer, f"{writer} wrote in the epoch of {self.writer}")
        self.epoch, self.writer = epoch, writer

    def _grown(self, world: World, record: dict[str, Any], name: str, weight: int, require: Any) -> None:
        number = world.revision(name)
        returning = record["phase"] in ("reverting", "parked") or record.get("previous") is None
        needed = 1 if returning or record.get("stable") == number else math.ceil(SCALE * weight / 100)
        ready = world.available(name)
        require(ready >= needed, f"{name} grew to {weight} % with {ready} of {needed} pods ready")
        if record.get("candidate") == number and record.get("stable") is not None:
            failing = world.now >= world.scenario.failing.get(number, math.inf) + 2
            require(not failing, f"{name} grew to {weight} % while its condition fails")
            require(number not in world.scenario.silent or record.get("weight", 0) <= 20, f"{name} grew without data")

    def _record_tells_the_truth(self, record: dict[str, Any], weights: dict[str, int], require: Any) -> None:
        if not record or not weights:
            return
        candidate, told = record.get("candidate"), record.get("weight", 0)
        if candidate is not None and record.get("stable") is not None:
            real = weights.get(f"shop-v{candidate}", 0)
            require(real == told, f"the record says {told} % for v{candidate}, the route {real} %")
        elif record.get("stable") is not None:
            real = weights.get(f"shop-v{record['stable']}", 0)
            require(real == 100, f"the record says v{record['stable']} is stable, the route gives it {real} %")

    def _selected_lives(self, world: World, require: Any) -> None:
        front = world.objects.get(("Service", "shop"))
        named = {name for name, weight in self.weights.items() if weight > 0}
        route = world.objects.get(("HTTPRoute", "shop"))
        if route is not None:
            named = {n for n, w in self._route_weights(route, require).items() if w > 0}
        if front is not None and front["spec"]["selector"]["docc.dev/revision"] != "none":
            named.add(f"shop-{front['spec']['selector']['docc.dev/revision']}")
        for name in named:
            replicas = world.objects.get(("Deployment", name), {}).get("spec", {}).get("replicas", 0)
            require(replicas > 0, f"{name} is selected and scaled to 0")
            record = json.loads(route["metadata"]["annotations"]["docc.dev/rollout"]) if route else {}
            stable = record.get("stable")
            if stable is not None and name == f"shop-v{stable}":
                require(replicas >= SCALE, f"stable {name} has only {replicas} replicas")


def _plain(holds: bool, what: str) -> None:
    if not holds:
        raise Violation(what)
