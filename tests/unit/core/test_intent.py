"""What `docc deploy` of a manifest means: the table of docs/architecture.md, row by row; and which revision that is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from docc.core.intent import Intent, another_number, candidate_number, intent, stable_of
from docc.model.record import Phase, Record
from docc.model.world import Front, Revision, Routed, Seen

REVISIONS = {1: "one", 2: "two", 3: "three"}


def seen(phase: Phase | None, **more: Any) -> Seen:
    """v1 to v3 are there, each with a pod template of its own; phase None: without a record."""
    record = Record(4, phase, "ci#1", 1e9, 1e9, **more) if phase else None
    weights = {more["stable"]: 100} if more.get("stable") else {}
    routed = Routed("HTTPRoute", exists=phase is not None, record=record, weights=weights)
    there = REVISIONS if phase else {}
    return Seen(routed, {n: Revision(n, exists=True, spec_hash=text) for n, text in there.items()})


LIVE = seen(Phase.SUCCEEDED, stable=2, previous=1)
MIDWAY = seen(Phase.SHIFTING, stable=2, candidate=3, weight=40)
REVERTED = seen(Phase.REVERTED, stable=2, candidate=3)
REVERTING = seen(Phase.REVERTING, stable=2, candidate=3)
PROMOTING = seen(Phase.PROMOTING, stable=2, previous=1)
ROLLED_BACK = seen(Phase.PROMOTING, stable=2, previous=3, verb="rollback")
PARKED = seen(Phase.PARKED, stable=2, candidate=3)


@pytest.mark.parametrize(
    ("there", "wanted", "number", "meant"),
    [
        (seen(None), "one", 1, Intent.FIRST),
        (LIVE, "two", 2, Intent.IN_PLACE),
        (LIVE, "four", 4, Intent.ROLL),
        (LIVE, "one", 1, Intent.ROLL),
        (MIDWAY, "three", 3, Intent.RESUME),
        (MIDWAY, "two", 2, Intent.RETURN),
        (MIDWAY, "four", 4, Intent.SUPERSEDE),
        (MIDWAY, "one", 1, Intent.SUPERSEDE),
        (REVERTED, "three", 3, Intent.RETRY),
        (REVERTED, "two", 2, Intent.IN_PLACE),
        (REVERTING, "three", 3, Intent.REVERT),
        (REVERTING, "four", 4, Intent.ROLL),
        (PARKED, "three", 3, Intent.RETRY),
        (PARKED, "four", 4, Intent.ROLL),
        (seen(Phase.REVERTED, candidate=1), "one", 1, Intent.FIRST),
    ],
)
def test_a_row_of_the_table(there: Seen, wanted: str, number: int, meant: Intent) -> None:
    assert candidate_number(there, wanted) == number
    assert intent(there, number) is meant


V1 = Revision(1, exists=True, ready=2, has_service=True)
ROUTE = Routed("HTTPRoute", exists=True)


@pytest.mark.parametrize(
    ("there", "stable"),
    [
        (Seen(Routed("HTTPRoute"), {1: V1}, Front(True, 1, 2)), 1), (Seen(ROUTE, {1: V1}, Front(True, 1, 2)), 1),
        (Seen(Routed("HTTPRoute"), {1: V1}, Front(True, 1, 0)), None),  # its clients are answered by nobody
        (Seen(Routed("HTTPRoute"), {1: V1}, Front(True, None, 2)), None),
        (Seen(Routed("HTTPRoute"), {1: V1}, Front(True, 1, 2, foreign=True)), None),
        (Seen(Routed("HTTPRoute"), {1: replace(V1, has_service=False)}, Front(True, 1, 2)), None),
        (Seen(replace(ROUTE, weights={2: 100}), {1: V1}, Front(True, 1, 2)), 2),  # the route tells
        (Seen(replace(ROUTE, weights={1: 50, 2: 50}), {1: V1}, Front(True, 1, 2)), None),
        (Seen(replace(ROUTE, weights={2: 100}, agrees=False), {1: V1}, Front(True, 1, 2)), None),
    ],
)  # fmt: skip
def test_without_a_record_stable_is_who_serves_and_where_no_route_tells_whom_the_front_service_selects(
    there: Seen, stable: int | None
) -> None:
    assert stable_of(there) == stable
    expected = Intent.ROLL if stable or there.routed.weights else Intent.FIRST
    assert intent(there, 3) is expected


@pytest.mark.parametrize(
    ("there", "wanted", "number"),
    [
        (LIVE, "two", 4), (LIVE, "one", 4), (LIVE, "new", 4),
        (MIDWAY, "three", 3), (MIDWAY, "two", 4),  # the same command again, after docc was killed, goes on
        (PROMOTING, "two", 2), (PROMOTING, "one", 4), (ROLLED_BACK, "two", 4),
        (REVERTED, "three", 3), (PARKED, "three", 3), (seen(None), "one", 1),
    ],
)  # fmt: skip
def test_force_new_means_another_revision_unless_that_is_under_way(there: Seen, wanted: str, number: int) -> None:
    assert another_number(there, wanted) == number
