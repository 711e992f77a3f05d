"""The phases in which a candidate may get traffic: step walks the compiled steps. core/beginning.py has what comes before.

Weights grow only onto ready pods, only while nothing speaks against the candidate, and only with this driver's epoch in
the record. What speaks against it is looked at before anything else, in every tick.
"""

from __future__ import annotations

from dataclasses import replace

from docc.core import dispute
from docc.core.example import curl
from docc.core.phases import Signal, following
from docc.core.plan import Plan
from docc.core.pods import bring_up, front_first, front_follows
from docc.core.steps import AwaitApproval, Bake, Hold, MatchHeaders, SetWeight, awaits, next_weight
from docc.core.trial import in_words
from docc.core.verdict import Check, measured
from docc.core.view import View, pods_needed
from docc.core.writes import fail_move, park_move, write
from docc.model.errors import ExitCode
from docc.model.facts import ApprovalAwaited, Fact, HeadersRouted, Left, Promoted, StableSilent, Weighted
from docc.model.moves import Move, Outcome
from docc.model.record import FULL, Phase, Record
from docc.model.world import Revision

KNOWN_SECONDS = 2.0
"""From a Service's creation, told in whole seconds, to the first weight on it: one request in 58 ms was lost where pods that
had long been ready got traffic 0.2 s after their Service was made."""
CLOCKS_DIFFER_SECONDS_MAX = 10.0
DESERTED_SECONDS = 10.0
"""So long stable must have had no ready endpoint before the steps that are left are skipped: longer than it takes to replace a
pod, and as long its share of the users gets 503."""


def step(view: View, plan: Plan) -> Move:
    """PREPARING, SHIFTING, AWAITING or BAKING, driven by this driver and wanted by its plan."""
    if (move := dispute.unreachable(view)) is not None:
        return move
    if reason := _evidence(view):
        return fail_move(view, reason)
    if (move := dispute.answer(view)) is not None:
        return move
    if (move := front_follows(view)) is not None:
        return move
    record = view.record
    if record.phase is Phase.PREPARING and (move := _get_ready(view, plan)) is not None:
        return move
    if view.until == "ready" and record.phase is Phase.PREPARING and record.stable is not None:
        return _leave(view, "ready", f"v{plan.candidate} is up, and has no traffic; docc resume {view.app} goes on")
    if record.paused:
        return Move(waiting=f"paused at {view.weight} % by {record.asker}; docc resume {view.app} goes on")
    if view.on_hold:
        return Move(waiting=f"held at {view.weight} % from the terminal; Ctrl-C asks again")
    if record.stable is None:
        return _straight(view, plan)
    if not view.can_return and not _to_be_asked(record, plan):
        return _alone(view, plan)
    if view.can_return and record.phase is Phase.PREPARING and (move := _baseline(view, plan)) is not None:
        return move
    return _walk(view, plan)


def _evidence(view: View) -> str:
    """What speaks against the candidate now; "" for nothing."""
    record, candidate = view.record, view.candidate
    if view.broken:
        return view.broken
    if stopped := dispute.stopped_by_hand(view):
        return stopped
    idle = view.weight == 0 and not view.seen.routed.above
    if (idle or record.stable is None) and candidate.trouble is not None and candidate.trouble.fatal:
        return candidate.trouble.why
    if record.stable is None:  # whoever it serves (its record was lost) can be sent to nobody else
        return ""
    # What fails after its users left it (who took over wants no trial) speaks against it all the same.
    if idle and (record.exposed is None or record.phase is Phase.PREPARING):
        return ""
    if view.can_return and (check := view.failing()) is not None:
        return _failing(view, check)
    if candidate.crashed_at is not None and record.exposed is not None and candidate.crashed_at >= int(record.exposed):
        return f"{candidate.crash} at {view.weight} %"
    if idle:
        return ""
    # Its pods are still there for a moment: traffic goes before they do.
    if candidate.exists and candidate.replicas == 0:
        return f"somebody scaled v{record.candidate} to 0 at {view.weight} %"
    if candidate.ready == 0:
        return f"v{record.candidate} lost its last ready endpoint at {view.weight} %"
    return ""


def _failing(view: View, check: Check) -> str:
    value = "" if check.value is None else f" is {measured(check)}"
    basis = f", in {check.basis}" if check.basis else ""
    return f"{check.name}{value} at {view.weight} %{check.series and ' in ' + check.series}{basis}"


def _get_ready(view: View, plan: Plan) -> Move | None:
    """Pods and Service of the candidate, as many as its first weight needs; all of them if stable serves nobody."""
    if (move := front_first(view, plan)) is not None:
        return move
    weight = (next_weight(plan.steps, -1) or 100) if view.can_return else 100
    needed = pods_needed(plan.scale, weight)
    return bring_up(view, plan, needed) or _await_pods(view, plan, needed, view.record.since)


def _await_pods(view: View, plan: Plan, needed: int, since: float) -> Move | None:
    """None when enough pods are available; otherwise what is waited for, and after the deadline the end of the attempt."""
    candidate = view.candidate
    if candidate.available >= needed:
        return _await_service(candidate, view)
    why = candidate.trouble.why if candidate.trouble else "its pods are not in the Service's endpoints yet"
    if candidate.ready >= needed:
        why = "for a moment only; a version that dies at once must not get traffic"
    text = f"v{candidate.number}: {candidate.ready}/{needed} pods ready: {why}"
    deadline = since + plan.limits.progress
    if view.now >= deadline:
        return fail_move(view, f"{text} (waited {plan.limits.progress:.0f} s)")
    return Move(wake_at=deadline, waiting=text)


def _await_service(candidate: Revision, view: View) -> Move | None:
    """A route that names a Service which the data plane's controller has not heard of answers 500 for its share. None when
    there was time enough. The birth is told by the API server's clock; a young one counts by this driver's own, too."""
    born = candidate.service_born or 0.0
    known = max(born, view.acted if view.now < born + CLOCKS_DIFFER_SECONDS_MAX else 0.0) + KNOWN_SECONDS
    if view.now >= known:
        return None
    return Move(wake_at=known, waiting=f"the data plane gets to know the Service of v{candidate.number}")


def _baseline(view: View, plan: Plan) -> Move | None:
    """A condition that fires before the candidate has traffic is no evidence against it: wait for it to clear."""
    if not plan.judged:
        return None
    deadline = view.record.since + max(plan.limits.baseline, plan.limits.progress)
    if view.checks.since != view.record.since:
        return Move(wake_at=deadline, waiting="the conditions are judged before any traffic moves")
    if (check := view.failing()) is not None:
        text = f"{check.name} was failing before this rollout"
        if view.now >= view.record.since + plan.limits.baseline:
            return fail_move(
                view,
                f"{text} ({measured(check)}), and did not clear in {plan.limits.baseline:.0f} s",
                request="baseline",
            )
        return Move(wake_at=view.record.since + plan.limits.baseline, waiting=f"{text}; waiting for it to clear")
    if broken := view.erring():
        if view.now >= deadline:
            return fail_move(view, f"{broken.name} cannot be judged: {broken.reason}", request="baseline")
        return Move(wake_at=deadline, waiting=f"{broken.name} cannot be judged: {broken.reason}")
    return None


def _straight(view: View, plan: Plan) -> Move:
    """A first deploy: the candidate takes all as soon as it can."""
    needed = pods_needed(plan.scale, 100)
    move = bring_up(view, plan, needed) or _await_pods(view, plan, needed, view.record.since)
    return move or _promote(view, plan, 100, len(plan.steps) - 1)


def _to_be_asked(record: Record, plan: Plan) -> bool:
    """People have not said yet that it may go on."""
    last = max((at for at, step in enumerate(plan.steps) if isinstance(step, AwaitApproval)), default=-1)
    return record.request != FULL and (last > record.step or awaits(plan.steps, record))


def _alone(view: View, plan: Plan) -> Move:
    """Stable answers nobody. Where that lasts, or stable's pods say that it will, the candidate takes its share, too; it bakes
    all the same, and stable, should it come back, is the way back. Where the next step gives it all anyway, there is nothing to
    wait for."""
    record, since = view.record, view.now if view.deserted is None else view.deserted
    upcoming = plan.steps[record.step + 1] if record.step + 1 < len(plan.steps) else None
    hopeless = view.stable.trouble is not None and view.stable.trouble.fatal
    at_once = hopeless or record.request == FULL or upcoming == SetWeight(100)
    due = since if at_once else since + DESERTED_SECONDS
    if record.weight == 100:
        due = max(due, record.since + upcoming.seconds if isinstance(upcoming, Bake) else due)
        if view.now >= due and (check := view.failing()) is not None:
            return fail_move(view, _failing(view, check))
        return Move(wake_at=due) if view.now < due else _promote(view, plan, 100, len(plan.steps) - 1)
    if (move := bring_up(view, plan, pods_needed(plan.scale, 100))) is not None:
        return move
    if view.now < due:
        lasts = f"if that lasts for {DESERTED_SECONDS:.0f} s, v{plan.candidate} takes all"
        return Move(wake_at=due, waiting=f"v{record.stable} has no ready endpoint; {lasts}")
    move = _set_weight(view, plan, 100, _last_weight(plan), max(record.since, view.freed, since))
    told = StableSilent(record.stable or 0, plan.candidate, view.now - since)
    return replace(move, facts=(told, *move.facts)) if move.effect is not None else move


def _last_weight(plan: Plan) -> int:
    return max(at for at, step in enumerate(plan.steps) if isinstance(step, SetWeight))


def _walk(view: View, plan: Plan) -> Move:
    """The step behind the record's: a hold is waited out, anything else is entered."""
    record, freed = view.record, max(view.record.since, view.freed)
    if record.request == FULL and record.weight < 100:
        asked = max([freed, *(asked.at for asked in record.asked)])
        return _judgeable(view, plan, freed) or _set_weight(view, plan, 100, _last_weight(plan), asked)
    at = record.step + 1
    upcoming = plan.steps[at] if at < len(plan.steps) else None
    if isinstance(upcoming, Hold | Bake):
        return _hold(view, plan, upcoming, at)
    if awaits(plan.steps, record):
        return _unapproved(view, plan)
    if record.weight == 0 and isinstance(upcoming, SetWeight) and (move := _judgeable(view, plan, freed)) is not None:
        return move
    return _enter(view, plan, at, freed)


def _judgeable(view: View, plan: Plan, since: float) -> Move | None:
    """Before the first weight that no hold precedes, and before all traffic on people's word: a condition that fires, or cannot
    be asked, is waited for. No data is none to wait for: perhaps nobody was on trial. since: when docc first wanted it."""
    if not plan.judged or view.record.phase is Phase.PREPARING:  # the baseline has just said so
        return None
    limit, checks = since + plan.limits.no_data, view.checks
    if checks.since == view.record.since and checks.asked_at < view.freed:  # a look of this moment is worth having
        return Move(wake_at=view.freed, waiting="the conditions are judged before traffic moves")
    if checks.since != view.record.since:
        why = "the conditions have not been judged yet"
    elif (check := view.failing()) is not None:
        why = f"{check.name} is failing ({measured(check)})"
    elif (check := view.erring()) is not None:
        why = f"{check.name} cannot be judged: {check.reason}"
    else:
        return None
    if view.now >= limit:
        return fail_move(view, f"{why} (for {plan.limits.no_data:.0f} s; docc never promotes without evidence)")
    return Move(wake_at=limit, waiting=f"holding at {view.weight} %: {why}")


def _unapproved(view: View, plan: Plan) -> Move:
    """It is people's to say when it goes on; the conditions are judged all the while. How long they may take holds from when
    it was first asked, whoever drives."""
    expires, silent = view.record.expires, "" if view.can_return else f"v{view.record.stable} has no ready endpoint; "
    waiting = f"{silent}approval: docc promote {view.app}"
    if expires is not None and view.now >= expires:
        return park_move(view, "parked: nobody approved it in time (pause_timeout)")
    if view.until != "done":
        late = f"; once its time is over docc abort {view.app} --if-unwatched ends it, and nothing does so by itself"
        waits = f"v{plan.candidate} waits for docc promote {view.app}"
        return _leave(view, "paused", waits + (late if expires is not None else ""))
    return Move(wake_at=expires, waiting=waiting)


def _leave(view: View, result: str, why: str) -> Move:
    """The record says first that this was meant: what nobody watches any more is otherwise taken for a driver's death."""
    if not view.record.left:
        left = Left(view.record.candidate or 0, view.record.expires)
        return write(view, replace(view.record, left=True), None, (left,))
    return Move(outcome=Outcome(result, ExitCode.DONE, why))


def _hold(view: View, plan: Plan, hold: Hold | Bake, at: int) -> Move:
    """The next step's pods come up during the hold; it ends when its time is over and every condition is OK."""
    upcoming = next_weight(plan.steps, at)
    if upcoming is not None and (move := bring_up(view, plan, pods_needed(plan.scale, upcoming))) is not None:
        return move
    due = max(view.record.since + hold.seconds, view.freed)
    if view.now < due:
        return Move(wake_at=due)
    if why := view.unsure():
        limit = due + plan.limits.no_data
        if view.now >= limit:
            return fail_move(view, f"{why} (for {plan.limits.no_data:.0f} s; docc never promotes without evidence)")
        return Move(wake_at=limit, waiting=f"holding at {view.weight} %: {why}")
    return _enter(view, plan, at + 1, due)


def _enter(view: View, plan: Plan, at: int, since: float) -> Move:
    """Carries out step `at`. since: when docc first wanted it, for the pods' deadline."""
    if at >= len(plan.steps):
        return _promote(view, plan, 100, at - 1)
    upcoming, record = plan.steps[at], view.record
    match upcoming:
        case SetWeight(weight):
            return _set_weight(view, plan, weight, at, since)
        case MatchHeaders(trial):
            phase = following(record.phase, Signal.STEP)
            changed = record.becoming(phase, view.now, step=at, exposed=_exposed(view))
            facts = (HeadersRouted(plan.candidate, in_words(trial), curl(view.app, trial, view.seen.routed.body)),)
            return write(view, changed, {**view.seen.routed.weights}, facts, above=view.above_after(at, changed))
        case AwaitApproval():
            expires = None if plan.limits.pause is None else view.now + plan.limits.pause
            asked = record.becoming(following(record.phase, Signal.ASK), view.now, step=at, expires=expires)
            return write(view, asked, None, (ApprovalAwaited(plan.candidate),))
        case Hold() | Bake():
            return _hold(view, plan, upcoming, at)


def _set_weight(view: View, plan: Plan, weight: int, at: int, since: float) -> Move:
    needed, record = pods_needed(plan.scale, weight), view.record
    if (move := bring_up(view, plan, needed) or _await_pods(view, plan, needed, since)) is not None:
        return move
    if view.seen.routed.accepted is False:
        return _held_up(view, plan, since, f"the route is refused by {view.seen.routed.refusal}")
    if view.unread and view.weight > 0:
        return _held_up(view, plan, since, f"the controller of {view.unread} has not taken up {view.weight} % yet")
    last = at == len(plan.steps) - 1
    if weight == 100 and last:
        return _promote(view, plan, weight, at)
    signal = Signal.FULL if weight == 100 else Signal.STEP
    changed = record.becoming(
        following(record.phase, signal), view.now, weight=weight, step=at, request="",
        exposed=_exposed(view),
    )  # fmt: skip
    stable = record.stable or 0
    weights = {**dict.fromkeys(view.seen.routed.weights, 0), stable: 100 - weight, plan.candidate: weight}
    return write(view, changed, weights, (_weighted(plan, record, weight),), above=view.above_after(at, changed))


def _exposed(view: View) -> float:
    """Since when the candidate has had users in this rollout. What stands there while it comes up is that nobody knew whether
    it had some before its record was lost: a container that crashed while it started speaks against nobody."""
    record = view.record
    return view.now if record.exposed is None or record.phase is Phase.PREPARING else record.exposed


def _held_up(view: View, plan: Plan, since: float, text: str) -> Move:
    if view.now >= since + plan.limits.progress:
        return fail_move(view, text)
    return Move(wake_at=since + plan.limits.progress, waiting=text)


def _promote(view: View, plan: Plan, weight: int, at: int) -> Move:
    """The candidate becomes the stable revision. Where the last weight ends the steps, it is the same write."""
    record = view.record
    promoted = record.becoming(
        following(record.phase, Signal.PROMOTE), view.now, stable=plan.candidate, previous=record.stable,
        candidate=None, weight=0, step=-1, plan="", request="", reason=plan.reason, exposed=None, cool_after=None,
    )  # fmt: skip
    weights = {**dict.fromkeys(view.seen.routed.weights, 0), plan.candidate: 100}
    facts: tuple[Fact, ...] = (Promoted(plan.candidate, record.stable),)
    if view.weight < 100:
        facts = (_weighted(plan, record, weight), *facts)
    parents = plan.rendered.route["spec"].get("parentRefs") if plan.rendered.route else None
    if parents and not view.seen.routed.has_parents:
        return write(
            view, promoted, weights, facts, extra=({"op": "add", "path": "/spec/parentRefs", "value": parents},)
        )
    return write(view, promoted, weights, facts)


def _weighted(plan: Plan, record: Record, weight: int) -> Weighted:
    if record.stable is None:
        return Weighted(plan.candidate, None, weight, 1, 1)
    values = [step.weight for step in plan.steps if isinstance(step, SetWeight)]
    number = values.index(weight) + 1 if weight in values else len(values)
    return Weighted(plan.candidate, record.stable, weight, number, len(values))
