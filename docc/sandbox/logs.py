"""What containers print, bounded: of each the last two runs, as `kubectl logs` and its --previous want them.

As with the kubelet, while a container waits to be started again its last run is both: the newest, and the previous one.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque

from docc.sandbox.refusals import StoreError

LINES_MAX = 500
LINE_BYTES_MAX = 16 << 10
_RUNS = 2

Run = deque[str]
Place = tuple[str, str, str]
"""(namespace, pod, container)"""


class Logs:
    def __init__(self) -> None:
        self._runs: dict[Place, deque[Run]] = {}
        self._running: set[Place] = set()

    def begin(self, place: Place) -> Run:
        run: Run = deque(maxlen=LINES_MAX)
        self._runs.setdefault(place, deque(maxlen=_RUNS)).append(run)
        self._running.add(place)
        return run

    def end(self, place: Place) -> None:
        self._running.discard(place)

    def forget(self, namespace: str, pod: str) -> None:
        for place in [place for place in self._runs if place[:2] == (namespace, pod)]:
            del self._runs[place]

    def read(self, namespace: str, pod: str, container: str, previous: bool, lines: int | None) -> str:
        """Raises StoreError 400 when there has been no such run."""
        place = (namespace, pod, container)
        runs = self._runs.get(place, ())
        back = 2 if previous and place in self._running else 1
        if previous and len(runs) < back:
            message = f'previous terminated container "{container}" in pod "{pod}" not found'
            raise StoreError(400, "BadRequest", message)
        if not runs:
            raise StoreError(400, "BadRequest", f'container "{container}" in pod "{pod}" is waiting to start')
        kept = list(runs[-back])
        wanted = kept if lines is None else kept[len(kept) - min(lines, len(kept)) :]
        return "".join(f"{line}\n" for line in wanted)


async def collect(pipe: int, run: Run) -> None:
    """Until nobody holds the other end of the pipe, which it closes then. A line that is too long is cut into several."""
    stream, loop = asyncio.StreamReader(), asyncio.get_running_loop()
    protocol = asyncio.StreamReaderProtocol(stream)
    transport, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(pipe, "rb", buffering=0))
    try:
        rest = b""
        while chunk := await stream.read(64 << 10):
            *whole, rest = (rest + chunk).split(b"\n")
            for row in whole:
                _append(run, row)
            while len(rest) > LINE_BYTES_MAX:
                _append(run, rest[:LINE_BYTES_MAX])
                rest = rest[LINE_BYTES_MAX:]
        if rest:
            _append(run, rest)
    finally:
        transport.close()


def _append(run: Run, row: bytes) -> None:
    for start in range(0, len(row) or 1, LINE_BYTES_MAX):
        run.append(row[start : start + LINE_BYTES_MAX].decode("utf-8", "replace").rstrip("\r"))
