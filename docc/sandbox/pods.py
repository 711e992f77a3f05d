"""One pod: its containers, its status as on the wire, its events, its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from docc.sandbox.addresses import listenable
from docc.sandbox.containers import Container
from docc.sandbox.endpoints import PORTS_ANNOTATION
from docc.sandbox.logs import Logs
from docc.sandbox.store import Store, rfc3339

Object = dict[str, Any]


class Pod:
    """Satisfies containers.Surroundings."""

    def __init__(self, store: Store, body: Object, address: str, logs: Logs, clock: Callable[[], float]) -> None:
        """clock: unix seconds."""
        self._store, self._clock, self.logs, self.address = store, clock, logs, address
        meta, self._spec = body["metadata"], body["spec"]
        self.name, self.namespace, self.uid = str(meta["name"]), str(meta["namespace"]), str(meta["uid"])
        self.ports: Mapping[str, int] = _ports(self._spec, address)
        self.grace_seconds = float(self._spec["terminationGracePeriodSeconds"])
        self._started = self.now()
        self._flags: dict[str, tuple[bool, str]] = {}
        self._told: dict[tuple[str, str], tuple[str, int]] = {}
        self._containers = [Container(spec, self) for spec in self._spec["containers"]]

    async def live(self) -> None:
        """Until it is deleted and everything of it has ended; cancelled, that happens at once."""
        numbers = {name: port for name, port in self.ports.items() if name.isdigit()}
        note = {"metadata": {"annotations": {PORTS_ANNOTATION: json.dumps(numbers)}}}
        self._store.patch("Pod", self.namespace, self.name, note, form="merge")
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
            self._store.finish_delete("Pod", self.namespace, self.name, self.uid)

    async def _deleted(self, running: list[asyncio.Task[None]]) -> None:
        """Returns when somebody has deleted the pod. A container's task ends before that only by a bug: it is raised."""
        while True:
            version, found = self._store.version, self._store.find("Pod", self.namespace, self.name)
            if found is None or found["metadata"]["uid"] != self.uid or "deletionTimestamp" in found["metadata"]:
                return
            change = asyncio.create_task(self._store.changed(version, 3600))
            try:
                await asyncio.wait([change, *running], return_when=asyncio.FIRST_COMPLETED)
            finally:
                change.cancel()
            for task in running:
                if task.done():
                    task.result()

    def now(self) -> str:
        return rfc3339(self._clock())

    def event(self, reason: str, message: str) -> None:
        """A repeated one is counted, not written anew. In a namespace that is gone there is no place for it."""
        if self._store.find("Namespace", None, self.namespace) is None:
            return
        name, count = self._told.get((reason, message), ("", 0))
        known = self._store.find("Event", self.namespace, name) if name else None
        if known is not None:
            note = {"count": count + 1, "lastTimestamp": self.now()}
            self._store.patch("Event", self.namespace, name, note, form="merge")
        else:
            about = {"kind": "Pod", "namespace": self.namespace, "name": self.name, "uid": self.uid}
            body = {"involvedObject": about, "reason": reason, "message": message, "type": "Warning", "count": 1}
            body |= {"firstTimestamp": self.now(), "lastTimestamp": self.now()}
            meta = {"generateName": f"{self.name}.", "namespace": self.namespace}
            name = self._store.create("Event", {"metadata": meta, **body})["metadata"]["name"]
        self._told[(reason, message)] = (name, count + 1)

    def tell(self) -> None:
        """Writes the pod's status, if it differs."""
        found = self._store.find("Pod", self.namespace, self.name)
        if found is not None and found["metadata"]["uid"] == self.uid:
            self._store.set_status("Pod", self.namespace, self.name, self._status())

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


def _ports(spec: Object, address: str) -> dict[str, int]:
    """Where each TCP port of the pod is really listened on, by its number and by its name."""
    found: dict[str, int] = {}
    for container in spec["containers"]:
        for port in container.get("ports") or []:
            if port.get("protocol", "TCP") == "TCP":
                real = listenable(address, port["containerPort"])
                found |= {str(port["containerPort"]): real, **({port["name"]: real} if port.get("name") else {})}
    return found
