"""A terminal as people see it, made of the bytes that a program has written: pyte, with all that has left it at the top."""

from __future__ import annotations

import pyte


class Emulator:
    """columns: as many as it has; more of them show lines whole that a narrower one breaks in two."""

    def __init__(self, columns: int, rows: int) -> None:
        self._screen = pyte.HistoryScreen(columns, rows, history=5000, ratio=0.5)
        self._reader = pyte.ByteStream(self._screen)

    def feed(self, data: bytes) -> None:
        self._reader.feed(data)

    def resize(self, columns: int, rows: int) -> None:
        """Rows that are too long are cut, not broken."""
        self._screen.resize(rows, columns)

    def rows(self) -> list[str]:
        """From the first on, without the empty ones at the end."""
        above = ["".join(row[x].data for x in range(self._screen.columns)) for row in self._screen.history.top]
        return "\n".join(row.rstrip() for row in [*above, *self._screen.display]).rstrip("\n").split("\n")


def emulated(data: bytes, rows: int = 24) -> list[str]:
    """What a program has shown on a terminal of any width, each line whole."""
    found = Emulator(400, rows)
    found.feed(data)
    return found.rows()
