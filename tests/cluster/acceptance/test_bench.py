"""What the bench measures holds in every run of the suite, too, if only within the bounds of a machine that is not idle."""

from __future__ import annotations

import subprocess
import sys

from bench import cluster as bench
from tests.cluster.acceptance.app import App
from tests.cluster.acceptance.traffic import REQUESTS_MAX
from tests.cluster.conftest import Figure

POLL = 1.0
LATE_SECONDS_MAX = POLL + 2.5
"""From a breach that Prometheus shows to the bad version's last request. On an idle machine it is POLL + 0.5."""
BALLAST_BYTES, SMALL_MIB = 100 << 20, 50


def test_a_bad_version_loses_its_users_soon_after_anybody_can_know(app: App, figure: Figure) -> None:
    found = bench.measured(app, 2, POLL, 1)
    assert found.seen.account.failed == 0 and len(found.bad) == 2
    assert max(each.late for each in found.bad) <= LATE_SECONDS_MAX, found.bad
    assert all(run.api.total() <= REQUESTS_MAX for run in (*found.healthy, *found.failing)), found
    assert all(run.memory > 0 for run in (*found.healthy, *found.failing)), found
    told = bench.table(found, poll=POLL)
    assert "| of these patch |" in told and " 0 failed." in told, told
    figure(f"breach visible to the last bad request: {', '.join(f'{each.late:.2f} s' for each in found.bad)}")


def test_a_program_s_peak_of_memory_is_not_that_of_who_started_it() -> None:
    ballast = b"x" * BALLAST_BYTES
    sleeps = [sys.executable, "-S", "-E", "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(sleeps) as program:
        try:
            peak = bench.peak(program.pid)
        finally:
            program.kill()
    assert len(ballast) == BALLAST_BYTES and peak is not None and 0 < peak < SMALL_MIB
    assert bench.peak(program.pid) is None
