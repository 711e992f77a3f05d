"""What a verb that drives tells while it does so, and to whom: lines for people, events for programs, phases for a CI log."""

from __future__ import annotations

from docc.cli.wiring import Place
from docc.engine.ports import Sink
from docc.model.facts import Fact
from docc.ui import ci
from docc.ui.console import Console
from docc.ui.events import Events, target
from docc.ui.lines import Lines


class Telling:
    """engine.ports.Sink for all of them; it also keeps every fact for the end, and the rows of the plan with preflight's
    notes. The heading is told at once."""

    def __init__(self, console: Console, place: Place, app: str, output: str) -> None:
        self.console = console
        self.facts: list[tuple[float, Fact]] = []
        self.plan: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        marks = ci.marks()
        self._phases = ci.Phases(console, marks) if marks else None
        self._sinks: list[Sink] = [*([self._phases] if self._phases else []), Lines(console)]
        console.err(place.heading(app))
        if output == "jsonl":
            console.document(target(place.clock.now(), app, place.target.context, place.target.namespace))
            self._sinks.append(Events(console))

    def emit(self, at: float, fact: Fact) -> None:
        """Never raises, because none of the sinks does."""
        self.facts.append((at, fact))
        for sink in self._sinks:
            sink.emit(at, fact)

    def end(self) -> None:
        """What follows belongs to no phase any more."""
        if self._phases:
            self._phases.end()
