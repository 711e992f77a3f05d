"""absent and absent_over_time: what they answer when there is nothing. Knows the parser's selectors, no storage."""

from __future__ import annotations

from promql_parser import MatchOp, VectorSelector

from docc.sandbox.promql.values import Sample, Vector
from docc.sandbox.tsdb import labels_of


def absence(selector: object) -> Vector:
    """One sample of 1, with what the selector's equalities say of the series that is not there. A label with several matchers
    is left out; so is everything where it is no selector that was asked about."""
    found: dict[str, str] = {}
    if isinstance(selector, VectorSelector):
        for matcher in selector.matchers.matchers:
            if matcher.name == "__name__":
                continue
            if matcher.op == MatchOp.Equal and matcher.name not in found:
                found[matcher.name] = matcher.value
            else:
                found[matcher.name] = ""
    return [Sample(labels_of(found), 1.0)]
