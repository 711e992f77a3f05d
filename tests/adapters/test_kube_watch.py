"""A watch never ends, never loses an event and never goes back, whatever the server does to its stream."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from docc.adapters.kube_watch import SILENCE_SECONDS, Watch
from tests.adapters.fake_api import FakeApi, Object, Stream, end_of_watches, is_watch, thing
from tests.adapters.kubeconfig import connect
from tests.adapters.server import LIMIT_SECONDS, Exchange, Server, serve

PATH = "/api/v1/namespaces/default/pods"
SELECTS = {"labelSelector": "docc.dev/app=shop"}


class Notes:
    """What the watch told, in order."""

    def __init__(self) -> None:
        self._told: queue.Queue[tuple[str, str]] = queue.Queue()

    def changed(self, body: Object) -> None:
        self._told.put(("changed", f"{body['metadata']['name']}@{body['metadata']['resourceVersion']}"))

    def deleted(self, body: Object) -> None:
        self._told.put(("deleted", body["metadata"]["name"]))

    def replaced(self, items: list[Object], version: str) -> None:
        self._told.put(("replaced", f"{[item['metadata']['name'] for item in items]}@{version}"))

    def next(self) -> tuple[str, str]:
        return self._told.get(timeout=LIMIT_SECONDS)


class Watched:
    """A watch from version 100 on, its server, and the first stream."""

    def __init__(self, api: FakeApi, server: Server, watch: Watch, notes: Notes) -> None:
        self.api, self.server, self.watch, self.notes = api, server, watch, notes

    def stream(self) -> Stream:
        return self.api.watch("pods")

    def told(self, count: int) -> list[tuple[str, str]]:
        return [self.notes.next() for _ in range(count)]

    @property
    def lists(self) -> int:
        return sum(not is_watch(asked) for asked in self.server.asked)


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    with contextlib.ExitStack() as ending:

        def begin(silence: float = SILENCE_SECONDS, before: Callable[[Exchange], bool] | None = None) -> Watched:
            api, notes = FakeApi(), Notes()
            api.before = before or api.before
            server = ending.enter_context(serve(api))
            watch = Watch(connect(tmp_path, server.url), (PATH, SELECTS), "100", notes, silence)
            watch.start()
            ending.callback(end_of_watches)
            ending.callback(watch.stop)
            return Watched(api, server, watch, notes)

        yield begin


def test_events_arrive_in_order_each_as_soon_as_it_is_whole(watching: Callable[..., Watched]) -> None:
    here = watching()
    stream = here.stream()
    assert stream.query == {
        **SELECTS, "watch": "true", "allowWatchBookmarks": "true", "resourceVersion": "100", "timeoutSeconds": "300",
    }  # fmt: skip
    stream.send("ADDED", thing("a", 101))
    assert here.notes.next() == ("changed", "a@101")  # while the stream goes on
    three = [("MODIFIED", thing("a", 102)), ("ADDED", thing("b", 103)), ("DELETED", thing("a", 104))]
    stream.raw(b"".join(json.dumps({"type": t, "object": o}).encode() + b"\n" for t, o in three))
    assert here.told(3) == [("changed", "a@102"), ("changed", "b@103"), ("deleted", "a")]
    accented = json.dumps({"type": "ADDED", "object": thing("é", 105)}, ensure_ascii=False).encode() + b"\n\r\n\n"
    cut = accented.index("é".encode()) + 1
    for piece in (accented[:5], accented[5:cut], accented[cut:]):
        stream.raw(piece)
    assert here.notes.next() == ("changed", "é@105")


def end(stream: Stream) -> None:
    stream.end()


def drop(stream: Stream) -> None:
    stream.drop()


def sending(data: bytes, then: Callable[[Stream], None] = end) -> Callable[[Stream], None]:
    def act(stream: Stream) -> None:
        stream.raw(data)
        then(stream)

    return act


BREAKS: dict[str, Callable[[Stream], None]] = {
    "ends quietly": end,
    "is dropped": drop,
    "half a line, dropped": sending(b'{"type": "ADDED", "object": {"metadata": {"name": "x"', drop),
    "half a line, ended": sending(b'{"type": "ADDED", "object": {"metadata": {"name": "x"'),
    "no JSON": sending(b"<html>\n"),
    "no object": sending(b'{"type": "ADDED"}\n'),
    "no type": sending(b'{"object": {}}\n'),
    "a list": sending(b"[1]\n"),
    "null": sending(b"null\n"),
    "an object that is none": sending(b'{"type": "ADDED", "object": "x"}\n'),
    "no metadata": sending(b'{"type": "MODIFIED", "object": {}}\n'),
    "no name": sending(b'{"type": "MODIFIED", "object": {"metadata": {"resourceVersion": "999"}}}\n'),
    "nested deeply": sending(b"[" * 200_000 + b"\n"),
    "a line without an end": sending(b"x" * (17 << 20), drop),
    "a chunk that is none": lambda stream: stream.drop(b"zz\r\n"),
}


@pytest.mark.parametrize("act", BREAKS.values(), ids=BREAKS)
def test_after_a_break_it_goes_on_from_the_last_event(
    act: Callable[[Stream], None], watching: Callable[..., Watched]
) -> None:
    here = watching()
    first = here.stream()
    first.send("ADDED", thing("a", 101))
    act(first)
    second = here.stream()
    assert second.version == "101" and second.query["labelSelector"] == SELECTS["labelSelector"]
    second.send("MODIFIED", thing("a", 102))
    assert here.told(2) == [("changed", "a@101"), ("changed", "a@102")] and here.lists == 0


def test_a_bookmark_tells_nothing_but_from_where_to_go_on(watching: Callable[..., Watched]) -> None:
    here = watching()
    first = here.stream()
    first.send("BOOKMARK", {"metadata": {"resourceVersion": "150"}})
    first.end()
    second = here.stream()
    assert second.version == "150"
    second.send("ADDED", thing("a", 151))
    assert here.notes.next() == ("changed", "a@151")


def in_stream(code: int) -> Callable[[Stream], None]:
    def act(stream: Stream) -> None:
        stream.send("ERROR", {"kind": "Status", "code": code, "message": "too old resource version"})
        stream.end()

    return act


@pytest.mark.parametrize("code", [410, 500])
def test_an_error_in_the_stream_lists_anew(code: int, watching: Callable[..., Watched]) -> None:
    here = watching()
    here.api.version, here.api.lists["pods"] = 500, [thing("b", 400)]
    first = here.stream()
    first.send("ADDED", thing("a", 101))
    in_stream(code)(first)
    second = here.stream()
    assert second.version == "500" and here.lists == 1
    second.send("DELETED", thing("b", 501))
    assert here.told(3) == [("changed", "a@101"), ("replaced", "['b']@500"), ("deleted", "b")]
    listed = next(asked for asked in here.server.asked if not is_watch(asked))
    assert listed.query == SELECTS, "the newest state, of the same objects"


def refusing(*replies: tuple[str, int]) -> Callable[[Exchange], bool]:
    """Refuses the first requests, each being a watch or a list, with these codes."""
    left = list(replies)

    def before(exchange: Exchange) -> bool:
        if not left:
            return False
        verb, code = left.pop(0)
        assert verb == ("watch" if is_watch(exchange.asked) else "list")
        if code:
            exchange.reply(code, {"kind": "Status", "message": "no", "code": code})
        else:
            exchange.drop()
        return True

    return before


@pytest.mark.parametrize(
    ("replies", "lists", "version"),
    [
        ([("watch", 410)], 1, "100"),
        ([("watch", 410), ("list", 500), ("list", 0), ("list", 403)], 4, "100"),
        ([("watch", 500), ("watch", 429), ("watch", 403), ("watch", 0)], 0, "100"),
        ([("watch", 401), ("watch", 401), ("watch", 404)], 0, "100"),
    ],
    ids=["410 as a status", "lists that fail", "refused for a while", "not known for a while"],
)
def test_refusals_are_survived(replies: Any, lists: int, version: str, watching: Callable[..., Watched]) -> None:
    here = watching(before=refusing(*replies))
    stream = here.stream()
    assert (stream.version, here.lists) == (version, lists)
    stream.send("ADDED", thing("a", 101))
    told = here.told(2 if lists else 1)
    assert told[-1] == ("changed", "a@101") and (not lists or told[0] == ("replaced", "[]@100"))


def test_a_connection_that_says_nothing_for_long_is_given_up(watching: Callable[..., Watched]) -> None:
    here = watching(silence=0.3)
    here.stream()
    assert here.stream().version == "100"


def test_a_server_that_ends_every_watch_at_once_is_not_hammered(watching: Callable[..., Watched]) -> None:
    began = time.monotonic()
    here = watching()
    for _ in range(5):
        here.stream().end()
    here.stream()
    assert time.monotonic() - began > 0.1 + 0.2 + 0.4 + 0.8 + 1.6, "ever longer pauses"


def test_events_without_chunks_arrive_at_once_too(watching: Callable[..., Watched]) -> None:
    """As through a proxy that speaks HTTP/1.0."""
    proceed = threading.Event()

    def before(exchange: Exchange) -> bool:
        exchange.head(200, {"Connection": "close"})
        exchange.raw(json.dumps({"type": "ADDED", "object": thing("a", 101)}).encode() + b"\n")
        proceed.wait(LIMIT_SECONDS)
        exchange.drop()
        return True

    here = watching(before=before)
    assert here.notes.next() == ("changed", "a@101")
    proceed.set()


@pytest.mark.parametrize("when", ["streaming", "connecting", "pausing"])
def test_stop_ends_the_thread_whatever_it_waits_for(when: str, watching: Callable[..., Watched]) -> None:
    reached, proceed = threading.Event(), threading.Event()

    def before(exchange: Exchange) -> bool:
        reached.set()
        if when == "connecting":
            proceed.wait(LIMIT_SECONDS)
        if when == "pausing":
            exchange.reply(500)
        return when == "pausing"

    here = watching(before=before)
    assert reached.wait(LIMIT_SECONDS)
    if when == "streaming":
        here.stream()
    here.watch.stop()
    proceed.set()
    end_of_watches()
