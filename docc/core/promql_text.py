"""PromQL syntax trees back to text, with the two changes that docc makes on the way: values bound inside label matchers,
and divisions whose empty left side counts as zero. Knows syntax only; expression.py knows what a condition is.

The parser library's own rendering does not escape quotes in matchers, so every node is written here. Parentheses are put
around each operand: precedence never has to be thought about.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import promql_parser as promql

Node = Any
"""A node of promql_parser's tree; the library has no type stubs."""

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_VARIABLE = re.compile(r"\$([a-z_]+)")


@dataclass(frozen=True, slots=True)
class Writing:
    """How a tree is written. values: for $names inside matchers ({}: left as they are). rewrite: `A / B` becomes
    `((A) or 0 * (B)) / (B)` where an empty A would make the quotient vanish."""

    values: Mapping[str, str] = field(default_factory=dict)
    rewrite: bool = False


def write(node: Node, how: Writing = Writing()) -> str:
    """The node as PromQL text."""
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
        return f"{node.func.name}({', '.join(write(argument, how) for argument in node.args)})"
    if isinstance(node, promql.AggregateExpr):
        return _aggregate(node, how)
    if isinstance(node, promql.BinaryExpr):
        return _binary(node, how)
    raise ValueError(f"docc cannot read {type(node).__name__} in an expression")


def _aggregate(node: Node, how: Writing) -> str:
    inner = write(node.expr, how)
    if node.param is not None:
        inner = f"{write(node.param, how)}, {inner}"
    grouping = ""
    if node.modifier is not None:
        kind = "without" if "Without" in str(node.modifier.type) else "by"
        grouping = f" {kind} ({', '.join(node.modifier.labels)}) "
    return f"{operator(node)}{grouping}({inner})"


def _binary(node: Node, how: Writing) -> str:
    left, right = write(node.lhs, how), write(node.rhs, how)
    if how.rewrite and is_quotient(node):
        return f"((({left}) or 0 * ({right})) / ({right}))"
    return f"(({left}) {operator(node)}{modifier(node)} ({right}))"


def is_quotient(node: Node) -> bool:
    """Only a division of two vectors can lose series to an empty left side; vector / scalar cannot be helped by the right
    side, and `or` is not defined for scalars."""
    divides = operator(node) == "/" and not has_matching(node)
    return divides and bool(next(selectors(node.lhs), None)) and is_vector(node.lhs) and is_vector(node.rhs)


def is_vector(node: Node) -> bool:
    """Whether the node's value is an instant vector; a scalar otherwise (the parser has checked types)."""
    if isinstance(node, promql.NumberLiteral):
        return False
    if isinstance(node, promql.ParenExpr | promql.UnaryExpr):
        return is_vector(node.expr)
    if isinstance(node, promql.Call):
        return str(node.func.name) not in ("scalar", "time", "pi")
    if isinstance(node, promql.BinaryExpr):
        return is_vector(node.lhs) or is_vector(node.rhs)
    return True


def operator(node: Node) -> str:
    return str(node.op)


def has_matching(node: Node) -> bool:
    """on, ignoring, group_left or group_right stand between the operands."""
    return node.modifier is not None and bool(modifier(node).replace(" bool", "").strip())


def modifier(node: Node) -> str:
    """ " bool", " on (a)", " ignoring (b) group_left (c)" or ""."""
    found = node.modifier
    if found is None:
        return ""
    text = " bool" if found.return_bool else ""
    matching = found.matching
    if matching is not None:
        kind = "ignoring" if "Exclude" in str(matching.type) else "on"
        text += f" {kind} ({', '.join(matching.labels)})"
    word = {"ManyToOne": "group_left", "OneToMany": "group_right"}.get(str(found.card).split(".")[-1])
    if word:
        text += f" {word} ({', '.join(found.group_labels or [])})"
    return text


def selector(node: Node, how: Writing = Writing(), keep: Callable[[str], bool] = lambda name: True) -> str:
    """A vector selector without range, offset and @; `keep` says which labels' matchers stay."""
    name, matchers = node.name or "", []
    for matcher in node.matchers.matchers:
        if not keep(matcher.name):
            continue
        if matcher.name == "__name__" and not name:
            matchers.append(f"__name__{_match_op(matcher)}{quote(matcher.value)}")
            continue
        matchers.append(f"{matcher.name}{_match_op(matcher)}{quote(_bound(matcher, how))}")
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


def selectors(node: Node) -> Iterator[Node]:
    """Every vector selector in the tree."""
    if isinstance(node, promql.VectorSelector):
        yield node
    for child in children(node):
        yield from selectors(child)


def children(node: Node) -> list[Node]:
    if isinstance(node, promql.BinaryExpr):
        return [node.lhs, node.rhs]
    if isinstance(node, promql.Call):
        return list(node.args)
    if isinstance(node, promql.AggregateExpr):
        return [node.expr] if node.param is None else [node.param, node.expr]
    if isinstance(node, promql.MatrixSelector):
        return [node.vector_selector]
    if isinstance(node, promql.ParenExpr | promql.UnaryExpr | promql.SubqueryExpr):
        return [node.expr]
    return []


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


def quote(text: str) -> str:
    """A double-quoted PromQL string (Go's escapes)."""
    escaped = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    )
    return f'"{escaped}"'
