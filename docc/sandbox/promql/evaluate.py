"""Walks an expression as promql-parser gives it and evaluates it at one instant, exactly as Prometheus 3 would.

What it does not know it refuses by name (Unspoken); tests/sandbox/promql holds the real server's answers that bind it.
Warnings and infos (annotations beside a result) are not given.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import promql_parser as ast

from docc.promql import parse
from docc.sandbox.promql import operators, rates, selectors
from docc.sandbox.promql.absences import absence
from docc.sandbox.promql.aggregations import AGGREGATIONS, Grouping, aggregate
from docc.sandbox.promql.histograms import histogram_quantile
from docc.sandbox.promql.operators import Matching
from docc.sandbox.promql.selectors import Storage
from docc.sandbox.promql.values import BadQuery, Sample, Unspoken, Value, Vector, distinct, without_metadata

QUERY_CHARACTERS_MAX = 4096  # the parser is recursive native code: a longer one could exhaust the stack of the process
_DEPTH_MAX = 100
_UNARY_PLUS = re.compile(r"timestamp\s*[(](?:\s|[(]|#[^\n]*\n)*[+]", re.IGNORECASE)
_RANGE_FUNCTIONS: dict[str, Callable[[rates.Points, int, int], float | None]] = {
    "rate": rates.rate,
    "increase": rates.increase,
    "irate": rates.irate,
    "count_over_time": rates.count_over_time,
}


def evaluate(query: str, at_ms: int, storage: Storage) -> Value:
    """The value of `query` at `at_ms` (milliseconds since the epoch). Raises QueryError and nothing else."""
    if len(query) > QUERY_CHARACTERS_MAX:
        raise Unspoken(f"queries of more than {QUERY_CHARACTERS_MAX} characters")
    expression = _parsed(query)
    if _UNARY_PLUS.search(query):
        raise Unspoken("a unary plus inside timestamp()")  # the parser drops it; Prometheus answers another time for it
    return _Evaluation(storage, at_ms).value(expression, 0)


def _parsed(query: str) -> ast.Expr:
    try:
        tree: ast.Expr = parse(query)
        return tree
    except ValueError as error:
        raise BadQuery(f'invalid parameter "query": parse error: {error}') from error


class _Evaluation:
    def __init__(self, storage: Storage, at_ms: int) -> None:
        self._storage = storage
        self._at_ms = at_ms

    def value(self, node: object, depth: int) -> Value:
        if depth > _DEPTH_MAX:
            raise Unspoken(f"expressions nested more than {_DEPTH_MAX} deep")
        match node:
            case ast.NumberLiteral():
                return node.val
            case ast.ParenExpr():
                return self.value(node.expr, depth + 1)
            case ast.VectorSelector():
                return selectors.instant(self._storage, node, self._at_ms)
            case ast.UnaryExpr():
                return _negated(self.value(node.expr, depth + 1))
            case ast.BinaryExpr():
                return self._binary(node, depth + 1)
            case ast.AggregateExpr():
                return self._aggregation(node, depth + 1)
            case ast.Call():
                return self._call(node, depth + 1)
            case ast.MatrixSelector():
                raise Unspoken("a range vector as the result of a query")
            case ast.SubqueryExpr():
                raise Unspoken("subqueries")
            case ast.StringLiteral():
                raise Unspoken("strings as values")
            case _:
                raise Unspoken(f"{type(node).__name__} expressions")

    def _vector(self, node: object, depth: int) -> Vector:
        value = self.value(node, depth)
        if isinstance(value, float):
            raise BadQuery("expected an instant vector, got a scalar")
        return value

    def _scalar(self, node: object, depth: int) -> float:
        value = self.value(node, depth)
        if not isinstance(value, float):
            raise BadQuery("expected a scalar, got an instant vector")
        return value

    def _binary(self, node: ast.BinaryExpr, depth: int) -> Value:
        op, matching = str(node.op), _matching(node)
        if op not in operators.ARITHMETIC and op not in operators.COMPARISONS and op not in operators.SETS:
            raise Unspoken(f"the operator {op}")
        left, right = self.value(node.lhs, depth), self.value(node.rhs, depth)
        if isinstance(left, float) and isinstance(right, float):
            return operators.scalars(op, left, right)
        if isinstance(left, float) or isinstance(right, float):
            return operators.with_scalar(op, left, right, return_bool=matching.return_bool)
        return (operators.sets if op in operators.SETS else operators.vectors)(op, left, right, matching)

    def _aggregation(self, node: ast.AggregateExpr, depth: int) -> Vector:
        op = str(node.op)
        if op not in AGGREGATIONS:
            raise Unspoken(f"the aggregation {op}")
        grouping = Grouping()
        if node.modifier is not None:
            without = node.modifier.type == ast.AggModifierType.Without
            grouping = Grouping(without, frozenset(node.modifier.labels))
        return aggregate(op, self._vector(node.expr, depth), grouping)

    def _call(self, node: ast.Call, depth: int) -> Value:
        name = node.func.name
        if name in _RANGE_FUNCTIONS:
            return self._over_ranges(name, _bare(node.args[0]))
        match name, node.args:
            case "time", _:
                return self._at_ms / 1000
            case "vector", [scalar]:
                return [Sample((), self._scalar(scalar, depth))]
            case "scalar", [vector]:
                samples = self._vector(vector, depth)
                return samples[0].value if len(samples) == 1 else math.nan
            case "timestamp", [vector]:
                return self._timestamps(_bare(vector), depth)
            case (("absent" | "absent_over_time"), [argument]):
                return self._absence(name, _bare(argument), depth)
            case "histogram_quantile", [quantile, vector]:
                return histogram_quantile(self._scalar(quantile, depth), self._vector(vector, depth))
            case "abs", [vector]:
                return _mapped(self._vector(vector, depth), abs)
            case (("clamp" | "clamp_min" | "clamp_max"), [vector, *bounds]):
                return _clamped(self._vector(vector, depth), *self._bounds(name, bounds, depth))
            case _:
                raise Unspoken(f"the function {name}()")

    def _bounds(self, name: str, given: Sequence[object], depth: int) -> tuple[float, float]:
        values = [self._scalar(bound, depth) for bound in given]
        return (-math.inf if name == "clamp_max" else values[0]), (math.inf if name == "clamp_min" else values[-1])

    def _absence(self, name: str, argument: object, depth: int) -> Vector:
        if name == "absent":
            return [] if self._vector(argument, depth) else absence(argument)
        if not isinstance(argument, ast.MatrixSelector):
            raise Unspoken(f"{name}() of anything but a selector with a range")
        found = selectors.windows(self._storage, argument, self._at_ms)[2]
        return [] if found else absence(argument.vector_selector)

    def _over_ranges(self, name: str, argument: object) -> Vector:
        if not isinstance(argument, ast.MatrixSelector):
            raise Unspoken(f"{name}() of anything but a selector with a range")
        start, end, found = selectors.windows(self._storage, argument, self._at_ms)
        values = ((labels, _RANGE_FUNCTIONS[name](points, start, end)) for labels, points in found)
        return distinct([Sample(without_metadata(labels), value) for labels, value in values if value is not None])

    def _timestamps(self, argument: object, depth: int) -> Vector:
        """Only a bare selector knows when it was scraped; a computed vector is as old as the query."""
        if isinstance(argument, ast.VectorSelector):
            times = selectors.timestamps(self._storage, argument, self._at_ms)
            return _mapped(times, lambda seconds: seconds)
        return _mapped(self._vector(argument, depth), lambda _: self._at_ms / 1000)


def _bare(node: object) -> object:
    while isinstance(node, ast.ParenExpr):
        node = node.expr
    return node


def _mapped(vector: Vector, function: Callable[[float], float]) -> Vector:
    return distinct([Sample(without_metadata(sample.labels), function(sample.value)) for sample in vector])


def _negated(value: Value) -> Value:
    return -value if isinstance(value, float) else _mapped(value, lambda number: -number)


def _clamped(vector: Vector, least: float, most: float) -> Vector:
    """Empty where most < least; NaN in a bound or value wins, except against the infinity on its own side (Go's Max, Min)."""
    if most < least:
        return []
    return _mapped(vector, lambda value: _larger(least, _smaller(most, value)))


def _ordered(number: float) -> tuple[float, float]:
    return number, math.copysign(1, number)  # -0 is the smaller zero


def _smaller(a: float, b: float) -> float:
    if -math.inf in (a, b):
        return -math.inf
    return math.nan if math.isnan(a) or math.isnan(b) else min(a, b, key=_ordered)


def _larger(a: float, b: float) -> float:
    if math.inf in (a, b):
        return math.inf
    return math.nan if math.isnan(a) or math.isnan(b) else max(a, b, key=_ordered)


def _matching(node: ast.BinaryExpr) -> Matching:
    modifier = node.modifier
    if modifier is None:
        return Matching()
    if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
        raise Unspoken("the fill modifiers of binary operators")
    on, names = False, frozenset[str]()
    if modifier.matching is not None:
        on = modifier.matching.type == ast.LabelModifierType.Include
        names = frozenset(modifier.matching.labels)
    match modifier.card:
        case ast.VectorMatchCardinality.ManyToOne:
            return Matching(on, names, "left", tuple(modifier.group_labels or ()), modifier.return_bool)
        case ast.VectorMatchCardinality.OneToMany:
            return Matching(on, names, "right", tuple(modifier.group_labels or ()), modifier.return_bool)
        case _:
            return Matching(on, names, return_bool=modifier.return_bool)
