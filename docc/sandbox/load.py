"""Live traffic, honestly counted: `python -m docc.sandbox.load ADDRESS RATE FILE [HOST]`, until SIGTERM.

Every request is sent exactly once, evenly paced, half on new connections, a tenth POST. Each leaves one JSON line in FILE:
{"sent", "done", "status", "version", "tag", "new", "method"} (unix seconds); status 0: no answer. A kept connection is used
again only if the server has not closed it, so that nothing ever has to be sent twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections import deque
from typing import Any, TextIO

import h11

ANSWER_SECONDS_MAX = 10.0
POST_EVERY, NEW_EVERY = 10, 2


class Connection:
    """One HTTP/1.1 connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.CLIENT)

    @property
    def usable(self) -> bool:
        return self._http.our_state is h11.IDLE and not self._reader.at_eof() and not self._writer.is_closing()

    async def ask(self, method: str, host: str, tag: str) -> tuple[int, str]:
        """(status, x-version). Raises OSError, h11.RemoteProtocolError."""
        headers = [("host", host), ("x-request-tag", tag), ("content-length", "0")]
        request = h11.Request(method=method, target="/", headers=headers)
        self._writer.write((self._http.send(request) or b"") + (self._http.send(h11.EndOfMessage()) or b""))
        status, version = 0, ""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(65536))
            elif isinstance(event, h11.Response):
                status = event.status_code
                version = next((v.decode() for k, v in event.headers if k == b"x-version"), "")
            elif isinstance(event, h11.EndOfMessage):
                if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
                    self._http.start_next_cycle()
                return status, version
            elif isinstance(event, h11.ConnectionClosed):
                return status, version

    def close(self) -> None:
        self._writer.close()


class Load:
    def __init__(self, address: str, out: TextIO, host: str) -> None:
        """host: the Host header."""
        self._host, self._port = address.rsplit(":", 1)
        self._header, self._out = host, out
        self._idle: deque[Connection] = deque()

    async def run(self, rate: float, ended: asyncio.Event) -> None:
        """rate: requests per second. A slow answer delays no other request."""
        loop, pending = asyncio.get_running_loop(), set()
        start, count = loop.time(), 0
        while not ended.is_set():
            task = asyncio.create_task(self._one(count))
            pending.add(task)
            task.add_done_callback(pending.discard)
            count += 1
            await asyncio.sleep(max(0.0, start + count / rate - loop.time()))
        if pending:
            await asyncio.wait(pending)
        for connection in self._idle:
            connection.close()

    async def _one(self, count: int) -> None:
        method = "POST" if count % POST_EVERY == 7 else "GET"
        new, tag, sent = count % NEW_EVERY == 0, str(count), time.time()
        status, version = 0, ""
        with contextlib.suppress(OSError, TimeoutError, h11.ProtocolError):  # counted as no answer
            status, version = await asyncio.wait_for(self._ask(method, tag, new), ANSWER_SECONDS_MAX)
        row: dict[str, Any] = {
            "sent": round(sent, 4),
            "done": round(time.time(), 4),
            "status": status,
            "version": version,
        }
        self._out.write(json.dumps({**row, "tag": tag, "new": new, "method": method}) + "\n")

    async def _ask(self, method: str, tag: str, new: bool) -> tuple[int, str]:
        connection = None if new else self._kept()
        if connection is None:
            connection = Connection(*await asyncio.open_connection(self._host, int(self._port)))
        try:
            return await connection.ask(method, self._header, tag)
        finally:
            if connection.usable and not new:
                self._idle.append(connection)
            else:
                connection.close()

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.popleft()
            if connection.usable:
                return connection
            connection.close()
        return None


async def main(address: str, rate: float, path: str, host: str) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    with open(path, "a", encoding="utf-8", buffering=1) as out:
        await Load(address, out, host).run(rate, ended)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else sys.argv[1]))
