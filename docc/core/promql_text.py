"""PromQL syntax trees back to text, with the two changes that docc makes on the way: values bound inside label matchers,
and 0 where nothing was counted. Knows syntax only; expression.py knows what a condition is, silence.py what a missing series
means.

The parser library's own rendering does not escape quotes in matchers, so every node is written here. Parentheses are put
around each operand: precedence never has to be thought about.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import promql_parser as promql

from docc.core.promql_tree import JOINS, Node, inside, is_quotient, operator, selectors
from docc.core.silence import by_outcome, counts, filters, keeps_outcomes, looks_at_series

_VARIABLE = re.compile(r"\$([a-z_]+)")
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Writing:
    """How a tree is written. values: for $names inside matchers ({}: left as they are). outcomes: labels that tell what is
    counted; a count by them is 0 where the same without them has series, and an empty A in `A / B` where B has some (none:
    nothing is filled in). without: labels whose matchers are left out."""

    values: Mapping[str, str] = field(default_factory=dict)
    outcomes: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()

    @property
    def plain(self) -> Writing:
        return replace(self, outcomes=frozenset())


def write(node: Node, how: Writing = Writing()) -> str:
    """The node as PromQL text."""
    if how.outcomes and by_outcome(node, how.outcomes):
        return _or_zero(inside(node), how)
    if isinstance(node, promql.NumberLiteral):
        return number(node.val)
    if isinstance(node, promql.StringLiteral):
        return quote(node.val)
    if isinstance(node, promql.VectorSelector):
        return selector(node, how) + _shift(node)
    if isinstance(node, promql.MatrixSelector):
        vector = node.vector_selector
        return f"{selector(vector, how)}[{duration(node.range)}]{_shift(vector)}"
    if isinstance(node, promql.ParenExpr):
        return f"({write(node.expr, how)})"
    if isinstance(node, promql.UnaryExpr):
        return f"-({write(node.expr, how)})"
    if isinstance(node, promql.SubqueryExpr):
        step = duration(node.step) if node.step else ""
        return f"({write(node.expr, how)})[{duration(node.range)}:{step}]{_shift(node)}"
    if isinstance(node, promql.Call):
        return f"{node.func.name}({', '.join(write(argument, _within(node, argument, how)) for argument in node.args)})"
    if isinstance(node, promql.AggregateExpr):
        return _aggregate(node, how)
    if isinstance(node, promql.BinaryExpr):
        return _binary(node, how)
    raise ValueError(f"docc cannot read {type(node).__name__} in an expression")


def _aggregate(node: Node, how: Writing) -> str:
    inner = write(node.expr, _within(node, node.expr, how))
    if node.param is not None:
        inner = f"{write(node.param, how)}, {inner}"
    grouping = ""
    if node.modifier is not None:
        kind = "without" if "Without" in str(node.modifier.type) else "by"
        grouping = f" {kind} ({names(node.modifier.labels)}) "
    return f"{operator(node)}{grouping}({inner})"


def _or_zero(node: Node, how: Writing) -> str:
    """A count by outcomes: 0 for each series that it would have, and has not, while the same count of all outcomes has."""
    every = write(node, replace(how.plain, without=how.outcomes))
    found = write(node, how.plain)
    if not keeps_outcomes(node, how.outcomes):
        return f"(({found}) or 0 * ({every}))"
    labels = names(sorted(how.outcomes))
    return f"(({found}) or ignoring ({labels}) (0 * (max without ({labels}) ({every}))))"


def _within(node: Node, operand: Node, how: Writing) -> Writing:
    """Where a series' being there is what is asked about, none is added."""
    existence = looks_at_series(node) or (isinstance(node, promql.BinaryExpr) and operator(node) in JOINS)
    return how.plain if existence and counts(operand) else how


def _binary(node: Node, how: Writing) -> str:
    left, right = (write(inside(operand), _within(node, operand, how)) for operand in (node.lhs, node.rhs))
    if how.outcomes and is_quotient(node) and (counts(node.lhs) or filters(node.lhs)):
        left = write(inside(node.lhs), how.plain) if counts(node.lhs) else left
        return f"((({left}) or 0 * ({right})) / ({right}))"
    return f"(({left}) {operator(node)}{modifier(node)} ({right}))"


def modifier(node: Node) -> str:
    """ " bool", " on (a)", " ignoring (b) group_left (c)" or ""."""
    found = node.modifier
    if found is None:
        return ""
    text = " bool" if found.return_bool else ""
    matching = found.matching
    if matching is not None:
        kind = "ignoring" if "Exclude" in str(matching.type) else "on"
        text += f" {kind} ({names(matching.labels)})"
    word = {"ManyToOne": "group_left", "OneToMany": "group_right"}.get(str(found.card).split(".")[-1])
    if word:
        text += f" {word} ({names(found.group_labels or [])})"
    return text


def selector(node: Node, how: Writing = Writing(), keep: Callable[[str], bool] = lambda name: True) -> str:
    """A vector selector without range, offset and @; `keep` says which labels' matchers stay."""
    name, matchers = node.name or "", []
    for matcher in node.matchers.matchers:
        if not keep(matcher.name) or matcher.name in how.without:
            continue
        if matcher.name == "__name__" and not name:
            matchers.append(f"__name__{_match_op(matcher)}{quote(matcher.value)}")
            continue
        matchers.append(f"{names([matcher.name])}{_match_op(matcher)}{quote(_bound(matcher, how))}")
    return f"{name}{{{', '.join(matchers)}}}" if matchers or not name else name


def _match_op(matcher: Any) -> str:
    return {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}[str(matcher.op).split(".")[-1]]


def _bound(matcher: Any, how: Writing) -> str:
    regular = _match_op(matcher) in ("=~", "!~")

    def value(found: re.Match[str]) -> str:
        bound = how.values.get(found[1])
        return found[0] if bound is None else re.escape(bound).replace(r"\-", "-") if regular else bound

    return _VARIABLE.sub(value, matcher.value)


def variables(node: Node) -> frozenset[str]:
    """The $names that stand inside matchers."""
    return frozenset(
        name
        for vector in selectors(node)
        for matcher in vector.matchers.matchers
        for name in _VARIABLE.findall(matcher.value)
    )


def _shift(node: Node) -> str:
    """ " offset 5m" and " @ 1700000000", as far as they are there."""
    text = ""
    if node.at is not None:
        text += f" {node.at}"
    if node.offset is not None:
        seconds = node.offset.total_seconds()
        text += f" offset {'-' if seconds < 0 else ''}{duration(abs(node.offset))}"
    return text


def duration(delta: Any) -> str:
    """A PromQL duration in whole milliseconds."""
    milliseconds = round(delta.total_seconds() * 1000)
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


def names(labels: Iterable[str]) -> str:
    """Labels in a row; one that Prometheus 3 takes only in quotes stands in them."""
    return ", ".join(label if _NAME.fullmatch(label) else quote(label) for label in labels)


def quote(text: str) -> str:
    """A double-quoted PromQL string (Go's escapes)."""
    escaped = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    )
    return f'"{escaped}"'
