"""`docc status`: one look at an application, folded into a value, and that into words or a document. Pure; time is an argument.

It answers, in this order: what is going on, who serves, what is wrong, who drives, what to type next.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from docc.core.cooling import overdue, reachable, warm
from docc.core.example import curl
from docc.core.meddling import edits
from docc.core.route import retried, rules_of, trial_of_live
from docc.core.trial import in_words
from docc.engine.lease import DURATION_SECONDS, age_of, holder_of, shown
from docc.model.facts import Edit
from docc.model.moves import Object
from docc.model.record import Asked, Phase, Record
from docc.model.world import Revision, Seen
from docc.ui import rescue
from docc.ui.console import neutral
from docc.ui.words import PHASES, by, clock, count, duration, one_line, requested, what

COLUMNS = 80
# What the word in the first line means, where that does not show in the lines below.
_MEANINGS = {
    Phase.PREPARING: "the new version comes up, and has no traffic yet",
    Phase.BAKING: "all traffic is on the new version, the former one stands by",
    Phase.PROMOTING: "the former version drains",
    Phase.REVERTING: "all traffic is on the former version, the new one drains",
    Phase.REVERTED: "the last rollout was taken back",
    Phase.PARKED: "the driver was stopped, all traffic is on the stable version",
    Phase.STUCK: "it must be taken back, and stable has no ready pod",
}


@dataclass(frozen=True, slots=True)
class RevisionView:
    """role: stable, warm, candidate, taken back, or "" for one that is only left over. weight: percent, as the route has it.
    trouble: why its pods are not ready."""

    name: str
    role: str
    weight: int
    ready: int
    replicas: int
    trouble: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A failure condition, as the revision was deployed with it."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class StatusView:
    """revisions: newest first. watched: false while traffic is divided, or on its way, and no driver is alive. heartbeat:
    seconds since the living driver's last renewal. left: its driver left it waiting. expires: until when people may approve
    it, unix seconds; None: for ever. paused_by: who asked for it to stay at its weight, "" for nobody. asked: what people
    have asked of this rollout. trial: whose requests go to the candidate, in words; curl: a command whose request does.
    cool_after: unix seconds until which a rollback is one write, `overdue`
    when it has passed. refusal: what the Gateway's controller has against the route. retries: which of docc's rules have
    one. others: what somebody else has changed of what docc wrote. conditions: those of the candidate, else of stable. next:
    commands, with what they do."""

    app: str
    namespace: str
    phase: Phase
    since: float
    reason: str
    stable: str | None
    candidate: str | None
    previous: str | None
    weight: int
    revisions: tuple[RevisionView, ...]
    accepted: bool | None
    refusal: str
    retries: tuple[int, ...]
    others: tuple[Edit, ...]
    conditions: tuple[Condition, ...]
    excused: tuple[str, ...]
    driver: str
    heartbeat: float | None
    last_writer: str
    watched: bool
    left: bool
    expires: float | None
    paused_by: str
    asked: tuple[Asked, ...]
    trial: str
    curl: str
    cool_after: float | None
    overdue: bool
    next: tuple[str, ...]


def status_view(
    app: str, namespace: str, seen: Seen, lease: Object | None, now: float, at: str = ""
) -> StatusView | None:
    """None for an application without a record. at: what makes a command find it, if more than the namespace does."""
    record = seen.record
    if record is None:
        return None
    trial = trial_of_live(app, rules_of(seen.routed.body)) if seen.routed.above else ()
    age = None if lease is None or not holder_of(lease) else age_of(lease, now)
    alive = age is not None and age < DURATION_SECONDS
    return StatusView(
        app=app,
        namespace=namespace,
        phase=record.phase,
        since=record.since,
        reason=record.reason,
        stable=_name(record.stable),
        candidate=_name(record.candidate),
        previous=_name(record.previous),
        weight=record.weight,
        revisions=tuple(_revisions(seen, record)),
        accepted=seen.routed.accepted,
        refusal=seen.routed.refusal if seen.routed.accepted is False else "",
        retries=retried(app, rules_of(seen.routed.body), seen.routed.rule) if seen.routed.kind == "HTTPRoute" else (),
        others=edits(app, seen, record),
        conditions=_conditions(seen.revision(record.candidate if record.candidate is not None else record.stable)),
        excused=record.excused,
        driver=shown(holder_of(lease)) if alive and lease is not None else "",
        heartbeat=max(0.0, age) if alive and age is not None else None,
        last_writer=shown(record.by),
        watched=alive or record.phase.at_rest,
        left=record.left,
        expires=record.expires if record.unapproved else None,
        paused_by=record.asker if record.paused else "",
        asked=record.asked,
        trial=in_words(trial),
        curl=curl(app, trial, seen.routed.body),
        cool_after=record.cool_after,
        overdue=bool(overdue(record, now)),
        next=tuple(_advice(app, at or f"-n {namespace}", seen, now, alive=alive)),
    )


def lines(app: str, namespace: str, seen: Seen, lease: Object | None, now: float, at: str = "") -> Iterator[str]:
    """The text, within 80 columns as a rule; nothing for an application without a record."""
    view = status_view(app, namespace, seen, lease, now, at)
    if view is None:
        return
    yield _title(view, now)
    if meaning := _MEANINGS.get(view.phase):
        yield f"  phase    {meaning}"
    if view.reason:
        yield neutral(f"  reason   {one_line(view.reason)}")
    for revision in view.revisions:
        yield f"  {_row(revision, view)}".rstrip()
        if revision.trouble:
            yield neutral(f"           {one_line(revision.trouble)}")
    yield from _people(view)
    yield from _route(view)
    for condition in view.conditions if view.phase.undecided else ():
        row = neutral(f"  judged   {condition.name}: {one_line(condition.expression)}")
        yield row if len(row) <= COLUMNS else f"{row[: COLUMNS - 3]}..."  # -o json has it whole
    for edit in view.others:
        yield neutral(f"  others   changed {one_line(what(edit))}")
        yield neutral(f"           {one_line(edit.theirs)} instead of {one_line(edit.ours)}")
        if who := by(edit):
            yield neutral(f"           {one_line(who)}")
    if view.excused:
        yield neutral(f"  ignored  {', '.join(view.excused)}: failed before this rollout (--baseline=ignore)")
    yield f"  driver   {neutral(driver_of(view))}"
    for command in view.next:
        yield f"  next     {command}"


def _title(view: StatusView, now: float) -> str:
    """What is going on, since when, and for how long at most, where people are waited for."""
    paused = f", paused by {view.paused_by}" if view.paused_by else ""
    ends = view.expires is not None and view.heartbeat is not None and not view.paused_by
    parks = f"; parked in {duration(max(1.0, (view.expires or now) - now))}" if ends else ""
    told = f"{PHASES[view.phase]}{paused}, for {duration(now - view.since)}{parks}"
    return neutral(f"{view.app} in {view.namespace}: {told}")


def people(view: StatusView) -> Iterator[tuple[str, str]]:
    """Who tries the new version, and who has asked for what; each with its label."""
    if view.trial:
        yield "trial", f"requests with {view.trial}"
    if view.expires is not None and view.heartbeat is None:
        yield "until", f"{clock(view.expires)} it may be approved (pause_timeout)"
    for asked in view.asked:
        yield "asked", requested(asked)


def _people(view: StatusView) -> Iterator[str]:
    for label, text in people(view):
        yield neutral(f"  {label:<8} {text}")
        if label == "trial" and view.curl:
            yield neutral(f"           {view.curl}")


def _route(view: StatusView) -> Iterator[str]:
    if view.refusal:
        yield neutral(f"  route    refused by {one_line(view.refusal)}")
    for rule in view.retries:
        yield f"  route    rules[{rule}] has a retry: it hides failing answers from Envoy's counters"


def document(app: str, namespace: str, seen: Seen, lease: Object | None, now: float, at: str = "") -> dict[str, Any]:
    """The same for `-o json`; {} for an application without a record. Instants are unix seconds."""
    view = status_view(app, namespace, seen, lease, now, at)
    if view is None:
        return {}
    revisions = {
        revision.name: {key: value or None if key == "trouble" else value for key, value in asdict(revision).items()}
        for revision in view.revisions
    }
    driver = {"holder": view.driver, "age": view.heartbeat} if view.driver else None
    kept = {key: value for key, value in asdict(view).items() if key not in ("driver", "heartbeat", "revisions")}
    return {**kept, "phase": view.phase.value, "revisions": revisions, "driver": driver}


def _conditions(revision: Revision) -> tuple[Condition, ...]:
    """() where they are not known."""
    try:
        found = _strategy(revision).get("failure_conditions") or []
        return tuple(Condition(str(each["name"]), str(each["expression"])) for each in found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ()


def _strategy(revision: Revision) -> dict[str, Any]:
    """From the manifest that is kept on its Deployment. Raises ValueError, KeyError, TypeError, AttributeError, RecursionError
    where that cannot be read."""
    values = json.loads(revision.manifest)
    found: dict[str, Any] = values.get("deployment_strategy") or values["application"].get("deployment_strategy") or {}
    return found


def _revisions(seen: Seen, record: Record) -> Iterator[RevisionView]:
    """What the route names, what the record names, and what still has pods."""
    named = {*seen.routed.weights, *(number for number, found in seen.revisions.items() if found.replicas > 0)}
    named |= {n for n in (record.stable, record.candidate) if n is not None and n in seen.revisions}
    for number in sorted(named, reverse=True):
        found = seen.revision(number)
        weight = seen.routed.weights.get(number, 0)
        yield RevisionView(
            f"v{number}", _role(record, number), weight, found.ready, found.replicas, _trouble(found, weight)
        )


def _trouble(revision: Revision, weight: int) -> str:
    if revision.trouble is not None and revision.replicas > 0:
        return revision.trouble.why
    return "it gets traffic and has no ready pod" if weight > 0 and revision.ready == 0 else ""


def _role(record: Record, number: int) -> str:
    if number == record.stable:
        return "stable"
    if number == record.previous:
        return "warm"
    if number == record.candidate:
        return "taken back" if record.phase in (Phase.REVERTING, Phase.REVERTED) else "candidate"
    return ""


def pods(revision: RevisionView) -> str:
    """How many can serve, of those that are wanted."""
    if revision.ready and not revision.replicas:
        return f"{count(revision.ready, 'pod')} going"
    return f"{revision.ready}/{revision.replicas} pods ready"


def _row(revision: RevisionView, view: StatusView) -> str:
    role = revision.role
    if role == "warm" and view.overdue:
        role = "warm, cooling is overdue"
    elif role == "warm" and view.cool_after is not None:
        role = f"warm until {clock(view.cool_after)}"
    return f"{revision.name:<8} {revision.weight:>3} %   {pods(revision):<14}   {role}"


def driver_of(view: StatusView) -> str:
    """Who drives, or why nobody does."""
    if view.driver:
        return f"{view.driver}, heartbeat {view.heartbeat:.0f} s ago"
    if view.watched:
        return "none, and none is needed"
    if view.left:
        return f"none: nobody watches ({view.last_writer} left it waiting)"
    return f"lost: nobody watches ({view.last_writer} is gone)"


def _advice(app: str, at: str, seen: Seen, now: float, *, alive: bool) -> Iterator[str]:
    record = seen.record
    assert record is not None
    back = f"docc rollback {app} {at}"
    if record.phase is Phase.STUCK:
        yield from rescue.steps(app, at, seen)
        return
    if record.phase is Phase.AWAITING:
        yield f"docc promote {app} {at} goes on"
    if record.paused:
        yield f"docc resume {app} {at} ends the pause"
    if record.expires is not None and now >= record.expires and not alive:
        yield f"docc abort {app} {at} --if-unwatched ends it: its time is over"
    elif record.phase is Phase.AWAITING and not alive:
        yield f"docc resume {app} {at} watches it; so does the same docc deploy"
    elif record.phase is Phase.PARKED or (not record.phase.at_rest and not alive and not record.paused):
        yield f"docc resume {app} {at} goes on; so does the same docc deploy"
    others = edits(app, seen, record)
    if (record.phase.at_rest or not alive) and others and all(edit.theirs != "gone" for edit in others):
        again = "docc deploy" if record.phase.at_rest else f"docc resume {app} {at}"
        yield f"{again} --force-conflicts writes docc's weights again"
    if overdue(record, now):
        yield f"docc gc {app} {at} takes down what is not needed any more"
    if record.phase is Phase.REVERTED:
        yield "docc deploy, with what was wrong set right, or once more as it was"
    elif record.phase is Phase.SUCCEEDED and (previous := reachable(seen)) is not None:
        yield f"{back} goes back to v{previous}" + ("" if warm(seen) else ", when its pods are up again")
    elif not record.phase.at_rest and record.phase is not Phase.REVERTING and record.stable is not None:
        yield f"{back} takes it back"


def _name(revision: int | None) -> str | None:
    return None if revision is None else f"v{revision}"
