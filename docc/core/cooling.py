"""What is taken down when nobody needs it any more, by whoever has finished own work on an application at rest: the former
version when its time is over, what a parked rollout left, and revisions older than those that are kept.

A revision leaves the route first, by a fenced write; then core/pods.let_go takes its Service and pods.
"""

from __future__ import annotations

from dataclasses import replace

from docc.core.names import deployment_name
from docc.core.view import View
from docc.core.writes import write
from docc.model.facts import Cooled, Deleted
from docc.model.moves import Delete, Move, Ref
from docc.model.record import Phase, Record
from docc.model.world import Seen

REVISIONS_KEPT = 10


def warm(seen: Seen) -> int | None:
    """The previous revision, if it can take all traffic at once: routed to (with 0), with as many pods as will be needed."""
    record = seen.record
    if record is None or record.previous is None:
        return None
    previous, stable = seen.revision(record.previous), seen.revision(record.stable)
    named = record.previous in seen.routed.weights
    if seen.routed.kind == "Service":  # it names only the revision that it selects: here the record lets go
        named = record.cool_after is not None or record.phase is Phase.PROMOTING
    needed = max(1, min(previous.replicas, stable.replicas))
    return record.previous if named and previous.ready >= needed else None


def reachable(seen: Seen) -> int | None:
    """The previous revision, if a rollback can get to it: warm, or with its pods to be brought up from what is kept."""
    previous = seen.record.previous if seen.record else None
    return previous if warm(seen) is not None or seen.revision(previous).manifest else None


def retire(view: View) -> Move | None:
    """The next effect; None when there is nothing to take down yet."""
    return _cool(view) or _prune(view)


def overdue(record: Record, now: float) -> tuple[int, ...]:
    """The revisions of an application at rest whose time to stay warm is over."""
    if not record.phase.at_rest:
        return ()
    found = []
    if record.previous is not None and record.cool_after is not None and now >= record.cool_after:
        found.append(record.previous)
    parked = record.phase is Phase.PARKED and record.candidate is not None
    if parked and record.candidate is not None and now >= record.since + record.keep_warm:
        found.append(record.candidate)
    return tuple(found)


def _cool(view: View) -> Move | None:
    record, routed = view.record, view.seen.routed
    late, cooling = overdue(record, view.now), record.previous if record.cool_after is not None else None
    kept_up = {record.stable, cooling, record.candidate if record.phase is Phase.PARKED else None} - {*late}
    # What a rollout was parked with, and another rollout has been begun over, no record knows any more.
    going = tuple(sorted({n for n in routed.weights if n not in kept_up} | {*late} & {cooling}))
    if not going:
        return None
    # Who brought it to rest stays: the rollout is still theirs.
    cooled = replace(record, epoch=record.epoch + 1, cool_after=None if record.previous in going else record.cool_after)
    kept = {revision: weight for revision, weight in routed.weights.items() if revision not in going}
    return write(view, cooled, kept, tuple(Cooled(revision) for revision in going))


def _prune(view: View) -> Move | None:
    """The oldest revisions that serve for nothing: no pods, no Service, named by nobody."""
    record, revisions = view.record, view.seen.revisions
    newest = sorted((number for number, found in revisions.items() if found.exists), reverse=True)[:REVISIONS_KEPT]
    needed = {*newest, record.stable, record.previous, record.candidate, *view.seen.routed.weights}
    for number, found in sorted(revisions.items()):
        if number not in needed and found.exists and found.replicas == 0 and not found.has_service:
            ref = Ref("Deployment", deployment_name(view.app, number))
            return Move(Delete(ref, found.uid, found.version), (Deleted(ref.kind, ref.name),))
    return None
