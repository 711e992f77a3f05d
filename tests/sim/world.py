"""A simulated cluster: an API server over dicts, its controllers, Prometheus; virtual time; and the weather, which is all that
goes wrong without anybody's doing.

Writes go through the same JSON Patch code as the sandbox's API, which the contract suite holds against the real server. A
stored object is never changed, only put in another's place: worlds fork cheaply, and snapshots are kept without copying.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Protocol

from docc.core.verdict import Answer, Series
from docc.model.errors import Conflict, DoccError, Gone, Refused, UnusableError
from docc.model.moves import Ref
from docc.model.world import Objects
from docc.sandbox.patches import FailedTest, json_patch

Object = dict[str, Any]
Key = tuple[str, str]

START = 1_000_000.0
MIN_READY_SECONDS = 2.0
ENDPOINT_SECONDS = 0.2
FOREVER = math.inf


class Violation(AssertionError):
    """docc did what it must never do."""


class Audit(Protocol):
    """Looks at every change, whoever made it."""

    def changed(self, world: World, actor: str, key: Key, before: Object | None, after: Object | None) -> None: ...

    def fork(self) -> Audit: ...


@dataclass
class Weather:
    """Revisions are told apart by their image's tag. ready_after: seconds until a pod is ready; absent: 4. failing: from
    which instant its answers fail. down: when its pods are not ready. dies_at: the weight at which its pods die.
    crashed: when a container of one of its pods ended, and how; the others serve on.
    metrics: (from, to, what): none, nan, error, old, bad, or several series, the second good or bad. away: until when the API
    server does not answer.
    refused: the kinds of objects whose writes are refused from now on. ending: the namespace is going away."""

    ready_after: dict[int, float] = field(default_factory=dict)
    failing: dict[int, float] = field(default_factory=dict)
    silent: set[int] = field(default_factory=set)
    down: dict[int, tuple[float, float]] = field(default_factory=dict)
    dies_at: dict[int, int] = field(default_factory=dict)
    crashed: dict[int, tuple[float, str]] = field(default_factory=dict)
    metrics: list[tuple[float, float, str]] = field(default_factory=list)
    away: float = 0.0
    refused: set[str] = field(default_factory=set)
    ending: bool = False

    def fork(self) -> Weather:
        return Weather(**{each.name: copy.copy(getattr(self, each.name)) for each in fields(self)})


class World:
    """The state that outlives any process."""

    def __init__(self, audit: Audit) -> None:
        self.audit, self.weather = audit, Weather()
        self.now = START
        self.objects: dict[Key, Object] = {}
        self.born: dict[str, tuple[float, ...]] = {}
        self.served: dict[str, float] = {}
        self.serial = 0
        self.processes = 0
        self.trace: list[tuple[float, str, object]] = []
        self.agenda: list[tuple[float, Callable[[World], None]]] = []
        self.actor = ""
        self.ended = False
        self.hindered: set[str] = set()
        """Processes that could not write the history."""
        self.routed = True
        """There is a Gateway."""
        self.late: set[str] = set()
        """Processes whose next write was decided long ago."""
        self.deaf: dict[str, tuple[float, float]] = {}
        """Processes whose watches tell nothing, from when to when."""
        self._snapshot: tuple[int, float, Objects] | None = None

    def fork(self) -> World:
        other = World(self.audit.fork())
        other.weather, other.now, other.objects = self.weather.fork(), self.now, dict(self.objects)
        other.born, other.served, other.serial = dict(self.born), dict(self.served), self.serial
        other.processes, other.routed = self.processes, self.routed
        other.say("somebody", "sets the stage")
        return other

    def weather_changed(self) -> None:
        self._snapshot = None

    def say(self, who: str, what: object) -> None:
        self.trace.append((self.now, who, what))

    # --- the API server
    def create(self, ref: Ref, body: Object) -> Object:
        key = (ref.kind, ref.name)
        if self.ended:
            raise UnusableError("the namespace does not exist")
        if self.weather.ending:
            raise Refused("the API server refuses the object (403)", why="the namespace is being terminated")
        if key in self.objects:
            raise Conflict(f"{ref} exists")
        uid = f"uid-{self.serial + 1}"
        born = datetime.fromtimestamp(self.now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        meta = {**body["metadata"], "uid": uid, "generation": 1, "creationTimestamp": born}
        return self.store(key, {**body, "metadata": meta})

    def patch(self, ref: Ref, operations: Sequence[Object]) -> Object:
        before = self.objects.get((ref.kind, ref.name))
        if before is None:
            raise Gone(f"{ref} is not there")
        try:
            after = json_patch(before, list(operations))
        except FailedTest as error:
            raise Conflict(str(error)) from error
        if after.get("spec") != before.get("spec"):
            after["metadata"]["generation"] = before["metadata"]["generation"] + 1
        return self.store((ref.kind, ref.name), after)

    def delete(self, ref: Ref, uid: str, version: str) -> None:
        found = self.objects.get((ref.kind, ref.name))
        if found is None:
            return
        if found["metadata"]["uid"] != uid or found["metadata"]["resourceVersion"] != version:
            raise Conflict(f"{ref} is another")
        self.remove((ref.kind, ref.name))

    def store(self, key: Key, body: Object) -> Object:
        self.serial += 1
        body["metadata"]["resourceVersion"] = str(self.serial)
        before, self.objects[key] = self.objects.get(key), body
        if key[0] == "Deployment":
            births, wanted = self.born.get(key[1], ()), int(body["spec"]["replicas"])
            self.born[key[1]] = (*births, *[self.now] * (wanted - len(births)))[:wanted]
        if key[0] == "Service" and before is None:
            self.served[key[1]] = self.now
        if key[0] == "HTTPRoute" and self.weather.dies_at:
            self._overburdened(body)
        self.audit.changed(self, self.actor, key, before, body)
        return body

    def remove(self, key: Key) -> None:
        """With all that it owns."""
        self.serial += 1
        before = self.objects.pop(key)
        self.born.pop(key[1], None) if key[0] == "Deployment" else None
        self.audit.changed(self, self.actor, key, before, None)
        uid = before["metadata"]["uid"]
        for other, body in list(self.objects.items()):
            if any(owner["uid"] == uid for owner in body["metadata"].get("ownerReferences") or []):
                self.remove(other)

    def edit(self, key: Key, change: Callable[[Object], None]) -> None:
        """By somebody with kubectl."""
        before = self.objects.get(key)
        if before is None:
            return
        body = copy.deepcopy(before)
        change(body)
        if body.get("spec") != before.get("spec"):
            body["metadata"]["generation"] += 1
        actor, self.actor = self.actor, "somebody"
        self.say("somebody", f"edits {key[0]} {key[1]}")
        self.store(key, body)
        self.actor = actor

    # --- its controllers
    def tag(self, name: str) -> int:
        body = self.objects.get(("Deployment", name))
        return 0 if body is None else int(body["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2])

    def ready(self, name: str, *, settled: float = 0.0) -> int:
        """Pods that have been ready for `settled` seconds."""
        tag = self.tag(name)
        since, until = self.weather.down.get(tag, (FOREVER, FOREVER))
        if since <= self.now < until + (settled if until < FOREVER else 0):
            return 0
        after = self.weather.ready_after.get(tag, 4.0) + settled
        return sum(1 for born in self.born.get(name, ()) if self.now >= born + after)

    def _crashed(self, name: str) -> dict[str, Object]:
        """The pod of which a container has ended and runs again, as on the wire; only such pods are told of."""
        at, how = self.weather.crashed.get(self.tag(name), (FOREVER, ""))
        if not any(born <= at <= self.now for born in self.born.get(name, ())):
            return {}
        finished = datetime.fromtimestamp(int(at), UTC).isoformat().replace("+00:00", "Z")
        ended = {"terminated": {"exitCode": 137 if how == "OOMKilled" else 1, "reason": how, "finishedAt": finished}}
        container = {"name": "web", "restartCount": 1, "ready": True, "state": {"running": {}}, "lastState": ended}
        status = {"conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [container]}
        labels = {"docc.dev/revision": name.removeprefix("shop-")}
        return {f"{name}-a": {"metadata": {"name": f"{name}-a", "labels": labels}, "status": status}}

    def _overburdened(self, route: Object) -> None:
        for name, weight in weights_in(route).items():
            tag = self.tag(name)
            if weight >= self.weather.dies_at.get(tag, 101):
                del self.weather.dies_at[tag]
                self.weather.down[tag] = (self.now + 0.4, FOREVER)
                self.weather_changed()

    def _instants(self) -> Iterator[float]:
        """When something about the pods changes by itself."""
        for since, until in self.weather.down.values():
            yield from (since, until, until + MIN_READY_SECONDS)
        yield from (at for at, _ in self.weather.crashed.values())
        for name, births in self.born.items():
            after = self.weather.ready_after.get(self.tag(name), 4.0)
            for born in set(births):
                yield from (born + after, born + after + MIN_READY_SECONDS)
        for at in self.served.values():
            yield at + ENDPOINT_SECONDS

    def _selected(self) -> str:
        """Whose pods the front Service leads to."""
        selector = self.objects.get(("Service", "shop"), {}).get("spec", {}).get("selector") or {}
        return f"shop-{selector.get('docc.dev/revision', 'none')}"

    def next_event(self) -> float:
        """The next instant at which something changes by itself, or somebody does what is on the agenda."""
        agenda = (max(instant, self.now + 1e-6) for instant, _ in self.agenda)
        return min((at for at in (*self._instants(), self.weather.away, *agenda) if at > self.now), default=FOREVER)

    def happen(self) -> None:
        due = [entry for entry in self.agenda if entry[0] <= self.now]
        self.agenda = [entry for entry in self.agenda if entry[0] > self.now]
        for _, act in sorted(due, key=lambda entry: entry[0]):
            act(self)

    def snapshot(self) -> Objects:
        """What a watch has told by now."""
        if self._snapshot is not None:
            serial, until, kept = self._snapshot
            if serial == self.serial and self.now < until:
                return kept
        deployments, slices, pods = {}, {}, {}
        for (kind, name), body in self.objects.items():
            if kind != "Deployment":
                continue
            ready = self.ready(name)
            status = {"availableReplicas": self.ready(name, settled=MIN_READY_SECONDS), "readyReplicas": ready}
            deployments[name] = {**body, "status": status}
            pods.update(self._crashed(name))
            reached = ready if self.now >= self.served.get(name, 0.0) + ENDPOINT_SECONDS else 0
            endpoints = [{"conditions": {"ready": True}} for _ in range(reached)]
            slices[name] = {"metadata": {"labels": {"kubernetes.io/service-name": name}}, "endpoints": endpoints}
            if self._selected() == name:
                slices["shop"] = {
                    "metadata": {"labels": {"kubernetes.io/service-name": "shop"}},
                    "endpoints": endpoints,
                }
        services = {name: body for (kind, name), body in self.objects.items() if kind == "Service"}
        history = self.objects.get(("ConfigMap", "docc-shop"))
        found = Objects(self.objects.get(("HTTPRoute", "shop")), deployments, services, slices, pods, history)
        self._snapshot = (self.serial, min((at for at in self._instants() if at > self.now), default=FOREVER), found)
        return found

    # --- Prometheus: the one condition of the simulation asks for the candidate's share of failing answers
    def answer(self, text: str) -> Answer:
        name = text.split('deployment="', 1)[1].split('"', 1)[0]
        now, tag = self.now, self.tag(name)
        what = next((what for since, until, what in self.weather.metrics if since <= now < until), "")
        if what == "error":
            return Answer(error="503 from Prometheus")
        if what == "none" or tag in self.weather.silent:
            return Answer()
        if text.startswith("max(timestamp("):
            return Answer((Series((), float(int(now)) - (300 if what == "old" else 0)),), at=now)
        if text.startswith("max(count_over_time("):
            reach = text.rsplit("[", 1)[1].split("]", 1)[0]
            age = int(reach[:-2]) / 1000 if reach.endswith("ms") else int(reach[:-1])
            return Answer((Series((), float(int(now) - int(now - age))),) if age >= 1 and what != "old" else ())
        if what == "nan":
            return Answer((Series((), math.nan),))
        share = 0.3 if what == "bad" or now >= self.weather.failing.get(tag, FOREVER) else 0.0
        if what.startswith("several"):
            second = 0.3 if what.endswith("bad") else 0.01
            return Answer((Series((("pod", "a"),), share), Series((("pod", "b"),), second)))
        return Answer((Series((), share),))

    def end_of_namespace(self) -> None:
        """The namespace controller takes one thing after the other, and then the namespace."""
        self.weather.ending = True
        for number, key in enumerate(sorted(self.objects)):
            self.agenda.append((self.now + 0.5 + number, _sweeping(key)))

        def end(world: World) -> None:
            world.ended = True

        self.agenda.append((self.now + 1 + len(self.objects), end))

    def swept(self, key: Key) -> None:
        if key in self.objects:
            self.actor = "somebody"
            self.remove(key)


def weights_in(route: Object | None) -> dict[str, int]:
    """Of the first rule that has revisions for backends and asks for no header."""
    for rule in (route or {}).get("spec", {}).get("rules", []):
        backends = {each["name"]: int(each.get("weight", 1)) for each in rule.get("backendRefs", [])}
        if backends and not any(match.get("headers") for match in rule.get("matches", [])):
            return backends
    return {}


__all__ = ["DoccError", "Object", "Violation", "Weather", "World", "weights_in"]


def _sweeping(key: Key) -> Callable[[World], None]:
    return lambda world: world.swept(key)
