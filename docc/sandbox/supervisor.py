"""The sandbox's one process: `python -m docc.sandbox.supervisor FOLDER`. Puts the parts together and says where they are.

Prints the pid of its daemon and returns. That writes FOLDER/session.json when everything answers; it ends by SIGTERM, and its
children end with it, whatever ends it.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from docc.sandbox import api, controllers, processes, query_api
from docc.sandbox.endpoints import mapped_ports
from docc.sandbox.envoy import Envoy
from docc.sandbox.node import Node
from docc.sandbox.scrape import scrape_forever
from docc.sandbox.store import Store
from docc.sandbox.tsdb import Tsdb

GATEWAY_PORT = 80
PROMETHEUS_PORT = 9090
SCRAPE_SECONDS = float(os.environ.get("DOCC_SANDBOX_SCRAPE_SECONDS", "1"))


async def main(folder: Path) -> None:
    """Until SIGTERM. Raises ExceptionGroup when a part fails: half a sandbox would lie."""
    store, tsdb, now = Store(time.time), Tsdb(), time.time
    _begin(store)
    warden = await processes.post_warden()
    node, envoy = Node(store, now), Envoy(store, folder / "envoy")
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    with (folder / "audit.jsonl").open("a", encoding="utf-8", buffering=1) as audit:

        def note(entry: Mapping[str, Any]) -> None:
            audit.write(json.dumps({"at": round(now(), 3), **entry}) + "\n")

        prometheus = web.Application()
        prometheus.add_routes(query_api.routes(tsdb, now))
        prometheus_url = await _serve(prometheus)
        token = secrets.token_urlsafe(24)
        proxies = {f"default/prometheus:{PROMETHEUS_PORT}": prometheus_url}
        api_url = await _serve(api.application(api.Setting(store, token, note, node.logs.read, proxies)))
        async with asyncio.TaskGroup() as group:
            scraping = scrape_forever(tsdb, lambda: targets(store), SCRAPE_SECONDS, now=now)
            works = (controllers.run(store, now), node.run(), envoy.run(), scraping)
            parts = [group.create_task(work) for work in works]
            await envoy.ready()
            session = {
                "pid": os.getpid(), "kubeconfig": str(_kubeconfig(folder, api_url, token)), "api": api_url,
                "gateway": envoy.address("default", "sandbox", GATEWAY_PORT), "prometheus": prometheus_url,
                "access_log": str(envoy.access_log), "audit": str(folder / "audit.jsonl"),
            }  # fmt: skip
            _put(folder / "session.json", json.dumps(session))
            await ended.wait()
            await stop(parts)
    (folder / "session.json").unlink(missing_ok=True)
    if warden.stdin is not None:
        warden.stdin.close()
    await warden.wait()


async def stop(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancels them and waits until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def _begin(store: Store) -> None:
    """The world that every sandbox starts with."""
    store.create("Namespace", {"metadata": {"name": "default"}})
    everyone = {"namespaces": {"from": "All"}}
    listener = {"name": "http", "port": GATEWAY_PORT, "protocol": "HTTP", "allowedRoutes": everyone}
    spec: dict[str, Any] = {"gatewayClassName": "docc-sandbox", "listeners": [listener]}
    store.create("Gateway", {"metadata": {"name": "sandbox", "namespace": "default"}, "spec": spec})
    spec = {"ports": [{"name": "http", "port": PROMETHEUS_PORT}]}
    store.create("Service", {"metadata": {"name": "prometheus", "namespace": "default"}, "spec": spec})


def targets(store: Store) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Each running pod's first port, ready or not, with the labels by which conditions tell revisions apart."""
    for pod in store.select("Pod"):
        meta = pod["metadata"]
        ports = mapped_ports(pod)
        if not ports or (pod.get("status") or {}).get("phase") != "Running":
            continue
        labels = meta.get("labels") or {}
        owner = next((o["name"] for o in meta.get("ownerReferences") or []), "")
        told = {
            "namespace": meta["namespace"], "pod": meta["name"], "deployment": owner,
            "revision": labels.get("docc.dev/revision", ""), "job": "pods",
        }  # fmt: skip
        yield f"http://{pod['status']['podIP']}:{next(iter(ports.values()))}/metrics", told


async def _serve(app: web.Application) -> str:
    """Its URL, on a port of the kernel's choice."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


def _kubeconfig(folder: Path, server: str, token: str) -> Path:
    """The token stands in the URL, too: kubectl sends a user's token to no server without TLS."""
    path, scheme = folder / "kubeconfig", "http://"
    server = f"{scheme}docc-sandbox:{token}@{server.removeprefix(scheme)}"
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


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _run(folder: Path) -> None:
    """In a process of its own that is nobody's child, whose pid is all that is printed."""
    if pid := os.fork():
        sys.stdout.write(f"{pid}\n")
        return
    os.setsid()
    with (folder / "supervisor.log").open("ab") as log, open(os.devnull, "rb") as nothing:
        for number, stream in ((0, nothing), (1, log), (2, log)):
            os.dup2(stream.fileno(), number)
    try:
        asyncio.run(main(folder))
    except Exception as error:
        traceback.print_exception(error)
        sys.exit(f"{_first(error)}")  # the last line of the log is what session.up shows


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
