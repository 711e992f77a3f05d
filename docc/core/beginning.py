"""How a rollout begins: without a record, or from rest. The candidate has no traffic yet, and traffic stays where it is.

What is docc's to begin on is judged here: it takes over nobody's object in silence.
"""

from __future__ import annotations

from dataclasses import replace

from docc.core.intent import stable_of
from docc.core.observation import is_docc_s
from docc.core.phases import Signal, following
from docc.core.plan import Plan
from docc.core.view import View
from docc.core.writes import write
from docc.model.errors import ExitCode
from docc.model.facts import Began, Created
from docc.model.moves import Create, Move, Outcome, Ref
from docc.model.record import ANNOTATION, Record


def first(view: View) -> Move:
    """No record: the application is new to docc, or its record was lost."""
    plan, routed = view.plan, view.seen.routed
    if view.held and not routed.unreadable:
        gone = f"{'the record of ' * routed.exists}{routed.kind} {routed.name or view.app} is gone"
        return Move(outcome=Outcome("superseded", ExitCode.LOCKED, f"{gone}: it was deleted in the middle of this"))
    if plan is None or (plan.recorded and not routed.unreadable):  # what is to be brought back is not there any more
        return Move(outcome=Outcome("refused", ExitCode.NOT_FOUND, "it has no record of a rollout"))
    if routed.unreadable:
        return Move(outcome=Outcome("refused", ExitCode.LOCKED, routed.unreadable))
    stable: int | None = None
    if routed.foreign and (why := _unfit(view)):
        return Move(outcome=Outcome("refused", ExitCode.LOCKED if routed.others_serve else ExitCode.UNUSABLE, why))
    if routed.exists:
        if not routed.foreign and not is_docc_s(routed.body):
            why = (
                f"{routed.kind} {view.app} exists and docc did not make it; docc takes over nobody's object in silence"
            )
            return Move(outcome=Outcome("refused", ExitCode.LOCKED, why))
        stable = stable_of(view.seen)
        if stable is None and any(routed.weights.values()):
            why = f"{routed.kind} {routed.name or view.app} has lost its record while several revisions get traffic"
            return Move(outcome=Outcome("refused", ExitCode.LOCKED, why))
        # What is wanted serves already: as on a first deploy, there is nothing that it could be taken back to.
        stable = stable if stable != plan.candidate else None
    record = _new_record(view, plan, None, stable)
    if routed.exists:  # who had traffic until now is not known
        record = replace(record, exposed=view.now)
    facts = (Began(plan.candidate, stable, plan.verb if stable else "first"),)
    if routed.exists:  # whom header rules have sent elsewhere comes back: nobody knows of a trial any more
        return write(view, record, {**routed.weights} if routed.above else None, facts)
    return Move(_create_carrier(view, plan, record), (*facts, Created(routed.kind, view.app)))


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
    """The routed object is born without traffic (no parentRefs; a selector that matches nothing), with the record."""
    rendered = plan.rendered.route or plan.rendered.front
    meta = rendered["metadata"]
    annotations = {**(meta.get("annotations") or {}), ANNOTATION: record.to_text()}
    spec = {key: value for key, value in rendered["spec"].items() if key != "parentRefs"}
    if plan.routed:
        spec["rules"] = [{**rule, "backendRefs": []} for rule in spec["rules"]]
    body = {**rendered, "metadata": {**meta, "annotations": annotations}, "spec": spec}
    return Create(Ref(view.seen.routed.kind, view.app), body)
