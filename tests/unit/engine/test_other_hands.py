"""A driver whose route others write to, in virtual time: what it says, what it leaves alone, how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from docc.core.observation import see
from docc.model.errors import ExitCode
from docc.model.facts import Deleted, Edit, Meddled, Promoted, PutBack, Reverted, TakenBack, Waiting, Weighted
from docc.model.moves import Outcome
from docc.model.record import Phase
from tests.sim.stage import Process, Stage
from tests.sim.verbs import ABORT, CALM, GC, STRATEGY, Verb, deploy, enter, forced, want
from tests.sim.world import FOREVER, Key, World

Object = dict[str, Any]
Change = Callable[[Object], None]
ROUTE, RECORD = ("HTTPRoute", "shop"), "docc.dev/rollout"
NO_DATA_SECONDS = 60
BY_TWENTY = {
    **STRATEGY, "canary": {"increment": 20, "interval": 10}, "bake": 10, "poll": 2, "drain": 5,
    "no_data_limit": NO_DATA_SECONDS, "progress_deadline": 60,
}  # fmt: skip
V2 = deploy(want(2, BY_TWENTY))
SOON = 0.1
"""Seconds in which a change is known and answered."""


class Unwatched:
    """The tests look themselves."""

    def changed(self, world: World, actor: str, key: Key, before: Object | None, after: Object | None) -> None:
        return

    def fork(self) -> Unwatched:
        return self


class Rollout:
    """v1 serves; v2 rolls out by 20 % every 10 s, and others do what the agenda says, by seconds from its beginning."""

    def __init__(self, verb: Verb = V2) -> None:
        self.world, self.verb = World(Unwatched()), verb
        self.process = self.enter(deploy(want(1, BY_TWENTY)))
        self.stage.play()
        self.world.now += 60
        self.process = self.enter(verb)
        self.began = self.world.now

    def enter(self, verb: Verb) -> Process:
        self.stage = Stage(self.world)
        return enter(self.stage, verb)

    def at(self, seconds: float, change: Change, manager: str = "kubectl-edit") -> None:
        """Somebody edits the route; the API server keeps who it was."""

        def by(route: Object) -> None:
            change(route)
            fields: Object = {"f:spec": {"f:rules": {}}}
            entry = {"manager": manager, "time": "2026-01-02T03:04:05Z", "fieldsV1": fields}
            route["metadata"]["managedFields"] = [entry]

        self.world.agenda.append((self.began + seconds, lambda world: world.edit(ROUTE, by)))

    def end(self) -> Outcome:
        self.stage.play()
        assert self.process.outcome is not None
        return self.process.outcome

    def then(self, verb: Verb) -> Outcome:
        """Somebody types another command."""
        self.process = self.enter(verb)
        return self.end()

    def facts(self, *kinds: type) -> list[Any]:
        return [fact for _, fact in self.told(*kinds)]

    def told(self, *kinds: type) -> list[tuple[float, Any]]:
        """By this command, with seconds from its beginning."""
        mine = [(at - self.began, what) for at, who, what in self.world.trace if who == self.process.name]
        return [(at, what) for at, what in mine if isinstance(what, kinds)]

    def waited(self) -> list[str]:
        return [fact.why for fact in self.facts(Waiting)]

    def told_at(self, kind: type) -> float:
        return self.told(kind)[0][0]

    @property
    def live(self) -> dict[int, int]:
        return {n: w for n, w in see("shop", self.world.snapshot()).routed.weights.items() if w}

    @property
    def phase(self) -> Phase | None:
        record = see("shop", self.world.snapshot()).record
        return record.phase if record else None


def near(seconds: float) -> Any:
    return pytest.approx(seconds, abs=SOON)


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
    assert (story.told_at(Meddled), story.told_at(TakenBack)) == (near(15), near(45))
    assert back.where == "HTTPRoute shop"
    steps = [(at, fact.weight) for at, fact in story.told(Weighted)]
    assert [weight for _, weight in steps] == [20, 40, 60, 80, 100]
    assert not [at for at, _ in steps if 15 <= at < 45]


def test_nobody_takes_them_back_so_it_ends_with_11_and_the_weights_as_they_are() -> None:
    story = Rollout()
    story.at(15, weights(v1=50, v2=50))
    outcome = story.end()
    assert (outcome.result, outcome.exit_code) == ("disputed", ExitCode.FAILED_NOT_CLEAN)
    assert "shop-v1 50, shop-v2 50 instead of shop-v1 80, shop-v2 20, by kubectl-edit" in outcome.reason
    assert story.live == {1: 50, 2: 50} and story.world.now - story.began == near(15 + NO_DATA_SECONDS)
    again = story.then(forced(V2))
    assert again.exit_code is ExitCode.DONE and story.live == {2: 100}


def test_evidence_turns_it_back_while_others_have_their_hands_in_it() -> None:
    story = Rollout()
    story.world.weather.failing[2] = story.began + 25
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
        assert story.live == {1: 100} and story.phase is Phase.REVERTED and story.told_at(Reverted) == near(15)


@pytest.mark.parametrize(("given", "told"), [(3, None), (2, 0.0)])
def test_whom_others_had_given_traffic_drains_when_that_is_taken_back(given: int, told: float | None) -> None:
    """v3 before its time, or v2, which was parked and which the rollout of v3 knows nothing of."""
    story = Rollout()
    story.world.agenda.append((story.began + 15, lambda _: story.stage.stop(story.process, "SIGTERM")))
    assert story.end().exit_code is ExitCode.TERMINATED
    story.world.now += 30
    story.process, story.began = story.enter(deploy(want(3, BY_TWENTY))), story.world.now
    story.at(5, weights(v1=50, **{f"v{given}": 50}))
    abort = enter(story.stage, ABORT, 8.0)
    story.end()
    trace = [(at, fact) for at, who, fact in story.world.trace if who == abort.name]
    ((back, reverted),) = [(at, fact) for at, fact in trace if isinstance(fact, Reverted)]
    gone = [at for at, fact in trace if isinstance(fact, Deleted) and fact.name == f"shop-v{given}"]
    assert reverted.exposed == told and story.live == {1: 100}
    assert gone and gone[0] >= back + BY_TWENTY["drain"]


def test_force_conflicts_writes_docc_s_weights_again_at_once_each_time() -> None:
    story = Rollout(forced(V2))
    for seconds in (15, 30, 45):
        story.at(seconds, weights(v1=100), "argocd-controller")
    assert story.end().exit_code is ExitCode.DONE
    put_back = [at for at, _ in story.told(PutBack)]
    assert put_back == [near(15), near(30), near(45)] and story.live == {2: 100} and not story.facts(TakenBack)


def test_force_conflicts_gives_nobody_to_a_candidate_that_cannot_be_judged_at_that_moment() -> None:
    story = Rollout(forced(V2))
    story.at(15, weights(v1=100))
    story.world.weather.metrics.append((story.began + 13, story.began + 30, "error"))
    assert story.end().exit_code is ExitCode.DONE
    (told,), (put_back,) = story.facts(Meddled), [at for at, _ in story.told(PutBack)]
    assert told.then == "docc holds, and judges on" and 30 <= put_back <= 33 and story.live == {2: 100}


def test_force_conflicts_does_not_chase_a_tool_that_writes_all_the_time() -> None:
    story = Rollout(forced(V2))
    for seconds in range(12, 200):
        story.at(seconds, weights(v1=100), "robot")
    outcome = story.end()
    assert outcome.exit_code is ExitCode.FAILED_NOT_CLEAN and "robot" in outcome.reason
    assert len(story.facts(PutBack)) <= (NO_DATA_SECONDS / 5) + 1


@pytest.mark.parametrize(("dead_seconds", "code"), [(20, ExitCode.DONE), (FOREVER, ExitCode.FAILED_NOT_CLEAN)])
def test_the_only_version_whose_record_is_lost_has_its_time_to_come_up(dead_seconds: float, code: ExitCode) -> None:
    story = Rollout()
    story.end()
    story.world.edit(ROUTE, forget)
    story.world.now += 700
    story.world.weather.down[2] = (story.world.now, story.world.now + dead_seconds)
    began, outcome = story.world.now, story.then(V2)
    took = story.world.now - began
    assert outcome.exit_code is code and story.live == {2: 100} and not any("None" in told for told in story.waited())
    if code is not ExitCode.DONE:
        assert "pods ready" in outcome.reason and took == near(BY_TWENTY["progress_deadline"])


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


def test_a_record_that_is_lost_again_just_before_the_end_is_put_back_as_it_was_said() -> None:
    whole = Rollout()
    whole.end()
    seconds, twice = whole.world.now - whole.began, 0
    for before in (0.001, 0.005, 0.01, 0.02, 0.05):
        story = Rollout()
        story.at(seconds - 3, forget)
        story.at(seconds - before, forget)
        assert story.end().exit_code is ExitCode.DONE
        told = [fact for fact in story.facts(Meddled) if fact.then == "docc puts its record back"]
        assert len(story.facts(PutBack)) == len(told)
        twice += len(told) == 2 and story.phase is Phase.SUCCEEDED
    assert twice > 1


def test_a_record_that_is_taken_for_ever_is_not_fought_over_for_ever() -> None:
    story = Rollout()
    for seconds in range(50, 900):
        story.at(seconds, lambda route: route["metadata"]["annotations"].pop(RECORD, None))
    assert story.end().exit_code is ExitCode.DONE
    assert story.world.now - story.began < 420 and len(story.facts(PutBack)) < 100


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
    assert story.told_at(PutBack) == near(15) and story.live == {2: 100}


@pytest.mark.parametrize("stopped", [False, True])
def test_a_route_without_any_rule_of_docc_s_is_held_and_never_said_to_be_served(stopped: bool) -> None:
    story = Rollout()

    def take_away(route: Object) -> None:
        route["spec"]["rules"][0]["backendRefs"] = [{"name": "other", "port": 80}]
        if stopped:
            story.stage.stop(story.process, "SIGTERM")

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
        world.remove(ROUTE)
        story.stage.changed()

    story.world.agenda.append((story.began + 15, delete))
    outcome = story.end()
    assert outcome.exit_code is ExitCode.FAILED_NOT_CLEAN and "HTTPRoute shop: gone" in outcome.reason
    assert ("HTTPRoute", "shop") not in story.world.objects


def test_a_hand_in_the_drain_after_promotion_is_not_written_over() -> None:
    story = Rollout(deploy(want(2, {**CALM, "drain": 5})))
    story.at(8, weights(v1=100, v2=0))
    outcome = story.end()
    assert story.told_at(Promoted) < 8 and story.live == {1: 100} and story.phase is Phase.PROMOTING
    assert (outcome.result, outcome.exit_code) == ("disputed", ExitCode.FAILED_NOT_CLEAN)
    assert story.then(forced(V2)).exit_code is ExitCode.DONE
    assert story.live == {2: 100}


def test_at_rest_others_weights_stay_and_nothing_that_gets_traffic_is_taken_down() -> None:
    story = Rollout()
    assert story.end().exit_code is ExitCode.DONE
    story.began = story.world.now
    story.at(1, weights(v1=100, v2=0))
    story.process = story.enter(GC)
    story.process.wake += 1000  # v1 is not to be kept warm any more
    assert story.end().exit_code is ExitCode.DONE
    assert story.live == {1: 100} and story.world.objects["Deployment", "shop-v1"]["spec"]["replicas"] == 3
    won = story.then(forced(V2))
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


def pointed(story: Rollout, seconds: float, revision: str) -> None:
    """Somebody has the front Service select other pods."""
    wanted = {"docc.dev/app": "shop", "docc.dev/revision": revision}

    def edit(world: World) -> None:
        world.edit(("Service", "shop"), lambda body: body["spec"].update(selector=wanted))

    story.world.agenda.append((story.began + seconds, edit))


@pytest.mark.parametrize("revision", ["v7", "blue"])
def test_a_front_service_that_leads_to_nobody_is_set_back_at_once(revision: str) -> None:
    story = Rollout()
    pointed(story, 18, revision)
    assert story.end().exit_code is ExitCode.DONE
    (put_back,) = story.facts(PutBack)
    assert (story.told_at(PutBack), put_back.what) == (near(18), "its selector")
    assert [fact.weight for fact in story.facts(Weighted)] == [20, 40, 60, 80, 100]


def test_a_front_service_that_leads_to_ready_pods_is_treated_as_weights_are() -> None:
    story = Rollout()
    pointed(story, 18, "v2")
    outcome = story.end()
    (told,) = story.facts(Meddled)
    assert told.edits == (Edit("Service shop", "selector", "v1", "v2"),) and not story.facts(PutBack)
    assert (outcome.result, outcome.exit_code) == ("disputed", ExitCode.FAILED_NOT_CLEAN)
    assert story.world.now - story.began == near(18 + NO_DATA_SECONDS)


def test_force_conflicts_sets_the_front_service_back_wherever_it_leads() -> None:
    story = Rollout(forced(V2))
    pointed(story, 18, "v2")
    assert story.end().exit_code is ExitCode.DONE and len(story.facts(PutBack)) == 1


def test_no_first_deploy_in_a_mesh_is_said_to_be_meddled_with() -> None:
    story = Rollout()
    story.world.objects.clear()
    assert story.then(deploy(want(1, mesh=True))).exit_code is ExitCode.DONE
    assert not story.facts(Meddled, PutBack)
