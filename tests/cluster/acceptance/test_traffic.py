"""What is asserted of traffic in every case can fail: those on trial by a header count as everybody else does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.acceptance.traffic import EXPOSED_SECONDS_MAX, Traffic, assert_nobody_lost, assert_soon_over

Object = dict[str, Any]


def row(at: float, version: str, status: int = 200) -> Object:
    return {"sent": at, "done": at, "status": status, "version": version, "tag": f"{at}", "header": True}


def logged(rows: list[Object]) -> list[Object]:
    return [{**each, "start": each["sent"]} for each in rows]


@pytest.mark.parametrize("on_trial", [False, True])
def test_a_version_that_fails_for_long_is_noticed_whoever_asked_for_it(on_trial: bool) -> None:
    rows = [row(float(second), "v2", 500 if second % 2 else 200) for second in range(int(EXPOSED_SECONDS_MAX) + 2)]

    def seen(asked: list[Object]) -> Traffic:
        return Traffic([], tried=asked) if on_trial else Traffic([], rows=asked)

    assert_soon_over(seen(rows[:-2]))
    with pytest.raises(AssertionError, match="v2"):
        assert_soon_over(seen(rows))


def test_what_those_on_trial_lose_is_lost_unless_the_case_answers_for_it() -> None:
    rows = [row(1.0, "v2"), row(2.0, "", 503)]
    with pytest.raises(AssertionError):
        assert_nobody_lost(Traffic([], tried=rows), logged(rows))
    assert_nobody_lost(Traffic([], tried=rows, excused=lambda each: not each["version"]), logged(rows))
