"""Told to end while a server does not answer: docc ends in time all the same, and says how things stand.

In time is 5 s; the limit here is generous, because test machines are slow at times. docc's own share is proved in virtual time
(tests/unit/engine/test_ending_in_time.py)."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from docc.sandbox import session
from tests.sandbox.hanging import hanging
from tests.sandbox.live import App, counted, until
from tests.sandbox.test_other_hands import ROUTES, ask
from tests.sandbox.test_terminal import code, interrupt, shown, typed

pytestmark = pytest.mark.timeout(300)
END_SECONDS_MAX = 15.0
HANG_SECONDS = 120
SIGNALS = pytest.mark.parametrize(
    ("by", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)


class Prometheus(ThreadingHTTPServer):
    """Hands questions on to the sandbox's; from `hangs` on it takes them and never answers. asked: one came since then."""

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), Question)
        self.behind = urlsplit(behind).netloc
        self.hangs, self.asked, self.closing = threading.Event(), threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Question(BaseHTTPRequestHandler):
    server: Prometheus

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.hangs.is_set():
            self.server.asked.set()
            self.server.closing.wait(HANG_SECONDS)
            self.close_connection = True
            return
        behind = http.client.HTTPConnection(self.server.behind, timeout=10)
        behind.request("POST", self.path, body, {"Content-Type": self.headers["Content-Type"]})
        with behind.getresponse() as answer:
            found = answer.read()
        behind.close()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def prometheus(behind: str) -> Iterator[Prometheus]:
    with Prometheus(behind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()


def half_way(app: App, url: str) -> subprocess.Popen[str]:
    """A driver whose candidate has 50 %, and will have for as long as nothing happens."""
    app.write(interval=120)
    command = app.command("deploy", str(app.path), "--image", "demo:v2", "--prometheus-url", url, "-o", "json")
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: app.status().get("weight") == 50, 60)
    return driver


def stopped(driver: subprocess.Popen[str], by: signal.Signals) -> tuple[dict[str, object], str]:
    """(the final document, all that was told)."""
    began = time.monotonic()
    driver.send_signal(by)
    out, err = driver.communicate(timeout=60)
    took = time.monotonic() - began
    assert took < END_SECONDS_MAX and "Traceback" not in err, f"{by.name}: ended after {took:.1f} s\n{err}"
    document: dict[str, object] = json.loads(out)
    assert document["exit_code"] == driver.returncode
    return document, err


def by_hand(world: session.Session, app: App, told: str) -> dict[str, int]:
    """The weights after what docc told to type: kubectl's words are these, its request is made here."""
    (line,) = re.findall(r"^ *by hand: (kubectl .+)$", told, re.MULTILINE)
    *start, patch = shlex.split(line)
    target = ["-n", "default", "--kubeconfig", world.kubeconfig, "patch", "httproute", app.name, "--type=json", "-p"]
    assert start == ["kubectl", *target]
    patched = ask(world, "PATCH", f"{ROUTES}/{app.name}", json.loads(patch))
    return {backend["name"]: backend["weight"] for backend in patched["spec"]["rules"][0]["backendRefs"]}


@SIGNALS
@pytest.mark.parametrize("since", [0, 7], ids=["just now", "in the midst of a request"])
def test_a_hanging_api_server_is_11_with_what_to_type(
    world: session.Session, tmp_path: Path, by: signal.Signals, code: int, since: int
) -> None:
    """since: seconds; within seven the Lease must be renewed. Users are served as they were: Envoy has its routes."""
    app = App(world, tmp_path, f"api-{code}-{since}")
    assert app.deploy("demo:v1").returncode == 0
    driver = half_way(app, world.prometheus)
    with app.traffic(tmp_path) as load:
        os.kill(world.pid, signal.SIGSTOP)
        try:
            time.sleep(since)
            document, told = stopped(driver, by)
        finally:
            os.kill(world.pid, signal.SIGCONT)
        assert document["exit_code"] == 11
        assert f"NOT CLEAN, act now: stopped by {by.name}, and the traffic could not be put back" in told
        assert f"who serves is not known, last seen v1 50 %, v2 50 %; docc status {app.name}" in told
        assert f"try:     docc rollback {app.name} -n default --kubeconfig {world.kubeconfig}" in told
        assert by_hand(world, app, told) == {f"{app.name}-v1": 100, f"{app.name}-v2": 0}
        back = app.run("rollback")
        assert back.returncode == 0 and app.ask() == "v1", back.stderr
    assert counted(load).failed == 0


@SIGNALS
def test_a_hanging_prometheus_keeps_nobody_from_parking(
    world: session.Session, tmp_path: Path, by: signal.Signals, code: int
) -> None:
    app = App(world, tmp_path, f"metrics-{code}")
    assert app.deploy("demo:v1").returncode == 0
    with prometheus(world.prometheus) as server, app.traffic(tmp_path) as load:
        driver = half_way(app, server.url)
        server.hangs.set()
        assert server.asked.wait(30)
        document, _ = stopped(driver, by)
        assert (document["exit_code"], document["phase"]) == (code, "parked")
        assert document["serving"] == {"v1": 100} and document["reason"] == f"stopped by {by.name}"
        assert app.ask() == "v1"
    assert counted(load).failed == 0


@pytest.mark.parametrize("silent", ["API server", "Prometheus"])
def test_a_second_ctrl_c_ends_docc_in_time_whatever_hangs(world: session.Session, tmp_path: Path, silent: str) -> None:
    app = App(world, tmp_path, f"twice-{silent[0].lower()}")
    assert app.deploy("demo:v1").returncode == 0
    app.write(interval=120)
    with prometheus(world.prometheus) as server, typed(app, "--yes", "--prometheus-url", server.url) as child:
        child.expect("50 % to v2")
        interrupt(child)
        if silent == "Prometheus":
            server.hangs.set()
            assert server.asked.wait(30)
        else:
            os.kill(world.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            child.sendintr()
            ended = code(child)
            took = time.monotonic() - began
        finally:
            os.kill(world.pid, signal.SIGCONT)
        assert took < END_SECONDS_MAX, took
        assert ended == (130 if silent == "Prometheus" else 11), shown(child)
        assert ("parked: stopped by SIGINT" if silent == "Prometheus" else "NOT CLEAN, act now") in shown(child)
    if silent == "API server":
        assert app.run("abort").returncode == 0
    assert app.ask() == "v1"


VERBS = {
    "abort": (("abort",), ("PATCH", "/httproutes/"), 11, "whether it arrived is not known"),
    "rollback": (("rollback",), ("PATCH", "/httproutes/"), 11, "whether it arrived is not known"),
    "delete": (("delete", "--yes"), ("DELETE", "/services/"), None, "what is gone is gone"),
    "delete, locking": (("delete", "--yes"), ("PATCH", "/leases/"), None, "nothing was touched"),
    "gc": (("gc",), ("PATCH", "/leases/"), None, "nothing was touched"),
}
"""What is typed, at which request the server hangs, how it ends (None: as the signal says), and what is said."""


@SIGNALS
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_ends_in_time_while_the_api_server_hangs(
    world: session.Session, tmp_path: Path, by: signal.Signals, code: int, verb: str
) -> None:
    words, (method, where), expected, told = VERBS[verb]
    app = App(world, tmp_path, f"{verb.replace(', ', '-')}-{code}")
    assert app.deploy("demo:v1").returncode == 0
    if verb == "gc":
        app.write(interval=1, keep_warm=2, bake=0, failure_conditions=[], canary={"increment": 100, "interval": 1})
        assert app.deploy("demo:v2").returncode == 0
        time.sleep(2)  # its warm time
    elif words[0] != "delete":
        driver = half_way(app, world.prometheus)
        driver.kill()
        driver.communicate()
    with hanging(world, tmp_path, lambda kind, path: kind == method and where in path) as (server, kubeconfig):
        command = [*app.command(words[0], app.name, *words[1:]), "--kubeconfig", str(kubeconfig)]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert server.asked.wait(60)
        began = time.monotonic()
        running.send_signal(by)
        _, err = running.communicate(timeout=60)
    assert time.monotonic() - began < END_SECONDS_MAX and "Traceback" not in err, err
    assert running.returncode == (code if expected is None else expected) and told in err, err


@SIGNALS
def test_unlock_ends_in_time_while_the_api_server_hangs(
    world: session.Session, tmp_path: Path, by: signal.Signals, code: int
) -> None:
    app = App(world, tmp_path, f"unlock-{code}")
    with hanging(world, tmp_path, lambda kind, path: "/leases/" in path) as (server, kubeconfig):
        command = [*app.command("unlock", app.name), "--kubeconfig", str(kubeconfig)]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert server.asked.wait(60)
        began = time.monotonic()
        running.send_signal(by)
        _, err = running.communicate(timeout=60)
    assert time.monotonic() - began < END_SECONDS_MAX and "Traceback" not in err, err
    assert running.returncode == (code if by == signal.SIGINT else -by)
