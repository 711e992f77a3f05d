"""The sandbox's store and API, as `docc sandbox` serves them, on a port of this process; no controllers, no node."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from aiohttp import web

from docc.sandbox.api import Setting, application
from docc.sandbox.store import Store
from tests.adapters.kubeconfig import TOKEN
from tests.adapters.server import LIMIT_SECONDS, free_port
from tests.sandbox.local_world import empty_store

T = TypeVar("T")


class SandboxApi:
    """proxies: as docc.sandbox.api's."""

    def __init__(self, proxies: dict[str, str]) -> None:
        self.port, self.store = free_port(), empty_store()
        self.url = f"http://127.0.0.1:{self.port}"
        self._setting = Setting(self.store, TOKEN, lambda entry: None, lambda *pod: " ".join(map(str, pod)), proxies)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._accepted: list[asyncio.Protocol] = []
        self.up()

    def up(self) -> None:
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(LIMIT_SECONDS)

    def down(self) -> None:
        """Every connection ends, and nobody listens."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(LIMIT_SECONDS)

    async def _begin(self) -> None:
        runner = web.AppRunner(application(self._setting), shutdown_timeout=0.1)
        await runner.setup()

        def accept() -> asyncio.Protocol:
            assert runner.server is not None
            self._accepted.append(runner.server())
            return self._accepted[-1]

        self._server = await self._loop.create_server(accept, "127.0.0.1", self.port)
        self._runner = runner

    async def _end(self) -> None:
        if self._runner is not None and self._server is not None:
            # A server that is closed between accepting a socket and making a transport of it loses the socket (gh-109564).
            # So it accepts no more first, and closes when all that it accepted has a transport.
            for listening in self._server.sockets:
                self._loop.remove_reader(listening.fileno())
            await asyncio.sleep(0.1)
            self._server.close()
            await asyncio.sleep(0.1)
            await self._runner.cleanup()
            for protocol in self._accepted:  # also what the runner never came to know
                if isinstance(transport := getattr(protocol, "transport", None), asyncio.WriteTransport):
                    transport.abort()
            await asyncio.sleep(0.1)
        self._runner, self._server, self._accepted = None, None, []

    def do(self, act: Callable[[Store], T]) -> T:
        """In the store's own thread."""

        async def run() -> T:
            return act(self.store)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(LIMIT_SECONDS)

    def close(self) -> None:
        self.down()
        asyncio.run_coroutine_threadsafe(_settle(), self._loop).result(LIMIT_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_SECONDS)
        self._loop.close()
        gc.collect()  # here, and not in a test of something else


async def _settle() -> None:
    """Connections that have ended are closed in the loop's next turns."""
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0.1)


@contextlib.contextmanager
def sandbox(proxies: dict[str, str] | None = None) -> Iterator[SandboxApi]:
    api = SandboxApi(proxies or {})
    try:
        yield api
    finally:
        api.close()
