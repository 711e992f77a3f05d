"""Every scene, with a fault at every write, in virtual time; random plays of several people; and every planted bug, which
must not pass. A failure tells who did and saw what, and what repeats it: python -m tests.sim.play --case, or --seed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.sim import play
from tests.sim.mutants import MUTANTS
from tests.sim.scenes import SCENES

SEEDS, BATCH, PARTS = 300, 20, 4


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scene", play.CORE)
def test_every_fault_at_every_write_breaks_nothing(scene: str, part: int) -> None:
    assert play.all_of(play.singles(SCENES[scene], all_of_them=True, part=(part, PARTS))) > 20


@pytest.mark.parametrize("scene", [scene for scene in SCENES if scene not in play.CORE])
def test_scene_ends_as_documented_and_survives_a_crash_at_every_write(scene: str) -> None:
    assert play.all_of(play.singles(SCENES[scene], all_of_them=False)) > 0


def test_what_has_found_something_once_finds_nothing_any_more() -> None:
    assert play.all_of(play.remembered()) == 1 + len(play.REMEMBERED)


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_several_faults_and_people_at_once_break_nothing(first: int) -> None:
    assert play.all_of(play.seeded(seed) for seed in range(first, first + BATCH)) == BATCH


@pytest.mark.parametrize("bug", MUTANTS)
def test_planted_bug_is_caught(bug: str) -> None:
    run = subprocess.run([sys.executable, "-m", "tests.sim.mutants", bug], capture_output=True, text=True, timeout=200)
    sys.stdout.write(f"{bug}: {run.stdout}")
    assert run.returncode == 1 and "caught after" in run.stdout, run.stdout + run.stderr
