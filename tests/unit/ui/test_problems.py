"""Errors as text and as a document."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from docc.model.errors import (
    DoccError,
    ExitCode,
    LockedError,
    ManifestError,
    Obstacle,
    PreflightError,
    Problem,
    UnusableError,
)
from docc.ui import problems

Golden = Callable[[str, str], None]
MANIFEST = """{
  "application": {
\t"name": "Shop_API",
    "containers": {"web": {"image": "shop:1"}}
  },
  "deployment_strategy": {"canary": {"increment": 0, "intervall": 60}}
}
"""
MINIFIED = json.dumps({"application": {"name": "shop", "containers": {"web": {"image": "x" * 200}}}, "strategyy": 1})
OBSTACLES = (
    Obstacle(
        "HTTPRoute team/blog claims shop.test with path / as well",
        "Gateway infra/public; HTTPRoute web/shop",
        "of two equal claims the older route has every request (Gateway API): team/blog",
        "other hosts or paths in the manifest, or have that route deleted",
        ExitCode.LOCKED,
    ),
    Obstacle("quota compute has no room for v2: pods", "ResourceQuota web/compute", exit_code=ExitCode.UNUSABLE),
)
ERRORS: dict[str, DoccError] = {
    "locked": LockedError(
        "shop is being deployed by ci@run/8812",
        where="Lease web/docc-shop",
        why="it was renewed 4 s ago, while this command watched",
        state="nothing was touched",
        fix="docc status shop; try again when that deploy has ended",
    ),
    "evidence": UnusableError(
        "Prometheus does not answer",
        where="http://prom:9090",
        why="HTTP 502\n<html>\x1b[1mBad gateway\x1b[0m</html>\n::error::x",
        fix="--prometheus-url URL\nor deployment_strategy.prometheus in the manifest",
    ),
    "bare": DoccError("it went wrong"),
    "manifest": ManifestError(
        "manifest.json is not valid",
        problems=(
            Problem(3, 10, 'application.name: "Shop_API" is not a DNS name', "manifest.json", 'try "shop-api"'),
            Problem(6, 51, 'unknown field "intervall", did you mean "interval"?'),
            Problem(99, 1, "beyond the end"),
        ),
        fix="docc validate manifest.json",
        text=MANIFEST,
    ),
    "one obstacle": PreflightError((OBSTACLES[0],), ExitCode.LOCKED),
    "obstacles": PreflightError(OBSTACLES, ExitCode.UNUSABLE),
    "one long line": ManifestError(
        "mini.json is not valid",
        problems=(Problem(1, MINIFIED.index("strategyy"), 'unknown field "strategyy"', "mini.json"),),
        text=MINIFIED,
    ),
}


def test_texts(golden: Golden) -> None:
    golden("problems.txt", "\n".join(f"--- {name}\n{problems.text(e)}\n" for name, e in ERRORS.items()))


def test_without_the_source_a_problem_is_one_line() -> None:
    error = ManifestError("m.json is not valid", problems=(Problem(2, 3, "no", "m.json"),))
    assert (
        problems.text(error) == "m.json:2:3: no\nerror: m.json is not valid (1 problem)\n  state: nothing was touched"
    )


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_on_a_terminal_reasons_are_broken_between_words(columns: int) -> None:
    error = UnusableError("no", why="a reason that goes on and on " * 8, fix="docc status shop; " * 12)
    rows = problems.text(error, columns).splitlines()
    assert max(map(len, rows)) <= columns and sum(row.startswith(" " * 9) for row in rows) >= 4
    assert " ".join(" ".join(rows).split()) == " ".join(problems.text(error).split())


@pytest.mark.parametrize("column", [1, 2, 40, 150, 236, 240, 500])
def test_caret_stands_below_its_character(column: int) -> None:
    shown, caret = problems.excerpt(MINIFIED, column)
    assert len(shown) <= 76 and len(caret) <= 77
    if column <= len(MINIFIED):
        assert shown[len(caret) - 1] == MINIFIED[column - 1]


def test_caret_survives_tabs_and_columns_out_of_range() -> None:
    assert problems.excerpt("\t\t5,", 3) == ("    5,", "    ^")
    assert problems.excerpt("5\t,", 3) == ("    5 ,", "      ^")
    assert problems.excerpt("", 7) == ("    ", "    ^")
    assert problems.excerpt("  x", 0)[1] == "    ^"


def test_document_has_everything_and_is_json() -> None:
    found = json.loads(json.dumps(problems.document(ERRORS["manifest"])))["error"]
    assert (found["code"], found["exit_code"], found["what"]) == ("USAGE", 2, "manifest.json is not valid")
    assert found["problems"][0] == {
        "file": "manifest.json",
        "line": 3,
        "column": 10,
        "message": 'application.name: "Shop_API" is not a DNS name',
        "fix": 'try "shop-api"',
    }
    locked = problems.document(ERRORS["locked"])["error"]
    assert {key: locked[key] for key in ("code", "exit_code", "where", "state")} == {
        "code": ExitCode.LOCKED.name,
        "exit_code": 7,
        "where": "Lease web/docc-shop",
        "state": "nothing was touched",
    }
    assert locked["problems"] == []
