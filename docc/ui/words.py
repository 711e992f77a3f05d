"""One short line per fact, for people. Pure: facts in, words out.

Each line: a word of fixed width that says what kind of line it is, then the sentence. Styles are for terminals only. Only
Evidence has more than one row; what a server put line breaks into is told on one line, so that a log stays one per fact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from docc.model import facts
from docc.model.record import Asked, Phase
from docc.model.secrets import masked
from docc.ui.console import neutral

KIND_WIDTH = 8
EVIDENCE_ROWS_MAX = 20
EVIDENCE_ROW_LENGTH_MAX = 400
_ASKED = {
    "promote": "to go on",
    "full": "for all traffic without the steps between",
    "pause": "to stay at this weight",
    "resume": "to go on",
}
PHASES = {
    Phase.PREPARING: "preparing",
    Phase.SHIFTING: "rolling out",
    Phase.AWAITING: "waiting for approval",
    Phase.BAKING: "baking",
    Phase.PROMOTING: "promoted",
    Phase.SUCCEEDED: "at rest",
    Phase.REVERTING: "taken back",
    Phase.REVERTED: "at rest",
    Phase.PARKED: "parked",
    Phase.STUCK: "STUCK, act now",
}
_TYPED = {"full": "promote --full"}
_VERDICT_STYLES = {"OK": "green", "FAIL": "bold red", "NO-DATA": "yellow", "ERROR": "yellow"}


@dataclass(frozen=True, slots=True)
class Line:
    """kind: at most KIND_WIDTH letters. text: rows, parted by line feeds. style: a rich style. command: one to be typed, that
    belongs behind the text."""

    kind: str
    text: str
    style: str = ""
    command: str = ""


def line(fact: facts.Fact) -> Line:
    """The line that tells this fact."""
    if isinstance(fact, facts.Evidence):
        return Line("why", neutral(f"{one_line(fact.source)}:\n" + "\n".join(quoted(fact.text))), "red")
    found = _line(fact)
    return Line(found.kind, neutral(one_line(found.text)), found.style, neutral(found.command))


def _line(fact: facts.Fact) -> Line:  # noqa: C901  a closed union: one case per fact
    match fact:
        case facts.Began():
            return Line("begin", _began(fact), "bold")
        case facts.Replanned():
            return Line("plan", f"v{fact.planned} is another version by now; this is v{fact.candidate}", "yellow")
        case facts.Created():
            return Line("create", f"{fact.kind} {fact.name}")
        case facts.Deleted():
            return Line("delete", f"{fact.kind} {fact.name}")
        case facts.Scaled():
            return Line("scale", f"v{fact.revision} to {count(fact.replicas, 'pod')} ({fact.why})")
        case facts.Updated():
            return Line("update", f"{fact.kind} {fact.name}: {fact.what}")
        case facts.Weighted():
            return Line("traffic", _weighted(fact), "bold cyan")
        case facts.HeadersRouted():
            return Line("traffic", f"requests with {fact.header} go to v{fact.candidate}", "bold cyan", fact.curl)
        case facts.ApprovalAwaited() | facts.Requested() | facts.Left():
            return _people(fact)
        case facts.CheckSeen():
            return Line("check", _check(fact), "dim" if fact.ignored else _VERDICT_STYLES.get(fact.verdict, ""))
        case facts.Waiting():
            return Line("wait", fact.why, "yellow")
        case facts.Standing():
            share = f"v{fact.candidate} has {fact.weight} %" if fact.weight else serves(fact.stable)
            return Line("sees", f"{PHASES[Phase(fact.phase)]}: {share}")
        case facts.Driven():
            return Line("sees", f"{fact.driver} drives it" if fact.driver else "nobody drives it")
        case facts.Promoted():
            before = f"; v{fact.previous} stands by" if fact.previous is not None else ""
            return Line("promote", f"v{fact.revision} is the stable version now{before}", "bold green")
        case facts.FrontMoved():
            return Line("service", f"Service {fact.service} selects v{fact.revision}")
        case facts.Reverted():
            return Line("REVERT", _reverted(fact), "bold red")
        case facts.Parked():
            out = f"; v{fact.candidate} has no traffic" if fact.candidate is not None else ""
            return Line("park", f"{serves(fact.stable)}{out} ({fact.reason})", "bold yellow")
        case facts.LetGo():
            return Line("route", f"v{fact.revision} has left the route")
        case facts.Cooled():
            return Line("route", f"v{fact.revision} is not kept warm any more, and leaves the route")
        case facts.LeftUndone():
            return Line("left", f"{fact.what} is left as it is for now: {fact.why}", "yellow")
        case facts.Settled():
            return Line("rest", _settled(fact))
        case facts.StableLost() | facts.StableSilent():
            return _without_stable(fact)
        case facts.Meddled():
            return Line("others", f"{_theirs(fact.edits)}; {fact.then}", "bold yellow")
        case facts.TakenBack():
            return Line("others", f"{fact.where} is as docc wrote it again")
        case facts.PutBack():
            return Line("put back", f"docc has written {fact.what} again; found: {_theirs(fact.edits)}", "bold yellow")
        case facts.Evidence():
            return Line("why", fact.text, "red")
    assert_never(fact)


def _people(fact: facts.ApprovalAwaited | facts.Requested | facts.Left) -> Line:
    match fact:
        case facts.ApprovalAwaited():
            return Line("wait", f"v{fact.candidate} awaits approval", "yellow")
        case facts.Requested():
            why = f": {fact.reason}" if fact.reason else ""
            return Line("asked", f"{_ASKED.get(fact.verb, fact.verb)}, by {fact.who}{why}", "bold")
        case facts.Left():
            until = "" if fact.until is None else f"; it may be approved until {clock(fact.until)} (pause_timeout)"
            told = f"v{fact.candidate} stays as it is, and nobody watches from now on{until}"
            return Line("left", told, "bold yellow")


def requested(asked: Asked) -> str:
    """What somebody has typed, when and why: "promote --full at 12:00:00 UTC, by ada@desk: it is liked"."""
    why = f": {one_line(asked.reason)}" if asked.reason else ""
    return f"{_TYPED.get(asked.verb, asked.verb)} at {clock(asked.at)}, by {asked.who}{why}"


def edited(edit: facts.Edit) -> str:
    """One change by another hand: what, which values, who and when."""
    who = f" ({by(edit)})" if edit.manager else ""
    return f"{what(edit)}: {edit.theirs} instead of {edit.ours}{who}"


def what(edit: facts.Edit) -> str:
    return f"{edit.field} of {edit.where}" if edit.field else edit.where


def by(edit: facts.Edit) -> str:
    """ "" if nobody is known."""
    when = f" at {clock(edit.at)}" if edit.at is not None else ""
    return f"by {edit.manager}{when}" if edit.manager else ""


def _theirs(edits: tuple[facts.Edit, ...]) -> str:
    return "; ".join(edited(edit) for edit in edits)


def _began(fact: facts.Began) -> str:
    to = f"v{fact.candidate}"
    return {
        "first": f"first deploy: {to}",
        "retry": f"{to} once more; {serves(fact.stable)}",
        "resume": f"taking over the rollout of {to}",
        "rollback": f"back to {to}" + (f" from v{fact.stable}" if fact.stable is not None else ""),
    }.get(fact.mode, f"rollout of {to}; {serves(fact.stable)}")


def _weighted(fact: facts.Weighted) -> str:
    rest = f", {100 - fact.weight} % to v{fact.stable}" if fact.stable is not None and fact.weight < 100 else ""
    return f"{fact.weight} % to v{fact.candidate}{rest} (step {fact.step}/{fact.steps})"


def _check(fact: facts.CheckSeen) -> str:
    """The verdicts and the numbers stand below each other. A breach also says how much traffic saw it; a breach, and that
    there was none at all, in how many requests."""
    value = "" if fact.value is None else f"{number(fact.value):<6}  "
    basis = f" in {fact.basis}" if fact.basis else ""
    at = f" at {fact.weight} %{basis}" if fact.verdict == "FAIL" else ""
    series = f"  {fact.series}" if fact.series else ""
    why = f"  {fact.reason}{basis}" if fact.reason and fact.verdict != "FAIL" else ""
    if fact.ignored:
        why += "  ignored: it failed before this rollout"
    return f"{fact.name}  {fact.verdict:<7}  {value}(fires at {fires(fact)}){at}{series}{why}"


def fires(fact: facts.CheckSeen) -> str:
    return f"{fact.operator} {number(fact.threshold)}"


def _reverted(fact: facts.Reverted) -> str:
    reason, now = fact.reason.rstrip(". "), serves(fact.stable) if fact.stable is not None else "Nothing serves"
    if fact.exposed is None:
        return f"{reason}. {now}; v{fact.candidate} has no traffic."
    if not fact.exposed:
        return f"{reason}. {now}; v{fact.candidate} had no traffic."
    return f"{reason}. {now} again; v{fact.candidate} had traffic for {fact.exposed:.1f} s."


def _settled(fact: facts.Settled) -> str:
    if fact.warm is None or fact.cool_after is None:
        return serves(fact.stable)
    return f"{serves(fact.stable)}; v{fact.warm} stays warm until {clock(fact.cool_after)}"


def _without_stable(fact: facts.StableLost | facts.StableSilent) -> Line:
    if isinstance(fact, facts.StableLost):
        return Line("STUCK", _stable_lost(fact), "bold red")
    lasted = f"has had no ready endpoint for {fact.seconds:.0f} s" if fact.seconds else "has no ready endpoint"
    return Line("traffic", f"v{fact.stable} {lasted}: v{fact.candidate} takes all", "bold yellow")


def _stable_lost(fact: facts.StableLost) -> str:
    nowhere = (
        f"v{fact.stable} has no ready endpoint to return to" if fact.stable else "There is no version to return to"
    )
    return f"{fact.reason.rstrip('. ')}. {nowhere}, so traffic stays where it is"


def serves(stable: int | None) -> str:
    return f"v{stable} serves 100 %" if stable is not None else "nothing serves yet"


def number(value: float) -> str:
    """Four significant digits; what is no number as Prometheus writes it."""
    if math.isfinite(value):
        return f"{value:.4g}"
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def count(amount: int, noun: str) -> str:
    return f"{amount} {noun}{'' if amount == 1 else 's'}"


def clock(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%H:%M:%S UTC")


def duration(seconds: float) -> str:
    """Two units at most: "45 s", "2 min", "1 min 30 s", "3 h 5 min", "2 d 4 h"."""
    left, shown = max(0, round(seconds)), []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        whole, left = divmod(left, size)
        if whole:
            shown.append(f"{whole} {unit}")
        elif shown:
            break
    return " ".join(shown[:2]) or "0 s"


def one_line(text: str) -> str:
    """Rows joined by a blank; blanks within a row stay as they are, since columns may hang on them."""
    return " ".join(row.strip() for row in text.splitlines() if row.strip()) if "\n" in text else text


def quoted(text: str) -> list[str]:
    """Foreign rows, marked as such: the last EVIDENCE_ROWS_MAX of them, none longer than EVIDENCE_ROW_LENGTH_MAX."""
    rows = masked(text).replace("\r\n", "\n").rstrip("\n").split("\n")
    left = len(rows) - EVIDENCE_ROWS_MAX
    head = [f"| ... {count(left, 'earlier line')} left out"] if left > 0 else []
    return head + [f"| {_clipped(row)}".rstrip() for row in rows[-EVIDENCE_ROWS_MAX:]]


def _clipped(row: str) -> str:
    return row if len(row) <= EVIDENCE_ROW_LENGTH_MAX else row[:EVIDENCE_ROW_LENGTH_MAX] + " ..."
