"""One short line per fact, for people. Pure: facts in, words out.

Each line: a word of fixed width that says what kind of line it is, then the sentence. Styles are for terminals only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from docc.model import facts
from docc.ui.console import neutral


@dataclass(frozen=True, slots=True)
class Line:
    kind: str
    text: str
    style: str = ""


def line(fact: facts.Fact) -> Line:
    """The line that tells this fact."""
    found = _line(fact)
    return Line(found.kind, neutral(found.text), found.style)


def _line(fact: facts.Fact) -> Line:  # noqa: C901  a closed union: one case per fact
    match fact:
        case facts.Began():
            return Line("begin", _began(fact), "bold")
        case facts.Created():
            return Line("create", f"{fact.kind} {fact.name}")
        case facts.Deleted():
            return Line("delete", f"{fact.kind} {fact.name}")
        case facts.Scaled():
            return Line("scale", f"v{fact.revision} to {count(fact.replicas, 'pod')} ({fact.why})")
        case facts.Updated():
            return Line("update", f"{fact.kind} {fact.name}: {fact.what}")
        case facts.Weighted():
            rest = f", {100 - fact.weight} % to v{fact.stable}" if fact.stable is not None and fact.weight < 100 else ""
            return Line(
                "traffic", f"{fact.weight} % to v{fact.candidate}{rest} (step {fact.step}/{fact.steps})", "bold cyan"
            )
        case facts.HeadersRouted():
            return Line("traffic", f"requests with the header {fact.header} go to v{fact.candidate}", "bold cyan")
        case facts.ApprovalAwaited():
            return Line("wait", f"v{fact.candidate} awaits approval", "yellow")
        case facts.CheckSeen():
            return _check(fact)
        case facts.Waiting():
            return Line("wait", fact.why, "yellow")
        case facts.Promoted():
            before = f"; v{fact.previous} stands by" if fact.previous is not None else ""
            return Line("promote", f"v{fact.revision} is the stable version now{before}", "bold green")
        case facts.FrontMoved():
            return Line("service", f"Service {fact.service} selects v{fact.revision}")
        case facts.Reverted():
            return Line("REVERT", _reverted(fact), "bold red")
        case facts.Parked():
            return Line(
                "park", f"{serves(fact.stable)}; v{fact.candidate} has no traffic ({fact.reason})", "bold yellow"
            )
        case facts.LetGo():
            return Line("route", f"v{fact.revision} has left the route")
        case facts.Settled():
            return Line("rest", _settled(fact))
        case facts.StableLost():
            return Line("STUCK", f"{fact.reason}; v{fact.stable} has no ready endpoint to return to", "bold red")
        case facts.Evidence():
            return Line("why", f"{fact.source}:\n" + "\n".join(f"| {row}" for row in fact.text.splitlines()), "red")
    assert_never(fact)


def _began(fact: facts.Began) -> str:
    to = f"v{fact.candidate}"
    return {
        "first": f"first deploy: {to}",
        "retry": f"{to} once more; {serves(fact.stable)}",
        "resume": f"taking over the rollout of {to}",
        "rollback": f"back to {to}" + (f" from v{fact.stable}" if fact.stable is not None else ""),
    }.get(fact.mode, f"rollout of {to}; {serves(fact.stable)}")


def serves(stable: int | None) -> str:
    return f"v{stable} serves 100 %" if stable is not None else "nothing serves yet"


def _check(fact: facts.CheckSeen) -> Line:
    styles = {"OK": "green", "FAIL": "bold red", "NO-DATA": "yellow", "ERROR": "yellow"}
    value = "" if fact.value is None else f"  {number(fact.value)}"
    fires = f"  (fires at {fact.operator} {number(fact.threshold)})"
    why = f"  {fact.reason}" if fact.reason and fact.verdict != "FAIL" else ""
    series = f"  {fact.series}" if fact.series and fact.verdict == "FAIL" else ""
    return Line("check", f"{fact.name}  {fact.verdict}{value}{fires}{series}{why}", styles.get(fact.verdict, ""))


def _reverted(fact: facts.Reverted) -> str:
    had = (
        f" v{fact.candidate} had traffic for {fact.exposed:.1f} s."
        if fact.exposed
        else f" v{fact.candidate} had no traffic."
    )
    back = f"{serves(fact.stable)} again." if fact.exposed else f"{serves(fact.stable)}."
    return f"{fact.reason}. {back}{had}"


def _settled(fact: facts.Settled) -> str:
    if fact.warm is None or fact.cool_after is None:
        return serves(fact.stable)
    return f"{serves(fact.stable)}; v{fact.warm} stays warm until {clock(fact.cool_after)}"


def number(value: float) -> str:
    return f"{value:.4g}"


def count(amount: int, noun: str) -> str:
    return f"{amount} {noun}{'' if amount == 1 else 's'}"


def clock(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%H:%M:%S UTC")
