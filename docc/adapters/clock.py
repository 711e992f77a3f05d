"""The API server's time, and a sleep that ends when something has happened."""

from __future__ import annotations

import contextlib
import queue
import time

OFFSET_SECONDS_MIN = 2.0


class ServerClock:
    """The local clock, set right by the Date of the API server's answers when it is off by more than that header can tell
    (it counts whole seconds)."""

    def __init__(self) -> None:
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._offset = 0.0
        self._base = time.time() - time.monotonic()

    def now(self) -> float:
        return self._base + time.monotonic() + self._offset

    def heard(self, date: float) -> None:
        """An answer's Date, just received."""
        off = date + 0.5 - (self.now() - self._offset)
        if abs(off - self._offset) > OFFSET_SECONDS_MIN:
            self._offset = off if abs(off) > OFFSET_SECONDS_MIN else 0.0

    def ring(self) -> None:
        """Also in a signal's handler, where only a SimpleQueue is safe: an Event's lock may be held by the very thread that
        the handler interrupts."""
        if self._bell.empty():
            self._bell.put(None)

    def sleep_until(self, instant: float) -> None:
        with contextlib.suppress(queue.Empty):
            self._bell.get(timeout=max(0.0, instant - self.now()))
            while True:
                self._bell.get_nowait()
