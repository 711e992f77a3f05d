"""Holds a terminal while a live picture is on it: log lines go above, the newest picture below them.

One thread paints, and nobody else waits for the terminal. What is to be shown is left here and taken up when the terminal is
ready for it: every line, in its order, and of the pictures only the newest, a few times a second at most and less often where
the terminal is slow. So a terminal that takes nothing holds up no rollout. What the picture shows is not known here.

Nothing of the terminal's state is changed, not even the cursor is hidden: whatever ends docc, there is nothing to put back.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console, ConsoleDimensions, Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from docc.ui.console import coloured

PERIOD_SECONDS = 0.25
SLOWEST_SECONDS = 5.0
"""The longest time between two pictures on a terminal that takes its time; a line that is new does not wait for it."""
ASLEEP_SECONDS = 2.0
"""After a pause of this length the process was stopped, and somebody else has used the terminal."""

Paint = Callable[[int], Sequence[Text]]


class Screen:
    """stream: a terminal. paint: the picture, as rows that are no wider than so many cells; none for no picture."""

    def __init__(self, stream: TextIO, paint: Paint) -> None:
        self._descriptor, self._encoding = stream.fileno(), stream.encoding or "utf-8"
        self._easel = _Easel(paint, coloured=coloured(stream))
        self._changed = threading.Condition()
        self._rows: list[str] = []
        self._ended = self._gone = False
        self._asides, self._is_aside = 0, False
        self._thread = threading.Thread(target=self._run, name="screen", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def print(self, text: str) -> None:
        """A row, or several, that may have colours; at once."""
        with self._changed:
            self._rows.append(text)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """The picture stays as it is and is left alone; lines still come. Waits until it is so."""
        with self._changed:
            self._asides += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_aside or self._gone or self._ended)
        try:
            yield
        finally:
            with self._changed:
                self._asides -= 1

    def close(self) -> None:
        """With a last picture, which stays. Returns when the terminal has taken all of it; a signal may break that off."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        pause, ended = 0.0, False
        while not ended:
            rows, aside, ended, asleep = self._awaited(pause)
            began = time.monotonic()
            if not self._gone:
                self._gone = not self._painted(rows, aside=aside, ended=ended, asleep=asleep)
            taken = time.monotonic() - began
            pause = min(max(PERIOD_SECONDS, 3 * taken), SLOWEST_SECONDS)
            with self._changed:
                self._is_aside = aside
                self._changed.notify_all()

    def _awaited(self, pause: float) -> tuple[list[str], bool, bool, bool]:
        """What is to be painted next: lines, and whether it is aside, ended, and was asleep."""
        slept, quick = time.monotonic(), min(pause, PERIOD_SECONDS)
        with self._changed:
            while not self._changed.wait_for(lambda: self._ended or bool(self._asides) != self._is_aside, quick):
                waited = time.monotonic() - slept
                if self._rows or waited >= pause:
                    break
            rows, self._rows = self._rows, []
            return rows, bool(self._asides), self._ended, time.monotonic() - slept > pause + ASLEEP_SECONDS

    def _painted(self, rows: list[str], *, aside: bool, ended: bool, asleep: bool) -> bool:
        """False: the terminal is not there any more."""
        try:
            size = os.get_terminal_size(self._descriptor)
            if asleep:
                self._easel.forget()
            mine = _in_foreground(self._descriptor)
            text = self._easel.frame(size, rows, show=mine and (ended or not aside), rest=ended or aside, mine=mine)
            self._send(text.encode(self._encoding, "backslashreplace"))
        except (OSError, ValueError):
            return False
        return True

    def _send(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # somebody made it non-blocking
                select.select([], [self._descriptor], [], PERIOD_SECONDS)


class _Easel:
    """Makes the bytes of one frame after the other, with rich.live; writes nothing itself."""

    def __init__(self, paint: Paint, *, coloured: bool) -> None:
        self._paint, self._buffer = paint, io.StringIO()
        self._console = Console(
            file=self._buffer, force_terminal=True, color_system="standard" if coloured else None,
            legacy_windows=False, highlight=False, markup=False, emoji=False, width=80, height=24,
        )  # fmt: skip
        self._live: Live | None = None
        self._rows: Sequence[Text] = ()

    def frame(self, size: os.terminal_size, rows: list[str], *, show: bool, rest: bool, mine: bool) -> str:
        """show: a picture. rest: it is the last for now, and stays. mine: the terminal is ours; what was painted on it before
        is not where it was."""
        columns, before = size.columns or 80, self._console.size
        if not mine:
            self.forget()
        if self._live is not None and columns < before.width:
            self._gather(columns)
        self._console.size = ConsoleDimensions(columns, size.lines or 24)
        picture = self._picture(columns - 1) if show else self._rows if self._live else ()
        changed = picture != self._rows or (columns, size.lines) != (before.width, before.height)
        self._rows = picture
        if rows or changed or rest or bool(picture) != (self._live is not None):
            self._compose(rows)
        if rest:
            self._lower(keep=True)
        text = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        return text

    def forget(self) -> None:
        """The picture is not ours to replace any more; the next one is begun below."""
        if self._live is not None:
            self._console.clear_live()
            self._console.pop_render_hook()
        self._live, self._rows = None, ()

    def _picture(self, columns: int) -> Sequence[Text]:
        """A picture that cannot be made must not stop the lines."""
        try:
            return self._paint(columns)
        except Exception:
            return self._rows

    def _compose(self, rows: list[str]) -> None:
        if not self._rows:
            self._lower(keep=False)
        elif self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
            self._live.start()
            self._console.show_cursor(True)
        if self._live is not None:
            self._live.update(Group(*self._rows))
        if rows:
            text = Text.from_ansi("\n".join(rows))
            self._console.print(text, no_wrap=True, overflow="ignore", crop=False)
        if self._live is not None:  # printing has put the picture below again as it was before
            self._live.refresh()

    def _lower(self, *, keep: bool) -> None:
        if self._live is not None:
            self._live.transient = not keep
            self._live.stop()
        self._live, self._rows = None, ()

    def _gather(self, columns: int) -> None:
        """A terminal that became narrower has broken rows in two: up to where the picture would end if it had not."""
        broken = sum((max(cell_len(row.plain), 1) - 1) // columns for row in self._rows)
        steps = [(ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)] * broken
        self._console.control(Control((ControlType.CARRIAGE_RETURN,), *steps) if steps else Control())


def _in_foreground(descriptor: int) -> bool:
    """A job that was put into the background does not paint over what is typed in the meantime."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:  # not the terminal that controls us: nobody else uses it
        return True
