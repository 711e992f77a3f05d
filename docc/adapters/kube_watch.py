"""One watch of one collection, in a thread of its own: follows, reconnects, lists anew after 410 Gone.

Bookmarks arrive at least every minute from a real server, so a connection that says nothing for longer is dead.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any, Protocol

from docc.adapters.kube_connection import Connection, Request
from docc.model.errors import Conflict, DoccError
from docc.model.moves import Object

WATCH_SECONDS = 300
SILENCE_SECONDS = 75.0
PAUSE_SECONDS = 1.0


class Keeper(Protocol):
    def changed(self, body: Object) -> None: ...
    def deleted(self, body: Object) -> None: ...
    def replaced(self, items: list[Object]) -> None: ...


class Watch:
    def __init__(
        self, connection: Connection, path: str, selects: dict[str, str], version: str, keeper: Keeper
    ) -> None:
        self._connection, self._path, self._selects, self._version = connection, path, selects, version
        self._keeper, self._stopped = keeper, threading.Event()
        self._response: Any = None

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"watch {self._path}", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        response = self._response
        if response is not None:
            _shut(response)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._follow()
            except Conflict:  # 410: the version is too old to go on from
                self._list_anew()
            except (DoccError, OSError, ValueError, AttributeError):
                self._stopped.wait(PAUSE_SECONDS)
            except Exception as error:  # urllib3's own: the connection ended
                if not type(error).__module__.startswith("urllib3"):
                    raise
                self._stopped.wait(0.1)

    def _follow(self) -> None:
        query = {
            **self._selects,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        self._response = self._connection.stream(Request("watch", self._path, query, read_seconds=SILENCE_SECONDS))
        try:
            for line in _lines(self._response):
                self._heed(json.loads(line))
        finally:
            _shut(self._response)
            self._response = None

    def _heed(self, event: Object) -> None:
        kind, body = event["type"], event["object"]
        if kind == "ERROR":
            raise Conflict(str(body.get("message", "the watch ended")))
        self._version = body["metadata"]["resourceVersion"]
        if kind == "DELETED":
            self._keeper.deleted(body)
        elif kind != "BOOKMARK":
            self._keeper.changed(body)

    def _list_anew(self) -> None:
        try:
            listing = self._connection.send(Request("list", self._path, self._selects))
        except DoccError:
            self._stopped.wait(PAUSE_SECONDS)
            return
        self._version = str(listing["metadata"]["resourceVersion"])
        self._keeper.replaced(listing.get("items") or [])


def _lines(response: Any) -> Iterator[bytes]:
    pending = b""
    for chunk in response.stream(amt=None, decode_content=False):
        *whole, pending = (pending + chunk).split(b"\n")
        yield from (line for line in whole if line.strip())


def _shut(response: Any) -> None:
    """Ends a stream at once, also one that another thread is reading: closing the response itself would wait for that
    thread, which waits for the server."""
    connection = getattr(response, "connection", None) or getattr(response, "_connection", None)
    sock = getattr(connection, "sock", None)
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
