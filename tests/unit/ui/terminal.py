"""A real pseudo-terminal of a given width, and what was written to it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TextIO


@dataclass
class Terminal:
    """stream: what a program would write to. master: the side that shows it."""

    stream: TextIO
    master: int
    _shown: bytearray = field(default_factory=bytearray)

    def shown(self) -> str:
        """All that was written, with plain line ends. Writes are synchronous and small, so that they wait in the kernel."""
        self.stream.flush()
        os.set_blocking(self.master, False)
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self.master, 65536):
                self._shown += piece
        return self._shown.decode().replace("\r\n", "\n")


@contextlib.contextmanager
def terminal(columns: int) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(slave, "w", encoding="utf-8") as stream:
        yield Terminal(stream, master)
    os.close(master)
