"""application.route: every verb on a route that others own, whatever it holds: only docc's backendRefs and record change."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docc.core.observation import see
from docc.core.plan import Plan
from docc.engine.driver import Driver
from docc.engine.lease import Lease
from docc.engine.ports import Ports
from docc.engine.removal import remove
from docc.engine.rollback import UNJUDGED, give_up, tidy, turn_back
from docc.model.errors import ExitCode
from docc.model.manifest import Canary, Strategy
from docc.model.moves import Outcome
from docc.model.world import Home, Objects, Seen
from docc.ui import rescue
from tests.sim import play
from tests.sim.world import Crash, Scenario, SimPorts, World

Object = dict[str, Any]
HOME = Home("public", "shop")
META: Object = {"name": "public", "uid": "u", "generation": 7, "resourceVersion": "1"}
NOTE = "rollout.docc.dev/shop"
MANIFEST = '{"application":{"name":"shop","route":{"name":"public","rule":"shop"}}}'

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


class Shared(SimPorts):
    """The application's route is another's, as the adapter would find it."""

    def observe(self, app: str) -> Objects:
        return replace(self.world.observe(app), route=copy.deepcopy(self.world.objects.get(("HTTPRoute", "public"))))


class Place:
    def __init__(self, route: Object | None) -> None:
        self.world = World(Scenario(), lambda world, label: None)
        if route is not None:
            self.world.objects["HTTPRoute", "public"] = route

    @property
    def ports(self) -> Ports:
        ports = Shared(self.world)
        return Ports(ports, None, ports, ports, ports)

    @property
    def route(self) -> Object:
        return self.world.objects["HTTPRoute", "public"]

    @property
    def seen(self) -> Seen:
        return see("shop", self.ports.cluster.observe("shop"))

    def deploy(self, candidate: int) -> Outcome:
        ports, me = self.ports, f"driver-{self.world.now}"
        lease = Lease(ports, "shop", me, "web")
        lease.acquire()
        outcome = Driver(ports, "shop", me, plan(candidate), UNJUDGED, lease).run()
        lease.release()
        self.world.now += 1
        return outcome


def plan(candidate: int) -> Plan:
    whole = play.plan(candidate, Strategy(canary=Canary(50, 10)))
    rendered = replace(whole.rendered, route=None)
    return replace(whole, rendered=rendered, home=HOME, judged=False, manifest=MANIFEST)


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


@settings(max_examples=40, deadline=None)
@given(routes)
def test_every_verb_leaves_all_that_is_others_as_it_was(route: Object) -> None:
    place, before = Place(copy.deepcopy(route)), without_doccs(route)
    assert place.deploy(1).exit_code is ExitCode.DONE and place.seen.routed.weights == {1: 100}
    assert place.deploy(2).exit_code is ExitCode.DONE and place.seen.routed.weights[2] == 100
    assert without_doccs(place.route) == before
    assert turn_back(place.ports, "shop", "web", "somebody", "").exit_code is ExitCode.DONE
    assert place.seen.routed.weights[1] == 100 and without_doccs(place.route) == before
    place.world.now += 10_000
    assert tidy(place.ports, "shop", "web", "gc").exit_code is ExitCode.DONE
    assert place.seen.routed.weights == {1: 100} and without_doccs(place.route) == before
    assert remove(place.ports, "shop", "web", "end", keep_workload=False).exit_code is ExitCode.DONE
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
        assert place.world.objects.get(("HTTPRoute", "public")) == route


def test_a_rollout_can_be_given_up_and_the_way_by_hand_names_the_right_rule_and_route() -> None:
    place = Place(bare({"name": "site", "backendRefs": [{"name": "shop-v1"}]}, {"name": "shop"}))
    place.deploy(1)
    place.world.fault = lambda world, effect, index: (
        "crash after" if place.seen.routed.weights.get(2) == 50 and effect.ref.kind != "HTTPRoute" else ""
    )
    with pytest.raises(Crash):
        place.deploy(2)
    place.world.fault = lambda world, effect, index: ""
    assert place.seen.routed.weights == {1: 50, 2: 50}
    by_hand = rescue.by_hand("shop", 1, place.seen)
    assert by_hand.startswith("httproute public ") and "/spec/rules/1/backendRefs/" in by_hand
    assert "/spec/rules/0" not in by_hand
    place.world.now += 30
    assert give_up(place.ports, "shop", "web", "somebody", "enough").exit_code is ExitCode.DONE
    assert place.seen.routed.weights == {1: 100}
    assert place.route["spec"]["rules"][0]["backendRefs"] == [{"name": "shop-v1"}]
    assert remove(place.ports, "shop", "web", "end", keep_workload=True).exit_code is ExitCode.DONE
    assert place.seen.record is None and place.seen.routed.weights == {1: 100}
