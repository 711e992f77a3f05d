"""Where a play begins, and what is typed there: worlds that earlier commands have led to, each built once and forked."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.sim import verbs
from tests.sim.auditor import ROUTE, Auditor, record_of
from tests.sim.faults import PROCESS
from tests.sim.stage import Fault, Stage
from tests.sim.verbs import BRIEF, CALM, STICKY, STRATEGY, TRIAL, Verb, anew, deploy, enter, want
from tests.sim.world import FOREVER, Object, World

PLAIN = {key: value for key, value in STRATEGY.items() if key != "canary"}


def typed(world: World, verb: Verb, faults: dict[tuple[str, int], Fault] | None = None) -> int:
    """One command, alone; its exit code, -1 if it was killed."""
    stage = Stage(world)
    process = enter(stage, verb)
    process.faults = dict(faults or {})
    stage.play()
    world.now += 1
    return -1 if process.outcome is None else int(process.outcome.exit_code)


@functools.cache
def empty() -> World:
    world = World(Auditor())
    world.actor = "somebody"
    world.objects["Service", "other"] = {"metadata": {"name": "other", "uid": "foreign"}, "spec": {"selector": {}}}
    return world


@functools.cache
def gatewayless() -> World:
    world = empty().fork()
    world.routed = False
    return world


@functools.cache
def serving() -> World:
    """v1 serves; somebody has put a filter and an annotation on the route."""
    world = empty().fork()
    assert typed(world, deploy(want(1))) == 0

    def touched(body: Object) -> None:
        body["spec"]["rules"][-1]["filters"] = [{"type": "ResponseHeaderModifier"}]
        body["metadata"]["annotations"]["example.com/owner"] = "platform"

    world.edit(ROUTE, touched)
    return _later(world, 60)


@functools.cache
def warm() -> World:
    """v2 serves, v1 is warm."""
    world = serving().fork()
    assert typed(world, deploy(want(2))) == 0
    return world


@functools.cache
def overdue() -> World:
    return _later(warm().fork(), 90)


@functools.cache
def cold() -> World:
    """v2 serves, v1 has no pods any more."""
    world = overdue().fork()
    assert typed(world, verbs.GC) == 0
    return world


@functools.cache
def reverted() -> World:
    world = serving().fork()
    world.weather.failing[2] = world.now + 15
    assert typed(world, deploy(want(2))) == 10
    world.weather.failing.clear()
    return _later(world, 30)


def _midway(world: World, fault: str, at: int, tag: int) -> World:
    typed(world, deploy(want(tag)), {("write", at): PROCESS[fault]})
    return _later(world, 20)


@functools.cache
def lost() -> World:
    """v2 has 50 %, and its driver is gone."""
    return _midway(serving().fork(), "crash after", 5, 2)


@functools.cache
def left() -> World:
    """v2 is on trial, and its driver has left it so, as it was told to."""
    world = serving().fork()
    assert typed(world, replace(deploy(want(2, TRIAL)), until="paused")) == 0
    return _later(world, 30)


def unrouted(before: Callable[[], World]) -> Callable[[], World]:
    """And then somebody deletes the route, record and all."""

    def setting() -> World:
        world = before().fork()
        world.actor = "somebody"
        world.remove(ROUTE)
        return _later(world, 60)

    return setting


def unrecorded(before: Callable[[], World], weights: bool = True) -> Callable[[], World]:
    """And then somebody removes docc's record from the route; weights: and leaves the rest as it is."""

    def wipe(body: Object) -> None:
        body["metadata"]["annotations"].pop("docc.dev/rollout", None)
        for rule in body["spec"]["rules"] if not weights else ():
            rule["backendRefs"] = []

    def setting() -> World:
        world = before().fork()
        world.edit(ROUTE, wipe)
        return _later(world, 60)

    return setting


@functools.cache
def late() -> World:
    """The same, and the time that people had is over."""
    world = serving().fork()
    assert typed(world, replace(deploy(want(2, BRIEF)), until="paused")) == 0
    return _later(world, 30)


@functools.cache
def up() -> World:
    """v2 is up and has no traffic; its driver has left it so, as it was told to."""
    world = serving().fork()
    assert typed(world, replace(deploy(want(2)), until="ready")) == 0
    return _later(world, 30)


@functools.cache
def lost_third() -> World:
    """v2 serves, v1 is cold, v3 has 50 %, and its driver is gone."""
    return _midway(cold().fork(), "crash after", 5, 3)


@functools.cache
def parked() -> World:
    return _midway(serving().fork(), "SIGTERM", 5, 2)


@functools.cache
def parked_third() -> World:
    """v2 serves, v1 is warm, v3 was stopped on its way."""
    return _midway(warm().fork(), "SIGTERM", 5, 3)


@functools.cache
def unnoted() -> World:
    """v2 serves, and its driver died before it could note so."""
    return _midway(serving().fork(), "crash before", 12, 2)


@functools.cache
def many() -> World:
    """Twelve revisions, the last serves."""
    world = empty().fork()
    for tag in range(1, 13):
        assert typed(world, deploy(want(tag, {**CALM, "keep_warm": 0}))) == 0
    return world


@functools.cache
def storied() -> World:
    """v1 serves, and the history is full."""
    world = serving().fork()
    key = ("ConfigMap", "docc-shop")
    entry = world.objects[key]["data"]["1"]
    old = {
        str(n): json.dumps({**json.loads(entry), "ended": f"2020-01-01T00:00:{n % 60:02}.{n:03}Z"})
        for n in range(1, 100)
    }
    world.objects[key] = {**world.objects[key], "data": {**old, "100": entry}}
    return world


@functools.cache
def plain() -> World:
    """An application without a route; v1 serves."""
    world = gatewayless().fork()
    assert typed(world, deploy(want(1, PLAIN, routed=False))) == 0
    return _later(world, 60)


@functools.cache
def plain_warm() -> World:
    world = plain().fork()
    assert typed(world, deploy(want(2, PLAIN, routed=False))) == 0
    return world


@functools.cache
def plain_cold() -> World:
    world = _later(plain_warm().fork(), 90)
    assert typed(world, verbs.GC) == 0
    return world


def _later(world: World, seconds: float) -> World:
    world.now += seconds
    world.trace.clear()
    return world


@dataclass(frozen=True)
class Scene:
    """setting: where it begins. verb: what is typed. codes: what it may end with, undisturbed. weather: what happens by
    itself. stopped: after how many seconds the process gets SIGTERM."""

    name: str
    setting: Callable[[], World]
    verb: Verb
    code: int = 0
    weather: Callable[[World], None] = field(default=lambda world: None)
    stopped: float | None = None

    def world(self) -> World:
        world = self.setting().fork()
        self.weather(world)
        return world


def _fails(tag: int, after: float) -> Callable[[World], None]:
    return lambda world: world.weather.failing.update({tag: world.now + after})


def _dies(tag: int, at: int) -> Callable[[World], None]:
    return lambda world: world.weather.dies_at.update({tag: at})


def _crashes(tag: int, after: float, how: str) -> Callable[[World], None]:
    return lambda world: world.weather.crashed.update({tag: (world.now + after, how)})


def _slow(tag: int, seconds: float) -> Callable[[World], None]:
    return lambda world: world.weather.ready_after.update({tag: seconds})


def _silent(tag: int) -> Callable[[World], None]:
    return lambda world: world.weather.silent.add(tag)


def _dead(tag: int, after: float) -> Callable[[World], None]:
    return lambda world: world.weather.down.update({tag: (world.now + after, FOREVER)})


def _blinks(tag: int, after: float) -> Callable[[World], None]:
    """As when its only pod is replaced."""
    return lambda world: world.weather.down.update({tag: (world.now + after, world.now + after + 3)})


def _told(what: str, since: float, until: float) -> Callable[[World], None]:
    """Prometheus answers so, whatever it is asked."""
    return lambda world: world.weather.metrics.append((world.now + since, world.now + until, what))


def _approved(seconds: float) -> Callable[[World], None]:
    """`docc promote`: a request in the record, which the driver obeys."""

    def approve(world: World) -> None:
        record = record_of(world)
        if world.now < limit:  # not there yet, or once more for who has typed it again
            world.agenda.append((world.now + 5, approve))
        if record.get("phase") == "awaiting" and not record.get("request"):
            text = json.dumps({**record, "request": "promote"}, separators=(",", ":"))
            world.edit(ROUTE, lambda body: body["metadata"]["annotations"].update({"docc.dev/rollout": text}))

    limit = FOREVER

    def weather(world: World) -> None:
        nonlocal limit
        limit = world.now + 600
        world.agenda.append((world.now + seconds, approve))

    return weather


def _both(*several: Callable[[World], None]) -> Callable[[World], None]:
    def weather(world: World) -> None:
        for each in several:
            each(world)

    return weather


_V2 = deploy(want(2))
SCENES: dict[str, Scene] = {
    scene.name: scene
    for scene in (
        Scene("mesh: first deploy", empty, deploy(want(1, mesh=True))),
        Scene("first deploy", empty, deploy(want(1))),
        Scene("good canary", serving, _V2),
        Scene("good canary --force-conflicts", serving, verbs.forced(_V2)),
        Scene("bad canary", serving, _V2, 10, _fails(2, 15)),
        Scene("canary without data", serving, _V2, 10, _silent(2)),
        Scene("never ready", serving, _V2, 10, _slow(2, 1e6)),
        Scene("slow pods", serving, _V2, 0, _slow(2, 20)),
        Scene("pods die at 50 %", serving, _V2, 10, _dies(2, 50)),
        Scene("SIGTERM at 50 %", serving, _V2, 143, stopped=14),
        Scene("SIGTERM of a trial", serving, deploy(want(2, TRIAL)), 143, _fails(2, 30), stopped=20),
        Scene("a container is OOM-killed", serving, _V2, 10, _crashes(2, 15, "OOMKilled")),
        Scene("a container crashes before it has traffic", serving, _V2, 0, _crashes(2, 5, "Error")),
        Scene("a condition fails already, and clears", serving, _V2, 0, _told("bad", -60, 9)),
        Scene("a condition fails already, and stays", serving, _V2, 5, _told("bad", -60, FOREVER)),
        Scene("a condition fails already, and is ignored", serving, verbs.ignoring(_V2), 0, _told("bad", -60, FOREVER)),
        Scene("a condition cannot be judged at first", serving, _V2, 0, _told("error", 1, 20)),
        Scene("a condition cannot be judged", serving, _V2, 5, _told("error", 1, FOREVER)),
        Scene("stable dies and then the candidate", serving, _V2, 11, _both(_dead(1, 14), _dead(2, 15))),
        Scene("stable is down", serving, _V2, 0, _dead(1, -1)),
        Scene("stable blinks at 25 %", serving, _V2, 0, _blinks(1, 12)),
        Scene("stable blinks as the candidate gets ready", serving, _V2, 0, _blinks(1, 5)),
        Scene("stable dies at 25 %", serving, _V2, 0, _dead(1, 12)),
        Scene("stable dies at 25 %, and the candidate fails", serving, _V2, 11, _both(_dead(1, 12), _fails(2, 20))),
        Scene("no strategy", serving, deploy(want(2, CALM))),
        Scene("nothing kept warm", serving, deploy(want(2, {**STRATEGY, "keep_warm": 0}))),
        Scene("approved trial", serving, deploy(want(2, TRIAL)), 0, _approved(30)),
        Scene("approved trial of sticky users", serving, deploy(want(2, STICKY)), 0, _approved(30)),
        Scene("promote what was left waiting", left, verbs.PROMOTE),
        Scene("promote --full what nobody drives", lost, verbs.FULL),
        Scene("abort what was left waiting", left, verbs.ABORT),
        Scene("the same deploy of what was left waiting", left, deploy(want(2, TRIAL)), 0, _approved(20)),
        Scene("bad trial", serving, deploy(want(2, TRIAL)), 10, _fails(2, 30)),
        Scene("pods die while on trial", serving, deploy(want(2, TRIAL)), 10, _dead(2, 30)),
        Scene("stable blinks while on trial", serving, deploy(want(2, TRIAL)), 0, _both(_blinks(1, 20), _approved(40))),
        Scene("stable is down before a trial", serving, deploy(want(2, TRIAL)), 0, _both(_dead(1, -1), _approved(40))),
        Scene("nobody approves it in time", serving, deploy(want(2, BRIEF)), 10),
        Scene("abort --if-unwatched what was left waiting", left, verbs.UNWATCHED, weather=_approved(60)),
        Scene("abort --if-unwatched what nobody approved in time", late, verbs.UNWATCHED),
        Scene("resume what nobody approved in time", late, verbs.RESUME, 10),
        Scene("up, and left so", serving, replace(_V2, until="ready")),
        Scene("abort --if-unwatched what was left when it was up", up, verbs.UNWATCHED),
        Scene("resume what was left when it was up", up, verbs.RESUME),
        Scene("retry", reverted, _V2),
        Scene("supersede", lost, deploy(want(3))),
        Scene("fast return", lost, deploy(want(1))),
        Scene("go on", lost, _V2),
        Scene(
            "go on with another strategy",
            lost,
            deploy(want(2, {**STRATEGY, "canary": {"increment": 40, "interval": 6}})),
        ),
        Scene("go on with more pods", lost, deploy(want(2, scale=5))),
        Scene("resume", lost, verbs.RESUME),
        Scene("resume --force-conflicts", lost, verbs.forced(verbs.RESUME)),
        Scene("resume what is parked", parked, verbs.RESUME),
        Scene("abort", lost, verbs.ABORT),
        Scene("abort --if-unwatched", lost, verbs.UNWATCHED),
        Scene("abort what is parked", parked_third, verbs.ABORT),
        Scene("rollback out of a rollout", lost, verbs.ROLLBACK),
        Scene("rollback of what is parked", parked_third, verbs.ROLLBACK),
        Scene("warm rollback", warm, verbs.ROLLBACK),
        Scene("warm rollback of what nobody noted", unnoted, verbs.ROLLBACK),
        Scene("cold rollback", cold, verbs.ROLLBACK),
        Scene("cold rollback out of a rollout", lost_third, verbs.back_to(1)),
        Scene("cold rollback that is never ready", cold, verbs.ROLLBACK, 10, _slow(1, 1e6)),
        Scene("route gone: deploy", unrouted(serving), _V2),
        Scene("route gone: bad deploy", unrouted(serving), _V2, 10, _fails(2, 15)),
        Scene("route gone: deploy of what serves", unrouted(warm), _V2),
        Scene("route gone at 50 %: the same deploy", unrouted(lost), _V2),
        Scene("backends gone: deploy", unrecorded(serving, weights=False), _V2),
        Scene("record gone: deploy", unrecorded(warm), deploy(want(3))),
        Scene("record gone at 50 %: deploy", unrecorded(lost), _V2, 7),
        Scene("record of a trial gone: the same deploy", unrecorded(left), deploy(want(2, TRIAL)), 0, _approved(20)),
        Scene("record of a trial gone: deploy", unrecorded(left), deploy(want(3))),
        Scene("deploy --force-new", serving, anew(deploy(want(1)))),
        Scene("bad deploy --force-new", serving, anew(deploy(want(1))), 10, _fails(1, 15)),
        Scene("gc", overdue, verbs.GC),
        Scene("gc of what is parked", parked_third, verbs.GC),
        Scene("gc in mid-rollout", lost, verbs.GC),
        Scene("gc beyond ten revisions", many, verbs.GC),
        Scene("mesh: good canary", serving, deploy(want(2, mesh=True))),
        Scene("mesh: bad canary", serving, deploy(want(2, mesh=True)), 10, _fails(2, 15)),
        Scene("mesh: in place", serving, deploy(want(1, mesh=True))),
        Scene("scale in place", serving, deploy(want(1, scale=5))),
        Scene("nothing to do", warm, _V2),
        Scene("deploy with a full history", storied, _V2),
        Scene("deploy on what is overdue", overdue, deploy(want(3))),
        Scene("delete", warm, verbs.DELETE),
        Scene("delete in mid-rollout", lost, verbs.DELETE),
        Scene("delete --keep-workload", warm, verbs.KEEP),
        Scene("wait for what nobody drives", lost, verbs.WAIT, 8),
        Scene("without a route: first", gatewayless, deploy(want(1, PLAIN, routed=False))),
        Scene("without a route: deploy", plain, deploy(want(2, PLAIN, routed=False))),
        Scene("without a route: bad", plain, deploy(want(2, PLAIN, routed=False)), 10, _fails(2, 9)),
        Scene("without a route: never ready", plain, deploy(want(2, PLAIN, routed=False)), 10, _slow(2, 1e6)),
        Scene("without a route: warm rollback", plain_warm, verbs.ROLLBACK),
        Scene("without a route: cold rollback", plain_cold, verbs.ROLLBACK),
        Scene("without a route: delete", plain_warm, verbs.DELETE),
    )
}
