"""The stand-in app, run as the node runs it, and what an image's tag says of it."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.sandbox import standin
from docc.sandbox.images import behaviour

PROBE = {"User-Agent": "kube-probe/1.36"}


class Running:
    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def ask(self, path: str = "/", headers: dict[str, str] | None = None) -> tuple[int, str, str]:
        """(status, x-version, body)"""
        with contextlib.closing(self.connect()) as connection:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers["x-version"], answer.read().decode()


@contextlib.contextmanager
def running(wait: bool = True, **env: str) -> Iterator[Running]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-S", "-E", str(Path(standin.__file__))]
    whole = {"HOST": "127.0.0.1", "PORT": str(port), "VERSION": "v1", **env}
    process = subprocess.Popen(command, env=whole, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        if wait:
            assert process.stdout.readline() == f"{whole['VERSION']} listens on 127.0.0.1:{port}\n"
        yield Running(process, port)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_it_answers_with_its_version_and_counts_only_real_requests() -> None:
    with running(VERSION="1.24", APP="shop") as app:
        assert app.ask() == (200, "1.24", "1.24\n")
        assert app.ask("/healthz", PROBE)[0] == 200
        assert app.ask("/metrics")[2] == (
            '# TYPE http_requests_total counter\nhttp_requests_total{app="shop",code="200",version="1.24"} 1\n'
        )


def test_errors_are_spread_evenly_and_their_series_is_born_with_the_first() -> None:
    with running(ERROR_RATE="0.3") as app, contextlib.closing(app.connect()) as connection:
        codes = []
        for _ in range(100):
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            codes.append(answer.status)
            assert ('code="500"' in app.ask("/metrics")[2]) == (500 in codes)
        assert all(codes[at : at + 10].count(500) == 3 for at in range(91))
        assert 'code="500",version="v1"} 30\n' in app.ask("/metrics")[2]


def test_label_values_are_escaped() -> None:
    with running(APP='a"b\\c') as app:
        app.ask()
        assert 'app="a\\"b\\\\c"' in app.ask("/metrics")[2]


def test_posts_with_a_length_or_in_chunks_share_a_connection() -> None:
    with running() as app, contextlib.closing(app.connect()) as connection:
        for _ in range(2):
            connection.request("POST", "/", body=b"x" * 100_000)
            assert connection.getresponse().read() == b"v1\n"
            connection.request("POST", "/", body=iter([b"one", b"two"]), encode_chunked=True)
            assert connection.getresponse().read() == b"v1\n"
        connection.request("HEAD", "/")
        answer = connection.getresponse()
        assert (answer.headers["content-length"], answer.read()) == ("3", b"")
        assert 'code="200",version="v1"} 5\n' in app.ask("/metrics")[2]


def test_nonsense_closes_that_connection_only() -> None:
    with running() as app:
        with socket.create_connection(("127.0.0.1", app.port)) as raw:
            raw.sendall(b"nonsense\r\n\r\n")
            assert raw.recv(100) == b""
        assert app.ask()[0] == 200


def test_latency_delays_requests_and_not_probes() -> None:
    with running(LATENCY="300") as app:
        began = time.monotonic()
        app.ask("/", PROBE)
        assert time.monotonic() - began < 0.3
        app.ask()
        assert time.monotonic() - began >= 0.3


def test_a_probe_gets_503_until_it_is_ready() -> None:
    with running(NEVER_READY="1") as app:
        assert app.ask("/healthz", PROBE)[0] == 503
        assert app.ask()[0] == 200
    with running(READY_AFTER="0.3") as app:
        assert app.ask("/healthz", PROBE)[0] == 503
        limit = time.monotonic() + 5
        while app.ask("/healthz", PROBE)[0] != 200:
            assert time.monotonic() < limit


def test_it_does_not_listen_until_ready_when_a_connection_is_the_probe() -> None:
    with running(READY_AFTER="0.2", PROBE="tcpSocket", wait=False) as app:
        with pytest.raises(ConnectionRefusedError):
            app.ask()
        assert app.process.stdout is not None
        assert "listens" in app.process.stdout.readline()
        assert app.ask()[0] == 200
    with running(NEVER_READY="1", PROBE="tcpSocket", wait=False) as app:
        app.process.terminate()
        assert app.process.wait(5) in (0, -signal.SIGTERM)  # the latter: before it had a handler


def test_it_crashes_as_told_and_says_so() -> None:
    for env in ({"CRASH": "1"}, {"CRASH_AFTER": "0.1"}):
        with running(wait=False, **env) as app:
            assert app.process.wait(5) == 1
            assert app.process.stdout is not None
            assert app.process.stdout.read().endswith("v1 panics: it was told to crash\n")


def test_a_number_that_is_none_ends_it_with_a_sentence() -> None:
    with running(wait=False, ERROR_RATE="many") as app:
        assert app.process.wait(5) == 1
        assert app.process.stdout is not None
        assert app.process.stdout.read() == "ERROR_RATE='many' is not a number\n"


def test_sigterm_answers_what_is_in_flight_and_closes_the_rest() -> None:
    with (
        running(LATENCY="300") as app,
        contextlib.closing(app.connect()) as busy,
        contextlib.closing(app.connect()) as idle,
    ):
        idle.connect()
        busy.request("GET", "/")
        app.ask("/metrics")  # answered after the request before it was taken up
        began = time.monotonic()
        app.process.send_signal(signal.SIGTERM)
        answer = busy.getresponse()
        assert (answer.status, answer.headers["connection"], answer.read()) == (200, "close", b"v1\n")
        assert app.process.wait(5) == 0
        assert time.monotonic() - began < 1
        with pytest.raises(OSError):
            app.ask()


@pytest.mark.parametrize(
    ("image", "env", "missing"),
    [
        ("demo:v2", {"VERSION": "v2"}, False),
        ("nginx:1.24", {"VERSION": "1.24"}, False),
        ("registry.example.com:5000/team/shop:1.24-alpine", {"VERSION": "1.24-alpine"}, False),
        ("shop", {"VERSION": "latest"}, False),
        ("shop:v1@sha256:0123", {"VERSION": "v1"}, False),
        ("demo:v3-bad", {"VERSION": "v3", "ERROR_RATE": "0.3"}, False),
        ("demo:v3-err5", {"VERSION": "v3", "ERROR_RATE": "0.05"}, False),
        ("demo:v3-err", {"VERSION": "v3", "ERROR_RATE": "1.0"}, False),
        ("demo:v3-err250", {"VERSION": "v3", "ERROR_RATE": "1.0"}, False),
        ("demo:v3-slow", {"VERSION": "v3", "LATENCY": "100"}, False),
        ("demo:v3-slow200-err30", {"VERSION": "v3", "LATENCY": "200", "ERROR_RATE": "0.3"}, False),
        ("demo:v3-crash5", {"VERSION": "v3", "CRASH_AFTER": "5"}, False),
        ("demo:v3-late2", {"VERSION": "v3", "READY_AFTER": "2"}, False),
        ("demo:v3-neverready", {"VERSION": "v3", "NEVER_READY": "1"}, False),
        ("demo:v3-missing", {"VERSION": "v3"}, True),
        ("demo:-bad", {"VERSION": "-bad"}, False),
        ("demo:v1-bad2", {"VERSION": "v1-bad2"}, False),
    ],
)
def test_what_a_tag_says(image: str, env: dict[str, str], missing: bool) -> None:
    assert (behaviour(image).env, behaviour(image).missing) == (env, missing)


@given(st.text(alphabet=st.characters(codec="ascii", categories=("L", "N", "P"))))
def test_every_image_is_some_version_of_the_stand_in(image: str) -> None:
    env = behaviour(image).env
    assert env["VERSION"]
    assert set(env) <= {
        "VERSION",
        "ERROR_RATE",
        "LATENCY",
        "CRASH_AFTER",
        "READY_AFTER",
        "NEVER_READY",
    }
