"""The stand-in app that every image runs in the sandbox. Started with -S -E: it must import little and start fast.

Its environment tells it everything (a number that is none ends it with a sentence):

    HOST, PORT      where it listens                CRASH         exits 1 at once
    VERSION, APP    labels; `x-version`, the body   CRASH_AFTER   exits 1 after so many seconds
    ERROR_RATE      0 to 1: this share is 500       READY_AFTER   probes fail for so many seconds
    LATENCY         milliseconds before an answer   NEVER_READY   probes fail for ever

Errors are spread evenly (error diffusion), not by chance: of any 10 answers at 0.3, 3 are 500, so a threshold is crossed in
every run or in none. Probes (User-Agent kube-probe/...) and /metrics are not counted, delayed or failed by ERROR_RATE. While
it is not ready a probe gets 503; with PROBE=tcpSocket, where a connection alone says "ready", it does not listen until then.
On SIGTERM it answers what it is working on, takes nothing new, and ends within a second.
"""

import asyncio
import os
import signal
import sys

STOP_SECONDS_MAX = 0.8
REASONS = {200: "OK", 500: "Internal Server Error", 503: "Service Unavailable"}


def number(name: str, otherwise: float = 0.0) -> float:
    text = os.environ.get(name, "")
    try:
        return float(text) if text else otherwise
    except ValueError:
        sys.exit(f"{name}={text!r} is not a number")


class App:
    def __init__(self) -> None:
        self.version, self.name = os.environ.get("VERSION", "dev"), os.environ.get("APP", "demo_app")
        self.error_rate, self.latency = number("ERROR_RATE"), number("LATENCY") / 1000
        self.counts: dict[int, int] = {}
        self.owed = 0.0
        self.ready = self.ending = False
        self.idle: set[asyncio.StreamWriter] = set()
        self.busy: set[asyncio.StreamWriter] = set()

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not self.ending:
                self.idle.add(writer)
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.idle.discard(writer)
                self.busy.add(writer)
                keep = await self.exchange(head, reader, writer)
                self.busy.discard(writer)
                if not keep:
                    break
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ValueError):
            pass  # it has gone, or does not speak HTTP: nobody is left to be told
        finally:
            self.idle.discard(writer)
            self.busy.discard(writer)
            writer.close()

    async def exchange(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection may be used again. Raises ValueError for nonsense."""
        first, *rows = head.rstrip("\r\n").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await discard(reader, headers)
        code, body = await self.answer(path, headers.get("user-agent", ""))
        keep = headers.get("connection", "").lower() != "close" and not self.ending
        lines = [
            f"HTTP/1.1 {code} {REASONS[code]}",
            f"x-version: {self.version}",
            "content-type: text/plain; version=0.0.4",
            f"content-length: {len(body)}",
            *([] if keep else ["connection: close"]),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode() + (b"" if method == "HEAD" else body))
        await writer.drain()
        return keep

    async def answer(self, path: str, agent: str) -> "tuple[int, bytes]":
        if path == "/metrics":
            return 200, self.metrics()
        if agent.startswith("kube-probe/"):
            return (200, b"ok\n") if self.ready else (503, b"not ready\n")
        if self.latency:
            await asyncio.sleep(self.latency)
        self.owed += self.error_rate
        code = 200
        if self.owed >= 1 - 1e-9:
            self.owed, code = self.owed - 1, 500
        self.counts[code] = self.counts.get(code, 0) + 1
        return code, f"{self.version}\n".encode()

    def metrics(self) -> bytes:
        """A series is born with the first answer of its code, as with the usual client libraries."""
        rows = [
            f'http_requests_total{{app={quoted(self.name)},code="{code}",version={quoted(self.version)}}} {count}\n'
            for code, count in sorted(self.counts.items())
        ]
        return ("# TYPE http_requests_total counter\n" + "".join(rows)).encode()


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


async def discard(reader: asyncio.StreamReader, headers: "dict[str, str]") -> None:
    """A request's body, by its length or in chunks."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        await reader.readexactly(int(headers.get("content-length", "0")))
        return
    while size := int((await reader.readline()).split(b";")[0], 16):
        await reader.readexactly(size + 2)
    while (await reader.readline()).strip():
        pass  # trailers


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def crash(version: str) -> None:
    say(f"{version} panics: it was told to crash")
    os._exit(1)


async def main() -> None:
    app, ended, loop = App(), asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    if os.environ.get("CRASH"):
        crash(app.version)
    if os.environ.get("CRASH_AFTER"):
        loop.call_later(number("CRASH_AFTER"), crash, app.version)
    ready = asyncio.create_task(become_ready(app))
    if os.environ.get("PROBE") == "tcpSocket":
        await asyncio.wait([ready, stopping := asyncio.create_task(ended.wait())], return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            return
    host, port = os.environ.get("HOST", "127.0.0.1"), int(number("PORT", 8080))
    server = await asyncio.start_server(app.connection, host, port)
    say(f"{app.version} listens on {host}:{port}")
    await ended.wait()
    app.ending = True
    server.close()
    for writer in app.idle:
        writer.close()
    limit = loop.time() + STOP_SECONDS_MAX
    while app.busy and loop.time() < limit:
        await asyncio.sleep(0.01)
    say(f"{app.version} ends")


async def become_ready(app: App) -> None:
    if os.environ.get("NEVER_READY"):
        await asyncio.Event().wait()
    await asyncio.sleep(number("READY_AFTER"))
    app.ready = True


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except OSError as error:
        sys.exit(f"{os.environ.get('VERSION', 'dev')} cannot listen: {error}")
