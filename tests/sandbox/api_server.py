"""The sandbox's API served on a real port from a thread of its own, and a client that knows nothing of it but HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from docc.sandbox.api import Setting, application
from docc.sandbox.store import Store
from tests.sandbox.local_world import empty_store

Object = dict[str, Any]
SECONDS_MAX = 20.0
TOKEN = "a token"
JSON, MERGE, JSON_PATCH = "application/json", "application/merge-patch+json", "application/json-patch+json"


@dataclass
class Api:
    port: int
    loop: asyncio.AbstractEventLoop
    store: Store
    audit: list[Mapping[str, Any]] = field(default_factory=list)

    def raw(
        self, method: str, path: str, body: bytes | None = None, *, headers: Mapping[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS_MAX)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def call(
        self, method: str, path: str, body: Any = None, media: str = JSON, query: Mapping[str, Any] | None = None
    ) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        address = f"{path}?{urlencode(query, doseq=True)}" if query else path
        status, _, text = self.raw(method, address, data, headers={"Content-Type": media} if data else {})
        return status, json.loads(text)

    def good(self, method: str, path: str, body: Any = None, media: str = JSON, **query: Any) -> Object:
        status, answer = self.call(method, path, body, media, query)
        assert status in (200, 201), answer
        found: Object = answer
        return found

    def refused(self, code: int, method: str, path: str, body: Any = None, media: str = JSON, **query: Any) -> Object:
        """The Status; each one is whole, and its message is a sentence."""
        status, answer = self.call(method, path, body, media, query)
        assert (status, answer.get("code"), answer["kind"], answer["status"]) == (code, code, "Status", "Failure"), (
            answer
        )
        assert answer["reason"] and len(answer["message"]) > 10 or code == 401
        found: Object = answer
        return found

    @contextlib.contextmanager
    def watch(self, path: str, **query: Any) -> Iterator[Iterator[Object]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS_MAX)
        with contextlib.closing(connection):
            address = f"{path}?{urlencode({'watch': 'true', **query})}"
            connection.request("GET", address, headers={"Authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            with contextlib.closing(answer):
                yield (json.loads(line) for line in iter(answer.readline, b""))

    def do(self, work: Callable[[Store], Any]) -> Any:
        """Something that no client can do (what the node does), in the store's own thread."""

        async def inside() -> Any:
            return work(self.store)

        return asyncio.run_coroutine_threadsafe(inside(), self.loop).result(SECONDS_MAX)


def _logs(namespace: str, pod: str, container: str, previous: bool, lines: int | None) -> str:
    return f"{namespace}/{pod}/{container} previous={previous} lines={lines}\n"


@contextlib.contextmanager
def served() -> Iterator[Api]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    audit: list[Mapping[str, Any]] = []

    async def start() -> tuple[web.AppRunner, Store]:
        store = empty_store()
        app = application(Setting(store, TOKEN, audit.append, _logs, {}))
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, store

    runner, store = asyncio.run_coroutine_threadsafe(start(), loop).result(SECONDS_MAX)
    try:
        yield Api(runner.addresses[0][1], loop, store, audit)
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(SECONDS_MAX)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SECONDS_MAX)
        loop.close()
