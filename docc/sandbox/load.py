"""Live traffic, honestly counted: `python -m docc.sandbox.load ADDRESS RATE FILE [HOST]`, until SIGTERM.

Every request is sent exactly once, evenly paced, half on new connections, a tenth POST. Each leaves one JSON line in FILE:
{"sent", "done", "status", "version", "tag", "new", "method"} (unix seconds); status 0: no answer. A kept connection is used
again only if the server has not closed it, so that nothing ever has to be sent twice. With --header, every so many requests
come from somebody who sends that header, too, and their lines have "header": true.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import select
import signal
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, TextIO

import h11

ANSWER_SECONDS_MAX = 10.0
POST_EVERY, NEW_EVERY = 10, 2
BODY = b'{"order": 1}'


class Connection:
    """One HTTP/1.1 connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.CLIENT)

    @property
    def usable(self) -> bool:
        """An idle connection that has something to read has been closed, or is out of step."""
        if self._http.our_state is not h11.IDLE or self._reader.at_eof() or self._writer.is_closing():
            return False
        return not select.select([self._writer.get_extra_info("socket")], [], [], 0)[0]

    async def ask(self, method: str, headers: list[tuple[str, str]]) -> tuple[int, str]:
        """(status, x-version). Raises OSError, h11.RemoteProtocolError."""
        body = BODY if method == "POST" else b""
        headers = [*headers, ("content-length", str(len(body)))]
        request = h11.Request(method=method, target="/", headers=headers)
        parts = [request, *([h11.Data(data=body)] if body else []), h11.EndOfMessage()]
        self._writer.write(b"".join(self._http.send(part) or b"" for part in parts))
        status, version = 0, ""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                data = await self._reader.read(65536)
                if not data and not status:
                    raise h11.RemoteProtocolError("the connection ended without an answer")
                self._http.receive_data(data)
            elif isinstance(event, h11.Response):
                status = event.status_code
                version = next((v.decode() for k, v in event.headers if k == b"x-version"), "")
            elif isinstance(event, h11.EndOfMessage):
                if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
                    self._http.start_next_cycle()
                return status, version
            elif isinstance(event, h11.ConnectionClosed):
                raise h11.RemoteProtocolError("the connection ended in the midst of an answer")

    def close(self) -> None:
        self._writer.close()


@dataclass(frozen=True, slots=True)
class Senders:
    """Every `every`th request has a header more."""

    name: str
    value: str
    every: int

    def send(self, count: int) -> bool:
        return count % self.every == self.every // 2 - 1


class Load:
    def __init__(self, address: str, out: TextIO, host: str, senders: Senders | None = None) -> None:
        """out: takes the lines. host: for the Host header."""
        self._server, port = address.rsplit(":", 1)
        self._port, self._host, self._out, self._senders = int(port), host, out, senders
        self._idle: deque[Connection] = deque()
        self._mark = secrets.token_hex(4)  # several loads may be under way

    async def run(self, rate: float, ended: asyncio.Event) -> None:
        """rate: requests per second. A slow answer delays no other request; all answers are waited for."""
        loop = asyncio.get_running_loop()
        start, count = loop.time(), 0
        async with asyncio.TaskGroup() as group:
            while not ended.is_set():
                group.create_task(self._one(count))
                count += 1
                await asyncio.sleep(max(0.0, start + count / rate - loop.time()))
        for connection in self._idle:
            connection.close()

    async def _one(self, count: int) -> None:
        method = "POST" if count % POST_EVERY == 7 else "GET"
        # Every second pair: so POSTs, whose numbers are all odd, come on new connections too.
        new, tag, sent = count // 2 % NEW_EVERY == 0, f"{self._mark}-{count}", time.time()
        status, version, error = 0, "", ""
        headers, senders = [("host", self._host), ("x-request-tag", tag)], self._senders
        if senders is not None and senders.send(count):
            headers.append((senders.name, senders.value))
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                status, version = await self._ask(method, headers, new)
        except TimeoutError:
            error = f"no answer in {ANSWER_SECONDS_MAX:.0f} s"
        except (OSError, h11.ProtocolError) as problem:
            error = str(problem)
        row: dict[str, Any] = {
            "sent": round(sent, 4), "done": round(time.time(), 4), "status": status, "version": version, "tag": tag,
            "new": new, "method": method, "error": error, "header": len(headers) > 2,
        }  # fmt: skip
        self._out.write(json.dumps(row) + "\n")

    async def _ask(self, method: str, headers: list[tuple[str, str]], new: bool) -> tuple[int, str]:
        connection = None if new else self._kept()
        if connection is None:
            connection = await self.connect()
        try:
            return await connection.ask(method, headers)
        finally:
            if not new and connection.usable:
                self._idle.append(connection)
            else:
                connection.close()

    async def connect(self) -> Connection:
        """A new one. Raises OSError."""
        return Connection(*await asyncio.open_connection(self._server, self._port))

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.popleft()
            if connection.usable:
                return connection
            connection.close()
        return None


async def main(wanted: argparse.Namespace) -> None:
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if wanted.seconds is not None:
        loop.call_later(wanted.seconds, ended.set)
    with open(wanted.file, "a", encoding="utf-8", buffering=1) as out:
        senders = Senders(wanted.header[0], wanted.header[1], wanted.every) if wanted.header else None
        await Load(wanted.address, out, wanted.host or wanted.address, senders).run(wanted.rate, ended)


def _wanted() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m docc.sandbox.load", description="Live traffic, honestly counted.")
    parser.add_argument("address", help="of the Gateway, HOST:PORT")
    parser.add_argument("rate", type=float, help="requests per second")
    parser.add_argument("file", help="gets one JSON line per request")
    parser.add_argument("host", nargs="?", help="the Host header, if not the address")
    parser.add_argument("--header", nargs=2, metavar=("NAME", "VALUE"), help="sent by some")
    parser.add_argument("--every", type=int, default=10, help="which requests have the header: every so many")
    parser.add_argument("--seconds", type=float, help="how long; without it until SIGTERM")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(_wanted()))
