"""A simulated cluster behind docc's ports: objects are dicts, time is virtual, every write may go wrong as told.

Writes go through the same JSON Patch code as the sandbox's API, which the contract suite holds against the real server.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from docc.core.verdict import Answer, Series
from docc.model.errors import Conflict, Gone, LoginLost, Unreachable
from docc.model.facts import Fact
from docc.model.moves import Create, Delete, Effect, Patch, Ref
from docc.model.world import Objects
from docc.sandbox.patches import FailedTest, json_patch

Object = dict[str, Any]

MIN_READY_SECONDS = 2.0


class Crash(BaseException):
    """The driver's process is gone at this very moment."""


@dataclass
class Scenario:
    """ready_after: seconds until a pod is ready, by revision; absent: 4. failing: from which instant a revision's answers
    fail. silent: the revision's metrics are missing. dies: when a revision's pods vanish."""

    ready_after: dict[int, float] = field(default_factory=dict)
    failing: dict[int, float] = field(default_factory=dict)
    silent: frozenset[int] = frozenset()
    dies: dict[int, float] = field(default_factory=dict)


class World:
    """The state that outlives any driver."""

    def __init__(self, scenario: Scenario, audit: Callable[[World, str], None]) -> None:
        self.scenario, self.audit = scenario, audit
        self.now = 1_000_000.0
        self.objects: dict[tuple[str, str], Object] = {}
        self.born: dict[str, list[float]] = {}
        self.versions = itertools.count(1)
        self.trace: list[str] = []
        self.writes = 0
        self.fault: Callable[[World, Effect, int], str] = lambda world, effect, index: ""
        self.agenda: list[tuple[float, Callable[[World], None]]] = []
        """What others do, and when."""
        self.locked = (float("-inf"), float("-inf"))
        """From when to when the drivers' login is refused; others have logins of their own."""
        self._last_seen = Objects()

    def lock_out(self, seconds: float) -> None:
        """Once more before anybody could write again: to a driver that is one and the same."""
        if not self.locked_out:
            since = self.locked[0] if self.now < self.locked[1] + 5 else self.now
            self.locked, self._last_seen = (since, self.now + seconds), self.observe("shop")

    @property
    def locked_out(self) -> bool:
        return self.now < self.locked[1]

    # --- the API server
    def create(self, ref: Ref, body: Object) -> Object:
        key = (ref.kind, ref.name)
        if key in self.objects:
            raise Conflict(f"{ref} exists")
        stored = copy.deepcopy(body)
        stored["metadata"] = {**stored["metadata"], "uid": f"uid-{next(self.versions)}", "generation": 1}
        self._store(key, stored)
        return stored

    def patch(self, ref: Ref, operations: Sequence[Object]) -> Object:
        key = (ref.kind, ref.name)
        if key not in self.objects:
            raise Gone(f"{ref} is not there")
        before = self.objects[key]
        try:
            after = json_patch(before, [dict(operation) for operation in operations])
        except FailedTest as error:
            raise Conflict(str(error)) from error
        if after.get("spec") != before.get("spec"):
            after["metadata"]["generation"] = before["metadata"]["generation"] + 1
        self._store(key, after)
        return after

    def delete(self, ref: Ref, uid: str, version: str) -> None:
        found = self.objects.get((ref.kind, ref.name))
        if found is None:
            return
        if found["metadata"]["uid"] != uid or found["metadata"]["resourceVersion"] != version:
            raise Conflict(f"{ref} is another")
        del self.objects[ref.kind, ref.name]

    def _store(self, key: tuple[str, str], body: Object) -> None:
        body["metadata"]["resourceVersion"] = str(next(self.versions))
        self.objects[key] = body
        if key[0] == "Deployment":
            births, wanted = self.born.setdefault(key[1], []), int(body["spec"]["replicas"])
            births.extend([self.now] * (wanted - len(births)))
            del births[wanted:]

    # --- its controllers
    def revision(self, name: str) -> int:
        return int(name.rsplit("-v", 1)[1])

    def ready(self, name: str, *, settled: float = 0.0) -> int:
        """Pods that have been ready for `settled` seconds."""
        number = self.revision(name)
        if self.now >= self.scenario.dies.get(number, float("inf")):
            return 0
        after = self.scenario.ready_after.get(number, 4.0)
        return sum(1 for born in self.born.get(name, []) if self.now >= born + after + settled)

    def available(self, name: str) -> int:
        return self.ready(name, settled=MIN_READY_SECONDS)

    def next_event(self) -> float:
        """The next instant at which something changes by itself."""
        instants = [*self.scenario.dies.values(), *(instant for instant, _ in self.agenda)]
        for name, births in self.born.items():
            after = self.scenario.ready_after.get(self.revision(name), 4.0)
            instants += [born + after + settled for born in births for settled in (0.0, MIN_READY_SECONDS)]
        return min((instant for instant in instants if instant > self.now), default=float("inf"))

    def exposed(self, name: str) -> int:
        """Percent of traffic of one revision."""
        rules = self.objects.get(("HTTPRoute", "shop"), {}).get("spec", {}).get("rules", [])
        return next((int(b["weight"]) for rule in rules for b in rule["backendRefs"] if b["name"] == name), 0)

    def last_seen(self, app: str) -> Objects:
        """What a driver knows whose watches are refused."""
        return self._last_seen if self.locked_out else self.observe(app)

    def observe(self, app: str) -> Objects:
        deployments, slices = {}, {}
        for (kind, name), body in self.objects.items():
            if kind == "Deployment":
                ready = self.ready(name)
                status = {"availableReplicas": self.available(name), "readyReplicas": ready}
                deployments[name] = {**copy.deepcopy(body), "status": status}
                endpoints = [{"conditions": {"ready": True}} for _ in range(ready)]
                meta = {"labels": {"kubernetes.io/service-name": name}}
                slices[name] = {"metadata": meta, "endpoints": endpoints}
        services = {name: copy.deepcopy(body) for (kind, name), body in self.objects.items() if kind == "Service"}
        route = copy.deepcopy(self.objects.get(("HTTPRoute", app)))
        history = copy.deepcopy(self.objects.get(("ConfigMap", f"docc-{app}")))
        return Objects(route, deployments, services, slices, {}, history)


@dataclass
class SimPorts:
    """All ports of one driver process onto the world; `stopped` is the signal that it got, `expires`: its login is the one that
    can be lost."""

    world: World
    stopped: str | None = None
    expires: bool = False
    facts: list[tuple[float, Fact]] = field(default_factory=list)

    # Cluster
    def observe(self, app: str) -> Objects:
        return self.world.last_seen(app) if self.expires else self.world.observe(app)

    def _log_in(self) -> None:
        if self.expires and self.world.locked_out:
            raise LoginLost("the cluster rejected your login (401)")

    def read(self, ref: Ref) -> Object | None:
        self._log_in()
        return copy.deepcopy(self.world.objects.get((ref.kind, ref.name)))

    def create(self, effect: Create) -> Object:
        return self._effect(effect, lambda: self.world.create(effect.ref, effect.body))

    def patch(self, effect: Patch) -> Object:
        return self._effect(effect, lambda: self.world.patch(effect.ref, effect.operations))

    def delete(self, effect: Delete) -> None:
        def act() -> Object:
            self.world.delete(effect.ref, effect.uid, effect.resource_version)
            return {}

        self._effect(effect, act)

    def logs(self, pod: str, container: str, previous: bool, lines: int) -> str:
        return ""

    def events(self, name: str) -> tuple[Object, ...]:
        return ()

    def _effect(self, effect: Effect, act: Callable[[], Object]) -> Object:
        self._log_in()
        world = self.world
        if effect.ref.kind == "Lease":
            return act()
        index = world.writes
        world.writes += 1
        fault = world.fault(world, effect, index)
        label = f"{world.now - 1e6:7.1f}s  {type(effect).__name__.lower()} {effect.ref}"
        if fault == "crash before":
            world.trace.append(f"{label}  -- crash before")
            raise Crash
        if fault == "unreachable":
            raise Unreachable("no answer")
        if fault == "busy":
            busy = Unreachable("too many requests (429)")
            busy.wait = 30.0
            raise busy
        if fault.startswith("login"):
            world.trace.append(f"{label}  -- {fault}")
            raise LoginLost("the cluster rejected your login (401)")
        try:
            answer = act()
        except Conflict:
            world.trace.append(f"{label}  -- conflict")
            raise
        world.trace.append(f"{label}{f'  -- {fault}' if fault else ''}")
        world.audit(world, label)
        if fault == "crash after":
            raise Crash
        if fault == "answer lost":
            raise Unreachable("the answer was lost")
        return answer

    # Metrics: the one condition of the simulation asks for the candidate's share of failing answers
    def ask(self, queries: Sequence[str]) -> Mapping[str, Answer]:
        return {text: self._answer(text) for text in queries}

    def _answer(self, text: str) -> Answer:
        world = self.world
        number = int(text.split('deployment="shop-v', 1)[1].split('"', 1)[0])
        if number in world.scenario.silent:
            return Answer()
        if text.startswith("max(timestamp("):
            return Answer((Series((), float(int(world.now))),))
        if text.endswith(" * 30"):  # the divisor as a count
            return Answer((Series((), 900.0),))
        failing = world.now >= world.scenario.failing.get(number, float("inf"))
        return Answer((Series((), 0.3 if failing else 0.0),))

    # Clock, Stop, Sink
    def now(self) -> float:
        return self.world.now

    def sleep_until(self, instant: float) -> None:
        target = min(instant, self.world.next_event())
        self.world.now = max(self.world.now, target)
        for entry in [entry for entry in self.world.agenda if entry[0] <= self.world.now]:
            self.world.agenda.remove(entry)
            entry[1](self.world)

    def asked(self) -> str | None:
        return self.stopped

    def emit(self, at: float, fact: Fact) -> None:
        self.facts.append((at, fact))
