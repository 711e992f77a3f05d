"""One line per change: golden logs of whole rollouts, and the rules of what is a change."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import pytest

from docc.model import facts
from docc.ui.console import Console
from docc.ui.lines import HEARTBEAT_SECONDS, Lines
from docc.ui.words import EVIDENCE_ROWS_MAX, duration, line, number
from tests.unit.ui.story import BAD, EVERY_OTHER, GOOD, T0, Told, check
from tests.unit.ui.terminal import terminal

Golden = Callable[[str, str], None]
STORIES = {"good": GOOD, "bad": BAD, "every-other": EVERY_OTHER}


def log(told: Told) -> list[str]:
    err = io.StringIO()
    lines = Lines(Console(err=err))
    for at, fact in told:
        lines.emit(at, fact)
    assert lines.facts == told
    return err.getvalue().splitlines()


@pytest.mark.parametrize("story", STORIES)
def test_log_in_a_pipe(story: str, golden: Golden) -> None:
    golden(f"lines-{story}.txt", "\n".join(log(STORIES[story])) + "\n")


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("story", STORIES)
def test_log_on_a_terminal(story: str, columns: int, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with terminal(columns) as tty:
        lines = Lines(Console(err=tty.stream))
        for at, fact in STORIES[story]:
            lines.emit(at, fact)
        shown = tty.shown()
    assert max(map(len, shown.splitlines())) <= columns
    golden(f"lines-{story}-{columns}.txt", shown)


def test_every_fact_is_worded_in_the_stories() -> None:
    told = {type(fact) for story in STORIES.values() for _, fact in story}
    assert told == set(get_args(facts.Fact))
    assert all(len(line(fact).kind) <= 8 for story in STORIES.values() for _, fact in story)


def test_colour_tells_good_from_bad() -> None:
    with terminal(100) as tty:
        lines = Lines(Console(err=tty.stream))
        told: Told = [(T0, check(0.01)), (T0 + 1, check(0.3, "FAIL")), (T0 + 2, facts.Waiting("pods"))]
        for at, fact in told:
            lines.emit(at, fact)
        green, red, yellow = tty.shown().splitlines()
    assert green.startswith("\x1b[32m") and red.startswith("\x1b[1;31m") and yellow.startswith("\x1b[33m")


def test_check_is_told_when_it_changes_and_each_half_minute() -> None:
    told = log([(T0 + second, check(0.004)) for second in range(0, 70, 5)])
    assert [row.split()[0] for row in told] == ["+0.0s", f"+{HEARTBEAT_SECONDS}s", "+60.0s"]
    changes = [
        check(0.004),
        check(0.02),
        check(0.021),
        check(0.02, "FAIL"),
        check(0.02, "FAIL", weight=10),
        check(None),
    ]
    assert len(log([(T0 + at, fact) for at, fact in enumerate(changes)])) == 5


def test_a_breach_that_is_ignored_says_so() -> None:
    breach = replace(check(0.2051, "FAIL", 100, "the threshold is crossed"), ignored=True)
    (row,) = log([(T0, breach)])
    assert row.endswith("0.2051  (fires at > 0.05) at 100 %  ignored: it failed before this rollout")


def test_large_values_are_measured_by_themselves() -> None:
    assert len(log([(T0, check(1000.0)), (T0 + 1, check(1100.0)), (T0 + 2, check(1300.0))])) == 2


def test_last_check_before_more_traffic_is_always_told() -> None:
    told = log([(T0, check(0.004)), (T0 + 5, check(0.005)), (T0 + 6, facts.Weighted(2, 1, 100, 2, 2))])
    assert [row.split()[:2] for row in told] == [["+0.0s", "check"], ["+5.0s", "check"], ["+6.0s", "traffic"]]


def test_what_was_good_before_more_traffic_is_not_told_as_news_right_after_it() -> None:
    told = log([
        (T0, check(0.005)), (T0 + 5.9, check(0.004)),
        (T0 + 6, facts.Weighted(2, 1, 100, 2, 2)), (T0 + 6, check(0.004, weight=100)),
        (T0 + 6.1, facts.Scaled(2, 2, "more traffic to come")),
        (T0 + 9, check(0.004, weight=100)), (T0 + 9, facts.Promoted(2, 1)),
    ])  # fmt: skip
    assert [row.split()[:2] for row in told] == [
        ["+0.0s", "check"], ["+5.9s", "check"], ["+6.0s", "traffic"], ["+6.1s", "scale"],
        ["+9.0s", "check"], ["+9.0s", "promote"],
    ]  # fmt: skip


def test_wait_is_told_when_it_is_for_something_else() -> None:
    told = log(
        [
            (T0, facts.Waiting("a")),
            (T0 + 1, facts.Waiting("a")),
            (T0 + 2, facts.Waiting("b")),
            (T0 + 40, facts.Waiting("b")),
        ]
    )
    assert [row.split()[0] for row in told] == ["+0.0s", "+2.0s", "+40.0s"]


def test_a_wait_for_people_begins_with_one_line() -> None:
    asks, paused = (
        facts.Waiting("approval: docc promote shop"),
        facts.Waiting("paused at 30 % by ada@desk; docc resume shop goes on"),
    )
    told = log(
        [(T0, facts.ApprovalAwaited(2)), (T0, asks), (T0 + 5, check(0.0, weight=10)), (T0 + 29, asks), (T0 + 31, asks)]
    )
    assert [row.split()[0:2] for row in told if "check" not in row] == [["+0.0s", "wait"], ["+31.0s", "wait"]]
    assert len(log([(T0, facts.Requested("pause", "ada@desk")), (T0, paused), (T0 + 1, paused)])) == 1
    assert len(log([(T0, facts.Requested("resume", "ada@desk")), (T0, paused)])) == 2
    assert len(log([(T0, facts.ApprovalAwaited(2)), (T0, facts.Waiting("pods"))])) == 2
    assert len(log([(T0, paused)])) == 1, "who comes later is told as well"


def test_what_stays_as_it_is_is_not_told_again_below_a_picture() -> None:
    def told(*, pictured: bool) -> int:
        err = io.StringIO()
        lines = Lines(Console(err=err))
        lines.pictured = lambda: pictured
        for second in range(0, 601, 5):
            lines.emit(T0 + second, check(0.004))
            lines.emit(T0 + second, facts.Waiting("approval: docc promote shop"))
        lines.emit(T0 + 700, check(0.31, "FAIL"))
        return len(err.getvalue().splitlines())

    assert told(pictured=True) == 3 and told(pictured=False) > 40


def test_a_command_is_on_a_row_of_its_own_on_a_terminal_and_never_broken() -> None:
    command = f"curl -H 'x-docc-release: canary' http://{'a-host.' * 12}test/api"
    fact = facts.HeadersRouted(2, "the header x-docc-release: canary", command)
    assert len(log([(T0, fact)])) == 1 and log([(T0, fact)])[0].endswith(f"go to v2: {command}")
    with terminal(80) as tty:
        Lines(Console(err=tty.stream)).emit(T0, fact)
        rows = [re.sub(r"\x1b\[[0-9;]*m", "", row) for row in tty.shown().splitlines()]
    assert command in "".join(row.strip() if at else row for at, row in enumerate(rows)) and rows[-1].strip() == command


def test_quiet_sink_keeps_the_facts() -> None:
    err = io.StringIO()
    lines = Lines(Console(err=err), quiet=True)
    lines.emit(T0, facts.Waiting("x"))
    assert (err.getvalue(), lines.facts) == ("", [(T0, facts.Waiting("x"))])


def test_sink_never_raises() -> None:
    closed = io.StringIO()
    lines = Lines(Console(err=closed))
    closed.close()
    lines.emit(T0, facts.Waiting("x"))
    broken: Any = None  # what a bug elsewhere could send
    lines.emit(T0, facts.Waiting(broken))
    assert len(lines.facts) == 2


def test_long_evidence_keeps_its_end() -> None:
    told = line(facts.Evidence("container web", "\n".join(f"row {n}" for n in range(50)) + "\n")).text.split("\n")
    assert told[:3] == ["container web:", "| ... 30 earlier lines left out", "| row 30"]
    assert told[-1] == "| row 49" and len(told) == EVIDENCE_ROWS_MAX + 2
    assert len(line(facts.Evidence("x", "y" * 5000)).text) < 500


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.31, "0.31"), (0.123456, "0.1235"), (1e6, "1e+06"), (float("nan"), "NaN"), (-float("inf"), "-Inf")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (-3, "0 s"), (45, "45 s"), (60, "1 min"), (90.4, "1 min 30 s"), (3600, "1 h"), (3605, "1 h"),
     (11_100, "3 h 5 min"), (187_000, "2 d 3 h")],
)  # fmt: skip
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text
