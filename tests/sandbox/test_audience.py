"""Who got what while a version is on trial, counted from rows that tell exactly that."""

from __future__ import annotations

from typing import Any

import pytest

from docc.sandbox import audience
from docc.sandbox.audience import WITH, WITHOUT, Span, Trial

V2 = Trial("v2", "v1", Span(10.0, 40.0))


def row(sent: float, version: str, *, header: bool = False, took: float = 0.01) -> dict[str, Any]:
    return {
        "sent": sent, "done": sent + took, "status": 200 if version else 0, "version": version, "header": header,
        "tag": f"t{sent}{header}",
    }  # fmt: skip


def logged(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"start": str(each["sent"]), "status": each["status"], "version": each["version"], "tag": each["tag"]}
        for each in rows
    ]


def test_a_trial_is_between_its_users_first_answer_and_their_last_request() -> None:
    rows = [row(1, "v1", header=True), row(2, "v2", header=True, took=0.5), row(3, "v2"), row(4, "v2", header=True)]
    assert audience.trial([*rows, row(5, "v1", header=True)], "v2", "v1") == Trial("v2", "v1", Span(2.5, 4))
    assert audience.trial(rows[:1] + rows[2:3], "v2", "v1") is None


@pytest.mark.parametrize(
    ("promoted", "found"),
    [
        (None, [("paused", Span(10.0, 40.0))]),
        (50.0, [("paused", Span(10.0, 40.0))]),
        (15.0, [("paused", Span(10.0, 15.0)), ("growing", Span(15.0, 30.0))]),
    ],
)
def test_it_is_paused_until_somebody_promotes_it_and_grows_until_all_have_it(
    promoted: float | None, found: list[tuple[str, Span]]
) -> None:
    weights = [(20.0, "v2", 20), (20.0, "v1", 80), (30.0, "v2", 100), (30.0, "v1", 0), (60.0, "v3", 100)]
    assert list(audience.periods(V2, weights, promoted)) == found


def test_what_never_had_all_traffic_grew_as_long_as_it_was_on_trial() -> None:
    assert list(audience.periods(V2, [(20.0, "v2", 20)], 15.0))[1] == ("growing", Span(15.0, 40.0))


def test_who_got_what_leaves_out_who_was_under_way_at_either_end() -> None:
    rows = [
        row(9.9, "v1", header=True, took=0.2), row(11, "v2", header=True), row(12, "v1"), row(13, "v1"), row(14, ""),
        row(39.9, "v2", took=0.2),
    ]  # fmt: skip
    assert audience.got(rows, V2.span) == {WITH: {"v2": 1}, WITHOUT: {"": 1, "v1": 2}}


WEIGHTS = [(20.0, "v2", 20), (20.0, "v1", 80), (30.0, "v2", 0), (30.0, "v1", 100)]


@pytest.mark.parametrize(
    ("told", "failed"),
    [
        (row(19, "v2", header=True), (0, 0)),  # at 0 %, as it should be
        (row(25, "v1", header=True), (1, 0)),  # on trial, and sent to stable
        (row(32, "v2", header=True), (1, 0)),  # taken back two seconds ago
        (row(30.5, "v2", header=True), (0, 0)),  # just now
        (row(32, "v1", header=True), (0, 0)),
        (row(25, "v1"), (0, 0)),
        (row(25, "v2"), (0, 0)),
        (row(32, "v2"), (0, 1)),
        (row(25, ""), (0, 1)),
    ],
)
def test_users_with_the_header_are_judged_by_weights_of_their_own(
    told: dict[str, Any], failed: tuple[int, int]
) -> None:
    both = audience.of_both([told], logged([told]), WEIGHTS, [V2])
    assert [both[who][0].failed for who in (WITH, WITHOUT)] == list(failed)
    assert all(mine.same_as(theirs) for mine, theirs in both.values())


def test_the_two_accounts_are_held_against_each_other_request_by_request() -> None:
    rows = [row(1, "v1"), row(2, "v2", header=True), row(3, "v1")]
    assert audience.same_answers(rows, reversed(logged(rows)))
    swapped = logged([rows[0] | {"version": "v2"}, rows[1] | {"version": "v1"}, rows[2]])
    assert not audience.same_answers(rows, swapped)
    assert not audience.same_answers(rows, logged(rows[:2])) and not audience.same_answers(
        rows, logged([*rows, rows[0]])
    )
