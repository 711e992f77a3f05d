"""docc is killed where it hurts most; the same command again ends right, and users notice nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from docc.sandbox import session
from tests.sandbox import killing

MOMENTS = 12


@pytest.mark.timeout(400)
def test_a_killed_canary_is_promoted_by_the_same_command_and_no_request_fails(tmp_path: Path) -> None:
    world = session.up(tmp_path / "s")
    try:
        played, seen = killing.play(killing.in_sandbox(world, tmp_path), tmp_path, killing.bounded(MOMENTS))
    finally:
        session.down(tmp_path / "s")
    told = "\n".join([*map(str, played), *(words for each in seen for words in each.told)])
    assert len(played) == MOMENTS and not [each for each in played if each.wrong], told
    assert sum(each.requests for each in seen) > 1000 and not any(each.failed for each in seen), told


def test_the_moments_are_fifty_and_at_each_kind_of_write() -> None:
    moments = killing.MOMENTS
    assert len(set(moments)) == len(moments) == 50
    assert sum(bool(moment.twice) for moment in moments) == len(killing.TWICE)
    assert sum(bool(moment.twice) for moment in killing.bounded(MOMENTS)) >= 4
    near = Counter(moment.write for moment in moments if moment.ms < 5)
    assert all(near[write] >= 3 for write in killing.WRITES)


def test_too_few_kills_in_a_phase_or_near_a_write_are_told() -> None:
    played = [killing.Played(moment, "shifting", 50, "") for moment in killing.MOMENTS if moment.write != "lease taken"]
    others = [phase for phase in killing.PHASES if phase != "shifting"]
    told = [*(f"only 0 kills while {phase}" for phase in others), "only 0 kills near lease taken"]
    assert killing.gaps(played) == told
