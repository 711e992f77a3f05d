"""What people ask of a rollout while it runs: `docc promote [--full]`, `docc pause`, `docc resume`. Pure.

A request stands in the record, where whoever drives finds it at the next look; the writer stays the driver, and the epoch too,
so nobody is overruled. What goes back to stable is no request: `docc abort` and `docc rollback` write the route themselves.
"""

from __future__ import annotations

from dataclasses import replace

from docc.core.view import View
from docc.core.writes import write
from docc.model.errors import ExitCode
from docc.model.facts import Requested
from docc.model.moves import Move, Outcome
from docc.model.record import ASKED_MAX, FULL, PAUSE, PROMOTE, Asked, Phase, Record

RESUME = "resume"


def ask(view: View, verb: str, reason: str) -> Move:
    """The write that asks, or an Outcome: exit code 6 where there is nothing to act on, with the true state; "unchanged" where
    it was asked for already."""
    record = view.seen.record
    if record is None:
        return Move(outcome=Outcome("refused", ExitCode.NOT_FOUND, "it has no record of a rollout"))
    if refused := _refusal(verb, record, view.app):
        return Move(outcome=Outcome("refused", ExitCode.NOT_FOUND, refused))
    wanted, who = _request(verb, record), view.me.split("#")[0]
    if wanted == record.request:
        return Move(outcome=Outcome("unchanged", ExitCode.DONE, _already(record, who, reason)))
    asked = (*record.asked, Asked(verb, who, view.now, reason))[-ASKED_MAX:]
    return write(view, replace(record, request=wanted, asked=asked), None, (Requested(verb, who, reason),))


def _already(record: Record, who: str, reason: str) -> str:
    """Of two who ask for the same the first stands in the record, with its reason."""
    first = record.asked[-1] if record.asked else None
    if first is None:
        return f"{record.asker} has asked for it already"
    why = f": {first.reason}" if first.reason else ""
    lost = f'; "{reason}" was not kept' if reason and (first.who, first.reason) != (who, reason) else ""
    return f"{first.who} has asked for it already{why}{lost}"


def standing(record: Record) -> str:
    """What is going on, in words."""
    if not record.phase.undecided:
        serves = f"v{record.stable} serves 100 %" if record.stable is not None else "nothing serves"
        return f"no rollout is under way: {serves} ({record.phase.value}{record.reason and ': ' + record.reason})"
    by = f", paused by {record.asker}" if record.paused else ""
    return f"v{record.candidate} has {record.weight} % ({record.phase.value}{by})"


def _request(verb: str, record: Record) -> str:
    """What the record asks for then. Going on from a pause asks for nothing more; what was approved before it was paused, still
    is: nothing else can be paused while it awaits that."""
    if verb in (RESUME, PROMOTE):
        return PROMOTE if record.phase is Phase.AWAITING else ""
    return verb


def _refusal(verb: str, record: Record, app: str) -> str:
    state = standing(record)
    if not record.phase.running:
        return state
    match verb:
        case "promote":
            waits = record.phase is Phase.AWAITING or record.paused
            return "" if waits else f"{state}: it waits for nobody; --full skips the steps that are left"
        case "full":
            return f"{state}: it has all traffic already" if record.weight == 100 else ""
        case "pause":
            if record.phase is Phase.AWAITING and record.unapproved:
                return f"{state}: it waits for docc promote {app} as it is"
            return f"{state}: {record.asker} has asked for its promotion" if record.request == FULL else ""
        case _:
            return "" if record.request == PAUSE else f"{state}: it is not paused"
