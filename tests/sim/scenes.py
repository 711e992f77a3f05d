"""What is played: every scenario undisturbed, and with every fault at each of its writes. A program, too, for the mutants:
`python -m tests.sim.scenes` plays all of it and prints what it found wrong first."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

from docc.model.errors import Conflict, ExitCode, LookAgain
from docc.model.manifest import ABTesting
from docc.model.moves import Effect
from tests.sim.auditor import Auditor, Violation
from tests.sim.play import (
    CANARY,
    FAULTS,
    LOCKED_SECONDS,
    Play,
    crash_at,
    new_driver,
    no_fault,
    plan,
    serving,
    settle,
    turn_back,
)
from tests.sim.world import Crash, Scenario, SimPorts, World

TRIAL = replace(CANARY, ab_testing=ABTesting(enable_headers=True, pause_before_rollout=True))


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


def meshed_first() -> Play:
    """The first deploy of an application in a mesh: its front Service is a parent of its route."""
    auditor = Auditor()
    return Play(auditor, World(Scenario(), auditor), plan(1, mesh=True))


def meshed_canary() -> Play:
    play = good_canary()
    play.wanted = plan(2, mesh=True)
    return play


def meshed_bad() -> Play:
    play = bad_canary()
    play.wanted = plan(2, mesh=True)
    return play


def into_the_mesh() -> Play:
    """The live revision gets `mesh`: a change in place."""
    play = serving(Scenario())
    play.wanted = plan(1, mesh=True)
    return play


def lost_login() -> Play:
    """For 25 s in mid-rollout, over the time at which the next step is due."""
    play = good_canary()
    play.world.agenda.append((play.world.now + 12, lambda world: world.lock_out(LOCKED_SECONDS["login lost"])))
    return play


def lost_login_bad() -> Play:
    """The condition fires while the login is lost."""
    play = bad_canary()
    play.world.agenda.append((play.world.now + 20, lambda world: world.lock_out(LOCKED_SECONDS["login lost"])))
    return play


def gone_login() -> Play:
    """The condition fires and no login comes back: the driver ends; who logs in and deploys again sees to the traffic."""
    play = bad_canary()
    play.world.agenda.append((play.world.now + 20, lambda world: world.lock_out(LOCKED_SECONDS["login gone"])))
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
        meshed_first,
        supersede,
        good_canary,
        bad_canary,
        silent_canary,
        never_ready,
        dying_canary,
        slow_pods,
        retry,
        trial,
        bad_trial,
        meshed_canary,
        meshed_bad,
        into_the_mesh,
        lost_login,
        lost_login_bad,
        gone_login,
    )
}

Case = tuple[str, Play]
"""What is played, in words, and the play."""


def every_fault() -> Iterator[Case]:
    for name in SCENARIOS:
        yield from faults_of(name)
    yield from faults_of_rollbacks()
    yield from parks()


def faults_of(name: str) -> Iterator[Case]:
    """A scenario undisturbed, then with one fault at each of its writes."""
    scene = SCENARIOS[name]
    clean = scene()
    expected = clean.until_done()
    writes = clean.world.writes
    clean.auditor.at_rest(clean.world)
    if expected.result == "reverted" and clean.world.locked[1] < 0:
        clean.auditor.promptly(clean.world)
    for kind in FAULTS:
        for at in range(writes):
            play = scene()
            play.world.fault = crash_at(at, kind)
            yield f"{name}, {kind} at write {at + 1} of {writes} (undisturbed: {expected.result})", play


def faults_of_rollbacks() -> Iterator[Case]:
    for kind in (*FAULTS, ""):
        for at in range(3):
            yield f"rollback, {kind} at write {at + 1}", _rollback_play(kind, at)
    for kind in ("", *FAULTS[:4]):
        yield f"rollback of a parked rollout, {kind}", parked_rollback(kind)


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


def parks() -> Iterator[Case]:
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
            yield f"park after write {at}, {kind}", _parked(play, stopping)


def _parked(play: Play, ports: SimPorts) -> Play:
    """A second driver takes over (one write), is stopped, and parks."""
    lease, driver = new_driver(ports, play.wanted)
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


def main() -> int:
    runs = 0
    try:
        for name, play in every_fault():
            settle(name, play)
            runs += 1
    except (Violation, Exception) as found:  # a mutant may break docc in any way
        sys.stdout.write(f"caught after {runs} runs: {type(found).__name__}: {str(found).splitlines()[0]}\n")
        return 1
    sys.stdout.write(f"{runs} runs, nothing wrong\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
