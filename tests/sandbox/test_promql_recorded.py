"""The query API against a real Prometheus 3: the same samples, the same queries, the same answers (see promql/record.py)."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from docc.sandbox.query_api import routes
from docc.sandbox.tsdb import Tsdb, labels_of
from tests.conditions import sent
from tests.sandbox.promql.alike import same
from tests.sandbox.promql.cases import DATA_SETS

FILES = sorted((Path(__file__).parent / "promql").glob("*.json"))
DOCS = Path(__file__).resolve().parents[2] / "docs"
CLASS_MIN = 4
CLASSES = {
    "resets": ("counter_reset", "", ""),
    "staleness": ("staleness", "", ""),
    "lookback edge": ("edges", r"^(timestamp\()?hits_total\)?$|\[1m\]\)$", ""),
    "missing numerator": ("never_a_500", "500|5\\.\\.", ""),
    "0/0": ("no_traffic", "/", ""),
    "NaN and infinities": ("numbers", "nan|inf", ""),
    "label matching errors": ("", "", "found duplicate series for the match group"),
    "many-to-one refused": ("", "", "many-to-one matching must be explicit"),
    "bool": ("", r"\bbool\b", ""),
    "or, and, unless": ("matching", r"\b(or|and|unless)\b", ""),
    "offset": ("", r"\boffset\b", ""),
    "histogram_quantile": ("histograms", "histogram_quantile", ""),
    "absent": ("absence", "absent", ""),
}
"""What a failure condition is made of -> (data set, expression, refusal)."""


def filled(series: list[dict[str, Any]]) -> Tsdb:
    tsdb = Tsdb()
    for one in series:
        for time_ms, value in one["points"]:
            assert tsdb.append(labels_of(one["labels"]), time_ms, None if value == "stale" else float(value))
    return tsdb


async def answers(file: Path) -> list[str]:
    """Queries that are answered otherwise than by Prometheus, with both answers."""
    recorded = json.loads(file.read_text(encoding="utf-8"))
    app = web.Application()
    app.add_routes(routes(filled(recorded["series"]), now=lambda: 0.0))
    wrong = []
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        for asked in recorded["queries"]:
            form = {"query": asked["query"], "time": asked["time"]}
            async with client.post("/api/v1/query", data=form) as response:
                ours = await response.json()
                if not same(response.status, ours, asked):
                    wrong.append(f"{asked['query']} at {asked['time']}: {ours}, but Prometheus: {asked['answer']}")
    return wrong


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_recorded_answer_is_given_again(file: Path) -> None:
    assert asyncio.run(answers(file)) == []


def test_the_recorded_answers_are_a_real_prometheus_3s_and_many() -> None:
    recorded = [json.loads(file.read_text(encoding="utf-8")) for file in FILES]
    assert {one["prometheus"].split(".")[0] for one in recorded} == {"3"}
    count = sum(len(one["queries"]) for one in recorded)
    assert count > 1000
    for page in ("testing.md", "sandbox.md"):
        assert f"{count} recorded answers" in (DOCS / page).read_text(encoding="utf-8")


@pytest.mark.parametrize(("about", "where"), CLASSES.items())
def test_each_class_of_expressions_is_asked_about(about: str, where: tuple[str, str, str]) -> None:
    assert len(of_class(*where)) >= CLASS_MIN, about


def of_class(name: str, query: str, error: str) -> set[str]:
    """Distinct expressions of a data set ("": of all) that match, and whose refusals do."""
    recorded = [json.loads(file.read_text(encoding="utf-8")) for file in FILES if name in ("", file.stem)]
    return {
        asked["query"]
        for one in recorded
        for asked in one["queries"]
        if re.search(query, asked["query"], re.IGNORECASE) and re.search(error, asked["answer"].get("error", ""))
    }


def test_the_recorded_files_hold_what_the_cases_say() -> None:
    """A changed case without a new recording would test yesterday's question."""
    recorded = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in FILES}
    assert recorded.keys() == {data_set.name for data_set in DATA_SETS}
    for data_set in DATA_SETS:
        one = recorded[data_set.name]
        assert [(asked["query"], asked["time"]) for asked in one["queries"]] == data_set.queries
        said = json.loads(json.dumps([{"labels": labels, "points": points} for labels, points in data_set.series]))
        assert one["series"] == said


def test_a_real_prometheus_has_answered_what_docc_sends() -> None:
    (data_set,) = [each for each in DATA_SETS if each.name == "sent"]
    assert [query for query, _ in data_set.queries] == sent()
