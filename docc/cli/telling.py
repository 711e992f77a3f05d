"""What a verb that drives, or looks on, tells while it does so, and to whom: lines for people, events for programs, phases for
a CI log, and a live picture on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from docc.cli.wiring import Place
from docc.engine.ports import Sink
from docc.model.facts import Fact
from docc.ui import ci
from docc.ui.console import Console
from docc.ui.events import Events, target
from docc.ui.lines import Lines

if TYPE_CHECKING:
    from docc.core.steps import Step
    from docc.model.world import Seen
    from docc.ui.screen import Screen


class Telling:
    """engine.ports.Sink for all of them; it also keeps every fact for the end, and the rows of the plan with preflight's
    notes. The heading is told at once. In a `with` block: however that ends, the terminal is left in order."""

    def __init__(self, console: Console, place: Place, app: str, output: str) -> None:
        self.console = console
        self.facts: list[tuple[float, Fact]] = []
        self.plan: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self._place, self._app = place, app
        self._pictured = output == "text" or (output == "json" and not console.tells_a_terminal)
        self._screen: Screen | None = None
        marks = ci.marks()
        self._phases = ci.Phases(console, marks) if marks else None
        self._lines = Lines(console)
        self._sinks: list[Sink] = [*([self._phases] if self._phases else []), self._lines]
        console.err(place.heading(app))
        if output == "jsonl":
            console.document(target(place.clock.now(), app, place.target.context, place.target.namespace))
            self._sinks.append(Events(console))

    def emit(self, at: float, fact: Fact) -> None:
        """Never raises, because none of the sinks does."""
        self.facts.append((at, fact))
        for sink in self._sinks:
            sink.emit(at, fact)

    def show(
        self,
        steps: Callable[[Seen], tuple[Step, ...]],
        driver: str = "",
        held: Callable[[], bool] = lambda: False,
        *,
        asks: bool = False,
    ) -> None:
        """From now on a live picture, if the terminal may have one; a document on the same terminal is to stay alone,
        and a stream may, through a pipe. steps: of the rollout that is seen, () if they are not known. driver: this process's
        name, if it drives. held: whether the one who sits here wants no more weight. asks: Ctrl-C asks that one."""
        stream = self.console.progress
        if stream is None or not self._pictured or not ci.takes_pictures(stream):
            return
        from docc.ui.live import COLUMNS_MIN, painter
        from docc.ui.scene import Gathering
        from docc.ui.screen import Screen

        place = self._place
        gathering = Gathering((self._app, place.target.namespace, place.at), driver, steps, held, asks=asks)
        for at, fact in self.facts:
            gathering.emit(at, fact)
        self._sinks.append(gathering)
        place.cluster.looked = gathering.looked
        self._screen = Screen(stream, painter(gathering, place.clock.now, stream.encoding or "utf-8"))
        self._screen.start()
        self.console.painter = self._screen.print
        self._lines.pictured = lambda: (self.console.columns or 0) > COLUMNS_MIN

    @property
    def shown(self) -> bool:
        """There is a picture on the terminal, or was."""
        return self._screen is not None

    def aside(self) -> contextlib.AbstractContextManager[None]:
        """While somebody else asks something on the terminal."""
        return self._screen.aside() if self._screen is not None else contextlib.nullcontext()

    def end(self) -> None:
        """What follows belongs to no phase any more, and the picture stays as it is."""
        if self._screen is not None:
            self._screen.close()
            self.console.painter = None
        if self._phases:
            self._phases.end()

    def __enter__(self) -> Telling:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
