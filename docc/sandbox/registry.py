"""pods.Registry over the sandbox's store: a pod's status, its ports, its events, its deletion."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from docc.sandbox.endpoints import PORTS_ANNOTATION
from docc.sandbox.store import Store, rfc3339

Object = dict[str, Any]


class StoreRegistry:
    def __init__(self, store: Store, body: Object, clock: Callable[[], float]) -> None:
        """clock: unix seconds."""
        self._store, self._clock = store, clock
        meta = body["metadata"]
        self._name, self._namespace, self._uid = str(meta["name"]), str(meta["namespace"]), str(meta["uid"])
        self._told: dict[tuple[str, str], tuple[str, int]] = {}

    def note_ports(self, ports: Mapping[str, int]) -> None:
        numbers = {name: port for name, port in ports.items() if name.isdigit()}
        self._store.annotate("Pod", self._namespace, self._name, {PORTS_ANNOTATION: json.dumps(numbers)})

    def set_status(self, status: Object) -> None:
        if self._found() is not None:
            self._store.set_status("Pod", self._namespace, self._name, status)

    def add_event(self, reason: str, message: str) -> None:
        """A repeated one is counted, not written anew. A namespace that is gone, or about to be, has no place for it."""
        home = self._store.find("Namespace", None, self._namespace)
        if home is None or "deletionTimestamp" in home["metadata"]:
            return
        name, count = self._told.get((reason, message), ("", 0))
        known = self._store.find("Event", self._namespace, name) if name else None
        now = rfc3339(self._clock())
        if known is not None:
            note = {"count": count + 1, "lastTimestamp": now}
            self._store.patch("Event", self._namespace, name, note, form="merge")
        else:
            about = {"kind": "Pod", "namespace": self._namespace, "name": self._name, "uid": self._uid}
            body = {"involvedObject": about, "reason": reason, "message": message, "type": "Warning", "count": 1}
            body |= {"firstTimestamp": now, "lastTimestamp": now}
            meta = {"generateName": f"{self._name}.", "namespace": self._namespace}
            name = self._store.create("Event", {"metadata": meta, **body})["metadata"]["name"]
        self._told[(reason, message)] = (name, count + 1)

    async def deletion(self) -> float | None:
        while True:
            version, found = self._store.version, self._found()
            if found is None or "deletionTimestamp" in found["metadata"]:
                return None
            await self._store.changed(version, 3600)

    def finish_delete(self) -> None:
        self._store.finish_delete("Pod", self._namespace, self._name, self._uid)

    def _found(self) -> Object | None:
        found = self._store.find("Pod", self._namespace, self._name)
        return found if found is not None and found["metadata"]["uid"] == self._uid else None
