"""Plays a scenario to its end: drivers come and go until nothing is left to do. Runs as a program, too, for the mutants:
`python -m tests.sim.play` plays every scenario with every fault and prints what it found wrong first."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

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
from docc.model.errors import Conflict, DoccError, ExitCode, LookAgain
from docc.model.manifest import ABTesting, Canary, FailureCondition, Strategy
from docc.model.moves import Effect, Object, Outcome
from tests.sim.auditor import SCALE, Auditor, Violation
from tests.sim.world import Crash, Scenario, SimPorts, World

CONDITION = 'sum(rate(x{code="500",deployment="$canary"}[10s])) / sum(rate(x{deployment="$canary"}[10s])) > 0.05'
LIMITS = Limits(progress=60, no_data=60, baseline=10, drain=5, keep_warm=60)
CANARY = Strategy(canary=Canary(20, 10), failure_conditions=(FailureCondition("Errors", CONDITION),), bake=10)
TRIAL = replace(CANARY, ab_testing=ABTesting(enable_headers=True, pause_before_rollout=True))
RESTARTS_MAX = 12
_names = itertools.count(1)


def plan(candidate: int, strategy: Strategy = CANARY) -> Plan:
    steps: tuple[Step, ...] = compile_steps(strategy, longest_range=10)
    return Plan(
        "shop", "web", candidate, f"hash-{candidate}", SCALE, steps, _rendered(candidate), LIMITS, True, port=80
    )


def _rendered(candidate: int) -> Rendered:
    def body(kind: str, name: str, spec: Object, annotations: dict[str, str] | None = None) -> Object:
        labels = {"app.kubernetes.io/managed-by": "docc", "docc.dev/app": "shop"}
        meta: Object = {"name": name, "namespace": "web", "labels": labels}
        return {"kind": kind, "metadata": {**meta, "annotations": annotations} if annotations else meta, "spec": spec}

    name = f"shop-v{candidate}"
    chosen = {"docc.dev/app": "shop", "docc.dev/revision": f"v{candidate}"}
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": []}
    route: Object = {"parentRefs": [{"name": "gw"}], "rules": [rule]}
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
        lease, driver = _driver(SimPorts(self.world, stopped), self.wanted)
        lease.acquire()
        outcome = driver.run()
        lease.release()
        return outcome

    def until_done(self, *, stopped: str | None = None) -> Outcome:
        """A driver that dies is followed by another, later, that wants the same."""
        for _ in range(RESTARTS_MAX):
            try:
                outcome = self.drive(stopped=stopped)
            except Crash:
                self.world.now += 7
                continue
            except DoccError as error:
                raise Violation(f"a driver gave up: {error}\n" + "\n".join(self.world.trace)) from error
            self.outcomes.append(outcome)
            if outcome.result != "superseded":
                return outcome
            self.wanted = None  # who took over decides; whoever comes next only finishes what is under way
            self.world.now += 20
        raise Violation("it does not settle\n" + "\n".join(self.world.trace))


def _driver(ports: SimPorts, wanted: Plan | None) -> tuple[Lease, Driver]:
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


def good_canary() -> Play:
    return _rolled(Scenario())


def bad_canary() -> Play:
    play = serving(Scenario())
    play.world.scenario.failing[2] = play.world.now + 27
    play.wanted = plan(2)
    return play


def silent_canary() -> Play:
    return _rolled(Scenario(silent=frozenset({2})))


def never_ready() -> Play:
    return _rolled(Scenario(ready_after={2: 1e9}))


def dying_canary() -> Play:
    play = serving(Scenario())
    play.world.scenario.dies[2] = play.world.now + 33
    play.wanted = plan(2)
    return play


def slow_pods() -> Play:
    return _rolled(Scenario(ready_after={2: 25}))


def supersede() -> Play:
    """v3 is wanted while v2 is on its way and its driver is gone."""
    play = serving(Scenario())
    play.wanted = plan(2)
    play.world.fault = crash_at(7, "crash after")
    try:
        play.drive()
    except Crash:
        play.world.now += 30
    play.world.writes, play.world.fault = 0, no_fault
    play.wanted = plan(3)
    return play


def retry() -> Play:
    """v2 was reverted; the same manifest again, and this time it is healthy."""
    play = bad_canary()
    play.until_done()
    play.world.scenario.failing.clear()
    play.world.now += 60
    play.world.writes = 0
    return play


def trial() -> Play:
    """A/B: header users see v2 at 0 % of the rest until somebody approves; then the canary's steps."""
    play = _rolled(Scenario())
    play.wanted = plan(2, TRIAL)
    play.world.agenda.append((play.world.now + 90, approve))
    return play


def approve(world: World) -> None:
    """`docc promote`: a request in the record, which the driver obeys."""
    route = world.objects["HTTPRoute", "shop"]
    record = json.loads(route["metadata"]["annotations"]["docc.dev/rollout"])
    if record["phase"] != "awaiting":  # not there yet (a driver died on the way): later
        world.agenda.append((world.now + 30, approve))
        return
    route["metadata"]["annotations"]["docc.dev/rollout"] = json.dumps({**record, "request": "promote"})
    route["metadata"]["resourceVersion"] = str(next(world.versions))


def bad_trial() -> Play:
    """The condition fires while approval is awaited: header users are on v2, so it reverts although nobody approved."""
    play = trial()
    play.world.agenda.clear()
    play.world.scenario.failing[2] = play.world.now + 60
    return play


def rollback() -> Play:
    play = good_canary()
    play.until_done()
    play.world.writes, play.wanted = 0, None
    play.world.now += 10
    return play


def _rolled(scenario: Scenario) -> Play:
    play = serving(scenario)
    play.wanted = plan(2)
    return play


SCENARIOS: dict[str, Callable[[], Play]] = {
    scene.__name__: scene
    for scene in (
        good_canary,
        bad_canary,
        silent_canary,
        never_ready,
        dying_canary,
        slow_pods,
        supersede,
        retry,
        trial,
        bad_trial,
    )
}
FAULTS = (
    "crash before",
    "crash after",
    "answer lost",
    "unreachable",
    "foreign edit",
    "rival rollback",
    "sleeper",
    "lease deleted",
)


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
    revisions = [int(name.rsplit("-v", 1)[1]) for kind, name in world.objects if kind == "Deployment"]
    lease, driver = _driver(SimPorts(world), plan(max(revisions)))
    lease.acquire()
    limit = world.writes + 6
    world.fault = lambda w, e, index: "crash after" if index >= limit else ""
    with contextlib.suppress(Crash):
        driver.run()
    world.fault = no_fault


def every_fault() -> Iterator[tuple[str, str, int, Play]]:
    """Every scenario undisturbed, then with one fault at each of its writes."""
    for name, scene in SCENARIOS.items():
        clean = scene()
        expected = clean.until_done()
        writes = clean.world.writes
        clean.auditor.at_rest(clean.world)
        if expected.result == "reverted":
            clean.auditor.promptly(clean.world)
        for kind in FAULTS:
            for at in range(writes):
                play = scene()
                play.world.fault = crash_at(at, kind)
                yield f"{name}, {kind} at write {at + 1} of {writes} (undisturbed: {expected.result})", kind, at, play
    for kind in (*FAULTS, ""):
        for at in range(3):
            yield f"rollback, {kind} at write {at + 1}", kind, at, _rollback_play(kind, at)
    yield from parks()
    for kind in ("", *FAULTS[:4]):
        yield f"rollback of a parked rollout, {kind}", kind, 0, parked_rollback(kind)


def parked_rollback(kind: str = "") -> Play:
    """v2 serves, v1 is warm, v3 was stopped on its way: `docc rollback` gives v3 up, and does not turn to v1."""
    play = good_canary()
    play.until_done()
    play.wanted, play.world.writes = plan(3), 0
    play.world.fault = crash_at(7, "crash after")
    try:
        play.drive()
    except Crash:
        play.world.now += 20
    play = _parked(play, SimPorts(play.world))
    play.wanted = None
    play.world.fault = crash_at(play.world.writes, kind) if kind else no_fault
    try:
        turn_back(play.world)
    except (Crash, LookAgain):
        play.world.fault = no_fault
        turn_back(play.world)
    return play


def _rollback_play(kind: str, at: int) -> Play:
    play = rollback()
    play.world.fault = crash_at(at, kind) if kind else no_fault
    try:
        turn_back(play.world)
    except (Crash, LookAgain):
        turn_back(play.world)
    except Conflict:
        pass
    return play


def parks() -> Iterator[tuple[str, str, int, Play]]:
    """SIGTERM at every write of a good canary, each with every fault in the park's own write; then the same deploy again."""
    writes = 9
    for at in range(1, writes):
        for kind in ("", "crash before", "crash after", "answer lost", "unreachable", "foreign edit", "rival rollback"):
            play = good_canary()
            play.world.fault = crash_at(at, "crash after")
            try:
                play.drive()
            except Crash:
                play.world.now += 20
            play.world.fault = crash_at(play.world.writes + 1, kind) if kind else no_fault
            stopping = SimPorts(play.world)
            yield f"park after write {at}, {kind}", kind, at, _parked(play, stopping)


def _parked(play: Play, ports: SimPorts) -> Play:
    """A second driver takes over (one write), is stopped, and parks."""
    lease, driver = _driver(ports, play.wanted)
    try:
        lease.acquire()
        before = play.world.writes
        world_fault = play.world.fault

        def stop_after_first(world: World, effect: Effect, index: int) -> str:
            if index > before:
                ports.stopped = "SIGTERM"
            else:
                ports.stopped = None
            found = world_fault(world, effect, index)
            if index == before:
                ports.stopped = "SIGTERM"
            return found

        play.world.fault = stop_after_first
        outcome = driver.run()
        lease.release()
        if outcome.exit_code not in (ExitCode.TERMINATED, ExitCode.FAILED_SAFE, ExitCode.LOCKED, ExitCode.DONE):
            raise Violation(f"the park ended with {outcome}\n" + "\n".join(play.world.trace))
    except Crash:
        pass
    play.world.fault = no_fault
    play.world.now += 20
    return play


def settle(name: str, play: Play) -> Outcome:
    """Plays to the end and audits the rest. Raises Violation."""
    try:
        outcome = play.until_done()
        play.auditor.at_rest(play.world)
    except Violation as violation:
        raise Violation(f"{name}: {violation}") from None
    return outcome


def main() -> int:
    runs = 0
    try:
        for name, _, _, play in every_fault():
            settle(name, play)
            runs += 1
    except (Violation, Exception) as found:  # a mutant may break docc in any way
        sys.stdout.write(f"caught after {runs} runs: {type(found).__name__}: {str(found).splitlines()[0]}\n")
        return 1
    sys.stdout.write(f"{runs} runs, nothing wrong\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
