"""THE state machine: advance(view) -> Move. What to do next, from the record, what is seen, and the time; nothing else.

A Move has at most one effect. Whatever becomes of it (done, refused by a guard, answer lost), the next look decides anew:
no effect is ever retried from memory. Traffic and record change in one write (core/route.py), and the phase after it comes
from one table (core/phases.py). core/rollout.py has the phases in which a candidate may get traffic; here stand claiming
the record, turning back, coming to rest, and tidying up at rest.
"""

from __future__ import annotations

from dataclasses import replace

from docc.core import beginning, dispute, inplace, rollout
from docc.core.cooling import overdue, retire, warm
from docc.core.history import note
from docc.core.intent import given_up_first
from docc.core.phases import Signal, following
from docc.core.plan import Plan
from docc.core.pods import another_s, front_follows, let_go
from docc.core.steps import resume_after
from docc.core.view import View
from docc.core.writes import fail_move, park_move, return_move, write
from docc.model.errors import ExitCode
from docc.model.facts import Began, LetGo, Settled, Weighted
from docc.model.moves import Move, Outcome
from docc.model.record import Phase, Record

ACCEPT_SECONDS_MAX = 30.0
READ_SECONDS_MAX = 120.0
"""How long a driver waits for the data plane's controller to come back, before it leaves the pods as they are."""
DRAIN_SECONDS_MIN = 2.0
"""The data plane hears of a route's change some time after it was written (110 ms measured with istiod's debounce): what has
just lost its traffic must not be taken down before, whatever the manifest says."""


def advance(view: View) -> Move:
    """The next move of a driver that wants view.plan to serve (or, without a plan, to finish what is under way)."""
    record = view.seen.record
    if record is None:
        return beginning.first(view)
    if record.by != view.me:
        return _superseded(view) if view.held else _claim(view, record)
    if (move := dispute.recorded_again(view)) is not None:
        return move
    if record.phase.at_rest:
        return dispute.awaiting_the_record(view) or _at_rest(view, record)
    if record.phase is Phase.PROMOTING:
        return _promoting(view, record)
    if record.phase is Phase.REVERTING:
        return _draining(view, record)
    if record.phase is Phase.STUCK:
        return _stuck(view, record)
    plan = view.plan
    if plan is None or plan.candidate != record.candidate:
        return dispute.unreachable(view) or fail_move(view, "another version is to be deployed")
    return rollout.step(view, plan)


def park(view: View, signal: str) -> Move:
    """The one write that leaves all traffic on stable because the driver must go; an Outcome when nothing is to be moved."""
    record = view.seen.record
    code = ExitCode.TERMINATED if signal == "SIGTERM" else ExitCode.INTERRUPTED
    if record is None or record.by != view.me or not record.phase.undecided:
        return Move(outcome=Outcome("parked", code, f"stopped by {signal}"))
    if dispute.unreachable(view) is not None:
        why = f"stopped by {signal}; {dispute.in_words(view.edits)}"
        return Move(outcome=Outcome("disputed", ExitCode.FAILED_NOT_CLEAN, why))
    if view.weight > 0 and not view.can_return:
        why = f"stopped by {signal}, and stable has no ready endpoint to return to"
        return Move(outcome=Outcome("stuck", ExitCode.FAILED_NOT_CLEAN, why))
    return park_move(view, f"parked by {signal}")


def give_up(view: View, verb: str, reason: str) -> Move:
    """`docc abort`, and `docc rollback` out of a rollout (parked ones too): all traffic to stable, in one write that raises
    the epoch. It needs no Lease. An Outcome when nothing is to be given up."""
    record = view.seen.record
    if record is None:
        return Move(outcome=Outcome("refused", ExitCode.NOT_FOUND, "it has no record of a rollout"))
    if record.phase is Phase.REVERTING:
        return Move(outcome=Outcome("unchanged", ExitCode.DONE, "all traffic is on stable already"))
    if not record.phase.undecided and record.phase is not Phase.PARKED:
        return Move(outcome=Outcome("refused", ExitCode.NOT_FOUND, "no rollout is under way"))
    if (refused := dispute.out_of_reach(view)) is not None:
        return Move(outcome=refused)
    if view.weight > 0 and not view.can_return:
        nowhere = "there is no version to return to" if record.stable is None else "stable has no ready endpoint"
        why = f"{nowhere}; traffic stays where users are served"
        return Move(outcome=Outcome("stuck", ExitCode.FAILED_NOT_CLEAN, why))
    return return_move(view, reason, verb=verb)


def turn_back(view: View, reason: str, target: int | None) -> Move:
    """`docc rollback`: out of a rollout, or at rest to the warm previous revision, in one write without the Lease. target:
    where that led when it was typed; of two people who type it at once, the second must not turn back what the first has
    done. An Outcome when no such write is possible."""
    record = view.seen.record
    if record is not None and not given_up_first(view.seen) and record.stable == target:
        return Move(outcome=Outcome("unchanged", ExitCode.DONE, f"v{target} serves already"))
    if record is not None and target is not None and target not in (record.stable, record.previous):
        return Move(outcome=Outcome("refused", ExitCode.LOCKED, f"{record.by.split('#')[0]} was faster"))
    if record is not None and given_up_first(view.seen) and target != record.stable:
        return Move(outcome=Outcome("refused", ExitCode.LOCKED, f"{record.by.split('#')[0]} has just begun a rollout"))
    # Parked, stable has all traffic: what goes back is the rollout, not the version that serves.
    if record is None or given_up_first(view.seen):
        return give_up(view, "rollback", reason)
    if (previous := warm(view.seen)) is None:
        return Move(outcome=Outcome("refused", ExitCode.NOT_FOUND, "no earlier revision is warm"))
    if (refused := dispute.out_of_reach(view)) is not None:
        return Move(outcome=refused)
    swapped = record.becoming(
        following(record.phase, Signal.RETURN), view.now, epoch=record.epoch + 1, by=view.me, stable=previous,
        previous=record.stable, candidate=None, weight=0, step=-1, plan="", reason=reason, request="", exposed=None,
        started=view.now, verb="rollback", cool_after=None,
    )  # fmt: skip
    weights = {**dict.fromkeys(view.seen.routed.weights, 0), previous: 100}
    return write(
        view,
        swapped,
        weights,
        (Began(previous, record.stable, "rollback"), Weighted(previous, record.stable, 100, 1, 1)),
    )


def _superseded(view: View) -> Move:
    """Somebody raised the epoch: whatever they decided holds, and this driver must not write any more."""
    record, plan = view.record, view.plan
    if plan is not None and record.phase is Phase.SUCCEEDED and record.stable == plan.candidate:
        return Move(outcome=Outcome("promoted", ExitCode.DONE, f"{record.by.split('#')[0]} has finished it"))
    back = record.phase in (Phase.REVERTING, Phase.REVERTED, Phase.PARKED)
    who = record.by.split("#")[0]
    named = f"by {who}" in record.reason
    why = record.reason if named else f"{who} took over" + (f": {record.reason}" if record.reason else "")
    return Move(outcome=Outcome("superseded", ExitCode.FAILED_SAFE if back else ExitCode.LOCKED, why))


def _claim(view: View, record: Record) -> Move:
    """The first write of a driver: epoch + 1, so that no other driver's later write can pass."""
    plan = view.plan
    if plan is not None and (move := another_s(view, plan)) is not None:
        return move
    if record.phase.at_rest:
        return _at_rest(view, record)
    if plan is None and record.phase.undecided:  # who only tidies up does not decide about it, even if nobody drives it
        return Move(outcome=Outcome("returned", ExitCode.DONE, "a rollout is under way"))
    if plan is not None and record.phase.undecided and (move := _another_s_end(plan, record)) is not None:
        return move
    phase = following(record.phase, Signal.TAKE_OVER)
    claimed = replace(record, phase=phase, epoch=record.epoch + 1, by=view.me, left=False)
    if record.phase.running:  # nobody has watched or waited meanwhile: the step's hold and its deadlines begin anew
        claimed = replace(claimed, since=view.now)
    weights: dict[int, int] | None = None
    if plan and record.phase.undecided and plan.candidate == record.candidate and record.plan != plan.digest:
        on_trial, reached = view.seen.routed.above, -1
        if record.step >= 0:  # an approval is not to be skipped
            reached = resume_after(plan.steps, record.weight, on_trial=on_trial)
        claimed = replace(claimed, plan=plan.digest, step=reached, verb=plan.verb)
        weights = None if view.edits else {**view.seen.routed.weights}
    if plan and plan.candidate == record.candidate and record.phase is Phase.PREPARING:
        excused = dict.fromkeys((*record.excused, *plan.excused))  # what fails now is not its doing
        claimed = replace(claimed, excused=tuple(excused))
    if plan:
        claimed = replace(claimed, drain=plan.limits.drain, keep_warm=plan.limits.keep_warm)
    facts = (Began(record.candidate or record.stable or 0, record.stable, "resume"),)
    return write(view, claimed, weights, facts, above=view.above_after(claimed.step, claimed))


def _promoting(view: View, record: Record) -> Move:
    """The candidate is stable now: the front Service follows, the former stable drains, then all is at rest."""
    if (move := dispute.unreachable(view) or dispute.answer(view)) is not None:
        return move
    if (move := front_follows(view)) is not None:
        return move
    if view.seen.routed.accepted is False:
        why, limit = f"the route is refused by {view.seen.routed.refusal}", record.since + ACCEPT_SECONDS_MAX
        if view.now >= limit:
            return Move(outcome=Outcome("refused", ExitCode.FAILED_NOT_CLEAN, why))
        return Move(wake_at=limit, waiting=why)
    exposed = record.previous is not None or len(view.seen.routed.weights) > 1 or _others_up(view, record)
    if exposed and (move := _unread(view, record, record.previous)) is not None:
        return move
    drained = _drained(view, record, exposed)
    if view.now < drained:
        return Move(wake_at=drained, waiting=_draining_words(record))
    cool_after = view.now + record.keep_warm if record.previous is not None else None
    rest = following(record.phase, Signal.SETTLE)
    settled = record.becoming(rest, view.now, cool_after=cool_after, candidate=None, weight=0, step=-1)
    weights = {r: w for r, w in {record.previous: 0, record.stable: 100}.items() if r is not None}
    kept = {r: w for r, w in weights.items() if r == record.stable or r in view.seen.routed.weights}
    return write(view, settled, kept, (Settled(record.stable, record.previous, cool_after),))


def _others_up(view: View, record: Record) -> bool:
    """Where a record was lost, who else had traffic a moment ago nobody knows: whoever is up may still be answering."""
    return any(found.replicas > 0 for number, found in view.seen.revisions.items() if number != record.stable)


def _draining_words(record: Record) -> str:
    if record.previous is None:
        return "what served before drains"
    return f"v{record.previous} drains, and stays warm for a rollback"


def _drained(view: View, record: Record, exposed: bool) -> float:
    """When what has lost its traffic has answered its last requests. A write may have been sent long after it was decided, and
    others may have given it traffic meanwhile. And a data plane whose controller comes back late, hears of it later still."""
    theirs = view.dispute.seen if view.dispute else 0.0
    last = max(record.since, view.acted, view.unread_at, theirs)
    return last + max(record.drain, DRAIN_SECONDS_MIN) if exposed or theirs else record.since


def _unread(view: View, record: Record, former: int | None) -> Move | None:
    """As long as the data plane has not heard that the former revision has no traffic, it sends it some: its pods stay."""
    if not view.unread:
        return None
    who = "what served before" if former is None else f"v{former}"
    why = f"the controller of {view.unread} has not taken up the route's last change: {who} may still get requests"
    limit = max(record.since, view.acted) + READ_SECONDS_MAX
    if view.now >= limit:
        return Move(outcome=Outcome("refused", ExitCode.FAILED_NOT_CLEAN, why))
    return Move(wake_at=limit, waiting=why)


def _draining(view: View, record: Record) -> Move:
    """Traffic is back on stable. The candidate's last requests end; then the route lets go of it."""
    if (move := dispute.unreachable(view) or dispute.answer(view)) is not None:
        return move
    if (move := front_follows(view)) is not None:
        return move
    named = record.candidate in view.seen.routed.weights
    exposed = named or record.exposed is not None  # header rules, and a Service's selector, name nobody any more
    if exposed and (move := _unread(view, record, record.candidate)) is not None:
        return move
    drained = _drained(view, record, exposed)
    if view.now < drained:
        going = sorted({*view.seen.routed.weights} - {record.stable, record.previous}) or [record.candidate or 0]
        names = ", ".join(f"v{number}" for number in going)
        return Move(wake_at=drained, waiting=f"{names} {'drains' if len(going) == 1 else 'drain'}")
    settled = record.becoming(following(record.phase, Signal.SETTLE), view.now, weight=0, exposed=None)
    weights = {r: w for r, w in view.seen.routed.weights.items() if r != record.candidate}
    facts = (LetGo(record.candidate),) if named and record.candidate is not None else ()
    return write(view, settled, weights, (*facts, Settled(record.stable, record.previous, record.cool_after)))


def _stuck(view: View, record: Record) -> Move:
    """A revert is due. As soon as one stable endpoint is ready it happens; for ever is not waited."""
    if (move := dispute.unreachable(view)) is not None:
        return move
    if view.can_return:
        return return_move(view, record.reason, signal=Signal.FAIL)
    if record.stable is None:
        return Move(outcome=Outcome("stuck", ExitCode.FAILED_NOT_CLEAN, record.reason))
    limit = record.since + (view.plan.limits.progress if view.plan else 60.0)
    if view.now < limit:
        return Move(wake_at=limit, waiting=f"v{record.stable} has no ready endpoint to return to")
    return Move(outcome=Outcome("stuck", ExitCode.FAILED_NOT_CLEAN, record.reason))


def _at_rest(view: View, record: Record) -> Move:
    """Nothing moves any more: set right what must be, begin what is wanted; or take down what nobody needs, and say how it
    ended."""
    if (move := dispute.answer_at_rest(view)) is not None:
        return move
    if (move := front_follows(view)) is not None:
        return move
    plan = view.plan
    if (refused := dispute.contested(view)) is not None:
        return Move(outcome=refused)
    if plan is not None and plan.candidate == record.stable and (move := inplace.change(view, plan)) is not None:
        return move
    outcome = _end(view, record)
    nobody_else = not view.edits  # whom others may have sent users to, or have taken from the route, stays up
    # The history first: pods that are left up are found by whoever comes next, a rest that others followed upon is not.
    noting = note(view)
    tidying = noting or (let_go(view) if nobody_else else None)
    tidying = tidying or (retire(view) if nobody_else and outcome is not None else None)
    if not view.untidy and tidying is not None:
        wait = None if noting else _late_drain(view, record)
        return wait or replace(tidying, spare=True)
    if outcome is None and plan is not None:
        return _another_s_end(plan, record) or beginning.begin(view, plan, record)
    if outcome is not None and view.edits and record.by == view.me:
        outcome = Outcome("disputed", ExitCode.FAILED_NOT_CLEAN, f"it is done, but {dispute.in_words(view.edits)}")
    return Move(outcome=outcome)


def _late_drain(view: View, record: Record) -> Move | None:
    """Whom others had given traffic until a moment ago, still answers; so does who lost it when the rollout was parked: a trial
    that no record told of any more, or, by a clock that had stood still (a laptop that was closed), the candidate itself."""
    theirs, drain = view.dispute.seen if view.dispute else 0.0, max(record.drain, DRAIN_SECONDS_MIN)
    parked = record.since if record.phase is Phase.PARKED else 0.0
    if parked and record.candidate in overdue(record, view.now):
        parked = max(parked, view.acted)
    if view.now >= max(theirs, parked) + drain:
        return None
    whose = "what others had given traffic" if theirs >= parked else "what had traffic until it was parked"
    return Move(wake_at=max(theirs, parked) + drain, waiting=f"{whose} drains")


def _another_s_end(plan: Plan, record: Record) -> Move | None:
    """For who only goes on with what was begun: what somebody has ended meanwhile stays so. None: it is to go on."""
    parked = record.phase is Phase.PARKED or record.phase.undecided
    if not plan.unfinished or (parked and record.candidate == plan.candidate):
        return None
    why = f"{record.by.split('#')[0]} was faster: v{plan.candidate} is not under way any more"
    return Move(outcome=Outcome("refused", ExitCode.LOCKED, f"{why}{record.reason and ': ' + record.reason}"))


def _end(view: View, record: Record) -> Outcome | None:
    """How it ended for this driver; None if what it wants has not been tried yet."""
    plan, mine = view.plan, record.by == view.me
    if plan is None:
        return Outcome("returned", ExitCode.DONE, record.reason)
    if plan.candidate == record.stable:
        if mine and record.phase is Phase.SUCCEEDED:
            return Outcome("promoted", ExitCode.DONE, record.reason)
        return Outcome("returned" if mine else "unchanged", ExitCode.DONE, "")
    if mine and record.candidate == plan.candidate:
        unusable = record.request == "baseline"
        result = "parked" if record.phase is Phase.PARKED else "reverted"
        return Outcome(result, ExitCode.UNUSABLE if unusable else ExitCode.FAILED_SAFE, record.reason)
    return None
