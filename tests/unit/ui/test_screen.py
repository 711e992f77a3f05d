"""The screen on real pseudo-terminals, seen with a terminal emulator: what stays, what is replaced, and who waits for whom."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

import pytest
from rich.text import Text

from docc.ui.console import Console
from docc.ui.screen import Screen
from tests.emulator import Emulator

SECONDS = 20.0
"""For what takes a moment; on a machine with other things to do."""


class Window:
    """A terminal that somebody looks at: what it shows, and all that has left it at the top."""

    def __init__(self, master: int, stream: TextIO, columns: int, rows: int) -> None:
        self.stream, self._master = stream, master
        self._emulator = Emulator(columns, rows)
        self.raw = b""

    def read(self) -> None:
        os.set_blocking(self._master, False)
        with contextlib.suppress(BlockingIOError, OSError):
            while piece := os.read(self._master, 65536):
                self.raw += piece
                self._emulator.feed(piece)

    def rows(self) -> list[str]:
        """From the first on, without the empty ones at the end."""
        self.read()
        return self._emulator.rows()

    def until(self, holds: Callable[[list[str]], bool]) -> list[str]:
        limit = time.monotonic() + SECONDS
        while not holds(rows := self.rows()):
            assert time.monotonic() < limit, rows
            time.sleep(0.02)
        return rows

    def resize(self, columns: int, rows: int) -> None:
        """As somebody who pulls at its corner."""
        self.read()
        self._emulator.resize(columns, rows)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@contextlib.contextmanager
def window(columns: int = 80, rows: int = 24) -> Iterator[Window]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    with os.fdopen(slave, "w", encoding="utf-8") as stream:
        yield Window(master, stream, columns, rows)
    os.close(master)


class Picture:
    """Of several rows, which say which one it is; replaced by whoever tests."""

    def __init__(self, height: int = 3) -> None:
        self.number, self.height, self.asked = 0, height, 0

    def __call__(self, columns: int) -> Sequence[Text]:
        self.asked += 1
        return [Text(f"row {row} of picture {self.number} {'=' * columns}"[:columns]) for row in range(self.height)]


@contextlib.contextmanager
def shown(seen: Window, picture: Callable[[int], Sequence[Text]]) -> Iterator[Screen]:
    screen = Screen(seen.stream, picture)
    screen.start()
    yield screen


def ended(screen: Screen, seen: Window) -> list[str]:
    """What is to be seen when it has closed; read meanwhile, as people do."""
    closing = threading.Thread(target=screen.close)
    closing.start()
    limit = time.monotonic() + SECONDS
    while closing.is_alive():
        assert time.monotonic() < limit
        seen.read()
        closing.join(0.02)
    return seen.rows()


def pictures(rows: Sequence[str]) -> list[str]:
    return [row.split(" =")[0] for row in rows if row.startswith("row ")]


def test_lines_stay_above_the_newest_picture_and_the_last_one_stays() -> None:
    picture = Picture()
    with window() as seen, shown(seen, picture) as screen:
        for number in range(40):
            picture.number = number
            screen.print(f"line {number}")
        seen.until(lambda rows: "line 39" in rows and "row 0 of picture 39" in pictures(rows))
        picture.number = 40
        rows = ended(screen, seen)
    assert [row for row in rows if row.startswith("line")] == [f"line {number}" for number in range(40)]
    assert pictures(rows) == [f"row {row} of picture 40" for row in range(3)]
    assert pictures(rows[-3:]) == pictures(rows), "nothing below, nothing between"


def test_a_picture_that_stays_the_same_is_not_painted_again() -> None:
    picture = Picture()
    with window() as seen, shown(seen, picture) as screen:
        seen.until(lambda rows: len(pictures(rows)) == 3)
        size, asked = len(seen.raw), picture.asked
        limit = time.monotonic() + SECONDS
        while picture.asked < asked + 4:
            assert time.monotonic() < limit
            time.sleep(0.02)
        seen.read()
        assert len(seen.raw) == size
        ended(screen, seen)


def test_the_cursor_is_always_to_be_seen() -> None:
    """So that there is nothing to put back, however docc ends."""
    with window() as seen, shown(seen, Picture()) as screen:
        seen.until(lambda rows: len(pictures(rows)) == 3)
        assert seen.raw.rindex(b"\x1b[?25h") > seen.raw.rfind(b"\x1b[?25l")
        ended(screen, seen)
        assert seen.raw.rindex(b"\x1b[?25h") > seen.raw.rfind(b"\x1b[?25l")


@pytest.mark.parametrize("columns", [40, 79, 100])
def test_a_resized_terminal_has_one_picture_in_its_new_width(columns: int) -> None:
    """Where it is narrower, pyte cuts rows and does not break them: what is above may be lost, nothing is there twice."""
    picture = Picture()
    with window() as seen, shown(seen, picture) as screen:
        for number in range(10):
            screen.print(f"line {number}")
        seen.until(lambda rows: len(pictures(rows)) == 3)
        seen.resize(columns, 30)
        picture.number = 1
        seen.until(lambda rows: "row 2 of picture 1" in pictures(rows))
        rows = ended(screen, seen)
    assert pictures(rows) == [f"row {row} of picture 1" for row in range(3)]
    assert len(rows[-1]) == columns - 1


def test_rows_that_a_narrower_terminal_has_broken_are_taken_away_whole() -> None:
    """Of three rows with 79 cells, 40 columns make six: five rows up, and what was above them is left alone."""
    picture = Picture()
    with window() as seen, shown(seen, picture) as screen:
        seen.until(lambda rows: len(pictures(rows)) == 3)
        begun = len(seen.raw)
        seen.resize(40, 24)
        seen.until(lambda rows: len(seen.raw) > begun)
        time.sleep(0.1)
        seen.read()
        assert seen.raw[begun:].count(b"\x1b[1A") == 5
        ended(screen, seen)


def test_no_picture_leaves_only_lines() -> None:
    pages: list[Sequence[Text]] = [[Text("picture")]]
    with window() as seen, shown(seen, lambda columns: pages[0]) as screen:
        seen.until(lambda rows: rows == ["picture"])
        pages[0] = []
        screen.print("line")
        seen.until(lambda rows: rows == ["line"])
        assert ended(screen, seen) == ["line"]


def test_a_picture_that_cannot_be_made_stops_no_line() -> None:
    def broken(columns: int) -> Sequence[Text]:
        raise ValueError("a bug")

    with window() as seen, shown(seen, broken) as screen:
        screen.print("line")
        seen.until(lambda rows: rows == ["line"])
        assert ended(screen, seen) == ["line"]


def test_a_picture_higher_than_the_terminal_is_cut_while_it_moves_and_whole_at_the_end() -> None:
    picture = Picture(height=12)
    with window(rows=6) as seen, shown(seen, picture) as screen:
        for number in range(1, 4):
            picture.number = number
            seen.until(lambda rows: f"row 0 of picture {picture.number}" in pictures(rows))
        rows = ended(screen, seen)
    assert pictures(rows) == [f"row {row} of picture 3" for row in range(12)]


def test_aside_nothing_but_lines_is_written_until_it_is_over() -> None:
    picture = Picture()
    with window() as seen, shown(seen, picture) as screen:
        seen.until(lambda rows: len(pictures(rows)) == 3)
        with screen.aside():
            os.write(seen.stream.fileno(), b"question?\r\n")
            picture.number = 1
            screen.print("line")
            rows = seen.until(lambda rows: "line" in rows)
            assert [row.split(" =")[0] for row in rows] == [
                *(f"row {row} of picture 0" for row in range(3)), "question?", "line",
            ]  # fmt: skip
        rows = seen.until(lambda rows: len(pictures(rows)) == 6)
        assert pictures(rows)[3:] == [f"row {row} of picture 1" for row in range(3)]
        assert "question?" in ended(screen, seen)


def test_what_is_aside_when_it_ends_has_a_last_picture_all_the_same() -> None:
    picture = Picture()
    with window() as seen, shown(seen, picture) as screen, screen.aside():
        picture.number = 9
        assert pictures(ended(screen, seen))[-3:] == [f"row {row} of picture 9" for row in range(3)]


def test_a_terminal_that_nobody_reads_holds_nobody_up_and_gets_every_line_later() -> None:
    """Much more than a terminal takes without being read; each print returns at once, and of the pictures none queues up."""
    picture = Picture(height=10)
    with window() as seen, shown(seen, picture) as screen:
        for number in range(3000):
            picture.number = number
            screen.print(f"line {number} " + "-" * 60)
        began = picture.asked
        time.sleep(1.0)
        assert picture.asked <= began + 1, "it is stuck in a write"
        screen.print("the last one")
        rows = ended(screen, seen)
    lines = [row.split(" -")[0] for row in rows if row.startswith(("line", "the last"))]
    assert lines == [*(f"line {number}" for number in range(3000)), "the last one"]
    assert len([row for row in pictures(rows) if row.startswith("row 0")]) == 1
    assert seen.raw.count(b"row 0 of picture") < 10


def test_a_terminal_that_has_gone_is_nobodys_trouble() -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w", encoding="utf-8") as stream:
        screen = Screen(stream, Picture())
        screen.start()
        os.close(master)
        screen.print("line")
        with screen.aside():
            pass
        screen.close()
    screen.print("nobody reads it")


def test_a_screen_that_was_never_started_can_be_closed() -> None:
    with window() as seen:
        Screen(seen.stream, Picture()).close()
        assert seen.rows() == [""]


def test_what_the_terminal_cannot_spell_is_escaped() -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w", encoding="ascii") as stream:
        screen = Screen(stream, lambda columns: [Text("→")])
        screen.start()
        screen.close()
    assert b"\\u2192" in os.read(master, 65536)
    os.close(master)


@pytest.mark.parametrize("refused", [True, False])
def test_colours_are_the_terminal_s_own_or_none(refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if refused:
        monkeypatch.setenv("NO_COLOR", "1")
    with window() as seen:
        console = Console(err=seen.stream)
        with shown(seen, lambda columns: [Text("picture", "bold red")]) as screen:
            console.painter = screen.print
            console.err("a line", "bold green")
            assert ended(screen, seen) == ["a line", "picture"]
        assert (b"\x1b[1;31m" not in seen.raw and b"\x1b[1;32m" not in seen.raw) is refused
