"""Every scene, with a fault at every write, in virtual time; random plays of several people; and every planted bug, which
must not pass. A failure tells who did and saw what, and what repeats it: python -m tests.sim.play --case, or --seed."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from docc.model.errors import CredentialsError, DoccError, ExitCode, Refused
from docc.model.facts import StableSilent, Weighted
from docc.model.moves import Effect, Outcome, Patch
from tests.sim import play
from tests.sim.auditor import record_of, traffic
from tests.sim.conftest import MUTANT
from tests.sim.faults import busy
from tests.sim.hands import HANDS
from tests.sim.mutants import MUTANTS
from tests.sim.scenes import SCENES
from tests.sim.stage import Act, Process, Stage, Written
from tests.sim.verbs import FULL, GC, KEEP, PROMOTE, ROLLBACK, TRIAL, deploy, enter, want
from tests.sim.world import World

SEEDS, BATCH, PARTS = 300, 20, 4


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scene", play.CORE)
def test_every_fault_at_every_write_breaks_nothing(scene: str, part: int) -> None:
    assert play.all_of(play.singles(SCENES[scene], all_of_them=True, part=(part, PARTS))) >= 20


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scene", play.TWICE)
def test_killed_twice_at_any_writes_the_same_command_ends_it_right(scene: str) -> None:
    assert play.all_of(play.killed_twice(SCENES[scene])) > 15


@pytest.mark.parametrize("scene", [scene for scene in SCENES if scene not in play.CORE])
def test_scene_ends_as_documented_and_survives_a_crash_at_every_write(scene: str) -> None:
    assert play.all_of(play.singles(SCENES[scene], all_of_them=False)) > 0


@pytest.mark.parametrize("scene", play.MEDDLED)
def test_other_hands_at_every_write_are_told_and_not_fought(scene: str) -> None:
    assert play.all_of(play.meddled(SCENES[scene])) > len(HANDS)


def test_what_has_found_something_once_finds_nothing_any_more() -> None:
    assert play.all_of(play.remembered()) == 1 + len(play.REMEMBERED)


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_several_faults_and_people_at_once_break_nothing(first: int) -> None:
    assert play.all_of(play.seeded(seed) for seed in range(first, first + BATCH)) == BATCH


def _wait_of_a_busy_server(at: int) -> tuple[int, float]:
    """The candidate's percent when the server asks for 30 s at that write, and the seconds until docc writes."""
    scene = SCENES["bad canary"]
    stage = Stage(scene.world())
    process, found = enter(stage, scene.verb), list[tuple[int, float]]()

    def fault(process: Process, effect: Effect, act: Act) -> str:
        found.append((traffic(process.world).get("shop-v2", 0), process.world.now))
        return busy(process, effect, act)

    process.faults = {("write", at): fault}
    stage.play()
    ((percent, asked),) = found
    written = (at for at, _, what in process.world.trace if isinstance(what, Written) and at > asked)
    return percent, round(next(written) - asked, 1)


def test_a_busy_server_is_left_alone_as_it_asks_but_not_for_long_while_the_candidate_has_traffic() -> None:
    waits = [_wait_of_a_busy_server(at) for at in range(8)]
    assert {percent > 0 for percent, _ in waits} == {True, False}
    assert {wait for percent, wait in waits if percent == 0} == {10.0}
    assert {wait for percent, wait in waits if percent > 0} == {1.0}


REFUSED = {
    ("good canary", "refused once"): (5, 10, 10, 10, 10, 10, 10, 10, 10, 10, 0, 0, 0),
    ("good canary", "refused from here on"): (5, 10, 10, 10, 10, 11, 10, 11, 11, 11, 11, 11, 0),
    ("bad trial", "refused once"): (5, 10, 10, 10, 10, 10, 10, 10, 10, 10),
    ("bad trial", "refused from here on"): (5, 10, 10, 10, 11, 11, 10, 10, 10, 10),
}
"""What docc ends with when the API server refuses its first write, its second, ..., and from there on all of that kind."""


@pytest.mark.parametrize(("scene", "kind"), REFUSED)
def test_after_a_refused_write_traffic_is_taken_back_and_where_that_is_refused_too_it_is_told(
    scene: str, kind: str
) -> None:
    for at, code in enumerate(REFUSED[scene, kind]):
        refused = play.Play(f"{scene}, {kind} at write {at}", SCENES[scene], {("write", at): kind})
        refused.run()
        assert refused.codes[0] == code, refused.name


@pytest.mark.parametrize(
    "error", [Refused("the API server refuses it"), CredentialsError("you may not")], ids=["5", "4"]
)
def test_a_delete_that_is_refused_touched_nothing_only_at_its_first_write(error: DoccError) -> None:
    def ended(at: int) -> Outcome:
        scene = SCENES["delete"]
        stage = Stage(scene.world())
        process = enter(stage, scene.verb)

        def refuse(process: Process, effect: Effect, act: Act) -> str:
            raise error

        process.faults = {("write", at): refuse}
        stage.play()
        assert process.outcome is not None
        return process.outcome

    assert ended(0).exit_code is error.exit_code
    for at in range(1, 4):
        outcome = ended(at)
        assert outcome.exit_code is ExitCode.FAILED_NOT_CLEAN and "left: " in outcome.reason, outcome
        assert "HTTPRoute" not in outcome.reason


@pytest.mark.parametrize(
    ("name", "seconds", "step"),
    [("good canary", 14, "shifting"), ("good canary", 2, "preparing"), ("cold rollback", 2, "")],
)
def test_a_timeout_takes_the_traffic_back_and_says_what_was_waited_for(name: str, seconds: int, step: str) -> None:
    scene = SCENES[name]
    world = scene.world()
    before = traffic(world)
    stage = Stage(world)
    process = enter(stage, replace(scene.verb, timeout=seconds))
    stage.play()
    assert process.outcome is not None and process.outcome.exit_code is ExitCode.FAILED_SAFE, process.outcome
    assert process.outcome.reason.startswith(f"--timeout of {seconds} s is over")
    assert ("it was waiting for: " in process.outcome.reason) == (
        step != "shifting"
    )  # a step's time is nothing to name
    served = {revision: weight for revision, weight in traffic(world).items() if weight}
    assert served == {revision: weight for revision, weight in before.items() if weight}
    phases = [json.loads(text)["phase"] for text in _records(world)]
    assert phases[-1] == "reverted" and (not step or phases[phases.index("reverting") - 1] == step), phases


def _records(world: World) -> Iterator[str]:
    """As they were written by the last process."""
    for _, _, what in world.trace:
        for operation in what.effect.operations if isinstance(what, Written) and isinstance(what.effect, Patch) else ():
            if operation["op"] == "add" and operation["path"].endswith("docc.dev~1rollout"):
                yield operation["value"]


HELD = ("held 60 s", "held 60 s without data")


@pytest.mark.parametrize(
    ("scene", "kind", "codes"),
    [
        *(("good canary", kind, (0,) * 13) for kind in HELD),
        ("bad canary", "held 60 s", (5, 5, 5, *(10,) * 7)),
        ("good canary", "Prometheus fails", (5, 5, 5, *(10,) * 6, 0, 0, 0, 0)),
    ],
)
def test_without_evidence_nothing_is_promoted_and_a_hold_has_no_limit_but_a_breach(
    scene: str, kind: str, codes: tuple[int, ...]
) -> None:
    for at, code in enumerate(codes):
        held = play.Play(f"{scene}, {kind} at write {at}", SCENES[scene], {("write", at): kind})
        held.run()
        assert held.codes[0] == code, held.name
        failing = held.world.weather.failing.get(2, math.inf)
        assert held.audit.fell.get("shop-v2", 0.0) <= failing + 5, held.name


def _told(scene: str) -> tuple[list[int], list[str], Outcome]:
    """The candidate's weights in their order, what was told of stable, and the end."""
    stage = Stage(SCENES[scene].world())
    process = enter(stage, SCENES[scene].verb)
    stage.play()
    facts = [what for _, _, what in process.world.trace]
    silent = [
        f"v{each.candidate} takes all after {each.seconds:.0f} s" for each in facts if isinstance(each, StableSilent)
    ]
    assert process.outcome is not None
    return [each.weight for each in facts if isinstance(each, Weighted)], silent, process.outcome


@pytest.mark.parametrize(
    ("scene", "weights", "told"),
    [
        ("stable blinks at 25 %", [25, 50, 75, 100], []),
        ("stable blinks as the candidate gets ready", [25, 50, 75, 100], []),
        ("stable blinks while on trial", [25, 50, 75, 100], []),
        ("stable dies at 25 %", [25, 100], ["v2 takes all after 10 s"]),
        ("stable is down", [100], ["v2 takes all after 10 s"]),
    ],
)
def test_a_moment_without_stable_skips_no_step_and_a_longer_one_is_told(
    scene: str, weights: list[int], told: list[str]
) -> None:
    assert _told(scene)[:2] == (weights, told)


def test_a_rollback_away_from_a_version_that_answers_nobody_does_not_wait() -> None:
    world = SCENES["cold rollback"].world()
    world.weather.down[2] = (world.now - 1, math.inf)
    stage = Stage(world)
    began = world.now
    process = enter(stage, SCENES["cold rollback"].verb)
    stage.play()
    assert process.outcome is not None and process.outcome.exit_code is ExitCode.DONE
    (at,) = [at for at, _, what in world.trace if isinstance(what, Weighted)]
    assert at - began < 7  # its pods, and no more


@pytest.mark.parametrize(
    ("scene", "result", "phase", "reason"),
    [
        ("up, and left so", "ready", "preparing", "has no traffic"),
        ("resume what was left when it was up", "promoted", "succeeded", ""),
        ("abort --if-unwatched what was left when it was up", "unchanged", "preparing", "left it waiting"),
        ("abort --if-unwatched what was left waiting", "unchanged", "awaiting", "left it waiting"),
        ("abort --if-unwatched what nobody approved in time", "returned", "reverted", "aborted"),
        ("resume what nobody approved in time", "parked", "parked", "nobody approved it in time (pause_timeout)"),
        ("nobody approves it in time", "parked", "parked", "nobody approved it in time (pause_timeout)"),
    ],
)
def test_what_was_left_waiting_stays_as_long_as_nobody_but_who_is_on_trial_meets_it(
    scene: str, result: str, phase: str, reason: str
) -> None:
    stage = Stage(SCENES[scene].world())
    process = enter(stage, SCENES[scene].verb)
    stage.play()
    assert process.outcome is not None and process.outcome.result == result and reason in process.outcome.reason
    assert record_of(stage.world)["phase"] == phase


@pytest.mark.parametrize("full", [False, True], ids=["promote", "promote --full"])
def test_what_people_approve_while_nothing_can_be_judged_gets_no_traffic_until_it_can(*, full: bool) -> None:
    """Prometheus is away from before the approval, at +30 s, until 12 s after it."""
    world = SCENES["bad trial"].setting().fork()
    stage = Stage(world)
    began = world.now
    world.weather.metrics.append((began + 20, began + 42, "error"))
    process = enter(stage, deploy(want(2, TRIAL)))
    enter(stage, FULL if full else PROMOTE, 30)
    stage.play()
    assert process.outcome is not None and process.outcome.result == "promoted"
    first, *_ = [(at - began, what.weight) for at, _, what in world.trace if isinstance(what, Weighted)]
    assert 42 <= first[0] < 60 and first[1] == (100 if full else 25), first


def test_a_lease_that_is_refused_is_not_asked_for_again_and_again() -> None:
    """Stuck, where there is nowhere to take the traffic back to."""
    name = "stable is down, refused from here on at Lease write 3"
    refused = play.Play(name, SCENES["stable is down"], {("lease", 3): "refused from here on"})
    refused.run()
    asked = [
        what for _, _, what in refused.world.trace if isinstance(what, Written) and what.effect.ref.kind == "Lease"
    ]
    assert refused.codes[0] == 11 and len(asked) < 60


FOUND: dict[str, Callable[[], play.Play]] = {
    "a clock that is ahead makes a new Service look old": lambda: play.Play(
        "ahead", SCENES["deploy with a full history"], {("write", 1): "SIGTERM"}, offsets=[1.65]
    ),
    "somebody's weights stood until just now": lambda: play.Play(
        "until now", SCENES["canary without data"], {("lease", 7): "half and half by hand for 9 s"}
    ),
    "promote finds that somebody has taken it all back": lambda: play.Play(
        "faster", SCENES["promote what was left waiting"], others=[(0.01, deploy(want(1)), {})]
    ),
    "the front leads to nobody, and the rule is gone": lambda: play.Play(
        "no rule", SCENES["bad canary"], {("write", 0): "docc's rule removed, soon", ("write", 2): "front to nobody, soon"}
    ),
    "without a route the front leads to nobody": lambda: play.Play(
        "no route", SCENES["without a route: never ready"], {("write", 0): "front to the candidate"}, others=[(51, GC, {})]
    ),
    "a second rollback is finished by who has typed the first": lambda: play.Play(
        "second", SCENES["promote what was left waiting"], {("write", 11): "sleeps through a rollback --to v1"},
        others=[(31.42, ROLLBACK, {})],
    ),
    "a record is given up before the front Service has followed a rollback": lambda: play.Play(
        "forgotten", SCENES["warm rollback"], {}, others=[(0.02, KEEP, {}), (3, deploy(want(3)), {})]
    ),
    "a trial whose record is lost has a moment to answer when the next rollout is parked at once": lambda: play.Play(
        "parked", SCENES["record of a trial gone: deploy"], {("write", 0): "SIGTERM"}, others=[(0.01, deploy(want(3)), {})]
    ),
    "what was sent last is refused, and what was sent before it arrives": lambda: play.Play(
        "late", SCENES["good canary"], {("write", 7): "written late", ("write", 8): "login lost 25 s"}
    ),
    "the rule is gone in a first deploy": lambda: play.Play(
        "first", SCENES["mesh: first deploy"], {("write", 2): "docc's rule removed"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("found", FOUND)
def test_what_a_soak_has_found_is_mended(found: str) -> None:
    FOUND[found]().run()


def test_an_api_server_that_is_away_for_an_hour_is_waited_for() -> None:
    scene = SCENES["good canary"]
    stage = Stage(scene.world())
    process = enter(stage, scene.verb)

    def away(process: Process, effect: Effect, act: Act) -> str:
        process.world.weather.away = process.world.now + 3600
        return ""

    process.faults = {("write", 4): away}
    stage.play()
    assert process.outcome is not None and process.outcome.exit_code is ExitCode.FAILED_SAFE  # its pods were late


def test_a_change_in_place_is_not_called_nothing() -> None:
    for scene, result in (("scale in place", "updated"), ("mesh: in place", "updated"), ("nothing to do", "unchanged")):
        stage = Stage(SCENES[scene].world())
        process = enter(stage, SCENES[scene].verb)
        stage.play()
        assert process.outcome is not None and process.outcome.result == result, scene


@pytest.mark.timeout(500)
@pytest.mark.parametrize("bug", MUTANTS)
def test_planted_bug_is_caught(bug: str, record_property: Callable[[str, object], None]) -> None:
    run = subprocess.run([sys.executable, "-m", "tests.sim.mutants", bug], capture_output=True, text=True, timeout=400)
    told = run.stdout.strip().splitlines()[-1:] or ["it says nothing"]
    record_property(MUTANT, f"{bug}: {told[0]}")
    assert run.returncode == 1 and "caught after" in run.stdout, run.stdout + run.stderr


def test_a_right_that_is_missing_for_a_moment_in_mid_rollout_is_waited_for() -> None:
    """An API server that has just begun refuses everybody with 403 until it has read its roles."""

    def ended(at: int) -> ExitCode:
        scene = SCENES["good canary"]
        stage = Stage(scene.world())
        process = enter(stage, scene.verb)

        def forbid(process: Process, effect: Effect, act: Act) -> str:
            raise CredentialsError("you may not patch this object")

        process.faults = {("write", at): forbid}
        stage.play()
        assert process.outcome is not None
        return process.outcome.exit_code

    assert [ended(at) for at in range(10)] == [ExitCode.CREDENTIALS, *[ExitCode.DONE] * 9]
