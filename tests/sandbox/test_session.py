"""A sandbox from outside: up, status, down, and what is left when it is killed."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import stat
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from docc.model.errors import UnusableError, UsageError
from docc.sandbox import session
from docc.sandbox.warden import MARK


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "sandbox"
    session.down(tmp_path / "sandbox")


def until(holds: Callable[[], Any], seconds: float = 10.0) -> Any:
    limit = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < limit
        time.sleep(0.02)
    return value


def call(running: session.Session, path: str, body: Any = None) -> Any:
    token = json.loads(Path(running.kubeconfig).read_text(encoding="utf-8"))["users"][0]["user"]["token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(running.api + path, data, headers), timeout=10) as answer:
        return json.load(answer)


def deploy(running: session.Session, name: str, **container: Any) -> None:
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "demo:v1", **container}]}}
    spec = {"selector": {"matchLabels": labels}, "template": pod}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
    call(running, "/apis/apps/v1/namespaces/default/deployments", body)


def descendants(pid: int) -> set[int]:
    """All that carry the mark of this supervisor, and its children."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environ = (entry / "environ").read_bytes().split(b"\0")
            state, parent = (entry / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        marked = any(row.startswith(f"{MARK}={pid}-".encode()) for row in environ)
        if state != "Z" and (marked or int(parent) == pid):
            found.add(int(entry.name))
    return found


def test_up_tells_where_everything_is_and_down_leaves_nothing(folder: Path) -> None:
    assert session.status(folder) is None
    running = session.up(folder)
    assert session.status(folder) == running
    mode = stat.S_IMODE(Path(running.kubeconfig).stat().st_mode)
    assert mode == 0o600 and stat.S_IMODE(folder.stat().st_mode) == 0o700
    (gateway,) = call(running, "/apis/gateway.networking.k8s.io/v1/gateways")["items"]
    assert (gateway["metadata"]["name"], gateway["spec"]["listeners"][0]["port"]) == ("sandbox", 80)
    with pytest.raises(urllib.error.HTTPError, match="404"):  # Envoy's: nothing is routed yet
        urllib.request.urlopen(f"http://{running.gateway}/", timeout=5)
    for base in (running.prometheus, None):
        query = "/api/v1/query?query=1"
        proxied = "/api/v1/namespaces/default/services/prometheus:9090/proxy" + query
        answer = json.load(urllib.request.urlopen(base + query, timeout=5)) if base else call(running, proxied)
        assert answer["data"]["result"][1] == "1"
    deploy(running, "app", command=["sh", "-c", "trap '' TERM; while :; do sleep 1; done"])
    until(lambda: len(descendants(running.pid)) >= 4)
    began = time.monotonic()
    assert session.down(folder)
    assert time.monotonic() - began < 3
    assert not folder.exists() and session.status(folder) is None and not descendants(running.pid)
    assert not session.down(folder)


def test_nobody_gets_in_without_the_token(folder: Path) -> None:
    running = session.up(folder)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{running.api}/api/v1/pods", timeout=5)
    server = urlsplit(json.loads(Path(running.kubeconfig).read_text())["clusters"][0]["cluster"]["server"])
    kubectl = http.client.HTTPConnection(str(server.hostname), server.port, timeout=5)
    login = base64.b64encode(f"{server.username}:{server.password}".encode()).decode()
    kubectl.request("GET", "/api/v1/pods", headers={"Authorization": f"Basic {login}"})
    assert kubectl.getresponse().status == 200
    kubectl.close()


def test_up_twice_is_one_sandbox_also_at_the_same_time(folder: Path) -> None:
    found: list[session.Session] = []
    threads = [threading.Thread(target=lambda: found.append(session.up(folder))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 and found[0] == found[1] == session.up(folder)


def test_sigkill_of_the_supervisor_leaves_no_process_not_even_grandchildren(folder: Path) -> None:
    running = session.up(folder)
    deploy(running, "app")
    deploy(running, "deep", command=["sh", "-c", "setsid sh -c 'sleep 1000; :' & sleep 1000; :"])
    # warden, Envoy, the stand-in, two shells with a sleep each
    pids = until(lambda: len(found := descendants(running.pid)) >= 7 and found)
    os.kill(running.pid, signal.SIGKILL)
    until(lambda: not descendants(running.pid) and not any(_alive(pid) for pid in pids), 5)
    assert session.status(folder) is None


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_what_a_dead_one_has_left_is_cleaned_by_the_next(folder: Path) -> None:
    first = session.up(folder)
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: session.status(folder) is None)
    (folder / "litter").touch()
    second = session.up(folder)
    assert second.pid != first.pid and not (folder / "litter").exists()


def test_somebody_elses_pid_is_not_taken_for_a_sandbox(folder: Path) -> None:
    folder.mkdir()
    told = dict.fromkeys(("kubeconfig", "gateway", "prometheus", "api", "access_log", "audit"), "x")
    (folder / "session.json").write_text(json.dumps({"pid": os.getpid(), **told}), encoding="utf-8")
    assert session.status(folder) is None
    assert not session.down(folder) and not folder.exists()


def test_one_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCC_SANDBOX_SCRAPE_SECONDS", "often")
    with pytest.raises(UnusableError) as error:
        session.up(tmp_path / "s")
    assert error.value.what == "the sandbox did not start" and "often" in error.value.why
    assert session.status(tmp_path / "s") is None


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "", "-x", "x" * 41, "a b"])
def test_a_name_cannot_lead_elsewhere(name: str) -> None:
    with pytest.raises(UsageError):
        session.folder_of(name)


def test_folders_are_by_name_below_the_state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert session.folder_of("default") == tmp_path / "docc" / "sandbox" / "default"


def test_a_query_that_the_parser_cannot_bear_is_bad_data_and_leaves_no_trace(folder: Path) -> None:
    running = session.up(folder)
    for query in ("a offset Inf", "a offset NaN", "rate(a[1e30])", "a @ inf", "a[9999999y]", "a offset 9e13"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(
                f"{running.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}", timeout=10
            )
        with refused.value as answer:
            body = json.load(answer)
        assert (refused.value.code, body["errorType"]) == (400, "bad_data") and "out of range" in body["error"]
    log = (folder / "supervisor.log").read_text(encoding="utf-8")
    assert "panicked" not in log and "Traceback" not in log
