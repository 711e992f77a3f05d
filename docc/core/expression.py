"""A failure condition's PromQL: what docc accepts, and the exact questions that it sends for one. Asks nobody itself.

A condition is one comparison with a number on one side, or such comparisons joined by and, or, unless. The parser is
offline (promql-parser), so a typo is found before a cluster is touched.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import promql_parser as promql

from docc.core.basis import Basis, basis, share
from docc.core.promql_text import Writing, duration, modifier, names, quote, selector, variables, write
from docc.core.promql_tree import COMPARISONS, JOINS, Node, children, inside, operator, selectors
from docc.core.silence import SHAPES, filters
from docc.promql import parse as parse_promql

OUTCOME_LABELS = frozenset(
    {
        "code", "status", "status_code", "http_status", "response_code", "response_code_class", "response_flags",
        "http_response_status_code", "grpc_code", "grpc_status", "grpc_response_status", "envoy_response_code",
        "envoy_response_code_class", "le", "quantile",
    }
)  # fmt: skip
"""Labels that tell how a request ended: without them, a selector finds the requests that did not end so, too."""

VARIABLES = ("app", "namespace", "canary", "stable", "revision")
WINDOW_SECONDS_MIN = 30.0
LENGTH_MAX = 4096
"""A chain of thousands of operators overflows the parser library's stack and would end the process."""
DEPTH_MAX = 100
"""Trees are walked recursively, by docc as by the servers that it asks."""
NO_STABLE = "no-stable-revision"
"""What $stable is bound to on a first deploy: no object can have this name, since names end in -vN."""

_WINDOW = re.compile(r"\[\s*\$window\s*(?=[\]:])")
_RANGED = re.compile(r"\[\s*\$(?!window\b)(\w+)(?=[^\]\"']*\])")
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}


class ExpressionError(ValueError):
    """The expression cannot be a failure condition; the message says why and what to write instead."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A valid expression, with its $names still in place."""

    text: str
    outcome_labels: frozenset[str]
    uses: frozenset[str]

    @property
    def selects_candidate(self) -> bool:
        """It asks about the candidate alone, not about all revisions together."""
        return bool(self.uses & {"canary", "revision"})


@dataclass(frozen=True, slots=True)
class Binding:
    """canary and stable: the names of the Deployments (APP-vN). revision: "vN". window: seconds. age: seconds since the last
    weight change, None if there was none."""

    app: str
    namespace: str
    canary: str
    revision: str
    stable: str | None = None
    window: float = WINDOW_SECONDS_MIN
    age: float | None = None

    def values(self) -> dict[str, str]:
        stable = self.stable or NO_STABLE
        return dict(zip(VARIABLES, (self.app, self.namespace, self.canary, stable, self.revision), strict=True))


@dataclass(frozen=True, slots=True)
class Side:
    """One comparison: `value operator threshold`. value and presence are PromQL texts to be sent. filters: an empty value means
    that nothing passed a filter within it; elsewhere an empty value tells nothing, since what was not counted is 0 in the text.
    share: the value is a quotient and nothing more. basis: asks how many requests it rests on. growth: asks, for each counter,
    how many samples there are since the weight change, as far as its range reaches: one tells nothing of growth, and a counter
    that was born with the change is first seen in the second. births: asks, of the outcomes that a counter tells apart, how
    many samples the youngest one's range holds: with one it has just been born, and rate is silent."""

    value: str
    operator: str
    threshold: float
    presence: tuple[str, ...]
    filters: bool = False
    share: bool = False
    basis: Basis | None = None
    growth: tuple[str, ...] = ()
    births: tuple[str, ...] = ()

    @property
    def samples(self) -> tuple[str, ...]:
        """What tells how good the evidence is."""
        return (*self.presence, *self.growth, *self.births)

    @property
    def values(self) -> tuple[str, ...]:
        return (self.value, *((self.basis.query,) if self.basis else ()))


@dataclass(frozen=True, slots=True)
class Questions:
    """whole: the compound expression, each side rewritten; None if there is only one side."""

    sides: tuple[Side, ...]
    whole: str | None

    @property
    def samples(self) -> tuple[str, ...]:
        """To be asked first: a value that is asked after them rests on these samples at least."""
        return tuple(text for side in self.sides for text in side.samples)

    @property
    def values(self) -> tuple[str, ...]:
        return (*(text for side in self.sides for text in side.values), *([self.whole] if self.whole else []))


def parse(expression: str, *, outcome_labels: tuple[str, ...] = ()) -> Condition:
    """Raises ExpressionError."""
    labels = OUTCOME_LABELS | set(outcome_labels)
    tree = _tree(expression, WINDOW_SECONDS_MIN)
    _check_names(tree)
    _check_whole(tree)
    for comparison in _comparisons(tree):
        _check_side(comparison, labels)
    return Condition(expression, frozenset(labels), variables(tree))


def _check_names(tree: Node) -> None:
    for name in sorted(variables(tree)):
        if name == "window":
            raise ExpressionError("$window stands only as a range, as in rate(x[$window])")
        if name not in VARIABLES:
            near = difflib.get_close_matches(name, VARIABLES, 1)
            hint = f', did you mean "${near[0]}"?' if near else f"; known are {', '.join('$' + v for v in VARIABLES)}"
            raise ExpressionError(f'"${name}" is not a variable{hint}')


def _check_whole(node: Node) -> None:
    """What the parser library reads and Prometheus 3 does not, or only when told to."""
    if isinstance(node, promql.VectorSelector) and node.matchers.or_matchers:
        raise ExpressionError(
            f'{node.name or ""}{{... or ...}}: Prometheus knows no `or` between matchers; write =~"a|b"'
        )
    if isinstance(node, promql.BinaryExpr) and node.modifier is not None:
        fills = node.modifier.fill_values
        if fills.lhs is not None or fills.rhs is not None:
            raise ExpressionError(
                "fill modifiers are not sent: a count of outcomes without series is 0 by itself; elsewhere write `or vector(0)`"
            )
    for child in children(node):
        _check_whole(child)


def bind(condition: Condition, binding: Binding) -> Questions:
    """The texts to be sent for one revision."""
    tree = _tree(condition.text, max(binding.window, WINDOW_SECONDS_MIN))
    how = Writing(binding.values(), condition.outcome_labels - SHAPES)
    sides = tuple(_side(node, condition.outcome_labels, how, binding.age) for node in _comparisons(tree))
    return Questions(sides, _whole(tree, how) if len(sides) > 1 else None)


def longest_range(condition: Condition, window: float = WINDOW_SECONDS_MIN) -> float:
    """Seconds that the condition looks back; nested ranges add up."""
    return _reach(_tree(condition.text, max(window, WINDOW_SECONDS_MIN)))


def fires_from(condition: Condition) -> int | None:
    """The lowest percent of traffic at which a candidate that fails every request can make the condition fire, where the
    condition is a share of one metric over all revisions (A / B > t): above t of the whole. None: cannot be told."""
    sides = list(_comparisons(_tree(condition.text, WINDOW_SECONDS_MIN)))
    if len(sides) != 1 or condition.selects_candidate:
        return None
    value, op, threshold = _split(sides[0])
    value = inside(value)
    if not (
        isinstance(value, promql.BinaryExpr) and operator(value) == "/" and op in (">", ">=") and 0 < threshold < 1
    ):
        return None
    metrics = [{s.name for s in selectors(part)} for part in (value.lhs, value.rhs)]
    if metrics[0] != metrics[1] or len(metrics[0]) != 1:
        return None
    percent = threshold * 100
    return math.ceil(percent) if op == ">=" else math.floor(percent + 1e-9) + 1


def _tree(expression: str, window: float) -> Node:
    text = _WINDOW.sub(f"[{round(window * 1000)}ms", expression)
    if len(text) > LENGTH_MAX:
        raise ExpressionError(f"it is longer than {LENGTH_MAX} characters")
    try:
        tree = parse_promql(text)
    except ValueError as error:
        if ranged := _RANGED.search(text):
            raise ExpressionError(f"[${ranged[1]}] is no range, did you mean [$window]?") from error
        if "$window" in text:
            raise ExpressionError("$window stands only as a range, as in rate(x[$window])") from error
        if "unexpected character: '$'" in str(error):
            raise ExpressionError(
                '$names stand only inside the quotes of a label, as in {deployment="$canary"}'
            ) from error
        if "scalars must use BOOL" in str(error):
            raise ExpressionError("it compares numbers only and selects no metric") from error
        raise ExpressionError(f"it is not PromQL: {error}") from error
    level = [tree]
    for _ in range(DEPTH_MAX):
        level = [child for node in level for child in children(node)]
    if level:
        raise ExpressionError(f"it is nested more than {DEPTH_MAX} deep")
    return tree


def _comparisons(tree: Node) -> list[Node]:
    node = inside(tree)
    if isinstance(node, promql.BinaryExpr) and operator(node) in JOINS:
        return [*_comparisons(node.lhs), *_comparisons(node.rhs)]
    if isinstance(node, promql.BinaryExpr) and operator(node) in COMPARISONS:
        if node.modifier is not None and node.modifier.return_bool:
            raise ExpressionError('"bool" turns the comparison into 0 or 1; leave it out, docc compares by itself')
        return [node]
    text = write(node) if not isinstance(node, promql.StringLiteral) else quote(node.val)
    raise ExpressionError(f"it has no threshold: {text} is only a value. Write a comparison, for example {text} > 0.05")


def _number(node: Node) -> float | None:
    node = inside(node)
    if isinstance(node, promql.NumberLiteral):
        return float(node.val)
    if isinstance(node, promql.UnaryExpr) and (value := _number(node.expr)) is not None:
        return -value
    return None


def _split(comparison: Node) -> tuple[Node, str, float]:
    """value, operator and threshold, the number brought to the right."""
    op, left, right = operator(comparison), _number(comparison.lhs), _number(comparison.rhs)
    if right is not None and left is None:
        return comparison.lhs, op, right
    if left is not None and right is None:
        return comparison.rhs, _FLIPPED[op], left
    raise ExpressionError(f"one side of {op} must be a number, the other a value: docc shows value and threshold")


def _check_side(comparison: Node, outcome_labels: frozenset[str] | set[str]) -> None:
    value, op, threshold = _split(comparison)
    if math.isnan(threshold):
        raise ExpressionError("nothing compares with NaN")
    if (op, threshold) in ((">", math.inf), ("<", -math.inf)):
        raise ExpressionError(f"no value is {op} {threshold:+g}: it would never fire".replace("inf", "Inf"))
    found = list(selectors(value))
    if not found:
        raise ExpressionError("it selects no metric")
    if _only_shifted(value):
        raise ExpressionError("every selector has an offset or @, so nothing tells whether its samples are new")
    for vector in found:
        if selector(vector, keep=lambda name: name not in outcome_labels) == "{}":
            raise ExpressionError(f"{selector(vector)} has only labels of outcomes: name the metric")


def _shifted(node: Node) -> bool:
    return node.offset is not None or node.at is not None


def _asked(vector: Node) -> bool:
    return not _shifted(vector)


def _only_shifted(value: Node) -> bool:
    """Every selector stands under an offset or @ of its own or of a subquery."""

    def fresh(node: Node, shifted: bool) -> bool:
        if isinstance(node, promql.VectorSelector):
            return not (shifted or _shifted(node))
        below = shifted or (isinstance(node, promql.SubqueryExpr) and _shifted(node))
        return any(fresh(child, below) for child in children(node))

    return not fresh(value, False)


def _side(comparison: Node, outcome_labels: frozenset[str], how: Writing, age: float | None) -> Side:
    value, op, threshold = _split(comparison)

    def wide(vector: Node) -> str:
        return selector(vector, how, lambda name: name not in outcome_labels)

    counters = [c for c in _counters(value) if _asked(c.vector_selector)]
    growth: dict[str, None] = {}
    if age is not None:
        for c in counters:
            since = duration(timedelta(seconds=max(min(age, c.range.total_seconds()), 0.001)))
            growth[f"max(count_over_time({wide(c.vector_selector)}[{since}]))"] = None
    births: dict[str, None] = {}
    for c in counters:
        told = dict.fromkeys(m.name for m in c.vector_selector.matchers.matchers if m.name in outcome_labels)
        if told:
            every = write(c, replace(how.plain, without=outcome_labels))
            births[f"min(max by ({names(told)}) (count_over_time({every})))"] = None
    presence = dict.fromkeys(f"max(timestamp({wide(vector)}))" for vector in selectors(value) if _asked(vector))
    division = share(value)
    return Side(
        write(value, how), op, threshold, tuple(presence), filters(value), division is not None,
        basis(division, how) if division is not None else None, tuple(growth), tuple(births),
    )  # fmt: skip


def _counters(node: Node) -> Iterator[Node]:
    """The selectors with a range."""
    if isinstance(node, promql.MatrixSelector):
        yield node
    for child in children(node):
        yield from _counters(child)


def _whole(tree: Node, how: Writing) -> str:
    node = inside(tree)
    if operator(node) in JOINS:
        return f"({_whole(node.lhs, how)} {operator(node)}{modifier(node)} {_whole(node.rhs, how)})"
    return write(node, how)


def _reach(node: Node) -> float:
    own = 0.0
    if isinstance(node, promql.MatrixSelector | promql.SubqueryExpr) and node.range is not None:
        own = node.range.total_seconds()
    return own + max((_reach(child) for child in children(node)), default=0.0)
