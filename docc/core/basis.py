"""How many requests a condition's number rests on: a quotient's divisor as a count, where it is one of events. Pure.

A rate over a range, times the range's seconds, is about as many events as were counted in it. What cannot be counted so (a
gauge, seconds, bytes, a bucket) has no basis: nothing is then said about numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import promql_parser as promql

from docc.core.promql_text import Writing, number, write
from docc.core.promql_tree import Node, is_quotient, operator, selectors

_NO_EVENTS = ("_sum", "_bucket", "_seconds", "_seconds_total", "_bytes", "_bytes_total")
"""Counters of something else than events; buckets count each event several times."""


@dataclass(frozen=True, slots=True)
class Basis:
    """query: PromQL whose value, per series of the quotient, is the count. noun: what is counted."""

    query: str
    noun: str

    def words(self, amount: float) -> str:
        """ "about 1200 requests": Prometheus extrapolates to the edges of a range, so no count is exact."""
        return f"about {max(round(amount), 1)} {self.noun}"


def share(value: Node) -> Node | None:
    """The division that makes all of the value, but for parentheses and a number's factor: 0 means that nothing matched its
    dividend. None: the value is something else."""
    if isinstance(value, promql.ParenExpr):
        return share(value.expr)
    if not isinstance(value, promql.BinaryExpr):
        return None
    if is_quotient(value):
        return value
    if operator(value) == "*" and isinstance(value.lhs, promql.NumberLiteral):
        return share(value.rhs)
    return share(value.lhs) if operator(value) in "*/" and isinstance(value.rhs, promql.NumberLiteral) else None


def basis(division: Node, how: Writing) -> Basis | None:
    """Of a division that share() found; None if its divisor is no count of events."""
    seconds, names = _seconds(division.rhs), sorted({vector.name or "" for vector in selectors(division.rhs)})
    if seconds is None or any(not name or name.endswith(_NO_EVENTS) for name in names):
        return None
    noun = "requests" if all("request" in name or "_rq" in name for name in names) else f"of {', '.join(names)}"
    text = write(division.rhs, how)
    return Basis(text if seconds == 1.0 else f"({text}) * {number(seconds)}", noun)


def _seconds(node: Node) -> float | None:
    """What makes a count of the node's value: the seconds of a rate's range, 1 for an increase; None for all else."""
    if isinstance(node, promql.ParenExpr):
        return _seconds(node.expr)
    if isinstance(node, promql.AggregateExpr) and operator(node) == "sum":
        return _seconds(node.expr)
    if isinstance(node, promql.Call) and isinstance(node.args[0] if node.args else None, promql.MatrixSelector):
        ranged: float = node.args[0].range.total_seconds()
        return {"rate": ranged, "increase": 1.0}.get(str(node.func.name))
    return None
