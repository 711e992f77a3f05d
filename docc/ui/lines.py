"""engine.ports.Sink: one line per change, on stderr.

What is a change: a check whose words are others, or whose value moved by more than a fifth (of the threshold, or of the value
that was told last, whichever is larger); a wait for something else. The last look at each check is always told before the line
that follows from it, such as more traffic. What does not change is told again each half minute, so that a long hold is neither
silent nor a flood; not while a live picture tells it. A wait for people begins with one line.
"""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Callable

from docc.core.verdict import Verdict
from docc.model.facts import ApprovalAwaited, CheckSeen, Fact, Requested, Waiting
from docc.model.record import PAUSE
from docc.ui.console import Console
from docc.ui.words import KIND_WIDTH, line

HEARTBEAT_SECONDS = 30.0
NOTABLE_SHARE = 0.2
SAME_SECONDS = 1.0
_INDENT = 12 + KIND_WIDTH
_TEXT_COLUMNS_MIN = 40


class Lines:
    """Also keeps every fact, for the final document. pictured: whether a live picture tells how things stand."""

    pictured: Callable[[], bool] = staticmethod(lambda: False)

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console, self._quiet = console, quiet
        self.facts: list[tuple[float, Fact]] = []
        self._started: float | None = None
        self._told: dict[str, tuple[float, CheckSeen]] = {}
        self._held: dict[str, tuple[float, CheckSeen]] = {}
        self._waiting: tuple[float, str] = (0.0, "")
        self._begun = ""

    def emit(self, at: float, fact: Fact) -> None:
        """Never raises: what cannot be told must not stop a rollout."""
        self.facts.append((at, fact))
        if self._started is None:
            self._started = at
        if not self._quiet:
            with contextlib.suppress(Exception):
                self._consider(at, fact)

    def _consider(self, at: float, fact: Fact) -> None:
        if isinstance(fact, CheckSeen):
            if fact.weight == 0 and fact.verdict == Verdict.NO_DATA.value:
                return  # who has no traffic has no data: that is as it should be
            if not self._is_news(at, fact):
                self._held[fact.name] = (at, fact)
                return
            self._held.pop(fact.name, None)
            self._told[fact.name] = (at, fact)
        elif isinstance(fact, Waiting):
            since, why = self._waiting
            if why == fact.why and (at < since + HEARTBEAT_SECONDS or self.pictured()):
                return
            self._waiting = (at, fact.why)
            if self._begun and fact.why.startswith(self._begun):
                self._begun = ""
                return
        if not isinstance(fact, CheckSeen):
            self._begun = _begun(fact)
            self._catch_up()
        self._tell(at, fact)

    def _catch_up(self) -> None:
        for at, check in self._held.values():
            since, last = self._told[check.name]
            if at - since < SAME_SECONDS and last.value == check.value:
                continue  # the same samples, looked at again
            self._told[check.name] = (at, check)
            self._tell(at, check)
        self._held.clear()

    def _is_news(self, at: float, fact: CheckSeen) -> bool:
        if fact.name not in self._told:
            return True
        since, last = self._told[fact.name]
        same = _words(last) == _words(fact)
        again = at >= since + HEARTBEAT_SECONDS and not self.pictured()
        return not same or _moved(last, fact) or again

    def _tell(self, at: float, fact: Fact) -> None:
        told = line(fact)
        first, *rest = told.text.split("\n")
        if told.command and self._console.columns is None:
            first = f"{first}: {told.command}"
        elif told.command:  # whole, on a row of its own, to be copied
            first, rest = f"{first}:", [told.command]
        since = at - (at if self._started is None else self._started)
        head, *hanging = self._wrapped(first)
        self._console.err(f"{since:+8.1f}s  {told.kind:<{KIND_WIDTH}} {head}", told.style)
        for row in [*hanging, *rest]:
            self._console.err(" " * _INDENT + row, told.style)

    def _wrapped(self, text: str) -> list[str]:
        """On a terminal that is too narrow, rows; elsewhere a fact stays on one line, for grep."""
        columns = self._console.columns
        if columns is None or len(text) <= columns - _INDENT:
            return [text]
        return textwrap.wrap(text, max(columns - _INDENT, _TEXT_COLUMNS_MIN), break_on_hyphens=False) or [text]


def _begun(fact: Fact) -> str:
    """With what the driver's word for a wait begins of which this fact has just told."""
    if isinstance(fact, ApprovalAwaited):
        return "approval: "
    return "paused at " if isinstance(fact, Requested) and fact.verb == PAUSE else ""


def _words(fact: CheckSeen) -> tuple[str, str, int]:
    """But for the value. What is good or unknown is so at any weight."""
    return fact.verdict, fact.reason, fact.weight if fact.verdict == Verdict.FAIL.value else 0


def _moved(last: CheckSeen, fact: CheckSeen) -> bool:
    if last.value is None or fact.value is None:
        return last.value is not fact.value
    return abs(fact.value - last.value) > NOTABLE_SHARE * max(abs(fact.threshold), abs(last.value))
