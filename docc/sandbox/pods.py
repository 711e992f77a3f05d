"""One pod: its containers, its status as on the wire, its end. Where it is on record is a Registry: the sandbox's own store
(registry.py), or, in the project's test cluster, a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from docc.sandbox.containers import Container
from docc.sandbox.logs import Logs
from docc.sandbox.store import rfc3339

Object = dict[str, Any]


class Registry(Protocol):
    """The record of one pod."""

    def set_status(self, status: Object) -> None:
        """Without effect when the pod is gone, or nothing differs."""

    def add_event(self, reason: str, message: str) -> None:
        """A repeated one is counted, not written anew."""

    async def deletion(self) -> float | None:
        """Returns when somebody has deleted the pod: the grace that they gave it in seconds, None for the pod's own."""

    def finish_delete(self) -> None:
        """Everything of it has ended."""


class Pod:
    """Satisfies containers.Surroundings."""

    def __init__(
        self, body: Object, registry: Registry, address: str, ports: Mapping[str, int], logs: Logs,
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        """ports: where each is really listened on (ports_of). clock: unix seconds."""
        self._registry, self._clock, self.logs, self.address, self.ports = registry, clock, logs, address, ports
        meta, spec = body["metadata"], body["spec"]
        self.name, self.namespace = str(meta["name"]), str(meta["namespace"])
        self.grace_seconds = float(spec["terminationGracePeriodSeconds"])
        self._started = self.now()
        self._flags: dict[str, tuple[bool, str]] = {}
        self._containers = [Container(each, self) for each in spec["containers"]]

    async def live(self) -> None:
        """Until it is deleted and everything of it has ended; cancelled, that happens at once."""
        self.tell()
        running = [asyncio.create_task(container.run()) for container in self._containers]
        try:
            await self._deleted(running)
            await asyncio.gather(*(container.stop() for container in self._containers))
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self.logs.forget(self.namespace, self.name)
            self._registry.finish_delete()

    async def _deleted(self, running: list[asyncio.Task[None]]) -> None:
        """Returns when somebody has deleted the pod. A container's task ends before that only by a bug: it is raised."""
        deletion = asyncio.create_task(self._registry.deletion())
        try:
            while not deletion.done():
                await asyncio.wait([deletion, *running], return_when=asyncio.FIRST_COMPLETED)
                for task in running:
                    if task.done():
                        task.result()
        finally:
            deletion.cancel()
        if (grace_seconds := deletion.result()) is not None:
            self.grace_seconds = grace_seconds

    def now(self) -> str:
        return rfc3339(self._clock())

    def event(self, reason: str, message: str) -> None:
        self._registry.add_event(reason, message)

    def tell(self) -> None:
        self._registry.set_status(self._status())

    def _status(self) -> Object:
        unready = [container.name for container in self._containers if not container.ready]
        why = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{' '.join(unready)}]"}
        flags = {"PodScheduled": True, "Initialized": True, "ContainersReady": not unready, "Ready": not unready}
        for name, flag in flags.items():
            if self._flags.get(name, (None, ""))[0] is not flag:
                self._flags[name] = (flag, self.now())
        new = any("waiting" in container.state and not container.last for container in self._containers)
        return {
            "phase": "Pending" if new else "Running",
            "podIP": self.address, "podIPs": [{"ip": self.address}], "hostIP": "127.0.0.1", "startTime": self._started,
            "conditions": [
                {"type": name, "status": "True" if flag else "False", "lastTransitionTime": at, **({} if flag else why)}
                for name, (flag, at) in self._flags.items()
            ],
            "containerStatuses": [container.status for container in self._containers],
        }  # fmt: skip


def ports_of(spec: Object, listened: Callable[[int], int]) -> dict[str, int]:
    """Where each TCP port of a pod is really listened on, by its number and by its name."""
    found: dict[str, int] = {}
    for container in spec["containers"]:
        for port in container.get("ports") or []:
            if port.get("protocol", "TCP") == "TCP":
                real = listened(port["containerPort"])
                found |= {str(port["containerPort"]): real, **({port["name"]: real} if port.get("name") else {})}
    return found
