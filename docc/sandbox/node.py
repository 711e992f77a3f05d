"""Plays the kubelet of one node: a task per pod. What a pod is made of: pods.py, containers.py, probes.py, registry.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from docc.sandbox.addresses import Addresses, listenable
from docc.sandbox.logs import Logs
from docc.sandbox.pods import Pod, ports_of
from docc.sandbox.registry import StoreRegistry
from docc.sandbox.store import Store


class Node:
    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        """clock: unix seconds. Claims a block of loopback addresses; raises OSError when there is none."""
        self._store, self._clock = store, clock
        self._addresses = Addresses()
        self._living: set[str] = set()
        self.logs = Logs()

    async def run(self) -> None:
        """Until cancelled; then every process is ended. An error in one pod's task is a bug, and ends the node."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    version = self._store.version
                    for body in self._store.select("Pod"):
                        if (uid := body["metadata"]["uid"]) not in self._living:
                            self._living.add(uid)
                            group.create_task(self._live(body))
                    await self._store.changed(version, 3600)
        finally:
            self._addresses.close()

    async def _live(self, body: dict[str, Any]) -> None:
        address, registry = self._addresses.next(), StoreRegistry(self._store, body, self._clock)
        try:
            ports = ports_of(body["spec"], lambda port: listenable(address, port))
            registry.note_ports(ports)
            await Pod(body, registry, address, ports, self.logs, self._clock).live()
        finally:
            self._living.discard(body["metadata"]["uid"])
