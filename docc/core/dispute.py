"""What a driver does when somebody else's hand is in what it wrote (core/meddling.py): it fights nobody, and it guards users.

- Weights that are not docc's are left as they are. Nothing is written that would change them, what speaks against the
  candidate is judged on, and turns back as ever; when they are docc's again, the rollout goes on; after a while it ends.
- A hand that took all traffic from the candidate has stopped the rollout: docc takes that as a wish (core/rollout.py).
- Weights that send users to a revision without a ready endpoint are put right, if stable can serve; so is the selector of the
  front Service. Where the candidate could not carry its share any more, all goes to stable.
- The record is docc's alone: the driver that is alive puts it back, and no traffic moves by that.
- --force-conflicts: docc's weights are written again, unless that would give users to a candidate that cannot be judged now.

Nothing is put back more often than every PUT_BACK_SECONDS, so that two programs cannot chase each other.
"""

from __future__ import annotations

from dataclasses import replace

from docc.core.phases import Signal, following
from docc.core.pods import front_set
from docc.core.route import shares
from docc.core.view import Dispute, View, pods_needed
from docc.core.writes import fail_move, write
from docc.model.errors import ExitCode
from docc.model.facts import Edit, Fact, PutBack
from docc.model.moves import Move, Outcome
from docc.model.record import Phase

LIMIT_SECONDS = 300.0
PUT_BACK_SECONDS = 5.0
CALM_SECONDS = 60.0
"""So long nobody's hand must have been in it before another one has the whole limit again."""
_RECORD = "its record"


def followed(dispute: Dispute | None, edits: tuple[Edit, ...], now: float) -> Dispute | None:
    """The memory after one more look."""
    if not edits and dispute is not None and dispute.standing:
        return replace(dispute, seen=now, standing=False)
    if not edits:
        return (
            dispute if dispute is not None and now < max(dispute.seen, dispute.put_back or 0.0) + CALM_SECONDS else None
        )
    return Dispute(now, now) if dispute is None else replace(dispute, seen=now, standing=True)


def unreachable(view: View) -> Move | None:
    """There is nothing of docc's to give weights to: neither evidence nor force can change that. None if there is.
    Clients of the front Service, who need no route, are helped all the same."""
    routed = view.seen.routed
    # In a route of docc's own nothing but the names of its revisions says which rules are its own.
    unnamed = routed.kind == "HTTPRoute" and not routed.foreign and not routed.weights and bool(view.record.serving)
    if routed.exists and routed.has_rule and not unnamed:
        return None
    return (_front_again(view) if misled(view) and _is_due(view) else None) or _hold(view)


def answer(view: View) -> Move | None:
    """What comes before the next step; None when nobody's hand is in it."""
    if not view.edits:
        return None
    return (_written_again(view) if _is_due(view) else None) or _hold(view)


def answer_at_rest(view: View) -> Move | None:
    """Weights that differ at rest are left as they are, unless docc is to win; a front Service that leads to nobody is not."""
    alone = view.seen.routed.kind == "Service" and bool(view.edits) and harmful(view)
    if not (misled(view) or alone or (view.forced and view.edits)) or unreachable(view) is not None:
        return None
    return (_written_again(view) if _is_due(view) else None) or (_hold(view) if view.forced else None)


def recorded_again(view: View) -> Move | None:
    """The record, where it is docc's no more; None if it is, or was put back a moment ago."""
    if not view.lost or not view.seen.routed.exists or not _is_due(view):
        return None
    return write(view, view.record, None, (PutBack(view.lost, _RECORD),))


def is_of_a_lost_record(fact: Fact) -> bool:
    """Told of a write that moves no traffic."""
    return isinstance(fact, PutBack) and fact.what == _RECORD


def awaiting_the_record(view: View) -> Move | None:
    """It was put back a moment ago and is lost again: nobody leaves before it is there, unless somebody takes it for ever."""
    if not view.lost or not view.seen.routed.exists or view.dispute is None or view.dispute.put_back is None:
        return None
    if view.now >= view.dispute.since + LIMIT_SECONDS:
        return None
    return Move(wake_at=view.dispute.put_back + PUT_BACK_SECONDS, waiting="docc puts its record back once more")


def stopped_by_hand(view: View) -> str:
    """Who took all of the candidate's traffic and gave it to stable, in words; "" if nobody did. Not if docc is to win."""
    record = view.record
    if view.forced or record.stable is None or record.weight == 0 or view.seen.routed.above:
        return ""
    if not view.edits or shares(view.seen.routed.weights) != {record.stable: 100} or not view.seen.routed.agrees:
        return ""
    return f"{view.edits[0].manager or 'somebody'} took v{record.candidate}'s traffic and gave it to v{record.stable}"


def harmful(view: View) -> bool:
    """Users are sent to nobody who can answer, and stable could. While a rollout runs the candidate's end is evidence."""
    record, routed = view.record, view.seen.routed
    served = {n for n, weight in routed.weights.items() if weight > 0}
    judged = {record.stable, record.candidate} if record.phase.running else {record.stable}
    dead = any(view.seen.revision(number).ready == 0 for number in served - judged)
    return view.can_return and (dead or (not served and not routed.others_serve))


def misled(view: View) -> bool:
    """The front Service sends its clients to nobody, and stable could answer."""
    return bool(view.front_edits) and view.seen.front.ready == 0 and view.can_return


def intention(view: View) -> str:
    """What will be done about it, in words."""
    if view.lost:
        return "docc puts its record back"
    if view.record.phase.running and stopped_by_hand(view):
        return "taken as a wish: the rollout ends"
    if unreachable(view) is None and (_wins(view) or harmful(view) or misled(view)):
        return "docc writes its own again"
    return "left as it is" if view.record.phase.at_rest else "docc holds, and judges on"


def contested(view: View) -> Outcome | None:
    """For a deploy that has not written yet: what others have changed since it was typed, or while it waited, is theirs."""
    deploys = view.plan is not None and view.plan.verb == "deploy"
    if not deploys or view.held or view.forced or not view.edits:
        return None
    return Outcome("refused", ExitCode.LOCKED, f"{in_words(view.edits)}; docc fights nobody over it")


def out_of_reach(view: View) -> Outcome | None:
    """For verbs that turn back: they would write a record, and no weights."""
    if view.seen.record is None or unreachable(view) is None:
        return None
    why = f"{in_words(view.edits)}; docc has no rule there to give weights to"
    return Outcome("refused", ExitCode.LOCKED, why)


def in_words(edits: tuple[Edit, ...]) -> str:
    """For reasons, which are kept in records: without times."""
    return "; ".join(
        f"{edit.field + ' of ' if edit.field else ''}{edit.where}: {edit.theirs} instead of {edit.ours}"
        + (f", by {edit.manager}" if edit.manager else "")
        for edit in edits
    )


def _is_due(view: View) -> bool:
    put_back = view.dispute.put_back if view.dispute else None
    return put_back is None or view.now >= put_back + PUT_BACK_SECONDS


def _share(view: View) -> int:
    """Percent of traffic that the record gives to the candidate."""
    return view.record.serving.get(view.record.candidate or 0, 0)


def _wins(view: View) -> bool:
    """docc's weights, over anybody's; but what others have taken from the candidate it does not get while nobody can tell how
    it does."""
    taken = _share(view) > view.weight or (bool(view.above) and not view.seen.routed.above)
    return view.forced and not (view.record.phase.running and taken and view.erring() is not None)


def _written_again(view: View) -> Move | None:
    """docc's weights as the record has them, or the front's selector; None if they are to be left. A step that had begun begins
    anew: its evidence was of other weights. Who brought an application to rest stays."""
    if misled(view) or (view.forced and view.front_edits):
        return _front_again(view)
    record, harm = view.record, harmful(view)
    if not harm and not (_wins(view) and view.edits):
        return None
    share, scale = _share(view), view.plan.scale if view.plan else view.candidate.replicas
    if share and view.candidate.ready < pods_needed(scale, share):
        why = f"{in_words(view.edits)}; v{record.candidate} could not carry its {share} % again"
        return fail_move(view, why) if harm else None
    since = record.since if record.phase is Phase.PREPARING or record.phase.at_rest else view.now
    epoch = record.epoch + (record.by != view.me)
    again = replace(record, phase=following(record.phase, Signal.TAKE_OVER), since=since, epoch=epoch)
    weights = {**dict.fromkeys(view.seen.routed.weights, 0), **record.serving}
    return write(view, again, weights, (PutBack(view.edits, "its weights"),), above=view.above)


def _front_again(view: View) -> Move | None:
    front = front_set(view)
    return None if front is None else replace(front, facts=(PutBack(view.front_edits, "its selector"),))


def _hold(view: View) -> Move:
    limit = (view.dispute.since if view.dispute else view.now) + (
        view.plan.limits.no_data if view.plan else LIMIT_SECONDS
    )
    words = in_words(view.edits)
    if view.now >= limit or view.broken:
        why = f"{view.broken}; {words}" if view.broken else f"{words}; nobody took it back"
        return Move(outcome=Outcome("disputed", ExitCode.FAILED_NOT_CLEAN, why))
    if view.dispute and view.dispute.put_back is not None:
        limit = min(limit, max(view.now, view.dispute.put_back) + PUT_BACK_SECONDS)
    return Move(wake_at=limit, waiting="others have changed what docc wrote; holding until they take it back")
