"""Clients of a Service that are in no mesh, until SIGTERM:
`python -m tests.cluster.acceptance.service_load KUBECONFIG CERTIFICATE NAMESPACE SERVICE RATE FILE`.
Requests and lines as in docc.sandbox.load; where each connection goes is decided as kube-proxy does, as the cluster has none.

A new connection goes to a ready endpoint of the Service's EndpointSlices, to one that still serves while it ends if none is
ready; a connection that is open stays where it is. A node hears of a change late: kube-proxy gathers for a second.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from docc.sandbox.load import Connection, Load
from tests.cluster.rig.cluster import Api, path

Object = dict[str, Any]
Address = tuple[str, int]
LATE_SECONDS = 1.0


class Endpoints:
    """The addresses to which a node would send now."""

    def __init__(self, api: Api, namespace: str, service: str) -> None:
        self._http, self._path = api.streaming(), path("endpointslices", namespace)
        self._chosen = f"kubernetes.io/service-name={service}"
        self._slices: dict[str, Object] = {}
        self._addresses: list[tuple[float, list[Address]]] = [(0.0, [])]
        threading.Thread(target=self._follow, daemon=True).start()

    def now(self) -> list[Address]:
        """What was heard of LATE_SECONDS ago."""
        at = time.monotonic() - LATE_SECONDS
        return next((found for heard, found in reversed(self._addresses) if heard <= at), [])

    def _follow(self) -> None:
        while True:
            try:
                self._watch()
            except httpx.HTTPError:
                continue

    def _watch(self) -> None:
        """From what there is: what was deleted while nobody watched is forgotten with the first event."""
        listing = self._http.get(self._path, params={"labelSelector": self._chosen}).raise_for_status().json()
        self._slices = {piece["metadata"]["name"]: piece for piece in listing["items"]}
        self._heard()
        query = {
            "watch": "true", "labelSelector": self._chosen, "resourceVersion": listing["metadata"]["resourceVersion"]
        }  # fmt: skip
        with self._http.stream("GET", self._path, params=query) as answer:
            for line in answer.iter_lines():
                event = json.loads(line)
                name = event["object"]["metadata"]["name"]
                if event["type"] == "DELETED":
                    self._slices.pop(name, None)
                else:
                    self._slices[name] = event["object"]
                self._heard()

    def _heard(self) -> None:
        found = self._where("ready") or self._where("serving")
        if found != self._addresses[-1][1]:
            self._addresses.append((time.monotonic(), found))

    def _where(self, condition: str) -> list[Address]:
        """An absent condition counts as true (discovery.k8s.io/v1)."""
        return [
            (endpoint["addresses"][0], piece["ports"][0]["port"])
            for piece in self._slices.values()
            for endpoint in piece.get("endpoints") or []
            if (endpoint.get("conditions") or {}).get(condition, True) is not False
        ]


class ServiceLoad(Load):
    def __init__(self, endpoints: Endpoints, out: Any, host: str) -> None:
        super().__init__(f"{host}:0", out, host)
        self._endpoints = endpoints

    async def connect(self) -> Connection:
        addresses = self._endpoints.now()
        if not addresses:
            raise OSError("the Service has no endpoint")
        return Connection(*await asyncio.open_connection(*random.choice(addresses)))


async def main(kubeconfig: str, certificate: str, namespace: str, service: str, rate: str, file: str) -> None:
    endpoints = Endpoints(Api(Path(kubeconfig), Path(certificate)), namespace, service)
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    while not endpoints.now():
        await asyncio.sleep(0.05)
    with open(file, "a", encoding="utf-8", buffering=1) as out:
        await ServiceLoad(endpoints, out, f"{service}.{namespace}").run(float(rate), ended)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
