"""Whatever Prometheus, or what stands in its place, may answer: series, or a sentence; bounded; without a secret in it."""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from docc.adapters import prometheus
from docc.adapters.prometheus import PrometheusMetrics, by_service, by_url, choose
from docc.core.verdict import Answer, Series
from docc.model.errors import CredentialsError, UnusableError, UsageError
from docc.model.manifest import PrometheusSource
from tests.adapters.kubeconfig import TOKEN, connect
from tests.adapters.server import LIMIT_SECONDS, Exchange, certificate, free_port, serve, tls
from tests.adapters.server import Answer as Act
from tests.adapters.test_kube_errors import words

Q = 'sum(rate(http_requests_total{code=~"5.."}[1m]))'
INSTANT = 1_700_000_000.25


def vector(*samples: tuple[dict[str, str], str], **more: Any) -> dict[str, Any]:
    result = [{"metric": labels, "value": [INSTANT, value]} for labels, value in samples]
    return {"status": "success", "data": {"resultType": "vector", "result": result}, **more}


def of(form: str, result: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": form, "result": result}}


def closing(metrics: PrometheusMetrics, query: str = Q) -> Answer:
    try:
        return metrics.ask([query])[query]
    finally:
        metrics.close()


ANSWERS = {
    "one series": (vector(({"code": "500"}, "0.25")), ((("code", "500"),), 0.25)),
    "several, with sorted labels": (
        vector(({"z": "1", "a": "é"}, "1"), ({}, "2e3")), ((("a", "é"), ("z", "1")), 1.0), ((), 2000.0),
    ),
    "none": (vector(),),
    "a scalar": (of("scalar", [INSTANT, "42"]), ((), 42.0)),
    "infinities": (vector(({}, "+Inf"), ({}, "-Inf")), ((), math.inf), ((), -math.inf)),
    "warnings beside": (vector(({}, "1"), warnings=["a bucket is missing"], infos=["x"]), ((), 1.0)),
}  # fmt: skip


@pytest.mark.parametrize("row", ANSWERS.values(), ids=ANSWERS)
def test_series_as_prometheus_says_them(row: Any) -> None:
    body, *expected = row
    with serve(lambda x: x.reply(200, body)) as server:
        answer = closing(by_url(server.url, None))
    assert answer == Answer(tuple(Series(labels, value) for labels, value in expected))
    assert answer.at == (INSTANT if expected else 0.0)
    asked = server.asked[0]
    assert (asked.method, asked.path, asked.form) == ("POST", "/api/v1/query", {"query": Q})


def test_nan_is_a_value() -> None:
    with serve(lambda x: x.reply(200, vector(({}, "NaN")))) as server:
        (series,) = closing(by_url(server.url, None)).series
    assert math.isnan(series.value)


REFUSALS = {
    "bad PromQL": (400, {"status": "error", "errorType": "bad_data", "error": "parse error"}, "HTTP 400: parse error"),
    "too long a query": (422, {"errorType": "execution", "error": "too many samples"}, "HTTP 422: too many samples"),
    "an error with 200": (200, {"status": "error", "error": "timed out"}, "HTTP 200: timed out"),
    "no reason": (500, {"status": "error"}, "HTTP 500: no reason given"),
    "words with control characters": (500, {"error": "a\x1b[2J\nb"}, "HTTP 500: a [2J b"),
    "very many words": (500, {"error": "x" * 10_000}, "HTTP 500: " + "x" * 300),
    "a page": (503, "<html>Service Unavailable</html>", "HTTP 503 with something that is not JSON"),
    "a page with 200": (200, "<html>Log in</html>", "HTTP 200 with something that is not JSON"),
    "nothing": (200, "", "HTTP 200 with something that is not JSON"),
    "half of JSON": (200, '{"status": "succ', "HTTP 200 with something that is not JSON"),
    "nested deeply": (200, "[" * 200_000, "HTTP 200 with something that is not JSON"),
    "a list": (200, [1], "HTTP 200 with something that is not Prometheus' format"),
    "a redirect": (302, "", "HTTP 302, a redirect; is that its own address?"),
    "not allowed": (401, "Unauthorized", "HTTP 401 with something that is not JSON"),
    "a matrix": (200, of("matrix", []), "not an instant vector: resultType matrix"),
    "a string": (200, of("string", [1, "x"]), "not an instant vector: resultType string"),
    "no data": (200, {"status": "success"}, "not an instant vector: no result"),
    "data of an odd kind": (200, {"status": "success", "data": [1]}, "not an instant vector: no result"),
    "a result of an odd kind": (200, of("vector", {"a": 1}), "not an instant vector: resultType vector"),
    "a sample of an odd kind": (200, of("vector", [7]), "not an instant vector: a series without labels"),
    "no labels": (200, of("vector", [{"value": [1, "1"]}]), "not an instant vector: a series without labels"),
    "a native histogram": (200, of("vector", [{"metric": {}, "histogram": [1, {}]}]), "a native histogram; histogram_q"),
    "no value": (200, of("vector", [{"metric": {}}]), "a value that is not [time, number as text]"),
    "half a value": (200, of("scalar", [1]), "a value that is not [time, number as text]"),
    "a value that is no text": (200, of("scalar", [1, True]), "a value that is not [time, number as text]"),
    "a value without its time": (200, of("scalar", ["now", "1"]), "a value without its time"),
    "a value from nowhere": (200, of("scalar", [1e300, "1"]), "a value without its time"),
    "a value that is no number": (200, vector(({}, "many")), "a value that is no number"),
    "one bad value among good ones": (200, vector(({}, "1"), ({}, "")), "a value that is no number"),
}  # fmt: skip


@pytest.mark.parametrize(("status", "body", "said"), REFUSALS.values(), ids=REFUSALS)
def test_anything_else_is_a_sentence(status: int, body: Any, said: str) -> None:
    with serve(lambda x: x.reply(status, body, {"Location": f"http://ann:{TOKEN}@elsewhere/"})) as server:
        answer = closing(by_url(f"{server.url}/prom/", None))
    assert answer.series == () and answer.error.startswith(f"{server.url}/prom/ answered ") and said in answer.error
    assert answer.error.endswith(said) or "histogram" in said or "NoneType" not in answer.error
    assert len(server.asked) == 1 and server.asked[0].path == "/prom/api/v1/query", "a redirect is not followed"


def hang_in_body(exchange: Exchange) -> None:
    exchange.head(200, {"Content-Length": "100"})
    exchange.raw(b"{")
    exchange.hang()


def drip(exchange: Exchange) -> None:
    exchange.head(200, {"Content-Length": "100000"})
    exchange.drip(b" " * 100_000, 0.05)


def break_off(exchange: Exchange) -> None:
    exchange.head(200, {"Content-Length": "100"})
    exchange.drop()


def flood(exchange: Exchange) -> None:
    exchange.head(200, {"Content-Length": str(1 << 40)})
    for _ in range(12):
        exchange.raw(b" " * (1 << 20))
    exchange.drop()


SILENCES: dict[str, tuple[Act, tuple[str, ...]]] = {
    "silent": (lambda x: x.hang(), ("timed out", "no whole answer within 3 s")),
    "silent in the body": (hang_in_body, ("timed out", "no whole answer within 3 s")),
    "ever slowly": (drip, ("no whole answer within 3 s",)),
    "dropped": (lambda x: x.drop(), ("closed connection without response", "Connection reset")),
    "dropped in the body": (break_off, ("closed before the answer was whole",)),
    "too long": (flood, ("longer than 10 MiB",)),
    "not HTTP": (lambda x: x.raw(b"SSH-2.0\r\n\r\n"), ("",)),
}


@pytest.mark.parametrize(("act", "said"), SILENCES.values(), ids=SILENCES)
def test_no_whole_answer_is_a_sentence_too(act: Act, said: tuple[str, ...]) -> None:
    with serve(act) as server:
        answer = closing(by_url(server.url, None))
    assert answer.series == () and answer.error.startswith(f"{server.url} did not answer: ")
    assert any(words in answer.error for words in said), answer.error


def test_nobody_listens_and_no_such_name() -> None:
    closed = f"http://127.0.0.1:{free_port()}"
    assert "Connection refused" in closing(by_url(closed, None)).error
    assert closing(by_url("http://nowhere.invalid", None)).error.startswith("http://nowhere.invalid did not answer: ")


def test_a_certificate_that_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = certificate(tmp_path, "mine", "IP:127.0.0.1")
    with serve(lambda x: x.reply(200, vector()), tls(mine)) as server:
        assert "certificate verify failed" in closing(by_url(server.url, None)).error
        monkeypatch.setenv("SSL_CERT_FILE", str(mine[0]))
        assert closing(by_url(server.url, None)) == Answer()


def test_one_query_that_hangs_does_not_cost_the_others_their_answers() -> None:
    """Far more queries than go out at once, each asked once, however often it stands there."""
    with serve(lambda x: x.hang() if "slow" in x.asked.form["query"] else x.reply(200, vector(({}, "1")))) as server:
        metrics = by_url(server.url, None)
        queries = ["slow", *(f"up{i}" for i in range(30)), "up0"]
        answers = metrics.ask(queries)
        metrics.close()
    assert list(answers) == queries[:-1] and len(server.asked) == 31
    assert "did not answer" in answers["slow"].error
    assert {answers[query].series for query in queries[1:]} == {(Series((), 1.0),)}


def test_a_prometheus_that_hangs_altogether_leaves_no_query_without_an_answer() -> None:
    begun = threading.Semaphore(0)

    def hang(exchange: Exchange) -> None:
        begun.release()
        exchange.hang()

    with serve(hang) as server:
        metrics = by_url(server.url, None)
        queries = [f"up{i}" for i in range(3 * prometheus.QUERIES_AT_ONCE)]
        answers = metrics.ask(queries)
        assert begun.acquire(timeout=LIMIT_SECONDS)
        metrics.close()
    assert list(answers) == queries and all("did not answer" in answer.error for answer in answers.values())
    assert len(server.asked) <= 2 * prometheus.QUERIES_AT_ONCE, "those that were not sent in time are not sent late"


# --- as whom
def test_the_token_comes_from_the_named_variable_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROM_TOKEN", f" {TOKEN}\n")
    with serve(lambda x: x.reply(200, vector())) as server:
        metrics = by_url(server.url, "PROM_TOKEN")
        assert closing(metrics) == Answer() and closing(by_url(server.url, None)) == Answer()
    assert [asked.headers.get("authorization") for asked in server.asked] == [f"Bearer {TOKEN}", None]
    assert TOKEN not in repr(metrics) + metrics.name


@pytest.mark.parametrize(("value", "said"), [
    (None, "is not set"), ("", "is not set"), (" \n", "is not set"),
    (f"{TOKEN}\r\nX: y", "cannot be sent"), (f"{TOKEN}é", "cannot be sent"),
])  # fmt: skip
def test_a_token_that_is_missing_or_cannot_be_sent(
    value: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is not None:
        monkeypatch.setenv("PROM_TOKEN", value)
    with pytest.raises(CredentialsError) as caught:
        by_url("http://127.0.0.1:9", "PROM_TOKEN")
    assert said in caught.value.what and "$PROM_TOKEN" in caught.value.what and TOKEN not in words(caught.value)
    assert caught.value.state == "nothing was touched" and caught.value.fix.startswith("export PROM_TOKEN=")


def test_name_password_and_query_of_the_url_are_sent_and_never_shown() -> None:
    acts: list[Act] = [lambda x: x.reply(500, "<html>"), lambda x: x.drop(), lambda x: x.reply(200, vector())]
    with serve(lambda x: acts[len(server.asked) - 1](x)) as server:
        metrics = by_url(server.url.replace("//", f"//ann:{TOKEN}@") + f"/p?key={TOKEN}#x", None)
        answers = [metrics.ask([Q])[Q] for _ in acts]
        metrics.close()
    assert metrics.name == f"{server.url}/p" and answers[2] == Answer()
    assert all(asked.headers["authorization"].startswith("Basic ") for asked in server.asked)
    assert server.asked[0].path == "/p/api/v1/query" and server.asked[0].query == {"key": TOKEN}
    assert answers[0].error and answers[1].error and TOKEN not in repr(answers) + repr(metrics)
    gone = by_url(f"http://ann:{TOKEN}@127.0.0.1:{free_port()}/?key={TOKEN}", None)
    assert TOKEN not in closing(gone).error


@pytest.mark.parametrize(
    "url", ["", "prometheus:9090", "localhost:9090", "/x", "ftp://a/", "http://", "http://a:port/", "http://[::1/", "http://a:99999/",
            f"ann:{TOKEN}@host", f"http://ann:{TOKEN}@host:x/"],
)  # fmt: skip
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        by_url(url, None)
    error = caught.value
    assert error.what == "the URL of Prometheus is not one" and error.why and "--prometheus-url" in error.fix
    assert TOKEN not in words(error) and error.state == "nothing was touched"


def test_a_proxy_is_asked_unless_the_host_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve(lambda x: x.reply(200, vector(({}, "1")))) as server:
        monkeypatch.setenv("HTTP_PROXY", server.url.replace("//", f"//ann:{TOKEN}@"))
        assert closing(by_url("http://prom.invalid:9090/p", None)).series == (Series((), 1.0),)
        assert closing(by_url(server.url, None)).series == (Series((), 1.0),)
    proxied, direct = server.asked
    assert proxied.headers["host"] == "prom.invalid:9090" and "authorization" not in proxied.headers
    assert (
        proxied.headers["proxy-authorization"].startswith("Basic ")
        and TOKEN not in proxied.headers["proxy-authorization"]
    )
    assert direct.path == "/api/v1/query" and "proxy-authorization" not in direct.headers


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("HTTPS_PROXY", f"nonsense://ann:{TOKEN}@x"),
        ("SSL_CERT_FILE", "/nonexistent.pem"),
    ],
)
def test_an_environment_in_which_nothing_can_be_asked(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError) as caught:
        by_url("https://127.0.0.1:9", None)
    assert caught.value.why and variable in caught.value.fix and TOKEN not in words(caught.value)


# --- through the API server
SERVICE = "/api/v1/namespaces/monitoring/services/prom:9090/proxy/api/v1/query"


def test_a_service_is_asked_through_the_api_server(tmp_path: Path) -> None:
    with serve(lambda x: x.reply(200, vector(({}, "1")))) as server:
        connection = connect(tmp_path, server.url)
        assert closing(by_service(connection, "monitoring", "prom", 9090)) == Answer((Series((), 1.0),))
    asked = server.asked[0]
    assert (asked.method, asked.path, asked.query) == ("GET", SERVICE, {"query": Q})
    assert asked.headers["authorization"] == f"Bearer {TOKEN}" and connection.requests == {"get": 1}


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda x: x.reply(400, {"status": "error", "error": "parse error"}), "answered HTTP 400: parse error"),
        (lambda x: x.reply(422, {"status": "error", "error": "too many samples"}), "answered HTTP 422: too many samples"),
        (lambda x: x.reply(503, {"kind": "Status", "message": "no endpoints available"}), "answered HTTP 503: no endpoints"),
        (lambda x: x.reply(403, {"message": 'User "ann" cannot get services/proxy'}), 'HTTP 403: User "ann" cannot get'),
        (lambda x: x.reply(401, {"message": "Unauthorized"}), "answered HTTP 401: Unauthorized"),
        (lambda x: x.reply(404, {"message": 'services "prom" not found'}), 'HTTP 404: services "prom" not found'),
        (lambda x: x.reply(502, "<html>"), "answered HTTP 502 with something that is not JSON"),
        (lambda x: x.drop(), "did not answer: http://127.0.0.1"),
        (flood, "did not answer: its answer is longer than 10 MiB"),
        (lambda x: x.hang(), "did not answer: "),
    ],
)  # fmt: skip
def test_what_a_service_does_not_answer_is_told_in_its_own_words(act: Act, said: str, tmp_path: Path) -> None:
    with serve(act) as server:
        answer = closing(by_service(connect(tmp_path, server.url), "monitoring", "prom", 9090))
    assert answer.error.startswith("Service monitoring/prom:9090 ") and said in answer.error, answer.error
    assert TOKEN not in answer.error


# --- which one
def test_probe_asks_thrice_and_then_says_why() -> None:
    with serve(lambda x: x.reply(200 if len(server.asked) == 3 else 503, vector(({}, "1")))) as server:
        metrics = by_url(server.url, None)
        metrics.probe()
        assert [asked.form for asked in server.asked] == [{"query": "vector(1)"}] * 3
        server.answer = lambda x: x.reply(503, {"status": "error", "error": "starting up"})
        with pytest.raises(UnusableError) as caught:
            metrics.probe()
        metrics.close()
    error = caught.value
    assert error.what == f"cannot query {server.url}" and "HTTP 503: starting up (3 tries)" in error.why
    assert "no traffic was moved" in error.state and "--prometheus-url" in error.fix and len(server.asked) == 6


@pytest.mark.parametrize("act", [lambda x: x.hang(), drip], ids=["silent", "ever slowly"])
def test_a_probe_without_an_answer_has_one_bound_for_all_its_tries(act: Act) -> None:
    """From when it began: what is looked at meanwhile costs nothing more."""
    with serve(act) as server:
        metrics = by_url(server.url, None)
        began = time.monotonic()
        metrics.begin()
        time.sleep(prometheus.ANSWER_SECONDS_MAX / 2)
        with pytest.raises(UnusableError) as caught:
            metrics.probe()
        took = time.monotonic() - began
        metrics.close()
    assert took < prometheus.ANSWER_SECONDS_MAX + 1.5, took
    assert "did not answer" in caught.value.why and "(1 try)" in caught.value.why


@pytest.mark.parametrize(
    ("flag", "variable", "source", "expected"),
    [
        ("http://flag", "http://env", PrometheusSource(url="http://manifest"), "http://flag"),
        (None, "http://env", PrometheusSource(url="http://manifest"), "http://env"),
        (None, None, PrometheusSource(url="http://manifest"), "http://manifest"),
        (None, "http://env", PrometheusSource(service=("m", "prom", 9090)), "http://env"),
        (None, None, PrometheusSource(service=("m", "prom", 9090)), "Service m/prom:9090"),
        (None, None, PrometheusSource(), None),
        (None, None, None, None),
    ],
)
def test_the_flag_then_the_variable_then_the_manifest(
    flag: str | None,
    variable: str | None,
    source: PrometheusSource | None,
    expected: str | None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    if variable:
        monkeypatch.setenv("DOCC_PROMETHEUS_URL", variable)
    found = choose(flag, source, connect(tmp_path, "http://127.0.0.1:9"))
    assert (found.name if found else None) == expected
