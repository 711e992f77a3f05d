"""What it means that a part of an expression has no series. Knows syntax only; promql_text.py writes by it.

PromQL has no series for what never happened: a version that fails every request has no 200s, and each sum, difference or
comparison with them is as empty as that of an application without errors. Only where what is counted is told apart from what
is not (a label of outcomes), and only through operations that keep 0 as 0, does "no series" mean the number 0.
"""

from __future__ import annotations

import promql_parser as promql

from docc.core.promql_tree import COMPARISONS, Node, inside, is_quotient, is_vector, operator, selectors

SHAPES = frozenset({"le", "quantile"})
"""Labels that are no outcomes of their own: a bucket that is not there is no count of 0."""

_CALLS = frozenset(
    {
        "rate", "irate", "increase", "delta", "idelta", "resets", "changes", "sum_over_time", "count_over_time",
        "max_over_time", "min_over_time", "avg_over_time", "last_over_time", "abs", "ceil", "floor", "round", "sgn", "sqrt",
        "sort", "sort_desc", "label_replace", "label_join",
    }
)  # fmt: skip
"""Their value for 0 is 0, and what they compute comes from their first argument."""
_PICKS = frozenset({"topk", "bottomk", "limitk"})
_SUMS = frozenset({"sum", "max", "min", "avg", "count"}) | _PICKS
_EXISTENCE = frozenset({"absent", "absent_over_time", "timestamp"})


def counts(node: Node) -> bool:
    """Selectors with nothing over them but what keeps 0 as 0: no series can mean that nothing was counted."""
    core = _core(node)
    if isinstance(core, promql.BinaryExpr) and operator(core) == "or":
        return counts(core.lhs) and counts(core.rhs)
    return isinstance(core, promql.VectorSelector | promql.MatrixSelector)


def by_outcome(node: Node, labels: frozenset[str]) -> bool:
    """A count, each of whose selectors asks for some of the outcomes only."""
    vectors = list(selectors(node)) if counts(node) and is_vector(node) else []
    return bool(vectors) and all(any(m.name in labels for m in vector.matchers.matchers) for vector in vectors)


def filters(node: Node) -> bool:
    """Empty where nothing passes: count(x > 5), absent(x). What is filtered is one count or one share; series that have to
    meet first may also fail to meet."""
    core = _core(node)
    if isinstance(core, promql.Call):
        return str(core.func.name) in ("absent", "absent_over_time")
    if not isinstance(core, promql.BinaryExpr) or operator(core) not in COMPARISONS:
        return False
    if is_vector(core.lhs) and is_vector(core.rhs):
        return False
    value = inside(core.lhs if is_vector(core.lhs) else core.rhs)
    shares = is_quotient(value) and counts(value.lhs) and counts(value.rhs)
    returns_all = core.modifier is not None and core.modifier.return_bool
    return not returns_all and (counts(value) or shares)


def looks_at_series(node: Node) -> bool:
    """A function or an aggregation whose value depends on which series there are: a series of 0 would change it."""
    if isinstance(node, promql.Call):
        return str(node.func.name) in _EXISTENCE or str(node.func.name).startswith("histogram_")
    return isinstance(node, promql.AggregateExpr) and operator(node) not in _SUMS


def keeps_outcomes(node: Node, labels: frozenset[str]) -> bool:
    """Of a count: whether its series carry labels of outcomes, so that those of other outcomes are other series."""
    node = inside(node)
    if isinstance(node, promql.AggregateExpr) and operator(node) not in _PICKS:
        grouping = node.modifier
        return grouping is not None and ("Without" in str(grouping.type) or bool(labels & set(grouping.labels)))
    if isinstance(node, promql.BinaryExpr) and operator(node) == "or":
        return keeps_outcomes(node.lhs, labels) or keeps_outcomes(node.rhs, labels)
    below = _below(node)
    return below is None or keeps_outcomes(below, labels)


def _core(node: Node) -> Node:
    """What is left without the operations that keep 0 as 0."""
    below = _below(node)
    return node if below is None else _core(below)


def _below(node: Node) -> Node | None:
    if isinstance(node, promql.ParenExpr | promql.UnaryExpr | promql.SubqueryExpr):
        return node.expr
    if isinstance(node, promql.AggregateExpr) and operator(node) in _SUMS:
        return node.expr
    if isinstance(node, promql.Call) and str(node.func.name) in _CALLS:
        return node.args[0]
    if (
        isinstance(node, promql.BinaryExpr)
        and isinstance(inside(node.rhs), promql.NumberLiteral)
        and operator(node) in "*/"
    ):
        return node.lhs
    if (
        isinstance(node, promql.BinaryExpr)
        and isinstance(inside(node.lhs), promql.NumberLiteral)
        and operator(node) == "*"
    ):
        return node.rhs
    return None
