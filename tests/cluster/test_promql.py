"""The recorded answers are those of the Prometheus that is built here: one that answers otherwise is noticed before docc meets
it, and a recording that was edited by hand, too (tests/sandbox/promql/record.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.sandbox.promql import record
from tests.sandbox.promql.alike import same
from tests.sandbox.promql.cases import DATA_SETS, DataSet


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Empty, and scraping nothing."""
    with (
        record.own(tmp_path_factory.mktemp("prometheus")) as url,
        httpx.Client(base_url=url, timeout=30, trust_env=False) as client,
    ):
        yield client


@pytest.mark.parametrize("data_set", DATA_SETS, ids=lambda data_set: data_set.name)
def test_every_recorded_answer_is_given_anew(
    prometheus: httpx.Client, tally: Callable[[str, int], None], data_set: DataSet
) -> None:
    recorded = json.loads((record.HERE / f"{data_set.name}.json").read_text(encoding="utf-8"))
    record.write(prometheus, data_set)
    assert len(recorded["queries"]) == len(data_set.queries)
    wrong = [told for asked in recorded["queries"] if (told := otherwise(prometheus, asked))]
    assert wrong == []
    tally("PromQL answers as recorded", len(recorded["queries"]))


def otherwise(prometheus: httpx.Client, asked: dict[str, Any]) -> str:
    now = record.ask(prometheus, asked["query"], asked["time"])
    if same(now["code"], now["answer"], asked):
        return ""
    return f"{asked['query']} at {asked['time']}: {now['answer']}, but recorded is {asked['answer']}"
