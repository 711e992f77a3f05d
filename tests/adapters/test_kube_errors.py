"""What an API server, or whatever stands in its place, says -> the error that docc raises, and every word of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from docc.adapters import kube_errors
from docc.adapters.kube_connection import Connection, Request
from docc.model.errors import (
    Conflict,
    CredentialsError,
    DoccError,
    Gone,
    Refused,
    UnknownKind,
    Unreachable,
    UnusableError,
)
from tests.adapters.kubeconfig import TOKEN, connect
from tests.adapters.server import Exchange, certificate, free_port, serve, tls

PATH = "/api/v1/namespaces/default/pods"
HTML = "<html><head><style>p {color: red}</style></head><body><h1>Sign in</h1></body></html>"
RBAC = 'pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "default"'
POLICY = 'pods "web" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
QUOTA = 'pods "web" is forbidden: exceeded quota: small, requested: cpu=2, used: cpu=1, limited: cpu=2'
CAUSE = {"causes": [{"reason": "FieldValueInvalid", "message": "must be 0 or more", "field": "spec.replicas"}]}


FOREIGN = "does not answer as an API server does"


def status(code: int, message: str, details: Any = None) -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "message": message, "details": details, "code": code}


def raised(connection: Connection) -> DoccError:
    with pytest.raises(DoccError) as caught:
        connection.send(Request("list", PATH))
    return caught.value


def words(error: DoccError) -> str:
    return "\n".join([error.what, error.where, error.why, error.state, error.fix, str(error), repr(error)])


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (301, "", (Unreachable, FOREIGN, "HTTP 301 with nothing in it", "login page")),
        (302, HTML, (Unreachable, FOREIGN, "HTTP 302 with something that is not JSON: Sign", "proxy")),
        (400, status(400, "unknown field x"), (Refused, "refuses the object (400)", "unknown field x", "correct")),
        (400, HTML, (Unreachable, FOREIGN, "Sign in", "login page")),
        (401, status(401, "Unauthorized"), (CredentialsError, "rejected your login (401)", "Unauthorized", "log in again")),
        (401, HTML, (CredentialsError, "rejected your login (401)", "Sign in", "log in again")),
        (403, status(403, RBAC), (CredentialsError, "you may not list this object", RBAC, "Role")),
        (403, "Forbidden", (CredentialsError, "you may not list this object", "Forbidden", "Role")),
        (403, status(403, POLICY), (Refused, "refuses the object (403)", "violates PodSecurity", "correct")),
        (403, status(403, QUOTA), (Refused, "refuses the object (403)", "exceeded quota", "correct")),
        (403, HTML, (Unreachable, FOREIGN, "Sign in", "login page")),
        (404, status(404, 'pods "web" not found', {"name": "web", "kind": "pods"}), (Gone, 'pods "web" not found', "", "")),
        (404, "404 page not found\n", (UnknownKind, "does not know", "404 page not found", "installed")),
        (404, status(404, "could not find the resource", {}), (UnknownKind, "does not know", "could not find", "?")),
        (404, status(404, "no details at all", None), (UnknownKind, "does not know", "no details at all", "installed")),
        (404, status(404, "odd details", "x"), (UnknownKind, "does not know", "odd details", "installed")),
        (404, HTML, (Unreachable, FOREIGN, "HTTP 404", "login page")),
        (405, status(405, "not here"), (UnusableError, "cannot do this (405)", "not here", "")),
        (406, "", (UnusableError, "cannot do this (406)", "HTTP 406", "")),
        (407, "", (Unreachable, FOREIGN, "HTTP 407 with nothing in it", "proxy")),
        (408, status(408, "slow"), (Unreachable, "answered 408", "slow", "again")),
        (409, status(409, "the object has been modified"), (Conflict, "the object has been modified", "", "")),
        (410, status(410, "too old resource version"), (Conflict, "too old resource version", "", "")),
        (413, status(413, "limit is 3145728"), (Refused, "refuses the object (413)", "limit is 3145728", "correct")),
        (415, status(415, "not this form"), (UnusableError, "cannot do this (415)", "not this form", "")),
        (418, "", (Refused, "refuses the object (418)", "HTTP 418", "correct")),
        (422, status(422, "the server rejected our request", {}), (Conflict, "the server rejected our request", "", "")),
        (422, status(422, "no details", None), (Conflict, "no details", "", "")),
        (422, status(422, "must be 0 or more", CAUSE), (Refused, "refuses the object (422)", "must be 0 or more", "correct")),
        (429, status(429, "too many requests"), (Unreachable, "answered 429", "too many requests", "in a moment")),
        (500, "", (Unreachable, "answered 500", "HTTP 500", "in a moment")),
        (502, HTML, (Unreachable, "answered 502", "Sign in", "in a moment")),
        (503, status(503, "etcd is changing its leader"), (Unreachable, "answered 503", "changing its leader", "in a moment")),
        (504, "[" * 100_000, (Unreachable, "answered 504", "[[[[", "in a moment")),
    ],
)  # fmt: skip
def test_every_refusal_has_its_error_and_says_where_and_what_next(
    code: int, body: Any, expected: tuple[type[DoccError], str, str, str], tmp_path: Path
) -> None:
    kind, what, why, fix = expected
    with serve(lambda x: x.reply(code, body, {"Retry-After": "3600"})) as server:
        error = raised(connect(tmp_path, server.url))
    assert type(error) is kind
    assert what in error.what and why in error.why and fix in error.fix
    assert error.where == f"list {PATH}" and "<" not in error.why


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("7", 7), (" 30 ", 30), ("0", 0), ("", 0), ("-1", 0), ("1e9", 0), ("soon", 0), ("9" * 400, 0)],
)
def test_a_busy_server_may_say_when_it_wants_to_be_asked_again(
    code: int, asked: str, seconds: float, tmp_path: Path
) -> None:
    with serve(lambda x: x.reply(code, "busy", {"Retry-After": asked})) as server:
        error = raised(connect(tmp_path, server.url))
    assert isinstance(error, Unreachable) and error.wait == seconds


def test_a_refusal_says_what_was_being_done() -> None:
    error = kube_errors.refusal("https://a", 403, json.dumps(status(403, RBAC)).encode(), "patch", "/x/deployments/web")
    assert error.what == "you may not patch this object" and error.where == "patch /x/deployments/web"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "HTTP 200 with something that is not JSON: x"),
        (HTML, "HTTP 200 with something that is not JSON: Sign in"),
        ('{"items": [', 'HTTP 200 with something that is not JSON: {"items": ['),
        ("[1, 2]", "HTTP 200"),
        ("null", "HTTP 200"),
        ("[" * 100_000, "HTTP 200"),
        ("\x1b[2Jx\r\n", "not JSON: [2Jx"),
        (b"\xff\xfe\x00", "HTTP 200"),
    ],
    ids=["blank", "html", "half of JSON", "a list", "null", "nested deeply", "control characters", "no text"],
)
def test_an_answer_that_no_api_server_gives_says_so(body: str | bytes, why: str, tmp_path: Path) -> None:
    with serve(lambda x: x.reply(200, body or "x")) as server:
        error = raised(connect(tmp_path, server.url))
    assert type(error) is Unreachable and error.what == f"{server.url} does not answer as an API server does"
    assert why in error.why and "\x1b" not in error.why and len(error.why) < 600 and "proxy" in error.fix


def test_nothing_at_all_is_an_empty_object(tmp_path: Path) -> None:
    with serve(lambda x: x.reply(200)) as server:
        assert connect(tmp_path, server.url).send(Request("delete", PATH)) == {}


def hang_in_body(exchange: Exchange) -> None:
    exchange.head(200, {"Content-Length": "100"})
    exchange.raw(b'{"items": [')
    exchange.hang()


def half_of_a_length(exchange: Exchange) -> None:
    exchange.head(200, {"Content-Length": "100"})
    exchange.raw(b'{"items": [')
    exchange.drop()


def half_of_a_chunk(exchange: Exchange) -> None:
    exchange.head(200, {"Transfer-Encoding": "chunked"})
    exchange.raw(b'ff\r\n{"items": [')
    exchange.drop()


def half_of_a_refusal(exchange: Exchange) -> None:
    exchange.head(422, {"Content-Length": "100"})
    exchange.drop()


def drip(exchange: Exchange) -> None:
    exchange.head(200, {"Content-Length": "100000"})
    exchange.drip(b" " * 100_000, 0.05)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda x: x.hang(), "timed out"),
        (hang_in_body, "timed out"),
        (drip, "not whole within 1.5 s"),
        (lambda x: x.drop(), "without response"),
        (half_of_a_length, "closed before the answer was whole"),
        (half_of_a_chunk, "closed before the answer was whole"),
        (half_of_a_refusal, "closed before the answer was whole"),
        (lambda x: x.raw(b"SSH-2.0-OpenSSH_9.6\r\n"), "SSH-2.0"),
    ],
    ids=[
        "silent before headers", "silent in the body", "ever slowly", "dropped before headers", "dropped in the body",
        "dropped in a chunk", "dropped in a refusal", "not HTTP",
    ],
)  # fmt: skip
@pytest.mark.parametrize("read", ["send", "text"])
def test_no_whole_answer_is_unreachable_and_bounded(answer: Any, why: str, read: str, tmp_path: Path) -> None:
    with serve(answer) as server:
        connection = connect(tmp_path, server.url)
        with pytest.raises(DoccError) as caught:
            getattr(connection, read)(Request("create", PATH, body={"a": 1}, read_seconds=0.5))
    error = caught.value
    assert type(error) is Unreachable and error.what == f"{server.url} does not answer"
    assert error.where == f"create {PATH}" and why in error.why and "VPN" in error.fix
    assert "object at 0x" not in error.why and "HTTPConnection" not in error.why
    assert len(server.asked) == 1, "a write whose answer was lost is not sent again"


def test_nobody_listens_or_no_such_name(tmp_path: Path) -> None:
    closed = f"http://127.0.0.1:{free_port()}"
    refused = raised(connect(tmp_path, closed))
    assert type(refused) is Unreachable and refused.what == f"{closed} does not answer"
    assert "Connection refused" in refused.why and "object at 0x" not in refused.why and "--context" in refused.fix
    unknown = raised(connect(tmp_path, "http://nowhere.invalid"))
    assert type(unknown) is Unreachable and "nowhere.invalid" in unknown.why and "object at 0x" not in unknown.why


def test_ten_mebibytes_are_read_and_more_than_the_bound_is_refused(tmp_path: Path) -> None:
    big = b'{"items": [{"metadata": {"name": "' + b"x" * (10 << 20) + b'"}}]}'

    def endless(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Length": str(1 << 40)})
        for _ in range(80):
            exchange.raw(b" " * (1 << 20))
        exchange.drop()

    with serve(lambda x: x.reply(200, big) if x.asked.query else endless(x)) as server:
        connection = connect(tmp_path, server.url)
        assert len(connection.send(Request("list", PATH, {"small": "1"}))["items"][0]["metadata"]["name"]) == 10 << 20
        error = raised(connection)
        assert type(error) is UnusableError and "longer than 64 MiB" in error.why and error.where == f"list {PATH}"
        assert len(connection.text(Request("get", f"{PATH}/web/log"))) == 1 << 20, "of a log what is bearable"


def test_a_date_that_is_none_harms_nothing(tmp_path: Path) -> None:
    heard: list[float] = []
    dates = iter(["Tue, 14 Nov 2023 22:13:20 GMT", "yesterday", "", "Tue, 99 Nov 2023 22:13:20 GMT"])
    with serve(lambda x: x.reply(200, {}, {"Date": next(dates)})) as server:
        connection = connect(tmp_path, server.url)
        connection.on_date = heard.append
        for _ in range(4):
            connection.send(Request("get", PATH))
    assert heard == [1_700_000_000.0]


def test_a_certificate_that_is_not_trusted_is_told_as_that(tmp_path: Path) -> None:
    mine, other = certificate(tmp_path, "mine", "IP:127.0.0.1"), certificate(tmp_path, "other", "IP:127.0.0.1")
    named = certificate(tmp_path, "named", "DNS:elsewhere.example")
    for shown, trusted, why in (
        (mine, other, "certificate verify failed"),
        (named, named, "127.0.0.1"),
    ):
        with serve(lambda x: x.reply(200, {}), tls(shown)) as server:
            error = raised(connect(tmp_path, server.url, cluster={"certificate-authority": str(trusted[0])}))
        assert type(error) is Unreachable and error.what == f"{server.url} is not trusted: TLS failed"
        assert why in error.why and "certificate-authority" in error.fix and error.where == f"list {PATH}"
    with serve(lambda x: x.reply(200, {}), tls(mine)) as server:
        for cluster in ({"certificate-authority": str(mine[0])}, {"insecure-skip-tls-verify": True}):
            assert connect(tmp_path, server.url, cluster=cluster).send(Request("get", PATH)) == {}
    with serve(lambda x: x.reply(200, {})) as server:
        error = raised(
            connect(tmp_path, server.url.replace("http", "https"), cluster={"insecure-skip-tls-verify": True})
        )
        assert type(error) is Unreachable and "TLS failed" in error.what, "https spoken to a server of plain http"


@pytest.mark.parametrize("code", [200, 302, 400, 403, 502])
def test_what_an_echoing_proxy_says_does_not_tell_the_token(code: int, tmp_path: Path) -> None:
    with serve(lambda x: x.reply(code, f"cannot forward {x.asked.headers}")) as server:
        error = raised(connect(tmp_path, server.url))
        assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert "***" in error.why and TOKEN not in words(error)
