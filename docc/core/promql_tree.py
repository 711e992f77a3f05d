"""What stands where in a PromQL syntax tree. Knows syntax only, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import promql_parser as promql

Node = Any
"""A node of promql_parser's tree; the library has no type stubs."""

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
JOINS = ("and", "or", "unless")


def operator(node: Node) -> str:
    return str(node.op)


def inside(node: Node) -> Node:
    """The node without the parentheses around it."""
    return inside(node.expr) if isinstance(node, promql.ParenExpr) else node


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


def selectors(node: Node) -> Iterator[Node]:
    """Every vector selector in the tree."""
    if isinstance(node, promql.VectorSelector):
        yield node
    for child in children(node):
        yield from selectors(child)


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


def has_matching(node: Node) -> bool:
    """on, ignoring, group_left or group_right stand between the operands."""
    return node.modifier is not None and node.modifier.matching is not None


def is_quotient(node: Node) -> bool:
    """A division of two vectors whose series meet by all their labels."""
    divides = isinstance(node, promql.BinaryExpr) and operator(node) == "/" and not has_matching(node)
    return divides and bool(next(selectors(node.lhs), None)) and is_vector(node.lhs) and is_vector(node.rhs)
