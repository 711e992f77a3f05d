"""`docc status`: one look at an application, folded into words or a document. Pure; time is an argument."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docc.engine.lease import DURATION_SECONDS, age_of, holder_of, shown
from docc.model.moves import Object
from docc.model.record import Phase, Record
from docc.model.world import Seen
from docc.ui.console import neutral
from docc.ui.plan import duration
from docc.ui.words import clock

_PHASES = {
    Phase.PREPARING: "preparing: the new version comes up, without traffic",
    Phase.SHIFTING: "rolling out",
    Phase.AWAITING: "waiting for approval",
    Phase.BAKING: "baking: all traffic is on the new version, the former one stands by",
    Phase.PROMOTING: "promoted: the former version drains",
    Phase.SUCCEEDED: "at rest",
    Phase.REVERTING: "taken back: all traffic is on the former version, the new one drains",
    Phase.REVERTED: "at rest, after a rollout that was taken back",
    Phase.PARKED: "parked: the driver was stopped, all traffic is on the stable version",
    Phase.STUCK: "STUCK: it must be taken back, and stable has no ready pod",
}


def lines(app: str, namespace: str, seen: Seen, lease: Object | None, now: float) -> Iterator[str]:
    """The text, 80 columns as a rule."""
    record = seen.record
    if record is None:
        return
    yield f"{app} in {namespace}: {_PHASES[record.phase]}, for {duration(max(0.0, now - record.since))}"
    if record.reason:
        yield neutral(f"  reason   {record.reason}")
    for number, weight in sorted(seen.routed.weights.items(), reverse=True):
        revision = seen.revision(number)
        role = _role(record, number, now)
        yield f"  v{number:<7} {weight:>3} %   {revision.ready}/{revision.replicas} pods ready{f'   {role}' if role else ''}"
        if revision.trouble is not None and revision.replicas:
            yield neutral(f"           {revision.trouble.why}")
    if seen.routed.accepted is False:
        yield neutral(f"  route    refused: {seen.routed.refusal}")
    yield f"  driver   {_driver(record, lease, now)}"
    yield f"  next     {_advice(app, namespace, record, lease, now)}"


def document(app: str, namespace: str, seen: Seen, lease: Object | None, now: float) -> dict[str, Any]:
    record = seen.record
    revisions = {
        f"v{number}": {
            "weight": seen.routed.weights.get(number, 0), "replicas": revision.replicas, "ready": revision.ready,
            "trouble": revision.trouble.why if revision.trouble else None,
        }
        for number, revision in seen.revisions.items()
    }  # fmt: skip
    return {
        "app": app,
        "namespace": namespace,
        "phase": record.phase.value if record else None,
        "since": record.since if record else None,
        "stable": _name(record.stable) if record else None,
        "candidate": _name(record.candidate) if record else None,
        "previous": _name(record.previous) if record else None,
        "weight": record.weight if record else None,
        "reason": record.reason if record else None,
        "cool_after": record.cool_after if record else None,
        "revisions": revisions,
        "accepted": seen.routed.accepted,
        "driver": {"holder": shown(holder_of(lease)), "age": age_of(lease, now)}
        if _alive(lease, now) and lease
        else None,
        "watched": _alive(lease, now) or record is None or record.phase.at_rest,
    }


def _name(revision: int | None) -> str | None:
    return None if revision is None else f"v{revision}"


def _role(record: Record, number: int, now: float) -> str:
    if number == record.stable:
        return "stable"
    if number == record.previous:
        overdue = record.cool_after is not None and now > record.cool_after
        until = f" until {clock(record.cool_after)}" if record.cool_after and not overdue else ""
        return "warm, cooling is overdue" if overdue else f"warm{until}"
    return "candidate" if number == record.candidate else ""


def _alive(lease: Object | None, now: float) -> bool:
    if lease is None or not holder_of(lease):
        return False
    age = age_of(lease, now)
    return age is not None and age < DURATION_SECONDS


def _driver(record: Record, lease: Object | None, now: float) -> str:
    if _alive(lease, now) and lease is not None:
        return f"{shown(holder_of(lease))}, heartbeat {max(0.0, age_of(lease, now) or 0.0):.0f} s ago"
    if record.phase.at_rest:
        return "none, and none is needed"
    return f"lost: nobody watches ({shown(record.by)} is gone)"


def _advice(app: str, namespace: str, record: Record, lease: Object | None, now: float) -> str:
    if not record.phase.at_rest and not _alive(lease, now):
        return f"the same docc deploy goes on; docc rollback {app} -n {namespace} takes it back"
    if not record.phase.at_rest or (record.previous is not None and record.phase is Phase.SUCCEEDED):
        return f"docc rollback {app} -n {namespace} goes back"
    return "docc deploy"
