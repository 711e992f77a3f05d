"""The numbers on the pages about testing are those of the tests."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cluster import __main__ as suite
from tests.cluster.acceptance import test_killed as on_cluster
from tests.sandbox import killing
from tests.sandbox import test_killed as in_sandbox

ROOT = Path(__file__).resolve().parents[2]
WORDS = {4: "four", 8: "eight", 12: "twelve", 50: "fifty"}
"""Another number wants its word here, and on the page."""


def page(name: str) -> str:
    """In one line."""
    return " ".join((ROOT / name).read_text(encoding="utf-8").split())


def test_of_the_kills_as_many_are_told_as_are_played() -> None:
    text, every = page("docs/testing.md"), WORDS[len(killing.MOMENTS)]
    assert (
        f"Of these moments `make test` plays {WORDS[in_sandbox.MOMENTS]}, `python -m tests.sandbox.killing` all {every}"
        in text
    )
    assert f"{WORDS[on_cluster.MOMENTS]} kills (`test_killed.py`), of the {every}" in text


def test_the_cluster_s_page_says_how_many_tests_run_at_a_time_and_how_long_they_may_take() -> None:
    text = page("tests/cluster/README.md")
    assert f"runs tests/cluster, {WORDS[suite.WORKERS]} tests at a time" in text
    ((goal, most),) = re.findall(
        r"the whole suite about (\d+) minutes once all is built; more than (\d+) fail it", text
    )
    goal, most = int(goal), int(most)
    assert (goal, most) == (suite.GOAL_MINUTES, suite.MINUTES_MAX)
    assert suite.in_time(most - 0.1) == 0 and suite.in_time(most + 0.1) == 1
