"""How a rollout begins: without a record, or from rest. The candidate has no traffic yet, and traffic stays where it is.

What is docc's to begin on is judged here: it takes over nobody's object in silence.
"""

from __future__ import annotations

from dataclasses import replace

from docc.core.intent import stable_of
from docc.core.meddling import of_route
from docc.core.observation import is_docc_s
from docc.core.phases import Signal, following
from docc.core.plan import Plan
from docc.core.pods import kept
from docc.core.route import commit, edit_rules, traffic
from docc.core.view import View
from docc.core.writes import write
from docc.model.errors import ExitCode
from docc.model.facts import Began, Created, Fact, PutBack
from docc.model.moves import Create, Move, Operation, Outcome, Ref
from docc.model.record import ANNOTATION, Record


def first(view: View) -> Move:
    """No record: the application is new to docc, or its record was lost, and maybe the route with it."""
    plan, routed = view.plan, view.seen.routed
    if view.held and not routed.unreadable:
        gone = f"{'the record of ' * routed.exists}{routed.kind} {routed.name or view.app} is gone"
        return Move(outcome=Outcome("superseded", ExitCode.LOCKED, f"{gone}: it was deleted in the middle of this"))
    if plan is None or (plan.recorded and not routed.unreadable):  # what is to be brought back is not there any more
        return Move(outcome=Outcome("refused", ExitCode.NOT_FOUND, "it has no record of a rollout"))
    if (outcome := _not_docc_s(view)) is not None:
        return Move(outcome=outcome)
    # What is wanted serves already: as on a first deploy, there is nothing that it could be taken back to.
    stable = served if (served := stable_of(view.seen)) != plan.candidate else None
    record = _new_record(view, plan, None, stable)
    if routed.exists or view.seen.revisions:  # who had traffic until now is not known
        record = replace(record, exposed=view.now)
    began = Began(plan.candidate, stable, plan.verb if stable else "first")
    if routed.exists:
        spec = _as_it_serves(view, plan, stable)
        return Move(commit(view.app, routed, record, *spec), (began, *_found(view, record, written=bool(spec))))
    if stable is not None and (move := kept(view, stable, record.epoch)) is not None:
        return move
    found = _found(view, record, written=bool(view.seen.revisions))
    return Move(_create_carrier(view, plan, record), (began, *found, Created(routed.kind, view.app)))


def _found(view: View, record: Record, *, written: bool) -> tuple[Fact, ...]:
    """What had become of docc's rules when their record was lost. written: docc writes its own again."""
    routed = view.seen.routed
    edits = of_route(view.app, routed, record, above=False) if written and routed.kind == "HTTPRoute" else ()
    return (PutBack(edits, "its rules"),) if edits else ()


def _not_docc_s(view: View) -> Outcome | None:
    """Why docc cannot begin on what carries the traffic; None if it can."""
    routed, name = view.seen.routed, view.seen.routed.name or view.app
    if routed.unreadable:
        return Outcome("refused", ExitCode.LOCKED, routed.unreadable)
    if routed.foreign and (why := _unfit(view)):
        return Outcome("refused", ExitCode.LOCKED if routed.others_serve else ExitCode.UNUSABLE, why)
    if routed.exists and not routed.foreign and not is_docc_s(routed.body):
        why = f"{routed.kind} {view.app} exists and docc did not make it; docc takes over nobody's object in silence"
        return Outcome("refused", ExitCode.LOCKED, why)
    if stable_of(view.seen) is None and any(routed.weights.values()):
        why = (
            f"{routed.kind} {name} has lost its record while several revisions get traffic: give one of them all, first"
        )
        return Outcome("refused", ExitCode.LOCKED, why)
    return None


def _as_it_serves(view: View, plan: Plan, stable: int | None) -> tuple[Operation, ...]:
    """Who serves has all traffic, and nothing stands above: of a trial that is not recorded any more nothing is known. Where
    nobody serves, or could not answer who is on trial, the rules stay as they are."""
    routed = view.seen.routed
    served = next((number for number, weight in routed.weights.items() if weight > 0), stable)
    if served is None or view.seen.revision(served).ready == 0:
        return ()
    weights = {**dict.fromkeys(routed.weights, 0), served: 100}
    port = view.seen.revision(served).port or plan.port
    return traffic(view.app, routed, weights, port=port, candidate=None)


def _unfit(view: View) -> str:
    """Why docc cannot put weights into the rule that the manifest names in somebody else's route; "" if it can."""
    routed = view.seen.routed
    where, rule = f"HTTPRoute {routed.name}", f'rule "{routed.rule}"' if routed.rule else "only one rule"
    if not routed.exists:
        return f"{where} is not there, and docc makes no route that is others' (application.route)"
    if not routed.has_rule:
        return f"{where} has no {rule}" if routed.rule else f"{where} has not {rule}: application.route.rule says which"
    if routed.others_serve:
        return f"the {rule} of {where} sends requests to other backends; docc takes traffic from nobody in silence"
    return ""


def begin(view: View, plan: Plan, record: Record) -> Move:
    """From rest: the candidate comes up, traffic stays. The epoch rises with the same write."""
    mode = "first" if record.stable is None else "retry" if record.candidate == plan.candidate else plan.verb
    fresh = _new_record(view, plan, record, record.stable)
    return write(view, fresh, None, (Began(plan.candidate, record.stable, mode),))


def _new_record(view: View, plan: Plan, before: Record | None, stable: int | None) -> Record:
    return Record(
        epoch=before.epoch + 1 if before else _marked(view) + 1,
        phase=following(before.phase if before else None, Signal.BEGIN),
        by=view.me,
        since=view.now,
        started=view.now,
        stable=stable,
        candidate=plan.candidate,
        previous=before.previous if before else None,
        cool_after=before.cool_after if before else None,
        verb=plan.verb,
        plan=plan.digest,
        excused=plan.excused,
        drain=plan.limits.drain,
        keep_warm=plan.limits.keep_warm,
    )


def _marked(view: View) -> int:
    """The highest epoch that a Deployment was marked with: a lost record must not make an old mark current again."""
    marks = [found.epoch for found in view.seen.revisions.values()]
    return max((int(mark) for mark in marks if mark and mark.isdecimal()), default=0)


def _create_carrier(view: View, plan: Plan, record: Record) -> Create:
    """The routed object is born with the record and without traffic (no parentRefs; a selector that matches nothing). A route
    that was lost gives its users back to who serves the front Service's clients."""
    rendered = plan.rendered.route or plan.rendered.front
    meta, spec = rendered["metadata"], rendered["spec"]
    annotations = {**(meta.get("annotations") or {}), ANNOTATION: record.to_text()}
    if record.stable is None:
        spec = {key: value for key, value in spec.items() if key != "parentRefs"}
    if plan.routed:
        weights = {} if record.stable is None else {record.stable: 100}
        port = view.seen.revision(record.stable).port or plan.port
        waiting = [{**rule, "backendRefs": []} for rule in spec["rules"]]
        spec = {**spec, "rules": edit_rules(view.app, waiting, weights, port=port)}
    body = {**rendered, "metadata": {**meta, "annotations": annotations}, "spec": spec}
    return Create(Ref(view.seen.routed.kind, view.app), body)
