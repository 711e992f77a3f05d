"""The end of a deploy or rollback: what became of it, how to undo it, who serves now; and the one document of `-o json`. Pure.

The very last line says who serves, because the last line is the one that is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from docc.core.cooling import reachable, warm
from docc.core.difference import differences, in_words
from docc.model.errors import ExitCode
from docc.model.facts import CheckSeen, Evidence, Fact, Parked, Promoted, Reverted, Weighted
from docc.model.moves import Outcome
from docc.model.record import Phase, Record
from docc.model.world import Seen
from docc.ui import rescue
from docc.ui.console import neutral
from docc.ui.words import clock, duration, number, one_line

_HEADLINES = {
    "planned": "nothing was touched",
    "promoted": "done",
    "unchanged": "nothing to do",
    "updated": "done, without a rollout",
    "returned": "back",
    "reverted": "reverted",
    "parked": "parked",
    "superseded": "overruled",
    "abandoned": "given up",
    "paused": "waiting for approval, and nobody watches from now on",
    "ready": "up, and nobody watches from now on",
    "asked": "asked for",
}

_IN_PLACE = re.compile(r"(hosts|paths|scale|mesh|gateway)(\..*)?$")
"""What no rollout brings: core/inplace.py changes it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Everything that is known when a command ends. seen: the last look, None if it failed; remembered: then, the one before,
    which is good for what to do, not for what is so. facts: with their instants, unix
    seconds. requests: API requests by verb. source: what to type behind `docc deploy` to do the same again, "" for a verb
    without a manifest, None for a manifest that came through a pipe. plan, notes: the rows that were shown before anything
    happened."""

    app: str
    namespace: str
    outcome: Outcome
    seen: Seen | None
    facts: Sequence[tuple[float, Fact]]
    requests: Mapping[str, int]
    source: str | None = ""
    place: str = ""
    plan: Sequence[str] = ()
    notes: Sequence[str] = ()
    remembered: Seen | None = None

    @property
    def record(self) -> Record | None:
        return self.seen.record if self.seen else None

    @property
    def weights(self) -> Mapping[int, int]:
        """Percent by revision, as the route has it; {} if it is not known."""
        return self.seen.routed.weights if self.seen else {}

    @property
    def serving(self) -> dict[str, int]:
        """Who gets traffic."""
        return {f"v{revision}": weight for revision, weight in sorted(self.weights.items()) if weight > 0}

    @property
    def warm(self) -> int | None:
        """The revision that `docc rollback` would turn to in one write."""
        return warm(self.seen) if self.seen else None

    @property
    def at(self) -> str:
        """What makes a command find the application: its namespace, and the cluster if that was named."""
        return self.place or f"-n {self.namespace}"

    @property
    def gave_up(self) -> bool:
        """A rollback that gave a rollout up: the version that serves is the same, so there is no way back but to begin anew."""
        record = self.record
        return self.outcome.result == "returned" and record is not None and record.phase is Phase.REVERTED

    @property
    def clean(self) -> bool:
        return self.outcome.exit_code is not ExitCode.FAILED_NOT_CLEAN


def text(ending: Ending) -> str:
    """Headline, what to do next, who serves."""
    lines = [headline(ending)]
    if not ending.clean:
        lines += [f"  {step}" for step in rescue.steps(ending.app, ending.at, ending.seen or ending.remembered)]
        if ending.outcome.result == "disputed":
            lines.append(
                f"  go on:   docc resume {ending.app} {ending.at} --force-conflicts, with docc's weights again"
            )
    else:
        lines += _next(ending)
    if unrestored := left_as_it_was(ending):
        lines.append(f"  note: {unrestored}")
    lines.append(_last_line(ending))
    return neutral("\n".join(lines))


def _next(ending: Ending) -> Iterator[str]:
    command, early = undo(ending), ending.outcome.exit_code is ExitCode.UNUSABLE and ending.outcome.result == "reverted"
    if command:
        yield f"  {next_label(ending)}: {command}"
    if early:
        label = "or:       " if command else "try again:"
        yield f"  {label} with --baseline=ignore, which leaves that condition out of this rollout"


_NEXT = {
    "promoted": "undo",
    "updated": "undo",
    "returned": "undo",
    "reverted": "try again",
    "parked": "go on",
    "abandoned": "go on",
    "paused": "go on",
    "ready": "go on",
}


def next_label(ending: Ending) -> str:
    """What `undo` would do."""
    return "try again" if ending.gave_up else _NEXT.get(ending.outcome.result, "next")


def undo(ending: Ending) -> str:
    """The command that takes back what was done, or does again what came to nothing; "" if there is none."""
    outcome = ending.outcome
    back = f"docc rollback {ending.app} {ending.at}"
    if not ending.clean:
        return back
    if outcome.result == "promoted" and ending.record is not None and ending.record.previous is None:
        return f"docc delete {ending.app} {ending.at}"  # the first there is
    if outcome.result in ("promoted", "returned") and not ending.gave_up:
        return back if ending.seen is not None and reachable(ending.seen) is not None else ""
    if outcome.result == "updated":
        return "docc deploy, with the former manifest; docc rollback brings back versions, and no change in place"
    if outcome.result in ("paused", "ready"):
        return f"docc {'promote' if outcome.result == 'paused' else 'resume'} {ending.app} {ending.at}"
    if ending.source is None and outcome.result in ("parked", "abandoned"):
        return f"docc resume {ending.app} {ending.at}"
    if ending.source is None and (outcome.result == "reverted" or ending.gave_up):
        return ""
    if outcome.result in ("reverted", "parked", "abandoned") or ending.gave_up:
        return f"docc deploy {ending.source}" if ending.source else "docc deploy, with the same manifest"
    return ""


def left_as_it_was(ending: Ending) -> str:
    """What one write of weights has not brought back of the manifest of the version that serves again; "" for nothing."""
    seen, record = ending.seen, ending.record
    if seen is None or record is None or ending.outcome.result != "returned" or ending.gave_up:
        return ""
    former, later = seen.revision(record.stable), seen.revision(record.previous)
    found = {
        path: change for path, change in differences(former.manifest, later.manifest).items() if _IN_PLACE.match(path)
    }
    if not found:
        return ""
    stays = f"as v{later.number} has it: {in_words(found)}"
    return f"only traffic went back. What lies around it is {stays}; docc deploy of v{former.number}'s manifest sets it"


def headline(ending: Ending) -> str:
    outcome = ending.outcome
    what = _HEADLINES.get(outcome.result, outcome.result)
    if not ending.clean:
        what = "NOT CLEAN, act now"
    elif outcome.result == "reverted" and outcome.exit_code is ExitCode.UNUSABLE:
        what = "not begun"  # the baseline: the candidate has never had traffic
    elif outcome.result == "promoted" and len(ending.facts) > 1:
        what = f"done in {duration(ending.facts[-1][0] - ending.facts[0][0])}"
    reason = one_line(outcome.reason)
    if not reason or reason.startswith(what):
        return reason or what
    return f"{what}: {reason}"


def _last_line(ending: Ending) -> str:
    record, place = ending.record, f"{ending.app} in {ending.namespace}"
    serving = ", ".join(f"{revision} serves {weight} %" for revision, weight in ending.serving.items())
    if not serving:
        unknown = "nothing serves" if ending.seen is not None else f"who serves is not known{_last_seen(ending)}"
        return f"{place}: {unknown}; docc status {ending.app} {ending.at}"
    if ending.outcome.result in ("reverted", "parked", "abandoned") and ending.clean:
        return f"{place}: {serving}, as before"
    if ending.outcome.exit_code is ExitCode.DONE and record is not None and ending.warm is not None:
        until = f" until {clock(record.cool_after)}" if record.cool_after is not None else ""
        return f"{place}: {serving}; v{ending.warm} stays warm{until}"
    return f"{place}: {serving}"


def _last_seen(ending: Ending) -> str:
    if ending.remembered is None:
        return ""
    weights = ending.remembered.routed.weights.items()
    return ", last seen " + ", ".join(f"v{revision} {weight} %" for revision, weight in sorted(weights) if weight)


def document(ending: Ending) -> dict[str, Any]:
    """The one JSON object of `-o json`. Instants are unix seconds by the API server's clock; `weights` are the percents of
    `revision`; a value that JSON has no number for is a string, as in Prometheus' answers ("+Inf")."""
    outcome, record, told = ending.outcome, ending.record, ending.facts
    exposed = next((fact.exposed for _, fact in reversed(told) if isinstance(fact, Reverted)), None)
    latest = {fact.name: fact for _, fact in told if isinstance(fact, CheckSeen)}
    return {
        "app": ending.app,
        "namespace": ending.namespace,
        "result": outcome.result,
        "exit_code": int(outcome.exit_code),
        "reason": outcome.reason,
        "serving": ending.serving,
        "stable": name(record.stable if record else None),
        "candidate": name(record.candidate if record else None),
        "previous": name(record.previous if record else None),
        "phase": record.phase.value if record else None,
        "weights": [
            {"at": at, "revision": name(fact.candidate), "weight": fact.weight if isinstance(fact, Weighted) else 0}
            for at, fact in told
            if isinstance(fact, Weighted | Reverted | Parked)
        ],
        "promoted_at": next((at for at, fact in told if isinstance(fact, Promoted)), None),
        "exposed_seconds": round(exposed, 3) if exposed is not None else None,
        "checks": [_check(check) for check in latest.values()],
        "evidence": [{"source": fact.source, "text": fact.text} for _, fact in told if isinstance(fact, Evidence)],
        "requests": dict(ending.requests),
        "plan": [row.strip() for row in ending.plan],
        "notes": [row.strip() for row in ending.notes],
        "undo": undo(ending),
        "started": told[0][0] if told else None,
        "finished": told[-1][0] if told else None,
    }


def _check(check: CheckSeen) -> dict[str, Any]:
    return {
        "name": check.name,
        "verdict": check.verdict,
        "value": None if check.value is None else finite(check.value),
        "operator": check.operator,
        "threshold": finite(check.threshold),
        "series": check.series,
        "weight": check.weight,
        "reason": check.reason,
        "basis": check.basis,
        "ignored": check.ignored,
        "query": check.query,
    }


def finite(value: float) -> float | str:
    return value if math.isfinite(value) else number(value)


def name(revision: int | None) -> str | None:
    return None if revision is None else f"v{revision}"
