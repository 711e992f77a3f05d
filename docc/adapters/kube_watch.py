"""One watch of one collection, in a thread of its own: follows, reconnects, lists anew after 410 Gone.

The thread outlives everything that a server may say: a watch that has ended without anybody noticing would be a view that is
never right again. Bookmarks arrive at least every minute from a real server, so a connection that says nothing for longer is
dead.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any, Protocol

from docc.adapters.kube_connection import Connection, Request
from docc.model.errors import Conflict, Unreachable
from docc.model.moves import Object

WATCH_SECONDS = 300
SILENCE_SECONDS = 75.0
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.1, 5.0
LINE_BYTES_MAX = 16 << 20


class Keeper(Protocol):
    def changed(self, body: Object) -> None: ...
    def deleted(self, body: Object) -> None: ...
    def replaced(self, items: list[Object], version: str) -> None: ...


class Watch:
    """silence: seconds after which a connection that says nothing is given up."""

    def __init__(
        self,
        connection: Connection,
        collection: tuple[str, dict[str, str]],
        version: str,
        keeper: Keeper,
        silence: float = SILENCE_SECONDS,
    ) -> None:
        """collection: its path and selectors. version: that of the list that this goes on from."""
        self._connection, (self._path, self._selects), self._version = connection, collection, version
        self._keeper, self._silence, self._stopped = keeper, silence, threading.Event()
        self._response: Any = None
        self._pause = PAUSE_SECONDS
        self._thread = threading.Thread(target=self._run, name=f"watch {self._path}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """At once; the thread ends soon."""
        self._stopped.set()
        response = self._response
        if response is not None:
            _shut(response)

    def _run(self) -> None:
        """Pauses between connections; ever longer while none of them brings an event."""
        expired = False
        while not self._stopped.is_set():
            try:
                if expired:
                    self._list_anew()
                expired = False
                self._follow()
            except Conflict:  # 410: the version is too old to go on from
                expired = True
            except Unreachable as error:
                self._pause = max(self._pause, min(error.wait, PAUSE_SECONDS_MAX))
            except Exception:  # no connection, half a line, no JSON, an event without an object: begun anew
                pass
            self._stopped.wait(self._pause)
            self._pause = min(2 * self._pause, PAUSE_SECONDS_MAX)

    def _follow(self) -> None:
        query = {
            **self._selects,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        self._response = self._connection.stream(Request("watch", self._path, query, read_seconds=self._silence))
        try:
            if self._stopped.is_set():  # stop() came while this was being connected and saw nothing to shut
                return
            for line in _lines(self._response):
                self._heed(json.loads(line))
                self._pause = PAUSE_SECONDS
        finally:
            _shut(self._response)
            self._response = None

    def _heed(self, event: Object) -> None:
        kind, body = event["type"], event["object"]
        if kind == "ERROR":
            raise Conflict(str(body.get("message", "the watch ended")))
        version = body["metadata"]["resourceVersion"]
        if kind == "DELETED":
            self._keeper.deleted(body)
        elif kind != "BOOKMARK":
            self._keeper.changed(body)
        self._version = version

    def _list_anew(self) -> None:
        listing = self._connection.send(Request("list", self._path, self._selects))
        version = str(listing["metadata"]["resourceVersion"])
        self._keeper.replaced(listing.get("items") or [], version)
        self._version = version


def _lines(response: Any) -> Iterator[bytes]:
    """Each as soon as it is whole, chunked or not. What is left when the stream ends is half a line, and dropped."""
    pending = b""
    while chunk := response.read1(1 << 16, decode_content=False):
        *whole, pending = (pending + chunk).split(b"\n")
        if len(pending) > LINE_BYTES_MAX:
            raise ValueError(f"a line of more than {LINE_BYTES_MAX >> 20} MiB")
        yield from (line for line in whole if line.strip())


def _shut(response: Any) -> None:
    """Ends a stream at once, also one that another thread is reading: closing the response itself would wait for that
    thread, which waits for the server."""
    connection = getattr(response, "connection", None) or getattr(response, "_connection", None)
    sock = getattr(connection, "sock", None)
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
