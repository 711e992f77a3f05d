"""Bringing a revision's pods up, and letting them go: one effect at a time, each safe to send twice or too late.

The fence: a revision is scaled down, or its Service deleted, only after a fenced route write has taken it out of the route,
and whoever brings it back marks its Deployment and its Service with the new epoch before they get traffic: a scale-down that
was meant earlier and arrives later tests the old mark, a DELETE the old resourceVersion, and both fail. Where the route itself
was deleted, that is so for whoever is to have the traffic again, and for the front Service (`kept`).
"""

from __future__ import annotations

from typing import Any

from docc.core.cooling import overdue
from docc.core.difference import differences, in_words
from docc.core.names import deployment_name
from docc.core.names import selector as pods_of
from docc.core.plan import Plan
from docc.core.route import EPOCH, EPOCH_PATH, MAINTAINER, MANIFEST, MANIFEST_PATH, pointer
from docc.core.view import View
from docc.core.writes import fail_move
from docc.model.errors import ExitCode
from docc.model.facts import Created, Deleted, FrontMoved, Scaled, Updated
from docc.model.moves import Create, Delete, Move, Object, Operation, Outcome, Patch, Ref
from docc.model.record import Phase
from docc.model.world import Front, Revision

UNPROMOTED = "0"
"""The mark of a front Service that no promotion has moved."""


def bring_up(view: View, plan: Plan, replicas: int) -> Move | None:
    """The next effect towards `replicas` pods of the candidate behind a Service of its own; None when all is asked for."""
    candidate, epoch = view.seen.revision(plan.candidate), view.record.epoch
    name = deployment_name(plan.app, plan.candidate)
    if not candidate.exists:
        if plan.recorded:  # the record knows no values of the environment
            return fail_move(view, f"Deployment {name} is gone, and with it what only it knew of v{plan.candidate}")
        notes = {"annotations": {**_annotations(plan.rendered.deployment), MANIFEST: plan.manifest}}
        body = _with(plan.rendered.deployment, epoch, spec={"replicas": replicas}, metadata=notes)
        return Move(Create(Ref("Deployment", name), body), (Created("Deployment", name),))
    if (move := another_s(view, plan)) is not None:
        return move
    # Whoever let go of it may still be about to take it down: the mark comes before the traffic.
    unmarked = plan.candidate not in view.seen.routed.weights and candidate.epoch != str(epoch)
    if candidate.replicas < replicas or unmarked:
        return _scale_up(name, candidate, max(replicas, candidate.replicas), epoch)
    if (move := _grown_beside(view, plan, candidate)) is not None:
        return move
    if (move := remember(view, plan, candidate)) is not None:
        return move
    if plan.rendered.service is None:
        return None
    if candidate.squatter:
        return fail_move(view, f"{candidate.squatter} exists and docc did not make it; docc takes over nobody's object")
    if not candidate.has_service:
        return _create_service(name, plan.rendered.service, candidate, epoch)
    if plan.candidate not in view.seen.routed.weights and candidate.service_epoch != str(epoch):
        return Move(Patch(Ref("Service", name), (_mark(epoch),)))
    return None


def another_s(view: View, plan: Plan) -> Move | None:
    """The end, if the candidate's Deployment is there and was made from something else: by hand, or by somebody who deployed
    at the same time and was given the same number."""
    candidate, name = view.seen.revision(plan.candidate), deployment_name(view.app, plan.candidate)
    if not candidate.exists or candidate.spec_hash == plan.spec_hash:
        return None
    why = f"Deployment {name} exists and was not made from this manifest; docc takes over nobody's object in silence"
    return Move(outcome=Outcome("refused", ExitCode.LOCKED, why))


def remember(view: View, plan: Plan, revision: Revision) -> Move | None:
    """The manifest as deployed now, on the revision's Deployment, and who maintains it: its strategy may have changed since."""
    if not plan.manifest or revision.manifest == plan.manifest:
        return None
    test: Operation = {"op": "test", "path": EPOCH_PATH, "value": revision.epoch}
    kept: Operation = {"op": "add", "path": MANIFEST_PATH, "value": plan.manifest}
    name, what = deployment_name(view.app, revision.number), in_words(differences(revision.manifest, plan.manifest))
    facts = (Updated("Deployment", name, what),) if what else ()
    return Move(Patch(Ref("Deployment", name), (test, kept, *_maintained(plan, revision))), facts)


def _maintained(plan: Plan, revision: Revision) -> tuple[Operation, ...]:
    who, path = _annotations(plan.rendered.deployment).get(MAINTAINER), pointer("metadata", "annotations", MAINTAINER)
    if who:
        return ({"op": "add", "path": path, "value": who},)
    return () if revision.maintainer is None else ({"op": "remove", "path": path},)


def _grown_beside(view: View, plan: Plan, candidate: Revision) -> Move | None:
    """More pods for stable, too, if the manifest asks for more since the candidate began to get traffic: it may have to take
    all back. Fewer it gets by no rollout. The candidate's own manifest, which follows, tells that this is done."""
    stable = view.stable
    known = bool(candidate.manifest) and "scale" in differences(candidate.manifest, plan.manifest)
    if plan.recorded or not known or view.weight == 0 or not stable.exists or stable.replicas >= plan.scale:
        return None
    name = deployment_name(view.app, stable.number)
    return _scale_up(name, stable, plan.scale, view.record.epoch, "the manifest's scale")


def _scale_up(name: str, revision: Revision, replicas: int, epoch: int, why: str = "more traffic to come") -> Move:
    """Tested, too: one that arrives late would take pods down that have come since."""
    known: Operation = {"op": "test", "path": EPOCH_PATH, "value": revision.epoch}
    there: Operation = {"op": "test", "path": "/spec/replicas", "value": revision.replicas}
    up: Operation = {"op": "add", "path": "/spec/replicas", "value": replicas}
    facts = (Scaled(revision.number, replicas, why),) if replicas > revision.replicas else ()
    return Move(Patch(Ref("Deployment", name), (known, there, _mark(epoch), up)), facts)


def _mark(epoch: int | str) -> Operation:
    return {"op": "add", "path": EPOCH_PATH, "value": str(epoch)}


def _front_mark(front: Front, epoch: str) -> Operation:
    whole: Operation = {"op": "add", "path": "/metadata/annotations", "value": {EPOCH: epoch}}
    return _mark(epoch) if front.has_annotations else whole


def _create_service(name: str, rendered: Object, owner: Revision, epoch: int) -> Move:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": owner.uid}
    body = _with(rendered, epoch, metadata={"ownerReferences": [reference]})
    return Move(Create(Ref("Service", name), body), (Created("Service", name),))


def _with(rendered: Object, epoch: int | str, *, spec: Object | None = None, metadata: Object | None = None) -> Object:
    """The rendered object with what only the planner knows: epoch, and fields of spec and metadata."""
    meta: dict[str, Any] = {**rendered["metadata"], **(metadata or {})}
    meta["annotations"] = {**(meta.get("annotations") or {}), EPOCH: str(epoch)}
    return {**rendered, "metadata": meta, "spec": {**rendered["spec"], **(spec or {})}}


def _annotations(rendered: Object) -> dict[str, str]:
    return rendered["metadata"].get("annotations") or {}


def let_go(view: View) -> Move | None:
    """The next effect that takes down a revision which neither the route nor any Service names; None when there is none. How
    long a former version is kept warm its time says: without a route nothing names it, and others may have edited a route."""
    record = view.record
    kept = {record.stable, view.seen.front.selects, *view.seen.routed.weights}
    if record.cool_after is not None:
        kept.add(record.previous)
    if record.phase is Phase.PARKED and record.candidate not in overdue(record, view.now):
        kept.add(record.candidate)  # it may go on, or still be answering its last requests
    for number, revision in view.seen.revisions.items():
        if number in kept:
            continue
        name = deployment_name(view.app, number)
        if revision.has_service:
            gone = Delete(Ref("Service", name), revision.service_uid, revision.service_version)
            return Move(gone, (Deleted("Service", name),))
        if revision.exists and revision.replicas > 0:
            return _scale_down(name, revision)
    return None


def _scale_down(name: str, revision: Revision) -> Move:
    test: Operation = {"op": "test", "path": EPOCH_PATH, "value": revision.epoch}
    down: Operation = {"op": "add", "path": "/spec/replicas", "value": 0}
    return Move(Patch(Ref("Deployment", name), (test, down)), (Scaled(revision.number, 0, "no traffic any more"),))


def kept(view: View, stable: int, epoch: int) -> Move | None:
    """Who deleted the route may be about to delete what it led to (`docc delete`, stopped in the midst of it): marks that those
    Services are wanted. None when they have it."""
    front, waiting = view.seen.front, f"{UNPROMOTED}.{epoch}"
    if view.seen.revision(stable).service_epoch not in (None, str(epoch)):  # None: somebody has taken docc's marks away
        return Move(Patch(Ref("Service", deployment_name(view.app, stable)), (_mark(epoch),)))
    if front.exists and not front.foreign and front.epoch != waiting:
        return Move(Patch(Ref("Service", view.app), (_front_mark(front, waiting),)))
    return None


def front_first(view: View, plan: Plan) -> Move | None:
    """In a mesh the front Service comes before the route names it as a parent: it must be there, and be docc's own, or the
    weights would be put before somebody else's Service. None when it is."""
    front = view.seen.front
    if not plan.meshed or (front.exists and not front.foreign):
        return None
    if front.foreign:
        why = f"Service {view.app} exists and docc did not make it; docc puts no weights before somebody else's Service"
        return Move(outcome=Outcome("refused", ExitCode.LOCKED, why))
    body = _with(plan.rendered.front, view.record.epoch)
    return Move(Create(Ref("Service", view.app), body), (Created("Service", view.app),))


def front_follows(view: View) -> Move | None:
    """The effect that makes the front Service select the record's stable revision; None when it does, when somebody else
    changed it (core/dispute.py), or when it carries the record itself (then it moves with it)."""
    return None if view.front_edits else front_set(view)


def front_set(view: View) -> Move | None:
    """The same, whoever changed it."""
    stable, front = view.record.stable, view.seen.front
    if view.seen.routed.kind == "Service" or stable is None or front.foreign:
        return None
    # Marked even where it selects the right one already: whoever promoted another may still be about to move it.
    # The mark is a promotion's: what is set back before one must not look as if it had moved already (core/meddling.py).
    promoting = view.record.phase is Phase.PROMOTING
    epoch = str(view.record.epoch) if promoting else front.epoch or UNPROMOTED
    if front.selects == stable and (front.epoch == epoch or not promoting):
        return None
    moved = (FrontMoved(view.app, stable),) if front.selects != stable else ()
    if not front.exists:
        if view.plan is None:
            return None
        rendered = view.plan.rendered.front
        body = _with(rendered, epoch, spec={"selector": pods_of(view.app, stable)})
        return Move(Create(Ref("Service", view.app), body), moved)
    # Also who selects: what somebody writes a moment before is seen first, and not overwritten in silence.
    seen: Operation = {"op": "test", "path": "/spec/selector", "value": (front.body.get("spec") or {}).get("selector")}
    test: Operation = {"op": "test", "path": EPOCH_PATH, "value": front.epoch}
    if not front.has_annotations:
        test = {"op": "test", "path": "/metadata/annotations", "value": None}
    select: Operation = {"op": "add", "path": "/spec/selector", "value": pods_of(view.app, stable)}
    return Move(Patch(Ref("Service", view.app), (test, seen, _front_mark(front, epoch), select)), moved)
