"""What an exit code promises, held against the raw objects at the instant of the exit; and what is left when all is over."""

from __future__ import annotations

import math

from docc.model.facts import PutBack
from tests.sim.auditor import (
    FRONT,
    LOOK_SECONDS,
    ROUTE,
    Auditor,
    carrier,
    named,
    record_of,
    require,
    selected,
    shared,
    traffic,
    trials,
)
from tests.sim.stage import Process
from tests.sim.verbs import Verb
from tests.sim.world import World

MIDWAY = ("preparing", "shifting", "awaiting", "baking", "stuck")
REVISIONS_KEPT = 10
LEASE = ("Lease", "docc-shop")
LOGIN_SECONDS = 60
REFUSALS_MAX = 3
REQUESTS_MAX = 20
"""Of one process in one second, whatever it waits for or is refused."""


def ended(world: World, audit: Auditor, process: Process, before: dict[str, int]) -> None:
    """process has just ended by itself; before: who got traffic when it began."""
    verb, outcome = process.run, process.outcome
    assert isinstance(verb, Verb) and outcome is not None
    code, moved, disputed = int(outcome.exit_code), process.name in audit.moved, outcome.result == "disputed"
    told = f"{process.name} ends with {code} ({outcome.result} {outcome.reason})"
    require(code != 1, f"{told}: a bug")
    most = REQUESTS_MAX * (2 if verb.name == "delete" else 1)  # each revision takes two
    require(process.busiest <= most, f"{told}, and has asked {process.busiest} times in one second")
    if 2 <= code <= 7:
        record = record_of(
            world
        )  # of a rollback: another's, typed later, that it may have finished itself, but not made
        led_elsewhere = verb.name == "rollback" and f"v{record.get('stable')} serves, by a later decision" in told
        led_elsewhere = led_elsewhere and audit.last[1] != process.name
        taken_over = led_elsewhere or _driven_by_others(world, process.me) or record.get("by") != process.me
        overruled = outcome.result == "superseded" and taken_over
        require(not moved or (code == 7 and overruled), f"{told}, and has touched production traffic")
    _refused(process, code, told)
    if world.now < process.locked[1] and not disputed:
        _locked_out(process, code, told, before, now=shared(traffic(world)))
    if (at := audit.overwritten.get(process.name)) is not None:
        said = [what for _, who, what in world.trace if who == process.name and isinstance(what, PutBack)]
        require(bool(said), f"{told}, and has written over somebody's weights in silence at {at:.2f}")
    at, by = audit.last
    late = process.name in world.late
    unseen = world.now - audit.laid < LOOK_SECONDS or (by != process.name and world.now - at < LOOK_SECONDS)
    if process.blind or late or world.weather.ending or unseen:
        return  # what it says, it says of what it could see
    record, now = record_of(world), shared(traffic(world))
    if code == 0:
        _done(world, verb, outcome.result, told, process.me)
    if code in (0, 10) or disputed:
        front, stable = selected(world.objects.get(FRONT)), f"shop-v{record.get('stable')}"
        lost = front != stable and front is not None and world.ready(front) == 0 and world.ready(stable) > 0
        lost = lost and not _driven_by_others(world, process.me)
        # What others have done stands above the one; who only waits, or is overruled, sets nothing right.
        idle = (verb.name, outcome.result) == ("abort", "unchanged") or verb.name == "wait"
        lost = lost and not idle and outcome.result != "superseded"
        require(not lost or world.now - audit.laid < LOOK_SECONDS, f"{told}: the front Service leads to {front}")
    if code == 10:
        allowed = [shared(before), {f"shop-v{audit.stable}": 100}]
        moved_by_others = verb.name == "wait" and audit.meddled
        require(now in allowed or not now or moved_by_others, f"{told}: users are at {now}, and were at {before}")
        require(not trials(world.objects.get(ROUTE)), f"{told}: header users are elsewhere")
    theirs = audit.theirs is not None or audit.front_by == "somebody" or ROUTE not in world.objects
    require(not disputed or (audit.meddled and theirs), f"{told}, and nobody's hand is in it")
    if code == 11 and verb.name != "delete" and not disputed:
        clean = record.get("phase") in ("succeeded", "reverted", "parked") and len(now) == 1
        require(not clean or now == shared(before), f"{told}, and all is clean: {now}")
    if code in (130, 143):
        require(f"shop-v{record.get('candidate')}" not in now or record.get("by") != process.me, f"{told} at {now}")


def _driven_by_others(world: World, me: str) -> bool:
    """Somebody else has the Lease, and sees to what is left."""
    return world.objects.get(LEASE, {}).get("spec", {}).get("holderIdentity") not in (None, "", me)


def _locked_out(process: Process, code: int, told: str, before: dict[str, int], *, now: dict[str, int]) -> None:
    """A driver waits a minute for its login, and calls users safe only if they are where they were."""
    record = record_of(process.world)
    finished = record.get("by") == process.me and record.get("phase") in ("succeeded", "reverted")
    driven = code in (10, 11) and process.verb in ("deploy", "resume")
    if not driven or finished or "stopped by" in told or "superseded" in told:  # that it has read before it was refused
        return
    waited = process.world.now - process.locked[0] + max(0.0, process.offset)  # its clock may have jumped
    require(waited >= LOGIN_SECONDS, f"{told}, {waited:.0f} s after its login was refused")
    require(code == 11 or len(now) == 1, f"{told}: users are at {now}, and were at {before}")


def _refused(process: Process, code: int, told: str) -> None:
    """What the API server refuses is not sent again and again; a driver takes traffic back, and reports no failure to do so
    before that was refused, too."""
    times, phase, world = process.refusals, record_of(process.world).get("phase"), process.world
    require(times <= REFUSALS_MAX, f"{told} after {times} refusals")
    blamed = (
        process.verb in ("deploy", "resume")
        and code == 11
        and world.ready(f"shop-v{record_of(world).get('stable')}") > 0  # else there is nowhere to take it
        and "stopped by" not in told
        and process.outcome is not None
        and process.outcome.result != "disputed"  # others' hands, after it had taken the traffic back
        and "refuses the object" in str(process.outcome)
    )
    require(not blamed or times > 1 or phase == "promoting", f"{told} after {times} refusal, in phase {phase}")


def _done(world: World, verb: Verb, result: str, told: str, me: str) -> None:
    record, now = record_of(world), shared(traffic(world))
    if (
        verb.name in ("deploy", "resume")
        and result in ("promoted", "unchanged", "updated", "returned")
        and verb.want is not None
    ):
        name = f"shop-v{record.get('stable')}"
        require(world.tag(name) == verb.want.tag, f"{told}: {name} is image {world.tag(name)}")
        rests = record["phase"] in ("succeeded", "reverted", "parked")
        another_s = record["phase"] == "reverting" and record.get("by") != me  # who gives up what was under way
        require(now == {name: 100} and (rests or another_s), f"{told} at {now}")
    if result in ("ready", "paused"):  # it is left unwatched, and only who is on trial may meet it
        require(now == {f"shop-v{record.get('stable')}": 100}, f"{told} at {now}")
        require(result != "ready" or not trials(world.objects.get(ROUTE)), f"{told}, and users are on trial")
    if verb.name in ("rollback", "abort") and result == "returned" and record.get("by") == me:
        stable = record.get("stable")
        require(now == ({f"shop-v{stable}": 100} if stable else {}), f"{told} at {now}")
        require(verb.to in (None, record.get("stable")), f"{told}: v{record.get('stable')} serves")
    if _driven_by_others(world, me):  # somebody has begun anew meanwhile
        return
    if result == "deleted":
        left = [key for key in world.objects if key[0] in ("HTTPRoute", "Deployment", "Service", "ConfigMap", "Lease")]
        require(left == [("Service", "other")], f"{told}, and there are {left}")
    if result == "forgotten":
        require(not record and ("ConfigMap", "docc-shop") not in world.objects, f"{told}: {record}")


def way_back(world: World) -> int | None:
    """Where a rollback leads that is typed now."""
    record = record_of(world)
    found: int | None = record.get(
        "previous" if record.get("phase") in ("succeeded", "reverted", "promoting") else "stable"
    )
    return found


def back_as_typed(world: World, process: Process, expected: int | None) -> None:
    """Of two who type it at once, the second does not undo what the first has done."""
    verb, outcome, record = process.run, process.outcome, record_of(world)
    assert isinstance(verb, Verb) and outcome is not None
    mine = record.get("by") == process.me and process.name in record.get("reason", "")
    concluded = mine or outcome.result == "unchanged"
    if verb.name == "rollback" and int(outcome.exit_code) == 0 and concluded and not verb.to and not process.blind:
        stable = record.get("stable")
        require(stable == expected, f"{process.name} was to lead to v{expected}, and v{stable} serves")


def promptly(world: World, audit: Auditor, verb: Verb) -> None:
    """Undisturbed: a candidate's breach ends within poll + scrape, the death of all its pods, or of one container, at once."""
    tag = verb.want.tag if verb.want else 0
    name = next((name for kind, name in world.objects if kind == "Deployment" and world.tag(name) == tag), "")
    dead, _ = world.weather.down.get(tag, (math.inf, 0.0))
    crashed, _ = world.weather.crashed.get(tag, (math.inf, ""))
    if crashed < audit.rose.get(name, math.inf):
        crashed = math.inf  # nobody had met it then
    for at, seconds in ((world.weather.failing.get(tag, math.inf), 5.0), (dead, 0.5), (crashed, 0.5)):
        late = audit.fell.get(name, 0.0) - at
        returnable = audit.stable is not None and world.ready(f"shop-v{audit.stable}") > 0
        require(not returnable or late <= seconds, f"{name} had traffic for {late:.1f} s after it went bad")


def at_rest(world: World, audit: Auditor, excused: set[str]) -> None:
    """When everybody has gone, the time to stay warm is over, and gc has run."""
    record, weights = record_of(world), traffic(world)
    if not record:
        return
    stable = record.get("stable")
    if record["phase"] == "stuck" and stable is None:  # dead is what alone could serve, and its record was lost
        return
    require(record["phase"] in ("succeeded", "reverted", "parked"), f"at rest in phase {record['phase']}")
    if stable is not None:
        name = f"shop-v{stable}"
        require(shared(weights) == {name: 100}, f"record says v{stable}, the route says {weights}")
        front = selected(world.objects.get(FRONT))
        # Only a manifest tells the ports of one that is not there: who was refused it deploys again, and gc makes none.
        unmade = FRONT not in world.objects and bool(excused - {"somebody"})
        require(front == name or unmade, f"the front selects {front}, stable is v{stable}")
        # A sleeper's creation of the route cannot be fenced: it may come after `docc delete`.
        deleted = ("Deployment", name) not in world.objects
        down = world.weather.down.get(world.tag(name)) is not None
        require(world.ready(name) > 0 or down or deleted, "stable serves nobody")
    serving = f"shop-v{stable}"
    if stable is None:  # of a route that somebody has deleted nothing is known; the front's clients keep their version
        serving = selected(world.objects.get(FRONT)) or ""
    require(named(world) <= {serving}, f"{named(world)} are named, v{stable} is stable")
    kept = 0
    for (kind, name), body in world.objects.items():
        if kind == "Deployment" and name != serving:
            require(body["spec"]["replicas"] == 0, f"{name} is orphaned")
            kept += 1
        if kind == "Service" and name not in (serving, "shop", "other"):
            require(False, f"Service {name} is orphaned")
    require(kept <= REVISIONS_KEPT + 2, f"{kept} revisions are kept")
    missing = audit.ledger.missing(excused)
    require(not missing, f"the history lacks {missing}")
    require(carrier(world) is not None, "nothing carries the record")
