"""Prometheus' HTTP API, as much of it as docc asks for: one instant query. Knows nothing of what the series mean.

Answers have Prometheus' JSON (https://prometheus.io/docs/prometheus/latest/querying/api/). Endpoints that the sandbox does
not have answer 404 with a sentence. The Date header, from which a client tells its own clock's error, is aiohttp's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from aiohttp import web

from docc.sandbox.promql import BadQuery, QueryError, Value, evaluate
from docc.sandbox.tsdb import Tsdb

_TIME_MAX_SECONDS = 253_402_300_799  # the end of the year 9999
_ABSENT = ("query_range", "query_exemplars", "series", "labels", "label/{name}/values", "targets", "metadata", "rules")
_UNSUPPORTED_PARAMETERS = ("lookback_delta", "limit")
_BUILD = {
    "version": "3.16.0+docc.sandbox",
    "revision": "",
    "branch": "",
    "buildUser": "",
    "buildDate": "",
    "goVersion": "",
}


def routes(tsdb: Tsdb, now: Callable[[], float]) -> list[web.RouteDef]:
    """now: seconds since the epoch. `/api/v1/...` is also the Kubernetes core API's prefix: give these their own port."""

    async def query(request: web.Request) -> web.Response:
        form = await request.post() if request.method == "POST" else {}
        parameters = {**request.query, **{name: str(value) for name, value in form.items()}}
        try:
            at_ms = _time(parameters, now)
            return _answer(_data(evaluate(_text(parameters), at_ms, tsdb), at_ms))
        except QueryError as error:
            return _refusal(error.status, error.error_type, str(error))

    return [
        web.get("/api/v1/query", query),
        web.post("/api/v1/query", query),
        web.get("/api/v1/status/buildinfo", _buildinfo),
        web.get("/-/ready", _ready),
        web.get("/-/healthy", _ready),
        *(web.route(method, f"/api/v1/{path}", _absent) for path in _ABSENT for method in ("GET", "POST")),
    ]


def go_float(value: float) -> str:
    """The shortest text that reads back as `value`, as Prometheus writes sample values."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        text = format(Decimal(repr(value)), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return repr(value)


def _text(parameters: Mapping[str, str]) -> str:
    for name in _UNSUPPORTED_PARAMETERS:
        if parameters.get(name):
            raise BadQuery(f"the sandbox does not speak the parameter {name!r}")
    return parameters.get("query", "")


def _time(parameters: Mapping[str, str], now: Callable[[], float]) -> int:
    """Milliseconds, rounded as Prometheus' API does: seconds to the nearest 1/1000, then cut."""
    text = parameters.get("time", "")
    if not text:
        return int(now() * 1000)
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise _bad_time(text) from None
        return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
    if not 0 <= seconds <= _TIME_MAX_SECONDS:
        raise _bad_time(text)
    fraction, whole = math.modf(seconds)
    nanoseconds = int(math.floor(fraction * 1000 + 0.5) / 1000 * 1e9)
    return int(whole) * 1000 + nanoseconds // 1_000_000


def _bad_time(text: str) -> BadQuery:
    return BadQuery(
        f"invalid parameter \"time\": invalid time value for 'time': cannot parse {json.dumps(text)} to a valid timestamp"
    )


def _data(value: Value, at_ms: int) -> dict[str, Any]:
    time = at_ms // 1000 if at_ms % 1000 == 0 else at_ms / 1000
    if isinstance(value, float):
        return {"resultType": "scalar", "result": [time, go_float(value)]}
    return {
        "resultType": "vector",
        "result": [{"metric": dict(sample.labels), "value": [time, go_float(sample.value)]} for sample in value],
    }


def _answer(data: dict[str, Any]) -> web.Response:
    return _json(200, {"status": "success", "data": data})


def _refusal(status: int, error_type: str, message: str) -> web.Response:
    return _json(status, {"status": "error", "errorType": error_type, "error": message})


def _json(status: int, document: dict[str, Any]) -> web.Response:
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return web.Response(status=status, body=body, headers={"Content-Type": "application/json"})


async def _buildinfo(_: web.Request) -> web.Response:
    return _answer(_BUILD)


async def _ready(_: web.Request) -> web.Response:
    return web.Response(text="docc sandbox is Ready.\n")


async def _absent(request: web.Request) -> web.Response:
    return _refusal(404, "not_found", f"the sandbox does not speak {request.path}: only /api/v1/query")
