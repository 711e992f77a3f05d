"""What an expression evaluates to, and the three ways in which a query can fail. Decides nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from docc.sandbox.tsdb import Labels

METADATA = frozenset({"__name__", "__type__", "__unit__"})
"""Labels that say what a series measures: whatever computes a new value drops them (Prometheus 3, schema/labels.go)."""


@dataclass(frozen=True, slots=True)
class Sample:
    labels: Labels
    value: float


Vector = list[Sample]
Value = float | Vector
"""A scalar or an instant vector; the type of an expression never depends on data."""


class QueryError(Exception):
    """status and error_type are those of Prometheus' HTTP API."""

    status = 422
    error_type = "execution"


class BadQuery(QueryError):
    """Not PromQL."""

    status = 400
    error_type = "bad_data"


class Unanswerable(QueryError):
    """PromQL, but over these series it has no answer: Prometheus refuses it in the same words."""


class Unspoken(QueryError):
    """PromQL that Prometheus would answer and the sandbox does not. An answer that is only nearly right is never given."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the sandbox does not speak {what}")


def without_metadata(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] not in METADATA)


def distinct(vector: Vector) -> Vector:
    """The same vector. Raises Unanswerable where dropping labels has made two of its series the same one."""
    if len({sample.labels for sample in vector}) < len(vector):
        raise Unanswerable("vector cannot contain metrics with the same labelset")
    return vector


def spelled(labels: Iterable[tuple[str, str]]) -> str:
    """As Prometheus writes label sets into its errors: {a="x", b="y"}."""
    escaped = ((name, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for name, value in labels)
    return "{" + ", ".join(f'{name}="{value}"' for name, value in escaped) + "}"
