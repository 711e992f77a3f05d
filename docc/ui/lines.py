"""engine.ports.Sink: one line per change, on stderr. A check is told when its verdict changes or its value moves by a fifth
of the threshold, and once in half a minute otherwise, so that a long hold is neither silent nor a flood."""

from __future__ import annotations

from docc.model.facts import CheckSeen, Fact
from docc.ui.console import Console
from docc.ui.words import line

HEARTBEAT_SECONDS = 30.0
_INDENT = 19


class Lines:
    """Also keeps every fact, for the final document."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console, self._quiet = console, quiet
        self.facts: list[tuple[float, Fact]] = []
        self._started: float | None = None
        self._told: dict[str, tuple[float, CheckSeen]] = {}

    def emit(self, at: float, fact: Fact) -> None:
        self.facts.append((at, fact))
        if self._started is None:
            self._started = at
        if self._quiet or (isinstance(fact, CheckSeen) and not self._worth_telling(at, fact)):
            return
        told = line(fact)
        first, *rest = told.text.splitlines() or [""]
        self._console.err(f"{at - self._started:+8.1f}s  {told.kind:<8} {first}", told.style)
        for more in rest:
            self._console.err(" " * _INDENT + more, told.style)

    def _worth_telling(self, at: float, fact: CheckSeen) -> bool:
        before = self._told.get(fact.name)
        if before is not None:
            since, last = before
            moved = abs((fact.value or 0.0) - (last.value or 0.0)) > abs(fact.threshold) / 5
            same = (last.verdict, last.weight, last.reason) == (fact.verdict, fact.weight, fact.reason)
            if same and not moved and at < since + HEARTBEAT_SECONDS:
                return False
        self._told[fact.name] = (at, fact)
        return True
