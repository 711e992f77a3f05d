"""histogram_quantile over classic histograms: the arithmetic of promql/quantile.go of Prometheus 3. Knows no tree."""

from __future__ import annotations

import math
import re
import sys
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from docc.sandbox.promql.values import Sample, Unspoken, Vector, distinct, without_metadata
from docc.sandbox.tsdb import Labels

_TOLERANCE = 1e-12
"""Differences of counts below it are rounding, not counts."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)


@dataclass(slots=True)
class _Bucket:
    upper: float
    count: float


def histogram_quantile(quantile: float, vector: Vector) -> Vector:
    """Samples whose `le` is no number do not count. Raises Unspoken for bounds that Go reads and nobody writes (NaN, hex)."""
    groups: dict[Labels, list[_Bucket]] = {}
    for sample in vector:
        bound = dict(sample.labels).get("le", "")
        if not _NUMBER.fullmatch(bound):
            if re.fullmatch(r"[+-]?(nan|0x.*|\d+_.*)", bound, re.IGNORECASE):
                raise Unspoken(f"the bucket bound {bound!r}")
            continue
        rest = tuple(pair for pair in sample.labels if pair[0] != "le")
        groups.setdefault(rest, []).append(_Bucket(float(bound), sample.value))
    found = [Sample(without_metadata(labels), _quantile(quantile, buckets)) for labels, buckets in groups.items()]
    return distinct(found)


def _quantile(quantile: float, buckets: Sequence[_Bucket]) -> float:
    if math.isnan(quantile):
        return math.nan
    if not 0 <= quantile <= 1:
        return math.copysign(math.inf, quantile)
    whole = _coalesced(sorted(buckets, key=lambda bucket: bucket.upper))
    if whole[-1].upper != math.inf:
        return math.nan
    _level(whole)
    if len(whole) < 2 or whole[-1].count == 0:
        return math.nan
    rank = quantile * whole[-1].count
    # A binary search, as there: where a count is NaN, which bucket is found depends on the way.
    at = bisect_left(whole, True, hi=len(whole) - 1, key=lambda bucket: bucket.count >= rank)
    if at == len(whole) - 1:
        return whole[-2].upper
    if at == 0 and whole[0].upper <= 0:
        return whole[0].upper
    lower = _Bucket(0.0, 0.0) if at == 0 else whole[at - 1]
    share = _divided(rank - lower.count, whole[at].count - lower.count)
    return lower.upper + (whole[at].upper - lower.upper) * share


def _coalesced(buckets: Sequence[_Bucket]) -> list[_Bucket]:
    """Buckets of one bound ("1" and "1.0") are one."""
    found = [buckets[0]]
    for bucket in buckets[1:]:
        if bucket.upper == found[-1].upper:
            found[-1].count += bucket.count
        else:
            found.append(bucket)
    return found


def _level(buckets: Sequence[_Bucket]) -> None:
    """Cumulative counts cannot fall: where they do, scrapes were torn, or a sum was rounded."""
    before = buckets[0].count
    for bucket in buckets[1:]:
        if bucket.count < before or _almost_equal(before, bucket.count):
            bucket.count = before
        else:
            before = bucket.count


def _almost_equal(a: float, b: float) -> bool:
    if a == b or (math.isnan(a) and math.isnan(b)):
        return True
    together, apart = abs(a) + abs(b), abs(a - b)
    if a == 0 or b == 0 or together < sys.float_info.min:
        return apart < _TOLERANCE * sys.float_info.min
    return apart / min(together, sys.float_info.max) < _TOLERANCE


def _divided(rank: float, count: float) -> float:
    if count == 0:
        return math.nan if rank == 0 or math.isnan(rank) else math.copysign(math.inf, rank)
    return rank / count
