"""The sandbox's one process: `python -m docc.sandbox.supervisor FOLDER`. Puts the parts together and says where they are.

Writes FOLDER/session.json when everything answers; ends by SIGTERM; its children end with it, whatever ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from docc.sandbox import api, controllers, query_api
from docc.sandbox.controllers import is_ready
from docc.sandbox.endpoints import PORTS_ANNOTATION
from docc.sandbox.envoy import Envoy
from docc.sandbox.node import Node
from docc.sandbox.scrape import scrape_forever
from docc.sandbox.store import Store
from docc.sandbox.tsdb import Tsdb

GATEWAY_PORT = 80
SCRAPE_SECONDS = float(os.environ.get("DOCC_SANDBOX_SCRAPE_SECONDS", "1"))


async def main(folder: Path) -> None:
    store, tsdb, now = Store(time.time), Tsdb(), time.time
    node = Node(store, now)
    gateway_port, admin_port = _free_port(), _free_port()
    envoy = Envoy(store, folder / "envoy", {GATEWAY_PORT: gateway_port}, admin_port)
    _begin(store)
    token = secrets.token_urlsafe(24)
    with (folder / "audit.jsonl").open("a", encoding="utf-8", buffering=1) as audit:

        def note(entry: Mapping[str, Any]) -> None:
            audit.write(json.dumps({"at": round(now(), 3), **entry}) + "\n")

        prometheus = web.Application()
        prometheus.add_routes(query_api.routes(tsdb, now))
        prometheus_port = await _serve(prometheus)
        proxies = {"default/prometheus:9090": f"http://127.0.0.1:{prometheus_port}"}
        setting = api.Setting(store, token, note, node.log, proxies)
        api_port = await _serve(api.application(setting))
        parts = [
            asyncio.create_task(work)
            for work in (
                controllers.run(store, now),
                node.run(),
                envoy.run(),
                scrape_forever(tsdb, lambda: _targets(store), SCRAPE_SECONDS, now=now),
            )
        ]
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        await _until_ready(f"http://127.0.0.1:{admin_port}/ready", parts)
        kubeconfig = _kubeconfig(folder, f"http://127.0.0.1:{api_port}", token)
        session = {
            "pid": os.getpid(), "kubeconfig": str(kubeconfig), "gateway": f"127.0.0.1:{gateway_port}",
            "prometheus": f"http://127.0.0.1:{prometheus_port}", "api": f"http://127.0.0.1:{api_port}",
            "access_log": str(envoy.access_log), "audit": str(folder / "audit.jsonl"), "admin": admin_port,
        }  # fmt: skip
        _put(folder / "session.json", json.dumps(session))
        stop = asyncio.create_task(ended.wait())
        await asyncio.wait([stop, *parts], return_when=asyncio.FIRST_COMPLETED)
        failed = [part.exception() for part in parts if part.done() and not part.cancelled()]
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        (folder / "session.json").unlink(missing_ok=True)
        if failed and failed[0] is not None:
            raise failed[0]


def _begin(store: Store) -> None:
    """The world that every sandbox starts with."""
    store.create("Namespace", {"metadata": {"name": "default", "labels": {"kubernetes.io/metadata.name": "default"}}})
    listener = {
        "name": "http",
        "port": GATEWAY_PORT,
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    spec = {"gatewayClassName": "docc-sandbox", "listeners": [listener]}
    store.create("Gateway", {"metadata": {"name": "sandbox", "namespace": "default"}, "spec": spec})


def _targets(store: Store) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Each ready pod's first port, with the labels by which conditions tell revisions apart."""
    for pod in store.select("Pod"):
        meta = pod["metadata"]
        ports = json.loads((meta.get("annotations") or {}).get(PORTS_ANNOTATION, "{}"))
        if not ports or not is_ready(pod):
            continue
        labels = meta.get("labels") or {}
        owner = next((o["name"] for o in meta.get("ownerReferences") or []), "")
        told = {
            "namespace": meta["namespace"], "pod": meta["name"], "deployment": owner,
            "revision": labels.get("docc.dev/revision", ""), "job": "pods",
        }  # fmt: skip
        yield f"http://{pod['status']['podIP']}:{next(iter(ports.values()))}/metrics", told


async def _serve(app: web.Application) -> int:
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return int(runner.addresses[0][1])


async def _until_ready(url: str, parts: list[asyncio.Task[None]]) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(200):
            for part in parts:
                if part.done():
                    part.result()
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)
    raise TimeoutError("Envoy did not become ready in 10 s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _kubeconfig(folder: Path, server: str, token: str) -> Path:
    path = folder / "kubeconfig"
    chosen = {"cluster": "docc-sandbox", "user": "docc-sandbox", "namespace": "default"}
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "docc-sandbox",
        "clusters": [{"name": "docc-sandbox", "cluster": {"server": server}}],
        "users": [{"name": "docc-sandbox", "user": {"token": token}}],
        "contexts": [{"name": "docc-sandbox", "context": chosen}],
    }  # fmt: skip
    _put(path, json.dumps(config))
    return path


def _put(path: Path, text: str) -> None:
    """Whole, readable by its owner only."""
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
