"""Processes on a world: each run of docc is a thread of its own, and exactly one of them runs at any time.

A process runs until it sleeps or asks the API server; then whoever is due first goes on. So two people's commands interleave
at every request, and the same play always goes the same way. Between two requests nothing can happen to a process, as there
is nothing that it could notice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from docc.core.verdict import Answer
from docc.engine.ports import HOLD, Ports
from docc.model.errors import DoccError, LoginLost, Refused, Unreachable
from docc.model.facts import CheckSeen, Fact
from docc.model.moves import Create, Delete, Effect, Outcome, Patch, Ref
from docc.model.world import Objects
from tests.sim.world import Object, Violation, World

LATENCY = 0.005
WATCH = 0.002
"""Seconds until a request has arrived, and until a watch has told of a change."""
TURNS_MAX = 6000
KEPT = {"Deployment": "deployments", "Service": "services"}


class Crash(BaseException):
    """The process is gone at this very moment."""


Act = Callable[[], Object]
Fault = Callable[["Process", Effect, Act], str]
"""Before a write; what it says happens after it: "crash", "lost" (the answer), "slow" (the answer), or nothing."""


@dataclass(eq=False)
class Process:
    """One run of docc, and all of its ports. faults: by number of the write, ("write", n) or ("lease", n). locked: from when to
    when its login is refused. refusals: how many of its writes were refused. busiest: its requests in one second, at most."""

    stage: Stage
    verb: str
    run: Callable[[Process], Outcome]
    faults: dict[tuple[str, int], Fault] = field(default_factory=dict)
    offset: float = 0.0
    name: str = ""
    wake: float = 0.0
    watching: bool = False
    blind_until: float = 0.0
    locked: tuple[float, float] = (0.0, 0.0)
    alive: bool = True
    dead: bool = False
    stopped: str | None = None
    outcome: Outcome | None = None
    looked: Callable[[], None] = lambda: None  # called at its first look
    refusals: int = 0
    writes: dict[str, int] = field(default_factory=lambda: {"write": 0, "lease": 0})
    touched: bool = False
    busiest: int = 0
    _asked: list[float] = field(default_factory=list)
    _listed: bool = False
    _stale: set[Ref] = field(default_factory=set)
    _memory: Objects = field(default_factory=Objects)
    _thread: threading.Thread | None = None
    _turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def world(self) -> World:
        return self.stage.world

    @property
    def me(self) -> str:
        return f"{self.name}#1"

    @property
    def ports(self) -> Ports:
        return Ports(self, self, self, self, self)

    @property
    def crashed(self) -> bool:
        return not self.alive and self.outcome is None

    @property
    def blind(self) -> bool:
        return self.world.now < max(self.blind_until, self.world.weather.away, self.locked[1])

    # --- Cluster
    def observe(self, app: str) -> Objects:
        if not self._listed:
            self._ask()
            self._memory, self._listed = self.world.snapshot(), True
            self.looked()
        for ref in sorted(self._stale, key=str):
            self._ask()
            self._learn(ref)
        self._stale.clear()
        if not self.blind:
            self._memory = self.world.snapshot()
        return self._memory

    def read(self, ref: Ref) -> Object | None:
        self._ask()
        return self.world.objects.get((ref.kind, ref.name))

    def create(self, effect: Create) -> Object:
        return self._write(effect, lambda: self.world.create(effect.ref, effect.body))

    def patch(self, effect: Patch) -> Object:
        return self._write(effect, lambda: self.world.patch(effect.ref, effect.operations))

    def delete(self, effect: Delete) -> None:
        def act() -> Object:
            self.world.delete(effect.ref, effect.uid, effect.resource_version)
            return {}

        self._write(effect, act)

    def logs(self, pod: str, container: str, previous: bool, lines: int) -> str:
        return ""

    def events(self, name: str) -> tuple[Object, ...]:
        return ()

    def _ask(self) -> None:
        self._asked = [at for at in self._asked if at > self.world.now - 1] + [self.world.now]
        self.busiest = max(self.busiest, len(self._asked))
        self.stage.pause(self, self.world.now + LATENCY)
        if self.world.now < self.world.weather.away:
            self.world.say(self.name, "asks, and nothing answers")
            raise Unreachable("no answer")
        if self.world.now < self.locked[1]:
            raise LoginLost("the cluster rejected your login (401)")
        if abs(self.offset) > 2:  # the answer's Date sets the clock right
            self.offset = 0.4

    def _write(self, effect: Effect, act: Act) -> Object:
        kind = "lease" if effect.ref.kind == "Lease" else "write"
        fault = self.faults.pop((kind, self.writes[kind]), None)
        self.writes[kind] += 1
        try:
            return self._sent(effect, act, fault)
        except DoccError:
            if effect.ref.kind == "ConfigMap":
                self.world.hindered.add(self.name)
            raise

    def _sent(self, effect: Effect, act: Act, fault: Fault | None) -> Object:
        after = fault(self, effect, act) if fault is not None else ""
        self._stale.add(effect.ref)
        self._ask()
        body = self.carry_out(effect, act)
        if after == "crash":
            self.world.say(self.name, "is killed")
            self.dead = True
            raise Crash
        if after == "slow":
            self.stage.pause(self, self.world.now + 12)
        if after == "lost":
            self.world.say(self.name, "never gets the answer")
            raise Unreachable("the answer was lost")
        self._stale.discard(effect.ref)
        self._learn(effect.ref)
        return body

    def carry_out(self, effect: Effect, act: Act) -> Object:
        """The API server's part of a write."""
        world = self.world
        world.actor = self.name
        try:
            if effect.ref.kind in world.weather.refused:
                raise refusal(effect)
            body = act()
        except DoccError as error:
            self.refusals += isinstance(error, Refused) and effect.ref.kind != "Lease"
            world.say(self.name, Written(effect, f"{type(error).__name__}: {error}"))
            raise
        if effect.ref.kind != "Lease":
            world.say(self.name, Written(effect))
            world.late.discard(self.name)
            self.stage.changed()
        return body

    def _learn(self, ref: Ref) -> None:
        """One's own writes are seen whatever the watch tells; status and endpoints come with it."""
        if not self._listed:
            return
        body = self.world.objects.get((ref.kind, ref.name))
        if ref.kind in KEPT:
            known = {key: value for key, value in getattr(self._memory, KEPT[ref.kind]).items() if key != ref.name}
            if body is not None:
                status = getattr(self._memory, KEPT[ref.kind]).get(ref.name, {}).get("status", {})
                known[ref.name] = {**body, "status": status}
            self._memory = replace(self._memory, **{KEPT[ref.kind]: known})
        elif ref.kind == "HTTPRoute":
            self._memory = replace(self._memory, route=body)
        elif ref.kind == "ConfigMap":
            self._memory = replace(self._memory, history=body)

    # --- Metrics, Clock, Stop, Sink
    def ask(self, *groups: Sequence[str]) -> Mapping[str, Answer]:
        return {text: self.world.answer(text) for group in groups for text in group}

    def now(self) -> float:
        return self.world.now + self.offset

    def sleep_until(self, instant: float) -> None:
        if self.stopped in (None, HOLD) or instant > self.now() + 1:
            self.stage.pause(self, max(instant - self.offset, self.world.now + 0.001), watching=True)
        else:  # a signal has woken it, and time passes all the same
            self.stage.pause(self, self.world.now + 0.01)

    def asked(self) -> str | None:
        return self.stopped

    def emit(self, at: float, fact: Fact) -> None:
        if not isinstance(fact, CheckSeen) or fact.verdict != "OK":
            self.world.say(self.name, fact)


def refusal(effect: Effect) -> Refused:
    return Refused("the API server refuses the object (422)", why=f"admission webhook denied {effect.ref}")


@dataclass(frozen=True)
class Written:
    """For the trace: what was written, and what became of it."""

    effect: Effect
    error: str = ""


class Stage:
    """Who is on it, and whose turn it is."""

    def __init__(self, world: World) -> None:
        self.world, self.processes = world, list[Process]()
        self.failure: BaseException | None = None
        self._over = threading.Semaphore(0)
        self.closing = False
        self._turns = 0

    def enter(self, process: Process, delay: float = 0.0) -> Process:
        self.world.processes += 1
        process.name = f"{process.verb.replace(' ', '-')}-{self.world.processes}"
        process.wake = self.world.now + delay
        self.processes.append(process)
        return process

    def kill(self, process: Process) -> None:
        if process.alive:
            process.dead, process.wake = True, self.world.now
            self.world.say(process.name, "is killed")

    def stop(self, process: Process, signal: str) -> None:
        if process.alive:
            process.stopped = signal
            self.world.say(process.name, f"gets {signal}")
            if process.watching:
                process.wake = self.world.now

    def play(self) -> None:
        """Until every process has ended. Raises what a process failed with, or the auditor found."""
        first = self._next()
        if first is not None:
            self._hand(first)
            if not self._over.acquire(timeout=300):
                raise RuntimeError("the simulation itself hangs")
        self._clear()
        if self.failure is not None:
            raise self.failure

    def pause(self, process: Process, until: float, *, watching: bool = False) -> None:
        if process.dead:
            raise Crash
        process.wake, process.watching = until, watching and not process.blind
        chosen = self._next()
        assert chosen is not None
        if chosen is not process:
            self._hand(chosen)
            process._turn.acquire()
        if process.dead:
            raise Crash

    def changed(self) -> None:
        """Whoever watches hears of it."""
        for process in self.processes:
            if process.alive and process.watching and not process.blind:
                process.wake = min(process.wake, self.world.now + WATCH)

    def _next(self) -> Process | None:
        self._turns += 1
        if self._turns > TURNS_MAX:
            raise Violation("it does not settle")
        while True:
            due = min((each for each in self.processes if each.alive), key=lambda each: each.wake, default=None)
            if due is None:
                return None
            instant = self.world.next_event()
            if instant > due.wake:
                self.world.now = max(self.world.now, due.wake)
                return due
            self.world.now = instant
            self.world.happen()
            self.changed()

    def _hand(self, process: Process) -> None:
        if process._thread is None:
            process._thread = threading.Thread(target=self._run, args=(process,), daemon=True)
            process._thread.start()
        else:
            process._turn.release()

    def _run(self, process: Process) -> None:
        try:
            if not process.dead:
                process.outcome = process.run(process)
        except Crash:
            pass
        except BaseException as error:
            self.failure = self.failure or error
        process.alive = False
        if self.closing:
            return
        try:
            following = None if self.failure is not None else self._next()
        except BaseException as error:
            self.failure, following = error, None
        if following is None:
            self._over.release()
        else:
            self._hand(following)

    def _clear(self) -> None:
        self.closing = True
        for process in self.processes:
            if process.alive and process._thread is not None:
                process.dead = True
                process._turn.release()
            if process._thread is not None:
                process._thread.join()
            process.alive = False
        self.closing = False
        self.processes.clear()
