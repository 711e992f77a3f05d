"""Who takes a rollout over goes on as it was meant, in virtual time: no weight grows without evidence, no approval is skipped,
what was excused stays so; and what waited for people has its time when they have answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from docc.core.observation import see
from docc.model.errors import ExitCode
from docc.model.facts import ApprovalAwaited, CheckSeen, Waiting, Weighted
from docc.model.record import Phase, Record
from tests.sim.verbs import TRIAL, Verb, anew, deploy, ignoring, want
from tests.sim.world import FOREVER, World
from tests.unit.engine.test_other_hands import BY_TWENTY, RECORD, ROUTE, Rollout

PAUSED = {**BY_TWENTY, "ab_testing": {"pause_before_rollout": True}}
BY_TEN = {**BY_TWENTY, "canary": {"increment": 10, "interval": 10}}


def killed(at: float, verb: Verb) -> Rollout:
    """A rollout whose driver was killed so many seconds after it was typed."""
    story = Rollout(verb)
    story.world.agenda.append((story.began + at, lambda world: story.stage.kill(story.process)))
    story.stage.play()
    assert story.process.outcome is None
    story.world.now += 5
    story.began = story.world.now
    return story


def record_of(story: Rollout) -> Record:
    found = see("shop", story.world.snapshot()).record
    assert found is not None
    return found


def approve(world: World) -> None:
    """As docc promote does."""

    def say(route: Any) -> None:
        notes = route["metadata"]["annotations"]
        notes[RECORD] = json.dumps({**json.loads(notes[RECORD]), "request": "promote"})

    world.edit(ROUTE, say)


def weights_by(story: Rollout) -> list[tuple[float, int]]:
    return [(at, fact.weight) for at, fact in story.told(Weighted)]


@pytest.mark.parametrize(
    ("strategy", "grown"), [(BY_TEN, [50, 60, 70, 80, 90, 100]), (PAUSED, [60, 80, 100]), (BY_TWENTY, [60, 80, 100])]
)
def test_under_a_changed_strategy_the_present_weight_is_held_and_judged_before_the_next(
    strategy: dict[str, Any], grown: list[int]
) -> None:
    story = killed(20, deploy(want(2, BY_TWENTY)))
    assert story.live == {1: 60, 2: 40}
    assert story.then(deploy(want(2, strategy))).exit_code is ExitCode.DONE
    told = weights_by(story)
    assert [weight for _, weight in told] == grown and told[0][0] >= 10


@pytest.mark.parametrize("strategy", [BY_TEN, BY_TWENTY])
def test_under_a_changed_strategy_no_weight_grows_without_evidence(strategy: dict[str, Any]) -> None:
    story = killed(20, deploy(want(2, BY_TWENTY)))
    story.world.weather.metrics.append((story.world.now, FOREVER, "none"))
    outcome = story.then(deploy(want(2, strategy)))
    assert outcome.exit_code is ExitCode.FAILED_SAFE and "NO-DATA" in outcome.reason
    assert weights_by(story) == [] and story.live == {1: 100}


@pytest.mark.parametrize("strategy", [PAUSED, TRIAL])
def test_an_approval_that_a_changed_strategy_asks_for_is_not_skipped(strategy: dict[str, Any]) -> None:
    story = killed(1, deploy(want(2, BY_TWENTY)))
    assert (story.phase, story.live) == (Phase.PREPARING, {1: 100})
    story.world.agenda.append((story.began + 60, approve))
    assert story.then(deploy(want(2, strategy))).exit_code is ExitCode.DONE
    assert [at for at, _ in story.told(ApprovalAwaited)] and weights_by(story)[0][0] >= 60


@pytest.mark.parametrize("seconds", [30, 300, 3000])
def test_pods_that_are_late_after_an_approval_have_their_time_from_then_on(seconds: float) -> None:
    story = Rollout(deploy(want(2, PAUSED)))
    story.world.weather.down[2] = (story.began + seconds - 20, story.began + seconds + 40)
    story.world.weather_changed()
    story.world.agenda.append((story.began + seconds, approve))
    outcome = story.end()
    assert outcome.exit_code is ExitCode.DONE, outcome
    assert weights_by(story)[0][0] >= seconds + 40


def test_pods_that_never_come_after_an_approval_end_it_when_their_time_is_over() -> None:
    story = Rollout(deploy(want(2, PAUSED)))
    story.world.weather.down[2] = (story.began + 200, FOREVER)
    story.world.weather_changed()
    story.world.agenda.append((story.began + 300, approve))
    outcome = story.end()
    assert outcome.exit_code is ExitCode.FAILED_SAFE and "waited 60 s" in outcome.reason
    assert story.live == {1: 100} and 360 <= story.world.now - story.began < 400


def failing_from_the_beginning(at: float, first: Verb) -> Rollout:
    """The condition fails before the candidate has any traffic."""
    story = Rollout(first)
    story.world.weather.metrics.append((story.began - 60, FOREVER, "bad"))
    story.world.agenda.append((story.began + at, lambda world: story.stage.kill(story.process)))
    story.stage.play()
    story.world.now += 5
    return story


V2 = deploy(want(2, BY_TWENTY))


@pytest.mark.parametrize(("first", "second"), [(V2, ignoring(V2)), (ignoring(V2), V2), (ignoring(V2), ignoring(V2))])
def test_what_is_ignored_before_any_traffic_stays_so_for_who_takes_it_over(first: Verb, second: Verb) -> None:
    story = failing_from_the_beginning(2.5, first)
    assert story.phase is Phase.PREPARING
    assert story.then(second).exit_code is ExitCode.DONE and story.live == {2: 100}


def test_what_is_ignored_is_told_to_be_so_and_nothing_else_is() -> None:
    story = failing_from_the_beginning(FOREVER, ignoring(V2))
    checks = [fact for _, fact in story.told(CheckSeen)]
    assert checks and all(check.verdict == "FAIL" and check.ignored for check in checks)
    judged = failing_from_the_beginning(FOREVER, V2)
    assert not any(check.ignored for _, check in judged.told(CheckSeen))


def test_the_wait_for_a_condition_to_clear_is_told_without_its_number_which_the_checks_line_has() -> None:
    """A number in it would make another line of each look."""
    story = failing_from_the_beginning(FOREVER, V2)
    waits = {fact.why for _, fact in story.told(Waiting) if "clear" in fact.why}
    assert waits == {"Errors was failing before this rollout; waiting for it to clear"}


def test_what_fails_while_the_candidate_has_traffic_cannot_be_ignored_any_more() -> None:
    story = killed(20, V2)
    story.world.weather.metrics.append((story.world.now - 1, FOREVER, "bad"))
    outcome = story.then(ignoring(V2))
    assert outcome.exit_code is ExitCode.FAILED_SAFE and "Errors" in outcome.reason and story.live == {1: 100}


def killed_in_promotion(verb: Verb) -> Rollout:
    story = Rollout(verb)

    def watch(world: World) -> None:
        if story.phase is Phase.PROMOTING:
            story.stage.kill(story.process)
        elif story.process.alive:
            world.agenda.append((world.now + 0.5, watch))

    story.world.agenda.append((story.began, watch))
    story.stage.play()
    assert story.phase is Phase.PROMOTING
    return story


def test_typed_again_with_force_new_a_promotion_is_ended_and_the_version_not_rolled_once_more() -> None:
    again = anew(deploy(want(1, BY_TWENTY)))
    story = killed_in_promotion(again)
    assert story.live == {2: 100}
    assert story.then(again).exit_code is ExitCode.DONE and story.live == {2: 100}
    assert story.then(again).exit_code is ExitCode.DONE and story.live == {3: 100}


def replicas(story: Rollout, number: int) -> int:
    found: int = story.world.objects["Deployment", f"shop-v{number}"]["spec"]["replicas"]
    return found


@pytest.mark.parametrize(("scale", "stable"), [(5, 5), (4, 4), (3, 3), (1, 3)])
def test_a_new_scale_in_mid_rollout_is_stable_s_too_but_never_takes_pods_from_it(scale: int, stable: int) -> None:
    story = killed(20, V2)
    story.world.agenda.append((story.began + 20, lambda world: world.weather.failing.update({2: world.now})))
    least = [replicas(story, 1)]
    for after in range(60):
        story.world.agenda.append((story.began + after, lambda world: least.append(replicas(story, 1))))
    outcome = story.then(deploy(want(2, BY_TWENTY, scale=scale)))
    assert outcome.exit_code is ExitCode.FAILED_SAFE and story.live == {1: 100}
    assert replicas(story, 1) == stable and min(least) == 3


def test_a_rollout_that_begins_with_another_scale_leaves_stable_as_it_is() -> None:
    story = Rollout(deploy(want(2, BY_TWENTY, scale=5)))
    assert story.end().exit_code is ExitCode.DONE
    assert (replicas(story, 1), replicas(story, 2)) == (3, 5)


def test_a_reverted_version_that_is_tried_again_with_another_scale_leaves_stable_as_it_is() -> None:
    story = Rollout(V2)
    story.world.weather.failing[2] = story.began + 12
    assert story.end().exit_code is ExitCode.FAILED_SAFE
    story.world.weather.failing.clear()
    story.world.now += 30
    assert story.then(deploy(want(2, BY_TWENTY, scale=5))).exit_code is ExitCode.DONE
    assert (replicas(story, 1), replicas(story, 2)) == (3, 5)
