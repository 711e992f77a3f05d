"""What a route says, as an observer of its own sees it by watch: which weights, since when, with which record of docc's."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.cluster.rig.cluster import Cluster, path

Object = dict[str, Any]
RECORD = "docc.dev/rollout"
AGAIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Sight:
    """at: unix seconds. weights: by backend, of the first rule that divides traffic."""

    at: float
    weights: dict[str, int]
    record: Object
    route: Object


@contextmanager
def watching(cluster: Cluster, namespace: str, name: str) -> Iterator[list[Sight]]:
    """Every version of one HTTPRoute that the API server tells as long as the block lasts. Raises what broke the watch."""
    watch = _RouteWatch(cluster, namespace, name)
    try:
        yield watch.sights
    finally:
        watch.stop()
    if watch.broken is not None:
        raise watch.broken


class _RouteWatch:
    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self.sights: list[Sight] = []
        self.broken: Exception | None = None
        self._http = cluster.admin.streaming()
        self._query = {"watch": "true", "fieldSelector": f"metadata.name={name}"}
        self._path, self._ended = path("httproutes", namespace), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(3)
        self._http.close()

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                self._watch()
        except Exception as error:
            self.broken = error

    def _watch(self) -> None:
        seen = {sight.route["metadata"]["resourceVersion"] for sight in self.sights}
        try:
            with self._http.stream("GET", self._path, params=self._query) as answer:
                if answer.status_code >= 500:
                    raise httpx.RemoteProtocolError(f"{answer.status_code}: it is not ready yet")
                for line in answer.iter_lines():
                    route = json.loads(line)["object"]
                    if route["metadata"]["resourceVersion"] not in seen:
                        self.sights.append(_sight(time.time(), route))
                    if self._ended.is_set():
                        return
        except httpx.ReadTimeout:
            return
        except httpx.TransportError:
            self._ended.wait(
                AGAIN_SECONDS
            )  # the API server is away for a while; it tells the newest version when it is back


def _sight(at: float, route: Object) -> Sight:
    text = (route["metadata"].get("annotations") or {}).get(RECORD)
    return Sight(at, weights_of(route), json.loads(text) if text else {}, route)


def weights_of(route: Object) -> dict[str, int]:
    """By backend. Rules with one backend alone stand above, for those who are on trial or stay where they are."""
    rules = [rule["backendRefs"] for rule in route["spec"].get("rules") or [] if rule.get("backendRefs")]
    divided: list[Object] = next((refs for refs in rules if len(refs) > 1), rules[-1] if rules else [])
    return {backend["name"]: backend.get("weight", 1) for backend in divided}
