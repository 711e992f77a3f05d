"""Traffic that is sent once and counted honestly, and the two accounts of it."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from docc.sandbox import accounts
from docc.sandbox.load import Load, Senders

OK = b"HTTP/1.1 200 OK\r\nx-version: v1\r\ncontent-length: 0\r\n\r\n"


class Server:
    """Answers with the same bytes always, and remembers what it was sent. closing: ends each connection after its answer,
    without having said so."""

    def __init__(self, answer: bytes = OK, *, closing: bool = False, delay: float = 0.0) -> None:
        self.answer, self.closing, self.delay = answer, closing, delay
        self.tags: list[str] = []
        self.connections = 0
        self.heads: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                headers = dict(row.split(": ", 1) for row in head.lower().split("\r\n")[1:] if row)
                await reader.readexactly(int(headers["content-length"]))
                self.tags.append(headers["x-request-tag"])
                self.heads.append(head)
                await asyncio.sleep(self.delay)
                writer.write(self.answer)
                await writer.drain()
                if self.closing:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def played(server: Server, count: int, rate: float = 200.0, senders: Senders | None = None) -> list[dict[str, Any]]:
    async def play() -> list[dict[str, Any]]:
        out, ended = io.StringIO(), asyncio.Event()
        async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            load = asyncio.create_task(Load(f"127.0.0.1:{port}", out, "shop.test", senders).run(rate, ended))
            await asyncio.sleep(count / rate)
            ended.set()
            await load
        return [json.loads(row) for row in out.getvalue().splitlines()]

    return asyncio.run(play())


def test_every_request_is_sent_once_half_on_new_connections_a_tenth_post() -> None:
    server = Server()
    rows = played(server, 100)
    assert len(rows) >= 50
    assert sorted(server.tags) == sorted(row["tag"] for row in rows) and len(set(server.tags)) == len(rows)
    assert abs(sum(row["new"] for row in rows) - len(rows) / 2) <= 2
    assert abs(sum(row["method"] == "POST" for row in rows) - len(rows) / 10) <= 1
    assert {(row["status"], row["version"], row["error"]) for row in rows} == {(200, "v1", "")}
    assert len(rows) / 2 <= server.connections <= len(rows) / 2 + 10
    assert all("\r\nhost: shop.test\r\n" in head.lower() for head in server.heads)


def test_some_send_a_header_on_new_connections_and_on_kept_ones() -> None:
    server = Server()
    rows = played(server, 100, senders=Senders("x-docc-release", "canary", 10))
    sent = [row for row in rows if row["header"]]
    assert len(rows) / 12 < len(sent) < len(rows) / 8 and {row["new"] for row in sent} == {True, False}
    assert len(sent) == sum("\r\nx-docc-release: canary\r\n" in head.lower() for head in server.heads)


def test_a_kept_connection_that_the_server_has_closed_is_no_failure_and_nothing_is_sent_twice() -> None:
    server = Server(closing=True)
    rows = played(server, 100)
    assert {row["status"] for row in rows} == {200}
    assert sorted(server.tags) == sorted(row["tag"] for row in rows)


def test_slow_answers_do_not_slow_the_pace_and_are_all_waited_for() -> None:
    rows = played(Server(delay=0.3), 60, rate=100)
    assert {row["status"] for row in rows} == {200}
    under_way = [sum(row["sent"] <= at["sent"] < row["done"] for row in rows) for at in rows]
    assert max(under_way) >= 5  # one after the other they would be 1
    assert min(row["done"] - row["sent"] for row in rows) >= 0.29


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "ended without an answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab", "peer closed connection"),
        (b"nonsense\r\n\r\n", "illegal status line"),
    ],
    ids=["none", "half", "nonsense"],
)
def test_no_whole_answer_is_no_answer_and_not_sent_again(answer: bytes, why: str) -> None:
    server = Server(answer, closing=True)
    rows = played(server, 20)
    assert {(row["status"], row["version"]) for row in rows} == {(0, "")}
    assert all(why in row["error"] for row in rows), rows
    assert sorted(server.tags) == sorted(row["tag"] for row in rows)
    assert accounts.of_load(rows, []).failed == len(rows)


def test_nobody_there_is_no_answer() -> None:
    async def play() -> str:
        out, ended = io.StringIO(), asyncio.Event()
        listening = await asyncio.start_server(Server().serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        listening.close()
        await listening.wait_closed()
        load = asyncio.create_task(Load(f"127.0.0.1:{port}", out, "x").run(100, ended))
        await asyncio.sleep(0.05)
        ended.set()
        await load
        return out.getvalue()

    rows = [json.loads(row) for row in asyncio.run(play()).splitlines()]
    assert rows and all(row["status"] == 0 and row["error"] for row in rows)


def test_as_a_command_it_runs_until_sigterm_or_for_some_seconds(tmp_path: Path) -> None:
    out = tmp_path / "load.jsonl"

    async def play() -> int:
        server = Server()
        async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
            address = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            command = [sys.executable, "-m", "docc.sandbox.load", address, "50", str(out)]
            timed = await asyncio.create_subprocess_exec(*command, "shop.test", "--seconds", "0.5")
            assert await timed.wait() == 0
            first = len(server.tags)
            endless = await asyncio.create_subprocess_exec(*command)
            while len(server.tags) < first + 5:
                await asyncio.sleep(0.01)
            endless.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert await endless.wait() == 0
            assert time.monotonic() - began < 2
        assert f"host: {address}" in server.heads[-1].lower()
        return len(server.tags)

    sent = asyncio.run(play())
    assert len(out.read_text(encoding="utf-8").splitlines()) == sent >= 28


def test_as_a_command_it_says_what_it_wants() -> None:
    done = subprocess.run([sys.executable, "-m", "docc.sandbox.load"], capture_output=True, text=True)
    assert done.returncode == 2 and "address, rate, file" in done.stderr


def row(sent: float, status: int, version: str) -> dict[str, Any]:
    return {"sent": sent, "status": status, "version": version}


def test_what_counts_as_a_failure_and_what_as_a_bad_answer() -> None:
    weights = [(100.0, "v2", 20), (110.0, "v2", 0), (120.0, "v2", 50)]
    rows = [
        row(99.0, 200, "v2"),  # nothing is known yet of its weight
        row(105.0, 200, "v2"),
        row(105.0, 500, "v2"),  # a bad answer
        row(110.9, 200, "v2"),  # it had lost its weight less than a second before
        row(111.1, 200, "v2"),  # a failure: more than a second
        row(121.0, 200, "v2"),  # it has weight again
        row(115.0, 503, ""),  # a failure: Envoy's own answer
        row(115.0, 0, ""),  # a failure: none
        row(115.0, 404, "v1"),  # the app's own answer, as asked
    ]
    account = accounts.of_load(rows, weights)
    assert (account.requests, account.failed) == (9, 3)
    assert account.answers == {"v2": 6, "v1": 1} and account.bad == {"v2": 1}
    assert accounts.exposed_seconds(rows, "v2") == pytest.approx(22.0)


def test_envoys_account_is_of_tagged_requests_only_and_tells_a_difference() -> None:
    log = [
        {"start": "100.5", "status": 200, "version": "v1", "tag": "0"},
        {"start": "100.6", "status": 503, "version": None, "tag": "1"},
        {"start": "100.7", "status": 0, "version": None, "tag": "2"},
        {"start": "100.8", "status": 200, "version": "v1", "tag": None},
    ]
    theirs = accounts.of_access_log(log, [])
    assert (theirs.requests, theirs.failed, theirs.answers) == (3, 2, {"v1": 1})
    mine = [row(100.5, 200, "v1"), row(100.6, 503, ""), row(100.7, 0, "")]
    assert accounts.of_load(mine, []).same_as(theirs)
    assert not accounts.of_load(mine[:2], []).same_as(theirs)
    assert not accounts.of_load([*mine[:2], row(100.7, 200, "v1")], []).same_as(theirs)
