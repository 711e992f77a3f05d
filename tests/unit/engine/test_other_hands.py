"""A driver whose route others write to, in virtual time: what it says, what it leaves alone, how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from docc.core.expression import parse
from docc.core.observation import see
from docc.core.plan import Plan
from docc.engine.driver import Driver
from docc.engine.lease import Lease
from docc.engine.ports import Ports
from docc.engine.rollback import finish
from docc.engine.sampling import Sampling
from docc.model.errors import ExitCode
from docc.model.facts import Edit, Meddled, Promoted, PutBack, Reverted, TakenBack, Weighted
from docc.model.manifest import Strategy
from docc.model.moves import Outcome
from docc.model.record import Phase
from tests.sim import play
from tests.sim.world import Scenario, SimPorts, World

Object = dict[str, Any]
Change = Callable[[Object], None]
RECORD = "docc.dev/rollout"


class Rollout:
    """v1 serves; v2 rolls out by 20 % every 10 s, and others do what the agenda says, by seconds from its beginning."""

    def __init__(self, *, forced: bool = False, scenario: Scenario | None = None, wanted: Plan | None = None) -> None:
        self.world = World(scenario or Scenario(), lambda world, label: None)
        self.run(play.plan(1))
        self.world.now += 60
        self.forced, self.wanted, self.began = forced, wanted or play.plan(2), self.world.now
        self.ports = SimPorts(self.world)
        self.weights: list[tuple[float, dict[str, int], bool]] = []

    def run(self, wanted: Plan, *, forced: bool = False) -> Outcome:
        self.ports = ports = SimPorts(self.world)
        bundle, me = Ports(ports, ports, ports, ports, ports), f"driver-{self.world.now}"
        lease = Lease(bundle, "shop", me, "web")
        lease.acquire()
        sampling = Sampling((("Errors", parse(play.CONDITION)),), poll=2, window=30)
        outcome = Driver(bundle, "shop", me, wanted, sampling, lease, forced=forced).run()
        lease.release()
        return outcome

    def at(self, seconds: float, change: Change, manager: str = "kubectl-edit") -> None:
        """Somebody edits the route; the API server keeps who it was."""

        def edit(world: World) -> None:
            route = world.objects[("HTTPRoute", "shop")]
            before = json.dumps(route["spec"])
            change(route)
            route["metadata"]["generation"] += json.dumps(route["spec"]) != before
            route["metadata"]["resourceVersion"] = str(next(world.versions))
            fields: Object = {"f:spec": {"f:rules": {}}}
            route["metadata"]["managedFields"] = [
                {"manager": manager, "time": "2026-01-02T03:04:05Z", "fieldsV1": fields}
            ]

        self.world.agenda.append((self.began + seconds, edit))

    def end(self) -> Outcome:
        return self.run(self.wanted, forced=self.forced)

    def facts(self, *kinds: type) -> list[Any]:
        return [fact for _, fact in self.ports.facts if isinstance(fact, kinds)]

    def told_at(self, kind: type) -> float:
        return next(at for at, fact in self.ports.facts if isinstance(fact, kind)) - self.began

    @property
    def live(self) -> dict[int, int]:
        return {n: w for n, w in see("shop", self.world.observe("shop")).routed.weights.items() if w}

    @property
    def phase(self) -> Phase | None:
        record = see("shop", self.world.observe("shop")).record
        return record.phase if record else None


def weights(**percents: int) -> Change:
    def change(route: Object) -> None:
        route["spec"]["rules"][0]["backendRefs"] = [
            {"group": "", "kind": "Service", "name": f"shop-{name}", "port": 80, "weight": weight}
            for name, weight in percents.items()
        ]

    return change


def forget(route: Object) -> None:
    del route["metadata"]["annotations"][RECORD]


def garble(route: Object) -> None:
    route["metadata"]["annotations"][RECORD] = "{"


def rewrite(**values: Any) -> Change:
    def change(route: Object) -> None:
        notes = route["metadata"]["annotations"]
        notes[RECORD] = json.dumps({**json.loads(notes[RECORD]), **values})

    return change


def test_foreign_weights_are_told_with_who_and_what_and_nothing_is_written_until_they_are_taken_back() -> None:
    story = Rollout()
    story.at(15, weights(v1=50, v2=50))
    story.at(45, weights(v1=80, v2=20))
    assert story.end().exit_code is ExitCode.DONE
    (told,), (back,) = story.facts(Meddled), story.facts(TakenBack)
    ours, theirs = "shop-v1 80, shop-v2 20", "shop-v1 50, shop-v2 50"
    assert told.edits == (Edit("HTTPRoute shop", "weights of rules[0]", ours, theirs, "kubectl-edit", 1767323045.0),)
    assert (story.told_at(Meddled), story.told_at(TakenBack)) == (15, 45) and back.where == "HTTPRoute shop"
    steps = [(at - story.began, fact.weight) for at, fact in story.ports.facts if isinstance(fact, Weighted)]
    assert [weight for _, weight in steps] == [20, 40, 60, 80, 100]
    assert not [at for at, _ in steps if 15 <= at < 45]


def test_nobody_takes_them_back_so_it_ends_with_11_and_the_weights_as_they_are() -> None:
    story = Rollout()
    story.at(15, weights(v1=50, v2=50))
    outcome = story.end()
    assert (outcome.result, outcome.exit_code) == ("disputed", ExitCode.FAILED_NOT_CLEAN)
    assert "shop-v1 50, shop-v2 50 instead of shop-v1 80, shop-v2 20, by kubectl-edit" in outcome.reason
    assert story.live == {1: 50, 2: 50} and story.world.now - story.began == 15 + play.LIMITS.no_data
    again = story.run(play.plan(2), forced=True)
    assert again.exit_code is ExitCode.DONE and story.live == {2: 100}


def test_evidence_turns_it_back_while_others_have_their_hands_in_it() -> None:
    story = Rollout(scenario=Scenario())
    story.world.scenario.failing[2] = story.began + 25
    story.at(15, weights(v1=50, v2=50))
    outcome = story.end()
    assert outcome.exit_code is ExitCode.FAILED_SAFE and "Errors" in outcome.reason
    assert story.live == {1: 100} and story.told_at(Reverted) <= 28


def test_who_takes_all_traffic_from_the_candidate_has_stopped_the_rollout() -> None:
    for change in (weights(v1=100, v2=0), weights(v1=100), weights(v1=1)):
        story = Rollout()
        story.at(15, change)
        outcome = story.end()
        assert outcome.exit_code is ExitCode.FAILED_SAFE
        assert outcome.reason == "kubectl-edit took v2's traffic and gave it to v1"
        assert story.live == {1: 100} and story.phase is Phase.REVERTED and story.told_at(Reverted) == 15


def test_force_conflicts_writes_docc_s_weights_again_at_once_each_time() -> None:
    story = Rollout(forced=True)
    for seconds in (15, 30, 45):
        story.at(seconds, weights(v1=100), "argocd-controller")
    assert story.end().exit_code is ExitCode.DONE
    put_back = [at - story.began for at, fact in story.ports.facts if isinstance(fact, PutBack)]
    assert put_back == [15, 30, 45] and story.live == {2: 100} and not story.facts(TakenBack)


def test_force_conflicts_does_not_chase_a_tool_that_writes_all_the_time() -> None:
    story = Rollout(forced=True)
    for seconds in range(12, 200):
        story.at(seconds, weights(v1=100), "robot")
    outcome = story.end()
    assert outcome.exit_code is ExitCode.FAILED_NOT_CLEAN and "robot" in outcome.reason
    assert len(story.facts(PutBack)) <= (play.LIMITS.no_data / 5) + 1


@pytest.mark.parametrize("change", [forget, garble, rewrite(weight=77), rewrite(phase="baking", step=3)])
@pytest.mark.parametrize("seconds", [2.0, 15.0, 52.0])
def test_the_living_driver_puts_its_record_back_and_goes_on(change: Change, seconds: float) -> None:
    story = Rollout()
    story.at(seconds, change)
    assert story.end().exit_code is ExitCode.DONE
    (again,) = story.facts(PutBack)
    assert again.what == "its record" and again.edits[0].field == "docc's record"
    assert [fact.weight for fact in story.facts(Weighted)] == [20, 40, 60, 80, 100]
    assert story.live == {2: 100}


def test_record_and_weights_replaced_together_are_the_record_put_back_and_a_rollout_stopped() -> None:
    """A tool that writes the whole object, as git has it."""
    story = Rollout()

    def replace_it(route: Object) -> None:
        forget(route)
        weights(v1=1)(route)

    story.at(15, replace_it, "argocd-controller")
    outcome = story.end()
    assert outcome.exit_code is ExitCode.FAILED_SAFE and "argocd-controller took v2's traffic" in outcome.reason
    assert story.live == {1: 100} and story.phase is Phase.REVERTED


def test_users_who_are_sent_to_nobody_are_sent_where_docc_has_them() -> None:
    story = Rollout()
    story.at(15, weights(v7=100))
    assert story.end().exit_code is ExitCode.DONE
    assert story.told_at(PutBack) == 15 and story.live == {2: 100}


@pytest.mark.parametrize("stopped", [False, True])
def test_a_route_without_any_rule_of_docc_s_is_held_and_never_said_to_be_served(stopped: bool) -> None:
    story = Rollout()

    def take_away(route: Object) -> None:
        route["spec"]["rules"][0]["backendRefs"] = [{"name": "other", "port": 80}]
        if stopped:
            story.ports.stopped = "SIGTERM"

    story.at(15, take_away)
    outcome = story.end()
    assert (outcome.result, outcome.exit_code) == ("disputed", ExitCode.FAILED_NOT_CLEAN)
    assert "gone" in outcome.reason and not story.facts(Reverted)
    assert story.world.objects["HTTPRoute", "shop"]["spec"]["rules"][0]["backendRefs"] == [
        {"name": "other", "port": 80}
    ]


def test_a_route_that_is_deleted_under_the_driver_is_not_made_anew() -> None:
    story = Rollout()

    def delete(world: World) -> None:
        del world.objects["HTTPRoute", "shop"]

    story.world.agenda.append((story.began + 15, delete))
    outcome = story.end()
    assert outcome.exit_code is ExitCode.FAILED_NOT_CLEAN and "HTTPRoute shop: gone" in outcome.reason
    assert ("HTTPRoute", "shop") not in story.world.objects


def test_a_hand_in_the_drain_after_promotion_is_not_written_over() -> None:
    story = Rollout(wanted=play.plan(2, Strategy()))
    story.at(8, weights(v1=100, v2=0))
    outcome = story.end()
    assert story.told_at(Promoted) < 8 and story.live == {1: 100} and story.phase is Phase.PROMOTING
    assert (outcome.result, outcome.exit_code) == ("disputed", ExitCode.FAILED_NOT_CLEAN)
    assert story.run(play.plan(2), forced=True).exit_code is ExitCode.DONE
    assert story.live == {2: 100}


def test_at_rest_others_weights_stay_and_nothing_that_gets_traffic_is_taken_down() -> None:
    story = Rollout()
    assert story.end().exit_code is ExitCode.DONE
    story.began = story.world.now
    story.at(1, weights(v1=100, v2=0))
    story.ports.sleep_until(story.world.now + 2)
    story.world.now += 1000  # v1 is not to be kept warm any more
    bundle = Ports(story.ports, None, story.ports, story.ports, story.ports)
    assert finish(bundle, "shop", "web", "somebody").exit_code is ExitCode.DONE
    assert story.live == {1: 100} and story.world.objects["Deployment", "shop-v1"]["spec"]["replicas"] == 3
    won = story.run(play.plan(2), forced=True)
    assert (won.result, won.exit_code, story.live) == ("returned", ExitCode.DONE, {2: 100})


def test_what_is_not_docc_s_is_nobody_s_news() -> None:
    story = Rollout()

    def decorate(route: Object) -> None:
        route["metadata"]["labels"]["team"] = "blue"
        route["spec"]["hostnames"] = ["a.example"]
        route["spec"]["rules"][0]["filters"] = [{"type": "RequestHeaderModifier"}]
        route["spec"]["rules"].insert(0, {"matches": [{"path": {"value": "/x"}}], "backendRefs": [{"name": "other"}]})
        route["spec"]["rules"].append({"matches": [{"path": {"value": "/internal"}}]})

    story.at(15, decorate)
    assert story.end().exit_code is ExitCode.DONE
    assert not story.facts(Meddled, PutBack)
    rules = story.world.objects["HTTPRoute", "shop"]["spec"]["rules"]
    assert rules[0]["backendRefs"] == [{"name": "other"}] and "backendRefs" not in rules[2]
    assert story.live == {2: 100}
