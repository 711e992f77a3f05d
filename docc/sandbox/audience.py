"""Who got what while a version is on trial: those who send the header, and all others. Pure.

When a trial began and ended is taken from its users' answers alone. A request belongs to a span if it was sent and answered
within it: whatever the order in which requests came to the Gateway, all of a trial's span met its rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from docc.sandbox.accounts import Account, Weights, of_access_log, of_load

Row = Mapping[str, Any]
WITH, WITHOUT = "with_header", "without_header"


@dataclass(frozen=True, slots=True)
class Span:
    """Unix seconds."""

    since: float
    until: float

    @property
    def seconds(self) -> float:
        return round(self.until - self.since, 1)


@dataclass(frozen=True, slots=True)
class Trial:
    """version: who sends the header has it instead of the stable one."""

    version: str
    stable: str
    span: Span


def parted(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """By who sent them."""
    found: dict[str, list[Row]] = {WITH: [], WITHOUT: []}
    for row in rows:
        found[WITH if row["header"] else WITHOUT].append(row)
    return found


def trial(rows: Iterable[Row], version: str, stable: str) -> Trial | None:
    """From the first answer that the version gave to somebody with the header, to the last request that it answered so."""
    theirs = [row for row in parted(rows)[WITH] if row["version"] == version]
    if not theirs:
        return None
    return Trial(version, stable, Span(min(row["done"] for row in theirs), max(row["sent"] for row in theirs)))


def periods(trial: Trial, weights: Weights, promoted: float | None) -> Iterator[tuple[str, Span]]:
    """What a trial is made of: paused, until somebody promotes it, and growing from then on, until all have the version."""
    span = trial.span
    if promoted is None or not span.since <= promoted <= span.until:
        yield "paused", span
        return
    yield "paused", Span(span.since, promoted)
    whole = (at for at, version, weight in weights if version == trial.version and weight == 100)
    yield "growing", Span(promoted, min(whole, default=span.until))


def got(rows: Iterable[Row], span: Span) -> dict[str, dict[str, int]]:
    """How many requests each version answered, by who sent them. "" for no version."""
    within = [row for row in rows if span.since <= row["sent"] and row["done"] <= span.until]
    return {who: dict(sorted(Counter(row["version"] for row in sent).items())) for who, sent in parted(within).items()}


def on_trial(weights: Weights, trials: Iterable[Trial]) -> list[tuple[float, str, int]]:
    """The weights that users with the header have: all or nothing, from where a trial begins to where one version has all."""
    own = [(at, version, weight) for at, version, weight in weights if weight in (0, 100)]
    for each in trials:
        own += [(each.span.since, each.version, 100), (each.span.since, each.stable, 0)]
    return sorted(own, key=lambda entry: entry[0])


def of_both(
    rows: Sequence[Row], logged: Sequence[Row], weights: Weights, trials: Iterable[Trial]
) -> dict[str, tuple[Account, Account]]:
    """By who sent the requests: the load's account, and that of Envoy's access log."""
    given = {WITH: on_trial(weights, trials), WITHOUT: weights}
    found = {}
    for who, sent in parted(rows).items():
        tags = {row["tag"] for row in sent}
        theirs = [row for row in logged if row.get("tag") in tags]
        found[who] = (of_load(sent, given[who]), of_access_log(theirs, given[who]))
    return found


def same_answers(rows: Iterable[Row], logged: Iterable[Row]) -> bool:
    """Envoy has logged each request once, and with the version that its sender was answered by."""
    mine = sorted((row["tag"], row["version"]) for row in rows)
    return mine == sorted((str(row.get("tag")), str(row.get("version") or "")) for row in logged)
