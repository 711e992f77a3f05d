"""The kubelet's part: registers the only node and runs each pod that is scheduled to it as processes, with docc.sandbox's pods.

Every pod has an address of its own, so its containers listen on the very ports that they name.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from docc.sandbox.logs import Logs
from docc.sandbox.pods import Pod, ports_of
from docc.sandbox.refusals import StoreError
from docc.sandbox.store import rfc3339
from tests.cluster.rig import volumes
from tests.cluster.rig.apiclient import ApiClient, ApiError
from tests.cluster.rig.layout import KUBELET_PORT, NODE, NODE_ADDRESS, Layout
from tests.cluster.rig.registry import ApiRegistry

Object = dict[str, Any]
_ROOM = {"cpu": "64", "memory": "64Gi", "pods": "2000"}


class Kubelet:
    def __init__(self, api: ApiClient, layout: Layout) -> None:
        self._api, self._layout, self._logs = api, layout, Logs()
        self._pods: dict[str, ApiRegistry] = {}
        self._numbers = itertools.count()

    async def register(self) -> None:
        """The node, ready, without the taint that a new node gets; its controller does not run here."""
        await self._api.post("/api/v1/nodes", {"metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}}})
        await self._api.patch(f"/api/v1/nodes/{NODE}", {"spec": {"taints": None}})
        now = rfc3339(time.time())
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "runs pods as processes"}
        status = {
            "capacity": _ROOM,
            "allocatable": _ROOM,
            "conditions": [{**ready, "lastHeartbeatTime": now, "lastTransitionTime": now}],
            "addresses": [{"type": "InternalIP", "address": NODE_ADDRESS}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": KUBELET_PORT}},
        }
        await self._api.patch(f"/api/v1/nodes/{NODE}/status", {"status": status})

    async def run(self) -> None:
        """Until cancelled; then every process is ended."""
        await self._serve_logs()
        async with asyncio.TaskGroup() as group:
            async for found in self._api.snapshots("/api/v1/pods", f"spec.nodeName={NODE}"):
                for uid, body in found.items():
                    if uid not in self._pods:
                        self._pods[uid] = ApiRegistry(self._api, body)
                        group.create_task(self._live(uid, body))
                for uid, registry in self._pods.items():
                    registry.see(found.get(uid))

    async def _live(self, uid: str, body: Object) -> None:
        registry, folder = self._pods[uid], self._layout.volumes / uid
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(registry.run())
                if reason := volumes.unsupported(body["spec"]):
                    message = f"this cluster's node cannot run it: {reason}"
                    registry.set_status({"phase": "Failed", "reason": "NotSupported", "message": message})
                    await registry.deletion()
                    registry.finish_delete()
                elif (whole := await self._prepared(registry, body, folder)) is not None:
                    ports = ports_of(whole["spec"], lambda port: port)
                    await Pod(whole, registry, self._address(), ports, self._logs, time.time).live()
                else:
                    registry.finish_delete()
        finally:
            volumes.forget(folder)
            del self._pods[uid]

    async def _prepared(self, registry: ApiRegistry, body: Object, folder: Path) -> Object | None:
        """What is to be run; None when the pod is deleted already: before its volumes were there, or it has ended long ago and
        the watch has not told yet."""
        preparing = asyncio.create_task(volumes.as_processes(self._api, body, folder))
        deleting = asyncio.create_task(registry.deletion())
        try:
            await asyncio.wait([preparing, deleting], return_when=asyncio.FIRST_COMPLETED)
            return None if deleting.done() else preparing.result()
        finally:
            preparing.cancel()
            deleting.cancel()

    def _address(self) -> str:
        """The block's first 60000 addresses, in turn; the node's own is none of them."""
        number = next(self._numbers) % (240 * 250)
        return f"10.244.{1 + number // 250}.{1 + number % 250}"

    async def _serve_logs(self) -> None:
        """What the API server asks a node for when somebody wants a pod's log."""
        app = web.Application()
        app.add_routes([web.get("/containerLogs/{namespace}/{pod}/{container}", self._read_log)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._layout.certificate, self._layout.key)
        await web.TCPSite(runner, NODE_ADDRESS, KUBELET_PORT, ssl_context=context).start()

    async def _read_log(self, request: web.Request) -> web.Response:
        query, place = request.query, request.match_info
        if query.get("follow") == "true":
            return web.Response(status=400, text="this cluster's node does not follow logs")
        lines = int(query["tailLines"]) if "tailLines" in query else None
        previous = query.get("previous") == "true"
        try:
            text = self._logs.read(place["namespace"], place["pod"], place["container"], previous, lines)
        except StoreError as error:
            return web.Response(status=error.code, text=str(error))
        return web.Response(text=text)


async def ready(api: ApiClient) -> bool:
    """Whether the API server says so itself, and has what it needs for its own first objects. (A controller manager
    that meets it before gives up after ten seconds, which a busy machine can take.)"""
    try:
        await api.text("/readyz")
        await api.get("/api/v1/namespaces/default")
        return True
    except (ApiError, aiohttp.ClientError, OSError):
        return False
