"""Binary operators: arithmetic with Go's floats, comparison, vector matching, and/or/unless. Knows no expression tree.

The rules are those of promql/engine.go (VectorBinop, VectorscalarBinop, VectorAnd, VectorOr, VectorUnless) of Prometheus 3.16.
Powers may differ in their last digits, because Go computes them otherwise than C does; all else agrees to the digit.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from docc.sandbox.promql.values import (
    METADATA,
    Sample,
    Unanswerable,
    Value,
    Vector,
    distinct,
    spelled,
    without_metadata,
)
from docc.sandbox.tsdb import Labels


def _divide(left: float, right: float) -> float:
    if right:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def _modulo(left: float, right: float) -> float:
    try:
        return math.fmod(left, right)
    except ValueError:
        return math.nan


def _power(left: float, right: float) -> float:
    odd = right % 2 == 1
    try:
        return math.pow(left, right)
    except OverflowError:
        return -math.inf if left < 0 and odd else math.inf
    except ValueError:
        if left == 0:  # 0 to a negative power
            return math.copysign(math.inf, left) if odd else math.inf
        return math.nan


ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": _modulo,
    "^": _power,
}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
SETS = frozenset({"and", "or", "unless"})


@dataclass(frozen=True, slots=True)
class Matching:
    """on: match on `names` alone; else on all labels but `names`. many: the side that may match several times.

    include: labels that group_left and group_right take over from the one side.
    """

    on: bool = False
    names: frozenset[str] = frozenset()
    many: Literal["left", "right"] | None = None
    include: tuple[str, ...] = ()
    return_bool: bool = False

    def key(self, labels: Labels) -> Labels:
        if self.on:
            return tuple(pair for pair in labels if pair[0] in self.names)
        return tuple(pair for pair in labels if pair[0] not in self.names and pair[0] not in METADATA)


def scalars(op: str, left: float, right: float) -> float:
    if op in ARITHMETIC:
        return ARITHMETIC[op](left, right)
    return float(COMPARISONS[op](left, right))


def with_scalar(op: str, left: Value, right: Value, *, return_bool: bool) -> Vector:
    """One side is a scalar. A filter keeps the vector's values and names, on whichever side the scalar stands."""
    vector = right if isinstance(left, float) else left
    result: Vector = []
    for sample in vector if isinstance(vector, list) else []:
        a = left if isinstance(left, float) else sample.value
        b = right if isinstance(right, float) else sample.value
        if op in ARITHMETIC:
            result.append(Sample(without_metadata(sample.labels), ARITHMETIC[op](a, b)))
        elif return_bool:
            result.append(Sample(without_metadata(sample.labels), float(COMPARISONS[op](a, b))))
        elif COMPARISONS[op](a, b):
            result.append(sample)
    return distinct(result)


def sets(op: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    if op == "or":
        known = {matching.key(sample.labels) for sample in left}
        return distinct(left + [sample for sample in right if matching.key(sample.labels) not in known])
    known = {matching.key(sample.labels) for sample in right}
    return [sample for sample in left if (matching.key(sample.labels) in known) == (op == "and")]


def vectors(op: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    """Raises Unanswerable where a series has more partners than the matching allows."""
    if not left or not right:
        return []
    many, one = (right, left) if matching.many == "right" else (left, right)
    partners = _one_side(one, matching)
    result: Vector = []
    taken: set[tuple[Labels, Labels]] = set()
    for sample in many:
        key = matching.key(sample.labels)
        partner = partners.get(key)
        if partner is None:
            continue
        labels = _result_labels(op, sample.labels, partner.labels, matching)
        _claim(taken, key, labels, matching)
        a, b = (partner, sample) if matching.many == "right" else (sample, partner)
        if op in ARITHMETIC:
            result.append(Sample(labels, ARITHMETIC[op](a.value, b.value)))
        elif matching.return_bool:
            result.append(Sample(labels, float(COMPARISONS[op](a.value, b.value))))
        elif COMPARISONS[op](a.value, b.value):
            result.append(replace(a, labels=labels))
    return distinct(result)


def _one_side(one: Vector, matching: Matching) -> dict[Labels, Sample]:
    partners: dict[Labels, Sample] = {}
    for sample in one:
        key = matching.key(sample.labels)
        other = partners.setdefault(key, sample)
        if other is not sample:
            side = "left" if matching.many == "right" else "right"
            both = ", ".join(sorted((spelled(sample.labels), spelled(other.labels))))
            raise Unanswerable(
                f"found duplicate series for the match group {spelled(key)} on the {side} hand-side of the operation: "
                f"[{both}];many-to-many matching not allowed: matching labels must be unique on one side"
            )
    return partners


def _claim(taken: set[tuple[Labels, Labels]], key: Labels, labels: Labels, matching: Matching) -> None:
    """Each match group gives one result, or with group_left/group_right one for each distinct label set."""
    claim = (key, labels if matching.many else ())
    if claim in taken:
        reason = "grouping labels must ensure unique matches"
        if not matching.many:
            reason = "many-to-one matching must be explicit (group_left/group_right)"
        raise Unanswerable(f"multiple matches for labels: {reason}")
    taken.add(claim)


def _result_labels(op: str, many: Labels, one: Labels, matching: Matching) -> Labels:
    labels = dict(many)
    if op in ARITHMETIC or matching.return_bool:
        labels = dict(without_metadata(many))
    if matching.many is None:
        labels = {name: value for name, value in labels.items() if (name in matching.names) == matching.on}
    for name in matching.include:
        labels.pop(name, None)
        labels.update(pair for pair in one if pair[0] == name)
    return tuple(sorted(labels.items()))
