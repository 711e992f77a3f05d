"""rate, increase, irate and count_over_time of one series, as Prometheus 3 computes them. Pure arithmetic over (milliseconds,
value) pairs.

The rules are those of promql/functions.go (extrapolatedRate, instantValue) of Prometheus 3.16 for float samples without
start timestamps. A window is open on the left: the caller has left out a sample at exactly its start.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Points = Sequence[tuple[int, float]]
_NEAR = 1.1  # a boundary closer than this many average intervals is taken for covered by the series


def increase(points: Points, start_ms: int, end_ms: int) -> float | None:
    """Growth of a counter over (start, end]; None with fewer than two samples, which say nothing about growth."""
    return _extrapolated(points, start_ms, end_ms, per_seconds=1.0)


def rate(points: Points, start_ms: int, end_ms: int) -> float | None:
    """increase per second."""
    return _extrapolated(points, start_ms, end_ms, per_seconds=(end_ms - start_ms) / 1000)


def _extrapolated(points: Points, start_ms: int, end_ms: int, *, per_seconds: float) -> float | None:
    if len(points) < 2:
        return None
    (first_ms, first), (last_ms, last) = points[0], points[-1]
    grown = last - first
    for (_, before), (_, after) in pairwise(points):
        if after < before:
            grown += before  # the process restarted: the counter began at 0 again
    to_start, to_end = (first_ms - start_ms) / 1000, (end_ms - last_ms) / 1000
    sampled = (last_ms - first_ms) / 1000
    between = sampled / (len(points) - 1)
    if to_start >= between * _NEAR:
        to_start = between / 2  # the series was born inside the window: half an interval before its first sample
    if grown > 0 and first >= 0:
        to_zero = sampled * (first / grown)  # a counter was never below 0
        to_start = to_zero if to_zero < to_start else to_start
    if to_end >= between * _NEAR:
        to_end = between / 2
    # In this order, because a last digit more or less can decide a comparison.
    return grown * ((sampled + to_start + to_end) / sampled / per_seconds)


def irate(points: Points, start_ms: int, end_ms: int) -> float | None:
    """Growth per second between the last two samples, wherever they lie in the window."""
    if len(points) < 2:
        return None
    (before_ms, before), (last_ms, last) = points[-2:]
    grown = last if last < before else last - before
    return grown / ((last_ms - before_ms) / 1000)


def count_over_time(points: Points, _start_ms: int, _end_ms: int) -> float | None:
    """How many samples there are."""
    return float(len(points)) or None
