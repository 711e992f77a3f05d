"""The query API over real HTTP, as any Prometheus client meets it."""

from __future__ import annotations

import asyncio
import json
import math
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from docc.sandbox.query_api import go_float, routes
from docc.sandbox.tsdb import Tsdb, labels_of

NOW = 1_700_000_000.25
STARTED = 1_700_000_000_000


def request(method: str, path: str, **arguments: Any) -> tuple[int, dict[str, str], str]:
    async def ask() -> tuple[int, dict[str, str], str]:
        tsdb = Tsdb()
        tsdb.append(labels_of({"__name__": "up", "job": "é"}), STARTED, 1.0)
        tsdb.append(labels_of({"__name__": "odd"}), STARTED, math.inf)
        app = web.Application()
        app.add_routes(routes(tsdb, now=lambda: NOW))
        async with (
            TestClient(TestServer(app, host="127.0.0.1")) as client,
            client.request(method, path, **arguments) as answer,
        ):
            return answer.status, dict(answer.headers), await answer.text()

    return asyncio.run(ask())


def answered(method: str, path: str, **arguments: Any) -> tuple[int, Any]:
    status, headers, text = request(method, path, **arguments)
    assert headers["Content-Type"] == "application/json"
    return status, json.loads(text)


UP = {"metric": {"__name__": "up", "job": "é"}, "value": [1_700_000_000.25, "1"]}


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("GET", {"params": {"query": "up"}}),
        ("POST", {"data": {"query": "up"}}),
        ("POST", {"data": {"query": "up", "timeout": "5s"}, "params": {"query": "odd"}}),
    ],
    ids=["get", "post", "the form wins over the address"],
)
def test_an_instant_query_in_prometheus_json(method: str, arguments: dict[str, Any]) -> None:
    status, body = answered(method, "/api/v1/query", **arguments)
    assert (status, body) == (200, {"status": "success", "data": {"resultType": "vector", "result": [UP]}})


def test_an_empty_vector_is_success() -> None:
    assert answered("GET", "/api/v1/query", params={"query": "up > 1"}) == (
        200,
        {"status": "success", "data": {"resultType": "vector", "result": []}},
    )


@pytest.mark.parametrize(
    ("time", "answered_time"),
    [
        ("", 1_700_000_000.25),
        ("1700000000", 1_700_000_000),
        ("1700000000.0004", 1_700_000_000),
        ("1700000000.0006", 1_700_000_000.001),
        ("1.7e9", 1_700_000_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14T22:13:20.5+00:00", 1_700_000_000.5),
    ],
)
def test_time_is_seconds_or_rfc3339(time: str, answered_time: float) -> None:
    _, body = answered("GET", "/api/v1/query", params={"query": "1", "time": time})
    assert body["data"] == {"resultType": "scalar", "result": [answered_time, "1"]}


@pytest.mark.parametrize(
    ("parameters", "status", "error_type", "sentence"),
    [
        ({}, 400, "bad_data", "no expression found"),
        ({"query": "sum("}, 400, "bad_data", 'invalid parameter "query"'),
        ({"query": "up", "time": "yesterday"}, 400, "bad_data", 'cannot parse "yesterday" to a valid timestamp'),
        ({"query": "up", "time": "NaN"}, 400, "bad_data", "valid timestamp"),
        ({"query": "up", "time": "1e400"}, 400, "bad_data", "valid timestamp"),
        ({"query": "up", "time": "2023-11-14T22:13:20"}, 400, "bad_data", "valid timestamp"),
        ({"query": "up", "lookback_delta": "1m"}, 400, "bad_data", "does not speak the parameter 'lookback_delta'"),
        ({"query": "histogram_avg(up)"}, 422, "execution", "the sandbox does not speak the function histogram_avg()"),
        ({"query": "-{__name__=~'up|odd',job=''} + on() {__name__=~'up|odd'}"}, 422, "execution", "many-to-many"),
    ],
)
def test_refusals_have_prometheus_shape(
    parameters: dict[str, str], status: int, error_type: str, sentence: str
) -> None:
    got, body = answered("GET", "/api/v1/query", params=parameters)
    assert (got, body["status"], body["errorType"]) == (status, "error", error_type)
    assert sentence in body["error"]


@pytest.mark.parametrize("path", ["query_range", "series", "labels", "label/job/values", "targets", "rules"])
def test_an_endpoint_that_is_not_there_says_so(path: str) -> None:
    status, body = answered("GET", f"/api/v1/{path}")
    assert (status, body["errorType"]) == (404, "not_found")
    assert body["error"] == f"the sandbox does not speak /api/v1/{path}: only /api/v1/query"


def test_ready_buildinfo_and_date() -> None:
    status, headers, text = request("GET", "/-/ready")
    assert (status, text) == (200, "docc sandbox is Ready.\n")
    assert parsedate_to_datetime(headers["Date"]).tzinfo is not None
    _, body = answered("GET", "/api/v1/status/buildinfo")
    assert body["data"]["version"].startswith("3.")
    assert "sandbox" in body["data"]["version"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (-0.0, "-0"),
        (100.0, "100"),
        (0.1, "0.1"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (-2.5e-7, "-2.5e-07"),
        (123456789012345680.0, "123456789012345680"),
    ],
)
def test_values_are_written_as_go_writes_them(value: float, text: str) -> None:
    assert go_float(value) == text
