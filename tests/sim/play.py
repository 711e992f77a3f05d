"""One world, the drivers that come and go in it until nothing is left to do, and what can go wrong at one of their writes."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from docc.core import planner
from docc.core.expression import parse
from docc.core.observation import see
from docc.core.plan import Limits, Plan, Rendered
from docc.core.steps import Step, compile_steps
from docc.core.view import Checks, View
from docc.engine.driver import Driver, perform
from docc.engine.lease import Lease
from docc.engine.ports import Ports
from docc.engine.sampling import Sampling
from docc.model.errors import DoccError, ExitCode, LoginLost
from docc.model.manifest import Canary, FailureCondition, Strategy
from docc.model.moves import Effect, Object, Outcome
from tests.sim.auditor import SCALE, Auditor, Violation
from tests.sim.world import Crash, Scenario, SimPorts, World

CONDITION = 'sum(rate(x{code="500",deployment="$canary"}[10s])) / sum(rate(x{deployment="$canary"}[10s])) > 0.05'
LIMITS = Limits(progress=60, no_data=60, baseline=10, drain=5, keep_warm=60)
CANARY = Strategy(canary=Canary(20, 10), failure_conditions=(FailureCondition("Errors", CONDITION),), bake=10)
RESTARTS_MAX = 12
_names = itertools.count(1)


def plan(candidate: int, strategy: Strategy = CANARY, *, mesh: bool = False) -> Plan:
    steps: tuple[Step, ...] = compile_steps(strategy, longest_range=10)
    rendered = _rendered(candidate, mesh=mesh)
    return Plan("shop", "web", candidate, f"hash-{candidate}", SCALE, steps, rendered, LIMITS, True, port=80)


def _rendered(candidate: int, *, mesh: bool) -> Rendered:
    def body(kind: str, name: str, spec: Object, annotations: dict[str, str] | None = None) -> Object:
        labels = {"app.kubernetes.io/managed-by": "docc", "docc.dev/app": "shop"}
        meta: Object = {"name": name, "namespace": "web", "labels": labels}
        return {"kind": kind, "metadata": {**meta, "annotations": annotations} if annotations else meta, "spec": spec}

    name = f"shop-v{candidate}"
    chosen = {"docc.dev/app": "shop", "docc.dev/revision": f"v{candidate}"}
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": []}
    front_parent = [{"group": "", "kind": "Service", "name": "shop"}] if mesh else []
    route: Object = {"parentRefs": [{"name": "gw"}, *front_parent], "rules": [rule]}
    return Rendered(
        deployment=body("Deployment", name, {"replicas": SCALE}, {"docc.dev/spec-hash": f"hash-{candidate}"}),
        front=body("Service", "shop", {"selector": {"docc.dev/app": "shop", "docc.dev/revision": "none"}}),
        service=body("Service", name, {"selector": chosen}),
        route=body("HTTPRoute", "shop", route),
    )


@dataclass
class Play:
    """One world and what its drivers ended with. `wanted`: who wants what after a driver has died."""

    auditor: Auditor
    world: World
    wanted: Plan | None
    outcomes: list[Outcome] = field(default_factory=list)

    def drive(self, *, stopped: str | None = None) -> Outcome:
        lease, driver = new_driver(SimPorts(self.world, stopped, expires=True), self.wanted)
        lease.acquire()
        outcome = driver.run()
        lease.release()
        return outcome

    def until_done(self, *, stopped: str | None = None) -> Outcome:
        """A driver that dies is followed by another, later, that wants the same; one whose login is gone, by somebody who has
        logged in."""
        for _ in range(RESTARTS_MAX):
            self.world.now = max(self.world.now, self.world.locked[1])
            try:
                outcome = self.drive(stopped=stopped)
            except (Crash, LoginLost):
                self.world.now += 7
                continue
            except DoccError as error:
                raise Violation(f"a driver gave up: {error}\n" + "\n".join(self.world.trace)) from error
            self.outcomes.append(outcome)
            if self.world.locked_out and outcome.exit_code is not ExitCode.DONE:
                self.auditor.gave_up(self.world, outcome.exit_code)
                continue
            if outcome.result != "superseded":
                return outcome
            self.wanted = None  # who took over decides; whoever comes next only finishes what is under way
            self.world.now += 20
        raise Violation("it does not settle\n" + "\n".join(self.world.trace))


def new_driver(ports: SimPorts, wanted: Plan | None) -> tuple[Lease, Driver]:
    """A new process that wants this, and its Lease, not taken yet."""
    me, bundle = f"driver-{next(_names)}", Ports(ports, ports, ports, ports, ports)
    lease = Lease(bundle, "shop", me, "web")
    sampling = Sampling((("Errors", parse(CONDITION)),), poll=2, window=30)
    return lease, Driver(bundle, "shop", me, wanted, sampling, lease)


def serving(scenario: Scenario) -> Play:
    """A world in which v1 serves."""
    auditor = Auditor()
    play = Play(auditor, World(scenario, auditor), plan(1))
    outcome = play.until_done()
    if outcome.exit_code is not ExitCode.DONE:
        raise Violation(f"the first deploy ended with {outcome}")
    play.world.writes = 0
    play.world.now += 60
    return play


def turn_back(world: World) -> None:
    """`docc rollback` from another machine: one write, without the Lease."""
    ports, me = SimPorts(world), f"rival-{next(_names)}"
    seen = see("shop", world.observe("shop"))
    view = View("shop", me, None, seen, Checks(), world.now)
    move = planner.turn_back(view, "rolled back by a rival")
    if move.effect is not None:
        perform(Ports(ports, ports, ports, ports, ports), move.effect)


# --- what is played


# --- what goes wrong

FAULTS = (
    "crash before",
    "crash after",
    "answer lost",
    "unreachable",
    "foreign edit",
    "rival rollback",
    "sleeper",
    "lease deleted",
    "login lost",
    "login gone",
)
LOCKED_SECONDS = {"login lost": 25.0, "login gone": 200.0}


def no_fault(world: World, effect: Effect, index: int) -> str:
    return ""


def crash_at(at: int, kind: str) -> Callable[[World, Effect, int], str]:
    """The fault of that kind at the at-th write, once."""

    def fault(world: World, effect: Effect, index: int) -> str:
        if index != at:
            return ""
        world.fault = no_fault
        if kind == "foreign edit":
            _edit_route(world)
            return ""
        if kind == "rival rollback":
            turn_back(world)
            return ""
        if kind == "lease deleted":
            world.objects.pop(("Lease", "docc-shop"), None)
            return ""
        if kind == "sleeper":
            _overtake(world)
            return ""
        if kind in LOCKED_SECONDS:
            world.lock_out(LOCKED_SECONDS[kind])
        return kind

    return fault


def _edit_route(world: World) -> None:
    """A person adds a filter to the rule: the generation rises."""
    route = world.objects.get(("HTTPRoute", "shop"))
    if route is not None:
        route["spec"]["rules"][0].setdefault("filters", []).append({"type": "RequestHeaderModifier"})
        route["metadata"]["generation"] += 1
        route["metadata"]["resourceVersion"] = str(next(world.versions))


def _overtake(world: World) -> None:
    """The driver sleeps just before this write while others roll back, come to rest, and deploy the same again; then the
    sleeper's write arrives."""
    if ("HTTPRoute", "shop") not in world.objects:
        return
    world.now += 30
    turn_back(world)
    Play(Auditor(), world, None).until_done()
    revisions = [int(name.rsplit("-v", 1)[1]) for kind, name in world.objects if kind == "Deployment"] or [1]
    lease, driver = new_driver(SimPorts(world), plan(max(revisions)))
    lease.acquire()
    limit = world.writes + 6
    world.fault = lambda w, e, index: "crash after" if index >= limit else ""
    with contextlib.suppress(Crash):
        driver.run()
    world.fault = no_fault


def settle(name: str, play: Play) -> Outcome:
    """Plays to the end and audits the rest. Raises Violation."""
    try:
        outcome = play.until_done()
        play.auditor.at_rest(play.world)
    except Violation as violation:
        raise Violation(f"{name}: {violation}") from None
    return outcome
