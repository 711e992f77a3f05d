"""What can go wrong at one write of one process: with the process, its connection and its clock; with the world; and by
somebody else, whose command begins at that very moment. Each is one line of a table, named in words."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

from docc.engine.ports import HOLD
from docc.model.errors import Conflict, DoccError, LoginLost, Unreachable
from docc.model.moves import Effect
from tests.sim import verbs
from tests.sim.hands import HANDS
from tests.sim.ledger import read
from tests.sim.stage import LATENCY, Act, Crash, Fault, Process, refusal
from tests.sim.verbs import Verb, enter, want
from tests.sim.world import Object, World

RECORD = "docc.dev/rollout"


def _crash(process: Process, effect: Effect, act: Act) -> str:
    process.world.say(process.name, f"is killed before it writes {effect.ref}")
    process.dead = True
    raise Crash


def _unreachable(process: Process, effect: Effect, act: Act) -> str:
    process.world.say(process.name, "cannot reach the API server")
    raise Unreachable("no answer")


def _conflict(process: Process, effect: Effect, act: Act) -> str:
    raise Conflict("409: try again")


def busy(process: Process, effect: Effect, act: Act) -> str:
    process.world.say("the API server", "wants to be asked again in 30 s")
    error = Unreachable("too many requests (429)")
    error.wait = 30.0
    raise error


def _refused(process: Process, effect: Effect, act: Act) -> str:
    process.refusals += 1
    process.world.say("the API server", f"refuses {effect.ref}")
    raise refusal(effect)


def _refused_from_here_on(process: Process, effect: Effect, act: Act) -> str:
    """An admission webhook or a policy is in force from now on, for all objects of this kind."""
    process.world.say("the API server", f"refuses every {effect.ref.kind} from here on")
    process.world.weather.refused.add(effect.ref.kind)
    return ""


def _locked_out(seconds: float) -> Fault:
    def fault(process: Process, effect: Effect, act: Act) -> str:
        now = process.world.now
        process.world.say(process.name, f"has its login refused for {seconds:.0f} s")
        since = process.locked[0] if now < process.locked[1] + 5 else now  # to the process that is one and the same
        process.locked = (since, now + seconds)
        raise LoginLost("the cluster rejected your login (401)")

    return fault


def _late(process: Process, effect: Effect, act: Act) -> str:
    """The client has given the request up; the request has not."""

    def arrives(world: World) -> None:
        world.say(process.name, "(its write arrives late)")
        with contextlib.suppress(DoccError):
            process.carry_out(effect, act)

    process.world.agenda.append((process.world.now + 9, arrives))
    raise Unreachable("timed out")


def _stopped(seconds: float, *, suspended: bool = False) -> Fault:
    """SIGSTOP, or the lid of a laptop: in the second case its clock has stood still, too."""

    def fault(process: Process, effect: Effect, act: Act) -> str:
        process.world.late.add(process.name)
        process.world.say(process.name, f"{'is suspended' if suspended else 'stands still'} for {seconds:.0f} s")
        process.stage.pause(process, process.world.now + seconds)
        if suspended:
            process.offset -= seconds
        process.world.say(process.name, "goes on")
        return ""

    return fault


def _away(seconds: float) -> Fault:
    def fault(process: Process, effect: Effect, act: Act) -> str:
        process.world.say("the API server", f"is away for {seconds:.0f} s")
        process.world.weather.away = process.world.now + seconds
        return ""

    return fault


def _lost_and_away(seconds: float) -> Fault:
    """The write arrives; then the API server is away, so that nobody can look whether it did."""

    def fault(process: Process, effect: Effect, act: Act) -> str:
        away = process.world.now + 1.5 * LATENCY  # it has arrived by then
        process.world.agenda.append((away, lambda world: _gone(world, seconds)))
        return "lost"

    return fault


def _gone(world: World, seconds: float) -> None:
    world.say("the API server", f"is away for {seconds:.0f} s")
    world.weather.away = world.now + seconds


def _blind(seconds: float, words: str) -> Fault:
    def fault(process: Process, effect: Effect, act: Act) -> str:
        process.world.say(process.name, words)
        process.blind_until = process.world.now + seconds
        process.world.deaf[process.name] = (process.world.now, process.blind_until)
        return ""

    return fault


def _clock(seconds: float) -> Fault:
    def fault(process: Process, effect: Effect, act: Act) -> str:
        process.world.say(process.name, f"has its clock jump by {seconds:+.1f} s")
        process.offset += seconds
        return ""

    return fault


def _signal(name: str) -> Fault:
    def fault(process: Process, effect: Effect, act: Act) -> str:
        process.stage.stop(process, name)
        return ""

    return fault


def _held(seconds: float, what: str = "") -> Fault:
    """The person at the terminal holds it, and lets it go on later; five seconds more Prometheus answers `what`."""

    def fault(process: Process, effect: Effect, act: Act) -> str:
        def free(world: World) -> None:
            if process.stopped == HOLD:
                process.stopped = None
                world.say(process.name, "is let go on")

        process.stage.stop(process, HOLD)
        process.world.agenda.append((process.world.now + seconds, free))
        return _metrics(what, seconds + 5)(process, effect, act) if what else ""

    return fault


def _metrics(what: str, seconds: float) -> Fault:
    def fault(process: Process, effect: Effect, act: Act) -> str:
        now = process.world.now
        process.world.say("Prometheus", f"answers {what} for {seconds:.0f} s")
        process.world.weather.metrics.append((now, now + seconds, what))
        return ""

    return fault


def _pods(which: str, seconds: float) -> Fault:
    """The pods of one revision are not ready for so long."""

    def fault(process: Process, effect: Effect, act: Act) -> str:
        world = process.world
        number = _record(world).get(which)
        if number is not None and (tag := world.tag(f"shop-v{number}")) not in world.weather.down:
            world.say("somebody", f"makes the pods of v{number} unready for {seconds:.0f} s")
            world.weather.down[tag] = (world.now + 0.01, world.now + seconds)
            world.weather_changed()
        return ""

    return fault


def _crashing(process: Process, effect: Effect, act: Act) -> str:
    """A container of one of the candidate's pods ends; the others serve on."""
    world = process.world
    number = _record(world).get("candidate")
    if number is not None and (tag := world.tag(f"shop-v{number}")):
        world.say("somebody", f"has a container of v{number} crash")
        world.weather.crashed[tag] = (world.now + 0.01, "Error")
        world.weather_changed()
    return ""


def _edit(key: tuple[str, str], change: Callable[[Object], None]) -> Fault:
    def fault(process: Process, effect: Effect, act: Act) -> str:
        process.world.edit(key, change)
        process.stage.changed()
        return ""

    return fault


def _filter(body: Object) -> None:
    body["spec"]["rules"][-1].setdefault("filters", []).append({"type": "RequestHeaderModifier"})


def _wiped(body: Object) -> None:
    (body["metadata"].get("annotations") or {}).pop(RECORD, None)


def _newer(body: Object) -> None:
    note = body["metadata"].get("annotations") or {}
    if RECORD in note:
        note[RECORD] = json.dumps({**read(note[RECORD]), "v": 2})


def _scaled_away(process: Process, effect: Effect, act: Act) -> str:
    number = _record(process.world).get("candidate")
    process.world.edit(("Deployment", f"shop-v{number}"), lambda body: body["spec"].update(replicas=0))
    process.stage.changed()
    return ""


def _lease_deleted(process: Process, effect: Effect, act: Act) -> str:
    process.world.objects.pop(("Lease", "docc-shop"), None)
    process.world.say("somebody", "deletes the Lease")
    return ""


def _ending(process: Process, effect: Effect, act: Act) -> str:
    process.world.say("somebody", "deletes the namespace")
    process.world.end_of_namespace()
    return ""


def _record(world: World) -> Object:
    for key in (("HTTPRoute", "shop"), ("Service", "shop")):
        text = (world.objects.get(key, {}).get("metadata", {}).get("annotations") or {}).get(RECORD)
        if text:
            return read(text)
    return {}


def rival(*others: Verb, stopped: float = 0.0, ahead: float = 0.0) -> Fault:
    """Others' commands begin between the look and the write: at once, or one after the other while the process stands still
    until its Lease has run out. ahead: their clocks, in seconds; so much as no answer's Date tells of."""

    def fault(process: Process, effect: Effect, act: Act) -> str:
        for number, verb in enumerate(others):
            other = enter(process.stage, verb.at(routed=process.world.routed), 1 + 40.0 * number if stopped else 0.0)
            other.offset = ahead
        if stopped:
            return _stopped(stopped)(process, effect, act)
        process.stage.pause(process, process.world.now + 0.02)
        return ""

    return fault


def _paused(process: Process, effect: Effect, act: Act) -> str:
    """Somebody pauses the rollout, and lets it go on half a minute later."""
    enter(process.stage, verbs.PAUSE)
    enter(process.stage, verbs.GO_ON, 30)
    process.stage.pause(process, process.world.now + 0.02)
    return ""


def after(what: str) -> Fault:
    return lambda process, effect, act: what


PROCESS: dict[str, Fault] = {
    "crash before": _crash, "crash after": after("crash"), "answer lost": after("lost"), "answer slow": after("slow"),
    "unreachable": _unreachable, "409": _conflict, "written late": _late, "stands still 20 s": _stopped(20),
    "laptop closed 200 s": _stopped(200, suspended=True), "API away 6 s": _away(6), "API away 40 s": _away(40),
    "answer lost, API away 6 s": _lost_and_away(6), "answer lost, API away 40 s": _lost_and_away(40),
    "watches dropped": _blind(25, "hears nothing from its watches for 25 s"),
    "410": _blind(1, "is told by its watches that they are too old (410), and lists anew"),
    "clock +2 s": _clock(2), "clock -2 s": _clock(-2), "clock +90 s": _clock(90),
    "SIGTERM": _signal("SIGTERM"), "SIGINT": _signal("SIGINT"), "busy": busy, "login lost 25 s": _locked_out(25),
    "login lost 200 s": _locked_out(200), "refused once": _refused, "refused from here on": _refused_from_here_on,
}  # fmt: skip
WORLD: dict[str, Fault] = {
    "no data 9 s": _metrics("none", 9), "no data": _metrics("none", 100), "NaN": _metrics("nan", 100),
    "NaN 9 s": _metrics("nan", 9), "Prometheus fails 9 s": _metrics("error", 9), "Prometheus fails": _metrics("error", 100),
    "held 60 s": _held(60), "held 60 s without data": _held(60, "none"), "old samples": _metrics("old", 12),
    "two good series": _metrics("several good", 100), "one of two series bad": _metrics("several bad", 100),
    "candidate's pods fail 6 s": _pods("candidate", 6), "stable's pods fail 6 s": _pods("stable", 6),
    "candidate's container crashes": _crashing,
    "filter added": _edit(("HTTPRoute", "shop"), _filter), "record wiped": _edit(("HTTPRoute", "shop"), _wiped),
    "front's record wiped": _edit(("Service", "shop"), _wiped), "newer docc": _edit(("HTTPRoute", "shop"), _newer),
    "candidate scaled to 0": _scaled_away, "Lease deleted": _lease_deleted, "namespace deleted": _ending,
}  # fmt: skip
RIVALS: dict[str, Fault] = {
    "rollback": rival(verbs.ROLLBACK), "abort": rival(verbs.ABORT), "abort --if-unwatched": rival(verbs.UNWATCHED),
    "gc": rival(verbs.GC), "deploy of another": rival(verbs.deploy(want(9))), "delete": rival(verbs.DELETE),
    "the same deploy": rival(verbs.deploy(want(2))), "deploy of the former": rival(verbs.deploy(want(1))),
    "delete --keep-workload": rival(verbs.KEEP), "rollback --to v1": rival(verbs.back_to(1)), "wait": rival(verbs.WAIT),
    "resume": rival(verbs.RESUME), "history": rival(verbs.HISTORY), "unlock": rival(verbs.UNLOCK),
    "promote": rival(verbs.PROMOTE), "promote --full": rival(verbs.FULL), "pause": _paused,
    "rollback, 1.9 s behind": rival(verbs.ROLLBACK, ahead=-1.9),
    "the same deploy, 1.9 s ahead": rival(verbs.deploy(want(2)), ahead=1.9),
    "abort --if-unwatched, 1.9 s ahead": rival(verbs.UNWATCHED, ahead=1.9), "gc, 1.9 s ahead": rival(verbs.GC, ahead=1.9),
}  # fmt: skip


def _dying(process: Process, effect: Effect, act: Act) -> str:
    """Another's deploy begins while this one stands still, and its driver is killed on its way."""
    enter(process.stage, verbs.deploy(want(9)).at(routed=process.world.routed), 1).faults[("write", 5)] = after("crash")
    return _stopped(30)(process, effect, act)


SLEEPER: dict[str, Fault] = {
    "sleeps through a rollback": rival(verbs.ROLLBACK, stopped=25),
    "sleeps through an abort and a gc": rival(verbs.ABORT, verbs.GC, stopped=60),
    "sleeps through the same deploy": rival(verbs.deploy(want(2)), stopped=30),
    "sleeps through a rollback and the same deploy": rival(verbs.ROLLBACK, verbs.deploy(want(2)), stopped=58),
    "sleeps through a deploy of another": rival(verbs.deploy(want(9)), stopped=30),
    "sleeps through a deploy of another, 1.9 s behind": rival(verbs.deploy(want(9)), stopped=30, ahead=-1.9),
    "sleeps through the same deploy, 1.9 s ahead": rival(verbs.deploy(want(2)), stopped=30, ahead=1.9),
    "sleeps through a deploy that dies": _dying,
    "sleeps through a delete": rival(verbs.DELETE, stopped=30),
    "sleeps through a delete --keep-workload": rival(verbs.KEEP, stopped=30),
    "sleeps through a rollback --to v1": rival(verbs.back_to(1), stopped=30),
}  # fmt: skip
FAULTS = {**PROCESS, **WORLD, **RIVALS, **SLEEPER, **HANDS}
