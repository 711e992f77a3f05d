"""Every scenario, with every fault at every write, in virtual time; and every planted bug, which must not pass."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from docc.core.observation import see
from docc.model.errors import ExitCode
from docc.model.moves import Effect
from docc.model.record import Phase
from tests.sim import play, scenes
from tests.sim.mutants import MUTANTS
from tests.sim.world import Crash, World


@pytest.mark.parametrize("scene", scenes.SCENARIOS)
def test_undisturbed_scenario_ends_as_documented(scene: str) -> None:
    ends = {
        "good_canary": ExitCode.DONE, "slow_pods": ExitCode.DONE, "supersede": ExitCode.DONE,
        "retry": ExitCode.DONE, "trial": ExitCode.DONE, "meshed_first": ExitCode.DONE, "meshed_canary": ExitCode.DONE,
        "into_the_mesh": ExitCode.DONE, "lost_login": ExitCode.DONE,
    }  # fmt: skip
    assert scenes.SCENARIOS[scene]().until_done().exit_code is ends.get(scene, ExitCode.FAILED_SAFE)


def test_rollback_of_a_parked_rollout_gives_up_the_candidate_and_keeps_who_serves() -> None:
    parked = scenes.parked_rollback()
    assert parked.until_done().exit_code is ExitCode.DONE
    record = see("shop", parked.world.observe("shop")).record
    assert record is not None
    assert (record.phase, record.stable, record.previous) == (Phase.REVERTED, 2, 1)


def test_who_goes_on_an_hour_later_gives_the_rollout_its_time_wherever_its_driver_died() -> None:
    """Nobody has waited for pods meanwhile, nor asked for evidence."""
    undisturbed = scenes.good_canary()
    undisturbed.until_done()
    for at in range(undisturbed.world.writes):
        late = scenes.good_canary()
        late.world.fault = play.crash_at(at, "crash after")
        with pytest.raises(Crash):
            late.drive()
        late.world.now += 3600
        assert late.until_done().exit_code is ExitCode.DONE, late.world.trace


def test_a_login_that_comes_back_in_time_ends_no_rollout() -> None:
    for scene in (scenes.lost_login, scenes.lost_login_bad):
        played = scene()
        before = len(played.outcomes)
        played.until_done()
        assert played.world.locked[1] > 0 and len(played.outcomes) == before + 1


def test_a_login_that_does_not_come_back_ends_the_rollout_unclean_and_the_next_deploy_reverts_it() -> None:
    played = scenes.gone_login()
    played.until_done()
    unclean, reverted = played.outcomes[-2:]
    assert unclean.exit_code is ExitCode.FAILED_NOT_CLEAN and "401" in unclean.reason
    assert (reverted.result, reverted.exit_code) == ("reverted", ExitCode.FAILED_SAFE)


def _wait_of_a_busy_server(at: int) -> tuple[int, float]:
    """The candidate's percent at that write, and the seconds until docc writes again."""
    played, times = scenes.bad_canary(), list[tuple[float, int]]()

    def busy(world: World, effect: Effect, index: int) -> str:
        times.append((world.now, world.exposed("shop-v2")))
        return "busy" if len(times) == at + 1 else ""

    played.world.fault = busy
    play.settle(f"busy at write {at}", played)
    return times[at][1], times[at + 1][0] - times[at][0]


def test_a_change_in_place_is_not_called_nothing() -> None:
    changed = scenes.into_the_mesh()
    assert changed.until_done().result == "updated"
    assert changed.until_done().result == "unchanged"


def test_a_busy_server_is_left_alone_as_long_as_it_asks_but_not_while_the_candidate_has_traffic() -> None:
    clean = scenes.bad_canary()
    clean.until_done()
    waits = [_wait_of_a_busy_server(at) for at in range(clean.world.writes)]
    assert {wait for exposed, wait in waits if not exposed} == {10.0}
    assert {wait for exposed, wait in waits if exposed} == {1.0}


@pytest.mark.parametrize("scene", scenes.SCENARIOS)
def test_one_fault_at_every_write_of_a_scenario_breaks_nothing(scene: str) -> None:
    runs = 0
    for name, played in scenes.faults_of(scene):
        play.settle(name, played)
        runs += 1
    assert runs >= 5 * len(play.FAULTS)


@pytest.mark.parametrize("cases", [scenes.faults_of_rollbacks, scenes.parks])
def test_one_fault_in_a_rollback_or_a_park_breaks_nothing(cases: Callable[[], Iterator[scenes.Case]]) -> None:
    for name, played in cases():
        play.settle(name, played)


@pytest.mark.timeout(500)
@pytest.mark.parametrize("bug", MUTANTS)
def test_planted_bug_is_caught(bug: str) -> None:
    run = subprocess.run([sys.executable, "-m", "tests.sim.mutants", bug], capture_output=True, text=True, timeout=400)
    sys.stdout.write(f"{bug}: {run.stdout}")
    assert run.returncode == 1 and "caught after" in run.stdout, run.stdout + run.stderr
    assert "LookupError" not in run.stdout and "TypeError" not in run.stdout
