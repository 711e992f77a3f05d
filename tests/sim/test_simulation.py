"""Every scenario, with every fault at every write, in virtual time; and every planted bug, which must not pass."""

from __future__ import annotations

import subprocess
import sys

import pytest

from docc.core.observation import see
from docc.model.errors import ExitCode
from docc.model.record import Phase
from tests.sim import play
from tests.sim.mutants import MUTANTS
from tests.sim.world import Crash


@pytest.mark.parametrize("scene", play.SCENARIOS)
def test_undisturbed_scenario_ends_as_documented(scene: str) -> None:
    ends = {
        "good_canary": ExitCode.DONE, "slow_pods": ExitCode.DONE, "supersede": ExitCode.DONE,
        "retry": ExitCode.DONE, "trial": ExitCode.DONE,
    }  # fmt: skip
    assert play.SCENARIOS[scene]().until_done().exit_code is ends.get(scene, ExitCode.FAILED_SAFE)


def test_rollback_of_a_parked_rollout_gives_up_the_candidate_and_keeps_who_serves() -> None:
    parked = play.parked_rollback()
    assert parked.until_done().exit_code is ExitCode.DONE
    record = see("shop", parked.world.observe("shop")).record
    assert record is not None
    assert (record.phase, record.stable, record.previous) == (Phase.REVERTED, 2, 1)


def test_who_goes_on_an_hour_later_gives_the_rollout_its_time_wherever_its_driver_died() -> None:
    """Nobody has waited for pods meanwhile, nor asked for evidence."""
    undisturbed = play.good_canary()
    undisturbed.until_done()
    for at in range(undisturbed.world.writes):
        late = play.good_canary()
        late.world.fault = play.crash_at(at, "crash after")
        with pytest.raises(Crash):
            late.drive()
        late.world.now += 3600
        assert late.until_done().exit_code is ExitCode.DONE, late.world.trace


def test_one_fault_at_every_write_of_every_scenario_breaks_nothing() -> None:
    runs = 0
    for name, _, _, played in play.every_fault():
        play.settle(name, played)
        runs += 1
    assert runs > 900


@pytest.mark.parametrize("bug", MUTANTS)
def test_planted_bug_is_caught(bug: str) -> None:
    run = subprocess.run([sys.executable, "-m", "tests.sim.mutants", bug], capture_output=True, text=True, timeout=100)
    sys.stdout.write(f"{bug}: {run.stdout}")
    assert run.returncode == 1 and "caught after" in run.stdout, run.stdout + run.stderr
    assert "LookupError" not in run.stdout and "TypeError" not in run.stdout
