"""What a route says, as an observer of its own sees it by watch: which weights, since when, with which record of docc's; and
how many pods each version has.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx

from tests.cluster.rig.cluster import Cluster, path

Object = dict[str, Any]
RECORD = "docc.dev/rollout"
AGAIN_SECONDS = 0.2
Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Sight:
    """at: unix seconds. weights: by backend, of the first rule that divides traffic."""

    at: float
    weights: dict[str, int]
    record: Object
    route: Object


@dataclass(frozen=True, slots=True)
class Crew:
    """at: unix seconds. available: pods of that Deployment."""

    at: float
    name: str
    available: int


@contextmanager
def watching(cluster: Cluster, namespace: str, name: str) -> Iterator[list[Sight]]:
    """Every version of one HTTPRoute that the API server tells as long as the block lasts. Raises what broke the watch."""
    with _watched(_Watch(cluster, "httproutes", namespace, f"metadata.name={name}", _sight)) as sights:
        yield sights


@contextmanager
def watching_pods(cluster: Cluster, namespace: str) -> Iterator[list[Crew]]:
    """The same of all Deployments."""
    with _watched(_Watch(cluster, "deployments", namespace, "", _crew)) as crews:
        yield crews


@contextmanager
def _watched(watch: _Watch[Seen]) -> Iterator[list[Seen]]:
    try:
        yield watch.seen
    finally:
        watch.stop()
    if watch.broken is not None:
        raise watch.broken


class _Watch(Generic[Seen]):
    def __init__(
        self, cluster: Cluster, plural: str, namespace: str, fields: str, told: Callable[[float, Object], Seen]
    ) -> None:
        self.seen: list[Seen] = []
        self.broken: Exception | None = None
        self._told, self._versions = told, set[str]()
        self._http = cluster.admin.streaming()
        self._query = {"watch": "true", "fieldSelector": fields}
        self._path, self._ended = path(plural, namespace), threading.Event()
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
        try:
            with self._http.stream("GET", self._path, params=self._query) as answer:
                if answer.status_code >= 500:
                    raise httpx.RemoteProtocolError(f"{answer.status_code}: it is not ready yet")
                for line in answer.iter_lines():
                    body = json.loads(line)["object"]
                    if (version := body["metadata"]["resourceVersion"]) not in self._versions:
                        self._versions.add(version)
                        self.seen.append(self._told(time.time(), body))
                    if self._ended.is_set():
                        return
        except httpx.ReadTimeout:
            return
        except httpx.TransportError:
            self._ended.wait(
                AGAIN_SECONDS
            )  # the API server is away for a while; it tells the newest version when it is back


def _crew(at: float, deployment: Object) -> Crew:
    return Crew(at, deployment["metadata"]["name"], deployment.get("status", {}).get("availableReplicas", 0))


def _sight(at: float, route: Object) -> Sight:
    text = (route["metadata"].get("annotations") or {}).get(RECORD)
    return Sight(at, weights_of(route), json.loads(text) if text else {}, route)


def weights_of(route: Object) -> dict[str, int]:
    """By backend. Rules with one backend alone stand above, for those who are on trial or stay where they are."""
    rules = [rule["backendRefs"] for rule in route["spec"].get("rules") or [] if rule.get("backendRefs")]
    divided: list[Object] = next((refs for refs in rules if len(refs) > 1), rules[-1] if rules else [])
    return {backend["name"]: backend.get("weight", 1) for backend in divided}
