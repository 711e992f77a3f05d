"""docc as a user runs it, in processes of its own, against the sandbox with the real Envoy under live traffic."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from docc.core.permissions import DISCOVER, DRIVE, EXPLAIN, PREFLIGHT
from docc.sandbox import session
from tests.sandbox.live import App, counted, until


def test_a_good_canary_then_a_bad_one_then_back_and_nobody_loses_a_request(
    world: session.Session, tmp_path: Path
) -> None:
    app = App(world, tmp_path, "main")
    first = app.deploy("demo:v1")
    assert first.returncode == 0, first.stderr
    with app.traffic(tmp_path) as load:
        good = app.deploy("demo:v2")
        assert good.returncode == 0 and app.ask() == "v2", good.stderr
        bad = app.deploy("demo:v3-err30")
        assert bad.returncode == 10 and app.ask() == "v2", bad.stderr
        back = subprocess.run(app.command("rollback", "main"), capture_output=True, text=True, timeout=60)
        assert back.returncode == 0 and "v1 serves 100 %" in back.stderr, back.stderr
        assert app.ask() == "v1"
    account = counted(load, good.stdout, bad.stdout)
    assert account.failed == 0 and account.requests > 500
    assert [w["weight"] for w in json.loads(good.stdout)["weights"]] == [50, 100]
    assert json.loads(bad.stdout)["checks"][0]["verdict"] == "FAIL" and 0 < account.answers["v3"] < 400
    again = app.deploy("demo:v1")
    assert again.returncode == 0 and json.loads(again.stdout)["result"] == "unchanged"
    assert undeclared(world) == set()


def undeclared(world: session.Session) -> set[tuple[str, str]]:
    """What docc asked of the API server and `docc rbac --discover --preflight` does not print."""
    printed = {(need.resource.split("/")[0], need.verb) for need in (*DRIVE, *EXPLAIN, *DISCOVER, *PREFLIGHT)}
    entries = [json.loads(row) for row in Path(world.audit).read_text().splitlines()]
    asked = {(entry["resource"], entry["verb"]) for entry in entries if entry["agent"].startswith("docc/")}
    assert {("httproutes", "patch"), ("deployments", "create"), ("leases", "patch")} <= asked
    return asked - printed - {("selfsubjectrulesreviews", "create"), ("version", "list")}


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("demo:v2-missing", "not found"), ("demo:v2-crash", "panics: it was told to crash"),
        ("demo:v2-neverready", "statuscode: 503"),
    ],
)  # fmt: skip
def test_pods_that_do_not_come_up_are_told_by_their_cause(
    world: session.Session, tmp_path: Path, image: str, words: str
) -> None:
    app = App(world, tmp_path, image.split("-")[1])
    assert app.deploy("demo:v1").returncode == 0
    app.write(interval=3, progress_deadline=6)
    failed = app.deploy(image)
    assert failed.returncode == 10 and words in failed.stderr, failed.stderr
    assert app.ask() == "v1" and app.status()["revisions"]["v2"]["weight"] == 0


def test_a_crash_while_others_of_its_pods_serve_ends_the_rollout_at_once(
    world: session.Session, tmp_path: Path
) -> None:
    """At 50 % the pods of the next step come up, so one goes on answering when the first ends."""
    app = App(world, tmp_path, "crashing")
    assert app.deploy("demo:v1").returncode == 0
    app.write(interval=120)
    with app.traffic(tmp_path):
        failed = app.deploy("demo:v2-crash10")
        assert failed.returncode == 10 and app.ask() == "v1", failed.stderr
    said = json.loads(failed.stdout)
    assert [each["weight"] for each in said["weights"]] == [50, 0], said["weights"]
    assert "exited 1 at 50 %" in said["reason"] and "it was told to crash" in failed.stderr, failed.stderr


def test_sigterm_parks_and_the_same_deploy_goes_on(world: session.Session, tmp_path: Path) -> None:
    app = App(world, tmp_path, "parked")
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path):
        app.write(interval=120)
        driver = app.start("demo:v2")
        until(lambda: app.status()["weight"] == 50)
        second = app.deploy("demo:v4")
        assert second.returncode == 7 and "is being deployed by" in second.stderr
        driver.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert driver.wait(10) == 143 and time.monotonic() - began < 5
        app.write(interval=3)
        assert app.deploy("demo:v2").returncode == 0 and app.ask() == "v2"


def test_a_killed_driver_is_told_and_the_same_deploy_resumes(world: session.Session, tmp_path: Path) -> None:
    app = App(world, tmp_path, "killed")
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path):
        driver = app.start("demo:v2")
        until(lambda: app.status()["weight"] == 50)
        driver.kill()
        driver.wait(10)
        resumed = app.deploy("demo:v2")
        assert resumed.returncode == 0, resumed.stderr
    assert "taking over the rollout of v2" in resumed.stderr and app.ask() == "v2"


def test_a_changed_strategy_is_kept_without_a_rollout_and_is_a_change(world: session.Session, tmp_path: Path) -> None:
    app = App(world, tmp_path, "strategist")
    assert app.deploy("demo:v1", "--error-unchanged").returncode == 0
    app.write(interval=7)
    changed = app.deploy("demo:v1", "--error-unchanged")
    assert changed.returncode == 0 and json.loads(changed.stdout)["result"] == "updated", changed.stderr
    assert "update   Deployment strategist-v1: canary.interval 3 to 7" in changed.stderr, changed.stderr
    same = app.deploy("demo:v1", "--error-unchanged")
    assert same.returncode == 3 and json.loads(same.stdout)["result"] == "unchanged", same.stderr


def test_sigkill_of_the_supervisor_leaves_no_process(tmp_path: Path) -> None:
    running = session.up(tmp_path / "s")
    app = App(running, tmp_path, "left")
    assert app.deploy("demo:v1").returncode == 0
    children = [pid for pid in pids() if parent(pid) == running.pid]
    assert len(children) >= 3
    os.kill(running.pid, signal.SIGKILL)
    until(lambda: not [pid for pid in children if alive(pid)])


def pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_manifest_for_the_mesh_is_tried_through_the_gateway(world: session.Session, tmp_path: Path) -> None:
    """Nobody speaks for the Service as a parent here, and docc does not wait for who is not there."""
    app = App(world, tmp_path, "meshed", mesh=True)
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path):
        done = app.deploy("demo:v2")
        assert done.returncode == 0 and app.ask() == "v2", done.stderr
    token = json.loads(Path(world.kubeconfig).read_text())["users"][0]["user"]["token"]
    where = f"{world.api}/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/meshed"
    request = urllib.request.Request(where, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        route = json.load(answer)
    assert sorted(parent["kind"] for parent in route["spec"]["parentRefs"]) == ["Gateway", "Service"]
    assert [parent["parentRef"]["kind"] for parent in route["status"]["parents"]] == ["Gateway"]
