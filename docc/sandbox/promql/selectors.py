"""Series selectors: which series, and which of their samples an instant sees. Knows the parser's nodes, no operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from promql_parser import Matcher, MatchOp, MatrixSelector, VectorSelector

from docc.sandbox.promql.regexes import compiled
from docc.sandbox.promql.values import Sample, Unspoken, Vector
from docc.sandbox.tsdb import Labels, Series

LOOKBACK_MS = 300_000
"""Prometheus' default: a series without a newer sample than this has gone."""


class Storage(Protocol):
    """What the evaluator needs of a Tsdb."""

    def select(self, accepts: Callable[[Mapping[str, str]], bool]) -> Sequence[Series]: ...


def milliseconds(duration: timedelta | None) -> int:
    return 0 if duration is None else duration // timedelta(milliseconds=1)


def instant(storage: Storage, selector: VectorSelector, at_ms: int) -> Vector:
    """The newest sample of each series in (at - 5 m, at], unless it is a staleness marker."""
    return [Sample(labels, value) for labels, _, value in _newest(storage, selector, at_ms)]


def timestamps(storage: Storage, selector: VectorSelector, at_ms: int) -> Vector:
    """The same samples' times in seconds; their metrics' names are still there."""
    return [Sample(labels, time_ms / 1000) for labels, time_ms, _ in _newest(storage, selector, at_ms)]


def windows(
    storage: Storage, selector: MatrixSelector, at_ms: int
) -> tuple[int, int, list[tuple[Labels, list[tuple[int, float]]]]]:
    """(start, end, [(labels, samples in (start, end])]), in milliseconds; series without a sample there are left out."""
    inner = selector.vector_selector
    end = at_ms - milliseconds(inner.offset)
    start = end - milliseconds(selector.range)
    found = ((series.labels, series.window(start, end)) for series in _selected(storage, inner))
    return start, end, [(labels, points) for labels, points in found if points]


def _newest(storage: Storage, selector: VectorSelector, at_ms: int) -> list[tuple[Labels, int, float]]:
    until = at_ms - milliseconds(selector.offset)
    found = []
    for series in _selected(storage, selector):
        sample = series.latest(until - LOOKBACK_MS, until)
        if sample is not None:
            found.append((series.labels, *sample))
    return found


def _selected(storage: Storage, selector: VectorSelector) -> Sequence[Series]:
    if selector.at is not None:
        raise Unspoken("the @ modifier")
    if selector.matchers.or_matchers:
        raise Unspoken("`or` between label matchers")
    tests = [(matcher.name, _test(matcher)) for matcher in selector.matchers.matchers]
    if selector.name is not None:
        tests.append(("__name__", selector.name.__eq__))
    # A label that a series lacks has the value "" for every kind of matcher.
    return storage.select(lambda labels: all(test(labels.get(name, "")) for name, test in tests))


def _test(matcher: Matcher) -> Callable[[str], bool]:
    wanted = matcher.value
    if matcher.op == MatchOp.Equal:
        return lambda value: value == wanted
    if matcher.op == MatchOp.NotEqual:
        return lambda value: value != wanted
    pattern = compiled(wanted)
    if matcher.op == MatchOp.Re:
        return lambda value: pattern.fullmatch(value) is not None
    return lambda value: pattern.fullmatch(value) is None
