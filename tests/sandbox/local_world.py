"""Store, controllers, node and the real Envoy in the test's own event loop: the sandbox without its API and its process."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from docc.sandbox import controllers, processes
from docc.sandbox.envoy import Envoy
from docc.sandbox.node import Node
from docc.sandbox.store import Store
from docc.sandbox.supervisor import stop

Object = dict[str, Any]


class World:
    def __init__(self, store: Store, node: Node, gateway: str, access_log: Path) -> None:
        self.store, self.node, self.gateway, self.access_log = store, node, gateway, access_log

    async def until(self, condition: Callable[[], Any], seconds: float = 15.0) -> Any:
        """The condition's first true value; looked at after every change of the store."""
        limit = time.monotonic() + seconds
        while True:
            version = self.store.version
            if value := condition():
                return value
            left = limit - time.monotonic()
            assert left > 0, f"not within {seconds} s: {[p['status'] for p in self.pods()]}"
            await self.store.changed(version, min(left, 0.2))

    def pods(self, name: str | None = None) -> list[Object]:
        return [p for p in self.store.select("Pod") if name is None or p["metadata"]["labels"]["app"] == name]

    def container(self, name: str) -> Object:
        """The status of the first container of the only pod."""
        statuses = [status for pod in self.pods(name) for status in pod.get("status", {}).get("containerStatuses", [])]
        return statuses[0] if statuses else {}

    def ready(self, name: str) -> bool:
        wanted = self.store.get("Deployment", "default", name)["spec"]["replicas"]
        pods = self.pods(name)
        return len(pods) == wanted and all(controllers.is_ready(pod) for pod in pods)

    def scale(self, name: str, replicas: int) -> None:
        self.store.patch("Deployment", "default", name, {"spec": {"replicas": replicas}}, form="merge")

    def deploy(
        self, name: str, image: str, *, replicas: int = 1, pod: Mapping[str, Any] | None = None, **container: Any
    ) -> None:
        """A Deployment and its Service, both called `name`. The container listens on port 8080 unless told otherwise."""
        labels = {"app": name}
        whole = {"name": "web", "image": image, "ports": [{"containerPort": 8080}], **container}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [whole], **(pod or {})}}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        self.store.create("Deployment", {"metadata": {"name": name, "namespace": "default"}, "spec": spec})
        port = next((p["containerPort"] for p in whole["ports"]), 8080)
        ports = [{"port": 80, "targetPort": port}]
        body = {"metadata": {"name": name, "namespace": "default"}, "spec": {"selector": labels, "ports": ports}}
        self.store.create("Service", body)

    def route(self, weights: Mapping[str, int], name: str = "shop", **rule: Any) -> None:
        """Creates or changes a route of one rule."""
        backends = [{"name": backend, "port": 80, "weight": weight} for backend, weight in weights.items()]
        spec = {"parentRefs": [{"name": "sandbox"}], "rules": [{"backendRefs": backends, **rule}]}
        if self.store.find("HTTPRoute", "default", name) is None:
            self.store.create("HTTPRoute", {"metadata": {"name": name, "namespace": "default"}, "spec": spec})
        else:
            self.store.patch("HTTPRoute", "default", name, {"spec": spec}, form="merge")


def gateway(name: str = "sandbox", **listener: Any) -> Object:
    whole = {
        "name": "http",
        "port": 80,
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "All"}},
        **listener,
    }
    spec = {"gatewayClassName": "docc-sandbox", "listeners": [whole]}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def empty_store() -> Store:
    """Only the namespace and the Gateway that every sandbox begins with."""
    store = Store(time.time)
    store.create("Namespace", {"metadata": {"name": "default"}})
    store.create("Gateway", gateway())
    return store


@contextlib.asynccontextmanager
async def world(folder: Path, *, with_envoy: bool = True) -> AsyncIterator[World]:
    store = empty_store()
    node = Node(store, time.time)
    envoy = Envoy(store, folder / "envoy")
    warden = await processes.post_warden()
    works = [controllers.run(store, time.time), node.run(), *([envoy.run()] if with_envoy else [])]
    tasks = [asyncio.create_task(work) for work in works]
    try:
        if with_envoy:
            await asyncio.wait_for(envoy.ready(), 20)
        yield World(store, node, envoy.address("default", "sandbox", 80) if with_envoy else "", envoy.access_log)
        for task in tasks:
            assert not task.done(), task.exception()
    finally:
        await stop(tasks)
        if warden.stdin is not None:
            warden.stdin.close()
        await warden.wait()
