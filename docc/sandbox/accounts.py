"""What the traffic saw, counted twice: from the load's own lines, and from Envoy's access log. Pure; the two must agree.

A failure is no answer, an answer that Envoy made itself (no x-version), or one from a version whose weight had been 0 for
over a second. A bad answer is a 5xx that a version gave itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Weights = Sequence[tuple[float, str, int]]
"""(unix seconds, version, percent from then on), in the order in which they were given."""
LATE_SECONDS = 1.0
TOLD_MAX = 5


@dataclass(frozen=True, slots=True)
class Account:
    requests: int
    failed: int
    answers: Mapping[str, int]
    bad: Mapping[str, int]
    first: float
    last: float
    told: tuple[str, ...] = ()
    """The first failures, in words."""

    def same_as(self, other: Account) -> bool:
        """Times aside: the two observers' clocks tick at other moments of a request."""
        mine = (self.requests, self.failed, dict(self.answers), dict(self.bad))
        return mine == (other.requests, other.failed, dict(other.answers), dict(other.bad))


def of_load(rows: Iterable[Mapping[str, Any]], weights: Weights) -> Account:
    return _count(
        [(row["sent"], int(row["status"]), str(row["version"]), str(row.get("error") or "")) for row in rows], weights
    )


def of_access_log(rows: Iterable[Mapping[str, Any]], weights: Weights) -> Account:
    """Only the load's requests, which carry a tag."""
    return _count(
        [
            (float(row["start"]), int(row["status"] or 0), str(row.get("version") or ""), str(row.get("flags") or ""))
            for row in rows
            if row.get("tag")
        ],
        weights,
    )


def _count(rows: list[tuple[float, int, str, str]], weights: Weights) -> Account:
    answers: Counter[str] = Counter(version for _, _, version, _ in rows if version)
    bad: Counter[str] = Counter(version for _, status, version, _ in rows if version and status >= 500)
    failed = [words for row in rows if (words := _failure(*row, weights))]
    times = [at for at, *_ in rows]
    first, last = min(times, default=0.0), max(times, default=0.0)
    return Account(len(rows), len(failed), answers, bad, first, last, tuple(failed[:TOLD_MAX]))


def _failure(at: float, status: int, version: str, error: str, weights: Weights) -> str:
    """In words; "" for a request that went well."""
    if not version:
        return f"{at:.3f}: {status or 'no answer'} without a version{error and f', {error}'}"
    late = _late(at, version, weights)
    return f"{at:.3f}: {version} answered, {late:.2f} s after its weight was 0" if late > LATE_SECONDS else ""


def _late(at: float, version: str, weights: Weights) -> float:
    """Seconds since the version lost its traffic; 0 while it has some."""
    lost = 0.0
    for since, name, weight in weights:
        if name == version and since <= at:
            lost = at - since if weight == 0 else 0.0
    return lost


def exposed_seconds(rows: Iterable[Mapping[str, Any]], version: str) -> float:
    """From the first to the last request that the version answered."""
    times = [float(row["sent"]) for row in rows if row["version"] == version]
    return max(times) - min(times) if times else 0.0
