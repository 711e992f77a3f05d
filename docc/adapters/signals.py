"""SIGINT and SIGTERM become a question that the driver asks at its next look; the third one ends the process at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

IMPATIENT = 3


class Signals:
    """engine.ports.Stop, while the `with` block lasts."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring, self._asked, self._count = ring, "", 0
        self._before: dict[int, Any] = {}

    def asked(self) -> str | None:
        return self._asked or None

    def __enter__(self) -> Signals:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._heed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _heed(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count >= IMPATIENT:
            os._exit(128 + number)
        self._asked = self._asked or signal.Signals(number).name
        self._ring()
