"""What both acts of `docc demo` promise, and how they tell who got what; the demos themselves are played in tests/sandbox."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from docc.cli.acts import ab, canary


def period(
    version: str, stable: str, name: str, with_header: dict[str, int], without: dict[str, int]
) -> dict[str, Any]:
    return {
        "version": version, "stable": stable, "while": name, "seconds": 5.1, "with_header": with_header,
        "without_header": without,
    }  # fmt: skip


KEPT: dict[str, Any] = {
    "outcomes": [{"image": "i", "result": result, "exit_code": code} for result, code in ab.OUTCOMES],
    "promote_exit_code": 0, "failed_requests": 0, "bad_version_requests_by": {"with_header": 21, "without_header": 0},
    "header_rules_left": 0, "counts_agree": True, "rate_kept": 0.95,
    "periods": [
        period("v2", "v1", "paused", {"v2": 49}, {"v1": 443}),
        period("v2", "v1", "growing", {"v2": 180}, {"v1": 914, "v2": 704}),
        period("v3", "v2", "paused", {"v3": 19}, {"v2": 180}),
    ],
}  # fmt: skip


def test_nothing_is_broken_when_all_is_as_promised() -> None:
    assert ab.broken(KEPT) == [] and ab.as_promised(KEPT)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("outcomes.2.exit_code", 0, "the deploys ended otherwise"),
        ("outcomes.1.result", "paused", "the deploys ended otherwise"),
        ("promote_exit_code", None, "docc promote did not do it"),
        ("failed_requests", 1, "requests failed"),
        ("rate_kept", 0.949, "only 94.9 % of the requests could be sent in time"),
        ("bad_version_requests_by.without_header", 1, "others met the bad version"),
        ("header_rules_left", 1, "rules for users with the header are left"),
        ("counts_agree", False, "the two accounts differ"),
        ("periods", KEPT["periods"][:2], "not each version was tried"),
        ("periods.0.with_header", {"v1": 1, "v2": 48}, "users with the header did not all get v2 while v2 was paused"),
        ("periods.0.with_header", {}, "users with the header did not all get v2 while v2 was paused"),
        ("periods.1.with_header", {"v1": 1, "v2": 48}, "did not all get v2 while v2 was growing"),
        ("periods.0.without_header", {"v1": 400, "v2": 1}, "others did not get what they should while v2 was paused"),
        ("periods.1.without_header", {"v1": 400}, "others did not get what they should while v2 was growing"),
        ("periods.2.without_header", {"v2": 180, "v3": 1}, "others did not get what they should while v3 was paused"),
    ],
)
def test_each_promise_can_be_broken_and_is_told_alone(path: str, value: Any, told: str) -> None:
    summary: Any = deepcopy(KEPT)
    *above, last = path.split(".")
    inner = summary
    for word in above:
        inner = inner[int(word)] if word.isdigit() else inner[word]
    inner[last] = value
    (sentence,) = ab.broken(summary)
    assert told in sentence and not ab.as_promised(summary)


def test_the_table_says_who_had_which_version_and_fits_on_80_columns() -> None:
    rows = ab.table(KEPT["periods"])
    assert rows == [
        "                  with x-docc-release   all others",
        "v2 paused, 5 s    v2 49                 v1 443",
        "v2 growing, 5 s   v2 180                v1 914, v2 704",
        "v3 paused, 5 s    v3 19                 v2 180",
    ]


CANARY: dict[str, Any] = {
    "outcomes": [{"exit_code": code} for code in (0, 0, 10)], "failed_requests": 0, "rate_kept": 0.95, "counts_agree": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, None),
        ({"outcomes": [{"exit_code": 0}] * 3}, "the deploys ended otherwise: [0, 0, 0]"),
        ({"failed_requests": 1}, "requests failed"),
        ({"rate_kept": 0.949}, "only 94.9 % of the requests could be sent in time"),
        ({"counts_agree": False}, "Envoy's access log disagrees"),
    ],
)
def test_the_first_act_holds_what_it_promises(changed: dict[str, Any], told: str | None) -> None:
    assert canary.broken({**CANARY, **changed}) == ([told] if told else [])
    assert canary.as_promised({**CANARY, **changed}) is (told is None)
