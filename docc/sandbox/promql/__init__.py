"""PromQL at one instant, over samples in memory: what a failure condition can ask, answered as Prometheus 3 answers."""

from docc.sandbox.promql.evaluate import evaluate
from docc.sandbox.promql.values import BadQuery, QueryError, Sample, Unanswerable, Unspoken, Value, Vector

__all__ = ["BadQuery", "QueryError", "Sample", "Unanswerable", "Unspoken", "Value", "Vector", "evaluate"]
