"""Whether two answers of the query API say the same. Pure."""

from __future__ import annotations

import math
from typing import Any


def same(code: int, ours: dict[str, Any], asked: dict[str, Any]) -> bool:
    """asked: a recorded question with its answer (record.py)."""
    theirs = asked["answer"]
    if code != asked["code"] or ours["status"] != theirs["status"]:
        return False
    if ours["status"] == "success":
        return same_data(ours["data"], theirs["data"])
    return same_refusal(ours, theirs)


def same_number(ours: str, theirs: str) -> bool:
    a, b = float(ours), float(theirs)
    if math.isnan(b) or math.isinf(b) or b == 0:
        return ours == theirs
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=0)


def same_data(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """The order of a vector's samples is open: Prometheus does not promise one."""
    if ours["resultType"] != theirs["resultType"]:
        return False
    if ours["resultType"] == "scalar":
        (our_time, our_value), (their_time, their_value) = ours["result"], theirs["result"]
        return bool(our_time == their_time and same_number(our_value, their_value))
    ours_sorted, theirs_sorted = (
        sorted(d["result"], key=lambda s: sorted(s["metric"].items())) for d in (ours, theirs)
    )
    return len(ours_sorted) == len(theirs_sorted) and all(
        a["metric"] == b["metric"] and a["value"][0] == b["value"][0] and same_number(a["value"][1], b["value"][1])
        for a, b in zip(ours_sorted, theirs_sorted, strict=True)
    )


def same_refusal(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """A parse error's words are the parser's own; an execution error's are Prometheus', but for the pair it happens to name."""
    if ours["errorType"] != theirs["errorType"]:
        return False
    return bool(theirs["errorType"] == "bad_data" or ours["error"].split("[")[0] == theirs["error"].split("[")[0])
