"""What must hold after every change, read from the raw objects by code that shares nothing with docc: traffic, pods, record.

tests/sim/ledger.py has the laws of the history, tests/sim/users.py those of users on trial and of people's approval, and
tests/sim/exits.py those of exit codes and of what is left in the end.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.sim.ledger import Ledger, read
from tests.sim.users import Users
from tests.sim.world import Key, Object, Violation, World, weights_in

SCALE = 3
DRAIN_SECONDS_MIN = 2.0
KNOWN_SECONDS = 0.5
"""Until the data plane's controller has heard of a Service."""
SKEW = 4.0
"""Seconds by which two people's clocks may differ; none is off by more than half of it for longer than a request takes."""
LOOK_SECONDS = 0.05
"""Between a look and what is done by it; and between a process' last look and its end, when it gives its Lease back."""
DOUBTS = ("bad", "error")
ROUTE, FRONT = ("HTTPRoute", "shop"), ("Service", "shop")


def require(holds: bool, what: str) -> None:
    if not holds:
        raise Violation(what)


def carrier(world: World) -> Object | None:
    """What has the record: the route, or the front Service of an application without one."""
    return world.objects.get(ROUTE) or world.objects.get(FRONT)


def record_in(body: Object | None) -> dict[str, Any]:
    found = read(((body or {}).get("metadata", {}).get("annotations") or {}).get("docc.dev/rollout"))
    return found if found.get("v", 1) == 1 else {}


def record_of(world: World) -> dict[str, Any]:
    return record_in(carrier(world))


def selected(front: Object | None) -> str | None:
    revision = (front or {}).get("spec", {}).get("selector", {}).get("docc.dev/revision", "none")
    return None if revision == "none" else f"shop-{revision}"


def named(world: World) -> set[str]:
    """Whatever a rule of the route or the front Service names, at 0 too."""
    rules = world.objects.get(ROUTE, {}).get("spec", {}).get("rules", [])
    found = {each["name"] for rule in rules for each in rule.get("backendRefs", [])}
    front = selected(world.objects.get(FRONT))
    return found | ({front} if front else set())


def trials(route: Object | None) -> set[str]:
    rules = (route or {}).get("spec", {}).get("rules", [])
    return {r["backendRefs"][0]["name"] for r in rules if any(m.get("headers") for m in r.get("matches", []))}


def traffic(world: World) -> dict[str, int]:
    """Who gets which share; 0 for those that are only named."""
    if ROUTE in world.objects:
        return weights_in(world.objects[ROUTE])
    front = selected(world.objects.get(FRONT))
    return {front: 100} if front else {}


def weight_of(record: dict[str, Any]) -> int:
    """The candidate's; a record without one has nobody's, whatever somebody has written there."""
    return int(record.get("weight", 0)) if record.get("candidate") is not None else 0


def consistent(record: dict[str, Any], weights: dict[str, int]) -> bool:
    """The weights are those that the record tells of."""
    if not record or not weights:
        return True
    if record.get("stable") is None:
        return all(name.startswith("shop-v") for name in weights)
    candidate, told = record.get("candidate"), weight_of(record)
    found = percents(weights)
    real = 0 if candidate is None else found.get(f"shop-v{candidate}", 0)
    return bool(real == told and found.get(f"shop-v{record['stable']}", 0) == 100 - told)


def percents(weights: dict[str, int]) -> dict[str, int]:
    """Whatever they sum to."""
    total = sum(weights.values()) or 1
    return {name: round(100 * weight / total) for name, weight in weights.items()}


def shared(weights: dict[str, int]) -> dict[str, int]:
    return percents(positive(weights))


@dataclass
class Auditor:
    """rose, fell: when a revision got its first traffic and lost its last. warm: until when a former version must stay up."""

    ledger: Ledger = field(default_factory=Ledger)
    users: Users = field(default_factory=Users)
    weights: dict[str, int] = field(default_factory=dict)
    trial: set[str] = field(default_factory=set)
    epoch: int = 0
    writer: str = ""
    rose: dict[str, float] = field(default_factory=dict)
    fell: dict[str, float] = field(default_factory=dict)
    warm: dict[str, float] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)
    """The processes that have changed who gets production traffic."""
    last: tuple[float, str] = (-math.inf, "")
    """When traffic moved last, and by whom."""
    record: dict[str, Any] = field(default_factory=dict)
    readable: dict[str, Any] = field(default_factory=dict)
    """The record, and the last one that was not garbled or wiped."""
    drain: float = 30.0
    stable: int | None = None
    """As records last said."""
    foreign: bool = False
    """Somebody has laid hands on pods or Services."""
    hands: float = -math.inf
    """When that was: no look can be newer than it has been taken."""
    laid: float = -math.inf
    """When somebody last edited route or front: no look can be newer than it has been taken."""
    theirs: dict[str, int] | None = None
    """The weights in force, if they are somebody else's, or their record tells of others."""
    meddled: bool = False
    """Somebody has changed what is docc's of route, front or record."""
    put: set[str] = field(default_factory=set)
    """What somebody has had the route name."""
    front_by: str = ""
    """Who had the front Service select what it selects."""
    wrote: set[str] = field(default_factory=set)
    """The processes that have written the record, and those of them that must not any more: `docc delete` has taken it away."""
    over: set[str] = field(default_factory=set)
    forced: set[str] = field(default_factory=set)
    """The processes whose weights are to win."""
    overwritten: dict[str, float] = field(default_factory=dict)
    """Who has written over somebody's weights without being asked to, and when."""

    def fork(self) -> Auditor:
        return copy.deepcopy(self)

    def changed(self, world: World, actor: str, key: Key, before: Object | None, after: Object | None) -> None:
        if key[0] == "Lease":
            return
        self.ledger.changed(world, actor, key, before, after)
        self.foreign = self.foreign or (actor == "somebody" and (key[0] != "HTTPRoute" or after is None))
        if actor == "somebody" and key[0] == "Deployment":
            self.hands = world.now
        if actor != "somebody":
            self._allowed(world, actor, key, before, after)
        if world.weather.ending:
            return
        route = world.objects.get(ROUTE)
        record, weights, trial = record_of(world), traffic(world), trials(route)
        if key in (ROUTE, FRONT) and (shared(weights) != shared(self.weights) or trial != self.trial):
            self.moved.add(actor)
            self.last = (world.now, actor)
        self._hand(world, actor, key, before, record, weights)
        self._rules(world, route, docc_s=actor != "somebody" and weights != self.weights)
        self._epoch(record)
        lost = {n for n, w in self.weights.items() if w and not weights.get(n)} | (self.trial - trial)
        if key == FRONT and (left := selected(before)) and left != selected(after) and world.ready(left):
            lost.add(left)  # its clients, too
        self.fell.update(dict.fromkeys(lost, world.now))
        given = {n for n, w in weights.items() if w and not self.weights.get(n)} | (trial - self.trial)
        self.rose.update(dict.fromkeys(given, world.now))
        before_it = percents(self.weights)
        for name, weight in percents(weights).items():
            if (
                weight > before_it.get(name, 0)
                and actor != "somebody"
                and actor not in world.late
                and after is not None
            ):
                self._grown(world, record, name, weight)
        self._users(world, actor, record, weights)
        self._true(record, weights, route)
        self._warmth(world, record, actor)
        self.weights, self.trial, self.record = weights, trial, record
        if record:
            self.readable = record
            self.drain, self.stable = float(record.get("drain", 30.0)), record.get("stable")
        unfenced = before is None and actor in world.late  # what creates an object has nothing to test
        if actor != "somebody" and not unfenced:
            self._served(world, record)

    # --- what docc may do at all
    def _allowed(self, world: World, actor: str, key: Key, before: Object | None, after: Object | None) -> None:
        kind, name = key
        verb = actor.rpartition("-")[0]
        require(verb not in ("wait", "history", "status"), f"{actor} only looks on, and writes {kind} {name}")
        if key == ROUTE and before is not None and after is not None:
            kept = before["spec"]["rules"][-1].get("filters")
            require(after["spec"]["rules"][-1].get("filters") == kept, f"{actor} took somebody's filter away")
            note = before["metadata"].get("annotations", {}).get("example.com/owner")
            require(after["metadata"]["annotations"].get("example.com/owner") == note, "somebody's annotation is gone")
        if kind == "Deployment" and before is None:
            self.fell.pop(name, None)  # that was of pods which are gone
        if kind == "Deployment" and before is not None:
            now, then = (after or {}).get("spec", {}).get("replicas", 0), before["spec"]["replicas"]
            if after is None or now < min(then, SCALE):  # a manifest may ask for fewer, but never for less than that
                self._taken_down(world, verb, name, gone=after is None, replicas=then)
        if kind == "Service" and after is None and key != FRONT and verb != "delete":
            unseen = world.now - self.laid < LOOK_SECONDS
            require(unseen or name not in named(world), f"{actor} deletes Service {name}, which is named")
            self._drained(world, name)
        if verb == "gc" and key in (ROUTE, FRONT) and after is not None:
            then = record_in(before)
            if then.get("phase") in ("preparing", "shifting", "awaiting", "baking", "stuck"):
                require(False, f"gc decides about a rollout in phase {then['phase']}")
            then_now = [percents(positive(weights_in(body))) for body in (before, after)]
            same = then_now[0] == then_now[1] if kind == "HTTPRoute" else True
            require(same, f"{actor} moves traffic: {weights_in(after)}")

    def _taken_down(self, world: World, verb: str, name: str, *, gone: bool, replicas: int) -> None:
        if verb == "delete":
            require(name not in positive(traffic(world)), f"delete takes the pods of {name} before the route")
            return
        unseen = world.now - self.laid < LOOK_SECONDS
        require(unseen or name not in named(world), f"{name} is taken down while the route or a Service names it")
        if gone:
            require(replicas == 0, f"Deployment {name} is deleted with {replicas} pods")
        self._drained(world, name)

    def _drained(self, world: World, name: str) -> None:
        drain = max(self.drain, DRAIN_SECONDS_MIN)
        since = world.now - self.fell.get(name, -math.inf)
        require(
            since >= drain - SKEW / 2, f"{name} is taken down {since:.1f} s after its last traffic, drain is {drain}"
        )
        if f"shop-v{self.record.get('previous')}" == name and self.record.get("candidate") != self.record.get(
            "previous"
        ):
            left = self.warm.get(name, 0.0) - world.now
            require(left <= SKEW, f"{name} is taken down {left:.1f} s before its time to stay warm is over")

    def _warmth(self, world: World, record: dict[str, Any], actor: str) -> None:
        if record.get("phase") == "succeeded" and self.record.get("phase") == "promoting" and record.get("previous"):
            until, since = instant(record["cool_after"]), instant(record["since"])
            require(abs(until - since - float(record.get("keep_warm", 600.0))) < 0.01, f"warm for {until - since} s")
            self.warm = {f"shop-v{record['previous']}": until}
        gone = set(self.weights) - set(traffic(world)) if ROUTE in world.objects and actor != "somebody" else set()
        for name in gone:
            if record.get("candidate") == record.get("previous"):
                continue  # it was tried again, and taken back
            if f"shop-v{record.get('previous')}" == name and self.record.get("previous") == record.get("previous"):
                left = self.warm.get(name, 0.0) - world.now
                require(left <= SKEW, f"the route lets go of {name} {left:.1f} s before its time to stay warm is over")

    # --- other hands
    def _hand(
        self,
        world: World,
        actor: str,
        key: Key,
        before: Object | None,
        record: dict[str, Any],
        weights: dict[str, int],
    ) -> None:
        """Weights that are somebody's are written over only to save users, for who asked for it, or to take everything back."""
        if key not in (ROUTE, FRONT):
            return
        if key == FRONT and selected(before) != selected(world.objects.get(FRONT)):
            self.front_by = actor
        same = consistent(record, weights)
        if actor.startswith("delete") and self.record and not record:
            self.over |= self.wrote
        if record.get("by", "").startswith(f"{actor}#"):
            require(
                actor not in self.over or bool(self.record), f"{actor} writes the record of what docc delete has ended"
            )
            self.wrote.add(actor)
        self.put &= set(weights)
        if actor == "somebody":
            self.put |= set(weights) - set(self.weights)
            self.meddled = self.meddled or not same or not record or key == FRONT
            self.laid = world.now
            self.theirs = None if (record and same) or key not in world.objects else weights
        elif self.theirs is not None and shared(weights) != shared(self.weights):
            returns = record.get("phase") in ("reverting", "parked") and record != self.readable
            returns = returns and self.readable.get("phase") in ("preparing", "shifting", "awaiting", "baking", "stuck")
            asked = actor.rpartition("-")[0] in ("rollback", "abort", "delete") or not weights
            served = positive(self.weights)
            harm = not served or any(world.ready(name) == 0 for name in served)
            if not (returns or asked):
                require(harm or actor in self.forced, f"{actor} writes over somebody's weights {self.weights}")
                if served or self.record:  # where nobody got anything, and no record told who should, docc begins
                    self.overwritten[actor] = world.now
            self.theirs = None
        elif same:
            self.theirs = None

    # --- what the objects say together
    def _rules(self, world: World, route: Object | None, *, docc_s: bool) -> None:
        for parent in (route or {}).get("spec", {}).get("parentRefs", []):
            there = parent.get("kind") != "Service" or ("Service", parent["name"]) in world.objects or self.foreign
            require(there, f"the route's parent Service {parent['name']} does not exist")
        found: list[dict[str, int]] = []
        for rule in (route or {}).get("spec", {}).get("rules", []):
            backends = {b["name"]: b["weight"] for b in rule.get("backendRefs", []) if b["name"].startswith("shop-v")}
            for name in backends:
                require(
                    ("Service", name) in world.objects or self.foreign or name in self.put,
                    f"the route names {name}, which has no Service",
                )
            if backends and docc_s and not any(m.get("headers") for m in rule.get("matches", [])):
                require(sum(backends.values()) == 100, f"weights {backends} do not sum to 100")
                found.append(backends)
        require(all(weights == found[0] for weights in found), f"rules disagree: {found}")

    def _epoch(self, record: dict[str, Any]) -> None:
        if not record:  # wiped by somebody, or deleted: a new one begins anew
            self.epoch, self.writer = 0, ""
            return
        epoch, writer = record.get("epoch", 0), record.get("by", "")
        require(epoch >= self.epoch, f"a writer with the old epoch {epoch} wrote after {self.epoch}")
        require(epoch > self.epoch or writer == self.writer, f"{writer} wrote in the epoch of {self.writer}")
        self.epoch, self.writer = epoch, writer

    def _grown(self, world: World, record: dict[str, Any], name: str, weight: int) -> None:
        number, tag = int(name.rpartition("-v")[2]), world.tag(name)
        stable, before = record.get("stable"), self.record.get("stable")
        since, _ = world.weather.down.get(tag, (-math.inf, 0.0))
        deaf, hears = world.deaf.get(world.actor, (math.inf, 0.0))
        unheard = deaf <= since <= world.now < hears  # whoever wrote this had no way to know
        if unheard or any(0 <= world.now - at < 1 for at in (self.hands, since)):
            return
        returning = number == before or record.get("phase") in ("reverting", "parked") or before is None
        if returning:
            require(world.ready(name) >= 1 or before is None, f"{name} grew to {weight} % and nobody answers there")
            if before is not None or not self.weights:
                return
        needed = math.ceil(SCALE * weight / 100)
        if record.get("verb") == "rollback":
            serving = [n for n, w in self.weights.items() if w]
            needed = max([needed, *(world.ready(n) for n in serving if world.ready(n))])
        warmly = stable == number and self.record.get("previous") == number
        ready = world.ready(name) if warmly else world.ready(name, settled=2.0)
        require(ready >= needed, f"{name} grew to {weight} % with {ready} of {needed} pods ready")
        known = world.now - world.served.get(name, -math.inf)
        require(warmly or known >= KNOWN_SECONDS, f"{name} grew to {weight} % {known:.1f} s after its Service was made")
        if record.get("candidate") == number and before is not None and world.ready(f"shop-v{before}"):
            failing = world.now >= world.weather.failing.get(tag, math.inf) + 5
            silent = any(
                since <= world.now < until + 5
                for since, until, what in world.weather.metrics
                if what in ("none", "nan")
            )
            require(not failing or silent, f"{name} grew to {weight} % while its condition fails")
            answers = [(since, what) for since, until, what in world.weather.metrics if since <= world.now < until]
            doubts = [since for since, what in answers[:1] if what in DOUBTS]
            ignored = "Errors" in record.get("excused", [])
            judged = ignored or all(world.now < since + 5 for since in doubts)
            require(judged, f"{name} grew to {weight} % while its condition fails or cannot be judged")
            crashed, _ = world.weather.crashed.get(tag, (math.inf, ""))
            unseen = record.get("exposed") is None or not instant(record["exposed"]) <= crashed <= world.now - 5
            require(unseen, f"{name} grew to {weight} % though a container of it has crashed")
            # promote --full is somebody's word for all the steps: it bakes on that, and is not promoted without data.
            full = record["phase"] == "baking" and any(each["verb"] == "full" for each in record.get("asked", []))
            told = tag not in world.weather.silent or weight <= 25 or full
            require(told, f"{name} grew to {weight} % without data")

    def _users(self, world: World, actor: str, record: dict[str, Any], weights: dict[str, int]) -> None:
        self.users.asked(record)
        if actor == "somebody" or self.foreign or self.meddled or self.theirs is not None or not self.record:
            return
        now, then = percents(weights), percents(self.weights)
        for name, share in now.items():
            if share > then.get(name, 0):
                self.users.grown(world, self.record, record, name, share - then.get(name, 0))
        if record and ROUTE in world.objects and weights:
            self.users.served(world, self.record, record, world.objects[ROUTE])

    def _true(self, record: dict[str, Any], weights: dict[str, int], route: Object | None) -> None:
        if not record or not weights or self.theirs is not None:
            return
        candidate, stable, told = record.get("candidate"), record.get("stable"), weight_of(record)
        if stable is None:
            return
        found = percents(weights)
        if candidate is not None:
            real = found.get(f"shop-v{candidate}", 0)
            require(real == told, f"the record says {told} % for v{candidate}, the route {real} %")
        real = found.get(f"shop-v{stable}", 0)
        require(
            real == 100 - told, f"the record says v{stable} is stable, the route gives it {real} %, not {100 - told}"
        )
        if record["phase"] in ("succeeded", "reverted", "parked", "reverting", "promoting"):
            require(not trials(route), f"header users are still elsewhere in phase {record['phase']}")

    def _served(self, world: World, record: dict[str, Any]) -> None:
        """Who gets traffic has pods."""
        front = selected(world.objects.get(FRONT))
        live = {name for name, weight in self.weights.items() if weight} | ({front} if front else set())
        for name in live:
            if not name.startswith("shop-v"):
                continue
            replicas = world.objects.get(("Deployment", name), {}).get("spec", {}).get("replicas", 0)
            scaled = world.weather.down.get(world.tag(name)) is None
            require(replicas > 0 or self.foreign, f"{name} is selected and has no pods")
            if name == f"shop-v{record.get('stable')}" and scaled and not self.foreign:
                require(replicas >= SCALE, f"stable {name} has only {replicas} replicas")


def positive(weights: dict[str, int]) -> dict[str, int]:
    return {name: weight for name, weight in weights.items() if weight}


def instant(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
