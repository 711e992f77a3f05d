"""What `docc status` says, held against the raw objects at every end of a process, and when it was killed. What is true is read
here by code that shares nothing with docc."""

from __future__ import annotations

from typing import Any

from docc.core.observation import see
from docc.model.world import Seen
from docc.ui.status import document, lines
from docc.ui.unrecorded import unrecorded
from tests.sim.auditor import (
    FRONT,
    ROUTE,
    consistent,
    instant,
    percents,
    positive,
    record_of,
    require,
    selected,
    traffic,
)
from tests.sim.world import World

RESTS = ("succeeded", "reverted", "parked")
HEARD_SECONDS, GONE_SECONDS = 15.0, 21.0
"""So long a Lease speaks for its holder; and so long nobody can have been heard of who is gone, whatever his clock says."""
NAMED = ("stable", "candidate", "previous")


def truly(world: World, *, alone: bool) -> None:
    """Now; and, if nobody is there any more, when that can be known."""
    _at(world, world.now, watched=_watched(world))
    if alone:
        _at(world, world.now + GONE_SECONDS, watched=record_of(world).get("phase") in RESTS)


def _at(world: World, now: float, *, watched: bool) -> None:
    seen, lease = see("shop", world.snapshot()), world.objects.get(("Lease", "docc-shop"))
    told, record = document("shop", "web", seen, lease, now), record_of(world)
    if not record:
        require(not told, f"status tells of {told.get('phase')}, and there is no record")
        _unrecorded(world, seen)
        return
    require(told.get("phase") == record["phase"], f"status says {told.get('phase')}, it is {record['phase']}")
    for name in NAMED:
        number = record.get(name)
        require(
            told[name] == (f"v{number}" if number is not None else None), f"status says that {name} is {told[name]}"
        )
    served = {f"shop-{name}": each["weight"] for name, each in told["revisions"].items() if each["weight"]}
    live = {name: share for name, share in percents(positive(traffic(world))).items() if name[6:].isdigit()}
    require(served == live, f"status says that {served} serve, and {live} do")
    for name, each in told["revisions"].items():
        body = world.objects.get(("Deployment", f"shop-{name}"))
        pods = body["spec"]["replicas"] if body else 0
        require(each["replicas"] == pods, f"status says that {name} has {each['replicas']} pods, it has {pods}")
    require(told["watched"] == watched, f"status says watched: {told['watched']}, it is {watched}")
    silent = not any("nobody watches" in row for row in lines("shop", "web", seen, lease, now))
    require(silent == watched, f"watched: {watched}, and nobody would {'notice' if silent else 'believe it'}")
    differs = not consistent(record, traffic(world))
    require(bool(told["others"]) or not differs, "status does not say that somebody has changed the weights")
    calm = record["phase"] in RESTS and selected(world.objects.get(FRONT)) == f"shop-v{record.get('stable')}"
    require(not told["others"] or differs or not calm, f"status blames somebody: {told['others']}")
    _advised(told, record)


def _unrecorded(world: World, seen: Seen) -> None:
    """Users who are served without a record are not denied: who serves them is named, and how many pods."""
    if seen.routed.unreadable:
        return
    said, front = unrecorded("shop", seen), selected(world.objects.get(FRONT))
    serving = positive(traffic(world)).keys() | ({front} if front else set())
    for name in (name for name in serving if name.removeprefix("shop-v").isdigit()):
        require(name.removeprefix("shop-") in said, f"status denies that {name} serves: {said!r}")
    for (kind, name), body in world.objects.items():
        if kind == "Deployment" and (pods := body["spec"]["replicas"]):
            there = f"{name.removeprefix('shop-')} has {world.ready(name)} of {pods} pod"
            require(there in said or "shop-v" not in name, f"status does not say that {there}: {said!r}")
    left = any(key in world.objects for key in (ROUTE, FRONT)) or any(kind == "Deployment" for kind, _ in world.objects)
    require(left or not said, f"nothing is left, and status says {said!r}")


def _advised(told: dict[str, Any], record: dict[str, Any]) -> None:
    """Who finds a rollout that nobody watches is told what to type."""
    lost = not told["watched"] and record.get("stable") is not None
    require(not lost or bool(told["next"]), "nobody watches, and status does not say what to do")


def _watched(world: World) -> bool:
    if record_of(world).get("phase") in RESTS:
        return True
    spec = world.objects.get(("Lease", "docc-shop"), {}).get("spec") or {}
    return bool(spec.get("holderIdentity")) and world.now - instant(spec["renewTime"]) < HEARD_SECONDS
