"""An API server whose watches are in the test's hand: what they send, when they break, and how."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable
from typing import Any

from tests.adapters.server import LIMIT_SECONDS, Asked, Exchange

Object = dict[str, Any]


def thing(name: str, version: int, *, uid: str = "", **more: Any) -> Object:
    """An object with what docc needs of any."""
    return {"metadata": {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}, **more}


class Stream:
    """One watch as the server has it."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange, self.over = exchange, threading.Event()
        self.query = exchange.asked.query

    @property
    def version(self) -> str:
        """Where it goes on from."""
        return self.query["resourceVersion"]

    def send(self, kind: str, body: Object) -> None:
        self.raw(json.dumps({"type": kind, "object": body}).encode() + b"\n")

    def raw(self, data: bytes) -> None:
        self._exchange.chunk(data)

    def end(self) -> None:
        """As a server does after timeoutSeconds."""
        self._exchange.raw(b"0\r\n\r\n")
        self.over.set()

    def drop(self, last: bytes = b"") -> None:
        """last: bytes outside of any chunk."""
        self._exchange.raw(last)
        self._exchange.drop()
        self.over.set()


class FakeApi:
    """lists: what a list of each plural answers, at `version`. before: asked first; True if it answered."""

    def __init__(self) -> None:
        self.version = 100
        self.lists: dict[str, list[Object]] = {}
        self.before: Callable[[Exchange], bool] = lambda exchange: False
        self._watches: dict[str, queue.Queue[Stream]] = {}

    def __call__(self, exchange: Exchange) -> None:
        if self.before(exchange):
            return
        plural = exchange.asked.path.rsplit("/", 1)[-1]
        if exchange.asked.query.get("watch") == "true":
            exchange.head(200, {"Transfer-Encoding": "chunked"})
            stream = Stream(exchange)
            self._queue(plural).put(stream)
            stream.over.wait(LIMIT_SECONDS)
        else:
            items, version = self.lists.get(plural, []), str(self.version)
            exchange.reply(200, {"kind": "List", "metadata": {"resourceVersion": version}, "items": items})

    def watch(self, plural: str) -> Stream:
        """The next one of that collection."""
        return self._queue(plural).get(timeout=LIMIT_SECONDS)

    def _queue(self, plural: str) -> queue.Queue[Stream]:
        return self._watches.setdefault(plural, queue.Queue())


def is_watch(asked: Asked) -> bool:
    return asked.query.get("watch") == "true"


def watches() -> list[threading.Thread]:
    """Of all clusters in this process."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("watch /")]


def end_of_watches() -> None:
    """Waits for those that were stopped."""
    for thread in watches():
        thread.join(LIMIT_SECONDS)
        assert not thread.is_alive()
