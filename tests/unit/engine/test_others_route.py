"""application.route: every verb on a route that others own, whatever it holds: only docc's backendRefs and record change."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docc.cli.planning import planned
from docc.core.observation import see
from docc.engine.driver import Driver
from docc.engine.lease import Lease
from docc.engine.removal import remove
from docc.engine.rollback import give_up, tidy, turn_back
from docc.model.errors import ExitCode
from docc.model.moves import Outcome
from docc.model.world import Objects, Routed, Seen
from docc.spec.build import read
from docc.ui import rescue
from tests.sim.faults import after
from tests.sim.stage import Fault, Process, Stage
from tests.sim.world import Key, World

Object = dict[str, Any]
META: Object = {"name": "public", "uid": "u", "generation": 7, "resourceVersion": "1"}
NOTE = "rollout.docc.dev/shop"
PUBLIC = ("HTTPRoute", "public")

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab<>&é\u2028", max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("xyz", max_size=2), inner, max_size=2),
    max_leaves=4,
)
names = st.sampled_from(["other", "shop-v1x", "shop", "canary"])
backend = st.fixed_dictionaries(
    {"name": names}, optional={"weight": st.integers(0, 9), "filters": anything, "x": anything}
)
foreign_rule = st.fixed_dictionaries(
    {}, optional={
        "name": names.filter(lambda name: name != "shop"), "matches": anything, "filters": st.just([{"type": "Mystery"}]),
        "backendRefs": st.lists(backend, max_size=2), "unknown": anything,
    },
)  # fmt: skip
own_rule = st.fixed_dictionaries(
    {"name": st.just("shop")},
    optional={
        "matches": anything,
        "filters": st.just([{"type": "Mystery"}]),
        "timeouts": anything,
        "unknown": anything,
    },
)
texts = st.dictionaries(st.text("abc./", min_size=1, max_size=5), st.text(max_size=5), max_size=3)
routes = st.builds(
    lambda above, own, below, labels, notes, more: {
        "kind": "HTTPRoute",
        "metadata": {**META, "labels": labels, "annotations": notes},
        "spec": {"parentRefs": [{"name": "gw", "x": more}], "rules": [*above, own, *below], "more": more},
    },
    st.lists(foreign_rule, max_size=2), own_rule, st.lists(foreign_rule, max_size=2), texts, texts, anything,
)  # fmt: skip


class Unwatched:
    """The tests look themselves."""

    def changed(self, world: World, actor: str, key: Key, before: Object | None, after: Object | None) -> None:
        return

    def fork(self) -> Unwatched:
        return self


class Shared(World):
    """The application's route is another's, as the adapter would find it."""

    def snapshot(self) -> Objects:
        return replace(super().snapshot(), route=self.objects.get(PUBLIC))


class Place:
    def __init__(self, route: Object | None) -> None:
        self.world = Shared(Unwatched())
        if route is not None:
            self.world.objects[PUBLIC] = route

    @property
    def route(self) -> Object:
        return self.world.objects[PUBLIC]

    @property
    def seen(self) -> Seen:
        return see("shop", self.world.snapshot())

    def run(self, verb: Callable[[Process], Outcome], faults: dict[tuple[str, int], Fault] | None = None) -> Process:
        """One command in a process of its own."""
        stage = Stage(self.world)
        process = stage.enter(Process(stage, "command", verb, faults or {}))
        stage.play()
        self.world.now += 1
        return process

    def ends(self, verb: Callable[[Process], Outcome]) -> ExitCode:
        outcome = self.run(verb).outcome
        assert outcome is not None
        return outcome.exit_code

    def deploy(self, candidate: int) -> Outcome:
        outcome = self.run(deployed(candidate)).outcome
        assert outcome is not None
        return outcome


def deployed(candidate: int) -> Callable[[Process], Outcome]:
    """docc deploy of a manifest that names a rule of somebody else's route."""
    container = {"image": f"shop:{candidate}", "ports": [{"port": 80}]}
    route = {"name": "public", "rule": "shop"}
    application = {"name": "shop", "scale": 3, "containers": {"web": container}, "route": route}
    strategy = {"canary": {"increment": 50, "interval": 10}, "drain": 5, "keep_warm": 60}
    text = json.dumps({"application": application, "deployment_strategy": strategy})
    plan, sampling = planned(read(text.encode(), "manifest.json"), "web", Seen(Routed("HTTPRoute")), None, candidate)

    def run(process: Process) -> Outcome:
        lease = Lease(process.ports, "shop", process.me, "web")
        lease.acquire()
        try:
            return Driver(process.ports, "shop", process.me, plan, sampling, lease).run()
        finally:
            lease.release()

    return run


def deleted(*, keep_workload: bool) -> Callable[[Process], Outcome]:
    return lambda process: remove(process.ports, "shop", "web", process.me, keep_workload=keep_workload)


def without_doccs(route: Object) -> Object:
    """What is not docc's of it, and not the server's."""
    found = copy.deepcopy(route)
    for key in ("generation", "resourceVersion"):
        del found["metadata"][key]
    found["metadata"].get("annotations", {}).pop(NOTE, None)
    for rule in found["spec"]["rules"]:
        if rule.get("name") == "shop":
            rule.pop("backendRefs", None)
    return found


@settings(max_examples=40)
@given(routes)
def test_every_verb_leaves_all_that_is_others_as_it_was(route: Object) -> None:
    place, before = Place(copy.deepcopy(route)), without_doccs(route)
    assert place.deploy(1).exit_code is ExitCode.DONE and place.seen.routed.weights == {1: 100}
    assert place.deploy(2).exit_code is ExitCode.DONE and place.seen.routed.weights[2] == 100
    assert without_doccs(place.route) == before
    assert place.ends(lambda process: turn_back(process.ports, "shop", "web", process.me, "", 1)) is ExitCode.DONE
    assert place.seen.routed.weights[1] == 100 and without_doccs(place.route) == before
    place.world.now += 10_000
    assert place.ends(lambda process: tidy(process.ports, "shop", "web", process.me)) is ExitCode.DONE
    assert place.seen.routed.weights == {1: 100} and without_doccs(place.route) == before
    assert place.ends(deleted(keep_workload=False)) is ExitCode.DONE
    assert without_doccs(place.route) == before and NOTE not in place.route["metadata"].get("annotations", {})
    (rule,) = [rule for rule in place.route["spec"]["rules"] if rule.get("name") == "shop"]
    assert not rule.get("backendRefs")
    assert {kind for kind, _ in place.world.objects} == {"HTTPRoute"}


def bare(*rules: Object) -> Object:
    return {"kind": "HTTPRoute", "metadata": dict(META), "spec": {"parentRefs": [{"name": "gw"}], "rules": list(rules)}}


@pytest.mark.parametrize(
    ("route", "code", "words"),
    [
        (None, ExitCode.UNUSABLE, "HTTPRoute public is not there"),
        (bare({"name": "site"}), ExitCode.UNUSABLE, 'HTTPRoute public has no rule "shop"'),
        (
            bare({"name": "shop", "backendRefs": [{"name": "legacy", "port": 80}]}), ExitCode.LOCKED,
            "takes traffic from nobody in silence",
        ),
        (bare({"name": "shop", "backendRefs": [{"name": "legacy", "port": 80, "weight": 0}]}), ExitCode.DONE, ""),
    ],
)  # fmt: skip
def test_a_route_that_docc_cannot_or_must_not_use_is_refused_and_not_touched(
    route: Object | None, code: ExitCode, words: str
) -> None:
    place = Place(copy.deepcopy(route))
    outcome = place.deploy(1)
    assert outcome.exit_code is code and words in outcome.reason
    if code is not ExitCode.DONE:
        assert {kind for kind, _ in place.world.objects} <= {"HTTPRoute", "Lease"}
        assert place.world.objects.get(PUBLIC) == route


def test_a_rollout_can_be_given_up_and_the_way_by_hand_names_the_right_rule_and_route() -> None:
    place = Place(bare({"name": "site", "backendRefs": [{"name": "shop-v1"}]}, {"name": "shop"}))
    place.deploy(1)
    assert place.run(deployed(2), {("write", 4): after("crash")}).crashed
    assert place.seen.routed.weights == {1: 50, 2: 50}
    by_hand = rescue.by_hand("shop", 1, place.seen)
    assert by_hand.startswith("httproute public ") and "/spec/rules/1/backendRefs/" in by_hand
    assert "/spec/rules/0" not in by_hand
    place.world.now += 30
    assert place.ends(lambda process: give_up(process.ports, "shop", "web", process.me, "enough")) is ExitCode.DONE
    assert place.seen.routed.weights == {1: 100}
    assert place.route["spec"]["rules"][0]["backendRefs"] == [{"name": "shop-v1"}]
    assert place.ends(deleted(keep_workload=True)) is ExitCode.DONE
    assert place.seen.record is None and place.seen.routed.weights == {1: 100}
