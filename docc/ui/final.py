"""The end of a deploy or rollback: who serves now, how to undo; and the one document of `-o json`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from docc.model.errors import ExitCode
from docc.model.facts import CheckSeen, Evidence, Fact, Promoted, Reverted, Weighted
from docc.model.moves import Outcome
from docc.model.record import Record
from docc.ui.console import neutral


@dataclass(frozen=True, slots=True)
class Ending:
    """Everything that is known when a command ends. source: the manifest as the user named it."""

    app: str
    namespace: str
    outcome: Outcome
    record: Record | None
    weights: Mapping[int, int]
    facts: Sequence[tuple[float, Fact]]
    requests: Mapping[str, int]
    source: str = ""

    @property
    def serving(self) -> dict[str, int]:
        """Percent by revision, as the route has it."""
        return {f"v{revision}": weight for revision, weight in sorted(self.weights.items()) if weight > 0}


def text(ending: Ending) -> str:
    """The last lines. The very last says who serves."""
    outcome, record = ending.outcome, ending.record
    lines = [f"{_headline(outcome)}{f': {outcome.reason}' if outcome.reason else ''}"]
    if undo := _undo(ending):
        lines.append(f"  {undo}")
    serving = ", ".join(f"{revision} serves {weight} %" for revision, weight in ending.serving.items())
    warm = ""
    if record and record.previous is not None and outcome.exit_code == ExitCode.DONE:
        warm = f"; v{record.previous} is warm"
    lines.append(f"{ending.app} in {ending.namespace}: {serving or 'nothing serves'}{warm}")
    return neutral("\n".join(lines))


def document(ending: Ending) -> dict[str, Any]:
    """The one JSON object of `-o json`."""
    outcome, record, told = ending.outcome, ending.record, ending.facts
    reverted = [fact for _, fact in told if isinstance(fact, Reverted)]
    latest = {fact.name: fact for _, fact in told if isinstance(fact, CheckSeen)}
    return {
        "app": ending.app,
        "namespace": ending.namespace,
        "result": outcome.result,
        "exit_code": int(outcome.exit_code),
        "reason": outcome.reason,
        "serving": ending.serving,
        "stable": _name(record.stable if record else None),
        "candidate": _name(record.candidate if record else None),
        "previous": _name(record.previous if record else None),
        "phase": record.phase.value if record else None,
        "weights": [
            {"at": at, "revision": _name(fact.candidate), "weight": fact.weight}
            for at, fact in told
            if isinstance(fact, Weighted)
        ]
        + [{"at": at, "revision": _name(fact.candidate), "weight": 0} for at, fact in told if isinstance(fact, Reverted)],
        "promoted_at": next((at for at, fact in told if isinstance(fact, Promoted)), None),
        "exposed_seconds": round(reverted[-1].exposed, 3) if reverted else None,
        "checks": [
            {
                "name": check.name, "verdict": check.verdict, "value": check.value, "operator": check.operator,
                "threshold": check.threshold, "weight": check.weight, "reason": check.reason, "query": check.query,
            }
            for check in latest.values()
        ],
        "evidence": [{"source": fact.source, "text": fact.text} for _, fact in told if isinstance(fact, Evidence)],
        "requests": dict(ending.requests),
        "undo": _undo(ending),
        "started": told[0][0] if told else None,
        "finished": told[-1][0] if told else None,
    }  # fmt: skip


def _name(revision: int | None) -> str | None:
    return None if revision is None else f"v{revision}"


def _headline(outcome: Outcome) -> str:
    if outcome.exit_code == ExitCode.FAILED_NOT_CLEAN:
        return "NOT CLEAN, act now"
    return {
        "promoted": "done",
        "unchanged": "nothing to do",
        "returned": "back",
        "reverted": "reverted",
        "parked": "parked",
        "superseded": "taken over",
        "refused": "refused",
    }.get(outcome.result, outcome.result)


def _undo(ending: Ending) -> str:
    outcome, record = ending.outcome, ending.record
    again = f"docc deploy {ending.source}" if ending.source else "the same docc deploy"
    if outcome.exit_code == ExitCode.FAILED_NOT_CLEAN:
        return f"look: docc status {ending.app} -n {ending.namespace}; then: docc rollback {ending.app} -n {ending.namespace}"
    if outcome.result in ("promoted", "returned") and record and record.previous is not None:
        return f"undo: docc rollback {ending.app} -n {ending.namespace}"
    if outcome.result == "reverted":
        return f"try again: {again}"
    if outcome.result == "parked":
        return f"go on: {again}"
    return ""
