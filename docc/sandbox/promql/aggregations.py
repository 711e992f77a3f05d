"""sum, avg, min, max and count by or without labels, as Prometheus 3 adds up floats. Knows no expression tree.

Sums are compensated (Kahan with Neumaier's improvement) as in Prometheus' util/kahansum, so that both give the same digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from docc.sandbox.promql.values import METADATA, Sample, Vector
from docc.sandbox.tsdb import Labels


@dataclass(frozen=True, slots=True)
class Grouping:
    """without: group by all labels but `names`. The default is one group with no labels."""

    without: bool = False
    names: frozenset[str] = frozenset()

    def key(self, labels: Labels) -> Labels:
        if self.without:
            return tuple(pair for pair in labels if pair[0] not in self.names and pair[0] not in METADATA)
        return tuple(pair for pair in labels if pair[0] in self.names)


def aggregate(op: str, vector: Vector, grouping: Grouping) -> Vector:
    """One sample per group, in the order in which groups are first seen. op: a key of AGGREGATIONS."""
    groups: dict[Labels, list[float]] = {}
    for sample in vector:
        groups.setdefault(grouping.key(sample.labels), []).append(sample.value)
    return [Sample(labels, AGGREGATIONS[op](values)) for labels, values in groups.items()]


def _compensated(increment: float, total: float, lost: float) -> tuple[float, float]:
    """(total + increment, what rounding has lost so far)."""
    new = total + increment
    if math.isinf(new):
        return new, 0.0
    larger, smaller = (total, increment) if abs(total) >= abs(increment) else (increment, total)
    return new, lost + ((larger - new) + smaller)


def _sum(values: Sequence[float]) -> float:
    total, lost = values[0], 0.0
    for value in values[1:]:
        total, lost = _compensated(value, total, lost)
    return total + lost


def _average(values: Sequence[float]) -> float:
    """The sum divided, until the sum overflows: then the mean is carried on incrementally."""
    total, lost = values[0], 0.0
    for count, value in enumerate(values[1:], start=2):
        new, new_lost = _compensated(value, total, lost)
        if math.isinf(new):
            return _running_average(values, count, total / (count - 1), lost / (count - 1))
        total, lost = new, new_lost
    return total / len(values) + lost / len(values)


def _running_average(values: Sequence[float], count: int, mean: float, lost: float) -> float:
    """count: the 1-based position of the first value that is not yet in `mean`."""
    for n, value in enumerate(values[count - 1 :], start=count):
        share = (n - 1) / n
        mean, lost = _compensated(value / n, share * mean, share * lost)
    return mean + lost


def _extreme(better: Callable[[float, float], bool]) -> Callable[[Sequence[float]], float]:
    def extreme(values: Sequence[float]) -> float:
        """NaN only where all values are NaN."""
        best = values[0]
        for value in values[1:]:
            if better(value, best) or math.isnan(best):
                best = value
        return best

    return extreme


AGGREGATIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": _sum,
    "avg": _average,
    "min": _extreme(lambda value, best: value < best),
    "max": _extreme(lambda value, best: value > best),
    "count": lambda values: float(len(values)),
}
