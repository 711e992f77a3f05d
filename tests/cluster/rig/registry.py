"""docc.sandbox.pods.Registry over a real API server: what a pod says of itself is written by a task of its own, in order.

A status that is outdated before it could be written is left out; an event never is, but a repeated one is only counted.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp

from docc.sandbox.store import rfc3339
from tests.cluster.rig.apiclient import AGAIN_SECONDS, ApiClient, ApiError

Object = dict[str, Any]
_GONE = (404, 409)
"""No such pod; or one of the same name with another uid."""


class ApiRegistry:
    def __init__(self, api: ApiClient, body: Object) -> None:
        self._api, meta = api, body["metadata"]
        self._name, self._namespace, self._uid = str(meta["name"]), str(meta["namespace"]), str(meta["uid"])
        self._path = f"/api/v1/namespaces/{self._namespace}/pods/{self._name}"
        self._news = asyncio.Event()
        self._status: Object | None = None
        self._events: list[tuple[str, str]] = []
        self._told: dict[tuple[str, str], tuple[str, int]] = {}
        self._finished = False
        self._deletion: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()

    def see(self, body: Object | None) -> None:
        """The pod as it is now; None when it is gone, which nothing but force can do before it has ended."""
        if self._deletion.done():
            return
        if body is None:
            self._deletion.set_result(0.0)
        elif "deletionTimestamp" in body["metadata"]:
            grace = body["metadata"].get("deletionGracePeriodSeconds")
            self._deletion.set_result(None if grace is None else float(grace))

    async def run(self) -> None:
        """Writes until the pod has ended and its object is deleted."""
        while not self._finished:
            await self._news.wait()
            self._news.clear()
            status, self._status = self._status, None
            if status is not None:
                await self._write("patch", f"{self._path}/status", {"metadata": {"uid": self._uid}, "status": status})
            while self._events:
                await self._tell(*self._events.pop(0))
        await self._write("delete", self._path, {"gracePeriodSeconds": 0, "preconditions": {"uid": self._uid}})

    # --- docc.sandbox.pods.Registry
    def set_status(self, status: Object) -> None:
        self._status = status
        self._news.set()

    def add_event(self, reason: str, message: str) -> None:
        self._events.append((reason, message))
        self._news.set()

    async def deletion(self) -> float | None:
        return await asyncio.shield(self._deletion)

    def finish_delete(self) -> None:
        self._finished = True
        self._news.set()

    # --- writing
    async def _tell(self, reason: str, message: str) -> None:
        events, now = f"/api/v1/namespaces/{self._namespace}/events", rfc3339(time.time())
        name, count = self._told.get((reason, message), ("", 0))
        if name:
            await self._write("patch", f"{events}/{name}", {"count": count + 1, "lastTimestamp": now})
        else:
            name = f"{self._name}.{time.time_ns():x}"
            about = {
                "apiVersion": "v1",
                "kind": "Pod",
                "namespace": self._namespace,
                "name": self._name,
                "uid": self._uid,
            }
            body = {"involvedObject": about, "reason": reason, "message": message, "type": "Warning", "count": 1}
            body |= {"firstTimestamp": now, "lastTimestamp": now, "source": {"component": "kubelet"}}
            await self._write("post", events, {"metadata": {"name": name, "namespace": self._namespace}, **body})
        self._told[(reason, message)] = (name, count + 1)

    async def _write(self, verb: str, path: str, body: Object) -> None:
        """Until the API server has taken it, or there is nothing to write it to. Raises ApiError for what it refuses."""
        send = {"patch": self._api.patch, "post": self._api.post, "delete": self._api.delete}[verb]
        while True:
            try:
                await send(path, body)
                return
            except ApiError as error:
                if error.code in _GONE or (
                    verb == "post" and error.code == 403
                ):  # a namespace that ends takes no events
                    return
                if error.code < 500 and error.code != 429:
                    raise
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(AGAIN_SECONDS)
