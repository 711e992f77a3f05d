"""What happens around a rollout: the verbs beside deploy, each as people type it, while users are there."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from docc.adapters.kube_connection import Connection, Request
from docc.sandbox import session
from tests.sandbox.live import App, counted, until

pytestmark = pytest.mark.timeout(500)  # a driver's Lease runs out in 15 s, and a dozen deploys take their time


def entries(app: App) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(app.run("history", "-o", "json").stdout)
    return found


def halfway(app: App) -> subprocess.Popen[bytes]:
    """A driver whose candidate has 50 %, and whose next step is far away."""
    app.write(interval=300)
    driver = app.start("demo:v2")
    until(lambda: app.status()["weight"] == 50, 60)
    return driver


def killed(driver: subprocess.Popen[bytes]) -> None:
    driver.kill()
    driver.wait(10)


def paths(app: App) -> list[str]:
    """Of the application's one rule, as the API server has them."""
    connection = Connection(kubeconfig=app.world.kubeconfig)
    where = f"/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/{app.name}"
    (rule,) = connection.send(Request("get", where))["spec"]["rules"]
    return [match["path"]["value"] for match in rule["matches"]]


def test_a_warm_rollback_says_what_stays_as_the_later_version_has_it(world: session.Session, tmp_path: Path) -> None:
    app = App(world, tmp_path, "lukewarm", paths=["/"])
    assert app.deploy("demo:v1").returncode == 0
    app.more = {"paths": ["/", "/more"]}
    app.write(interval=1, bake=0, failure_conditions=[])
    assert app.deploy("demo:v2").returncode == 0
    back = app.run("rollback")
    assert back.returncode == 0 and app.ask() == "v1" and paths(app) == ["/", "/more"]
    assert 'as v2 has it: paths ["/"] to ["/", "/more"]; docc deploy of v1\'s manifest sets it' in back.stderr


def test_a_cold_rollback_needs_no_file_restores_the_configuration_and_loses_no_request(
    world: session.Session, tmp_path: Path
) -> None:
    app = App(world, tmp_path, "cold", paths=["/"])
    app.write(interval=2, keep_warm=1)
    assert app.deploy("demo:v1").returncode == 0
    app.more = {"paths": ["/", "/more"], "scale": 3}
    app.write(interval=2, keep_warm=1)
    with app.traffic(tmp_path) as load:
        assert app.deploy("demo:v2").returncode == 0
        time.sleep(1.5)
        assert app.run("gc").returncode == 0
        assert {name: found["replicas"] for name, found in app.status()["revisions"].items()} == {"v2": 3}
        assert paths(app) == ["/", "/more"]
        app.path.unlink()
        back = app.run("rollback")
        assert back.returncode == 0 and "which has no pods: 3 come up first" in back.stderr, back.stderr
        assert app.ask() == "v1" and "undo: docc rollback cold" in back.stderr
        assert paths(app) == ["/"] and "note:" not in back.stderr
        again = app.run("rollback", "--to", "v2", "--yes")
        assert again.returncode == 0 and app.ask() == "v2", again.stderr
        assert paths(app) == ["/"] and 'as v1 has it: paths ["/", "/more"] to ["/"]' in again.stderr, "it is warm"
    assert counted(load).failed == 0
    told = [(entry["verb"], entry["revision"], entry["before"], entry["outcome"]) for entry in entries(app)]
    assert told == [
        ("deploy", "v1", None, "promoted"), ("deploy", "v2", "v1", "promoted"),
        ("rollback", "v1", "v2", "promoted"), ("rollback", "v2", "v1", "promoted"),
    ]  # fmt: skip
    assert [entry["number"] for entry in entries(app)] == [1, 2, 3, 4]


def test_abort_from_elsewhere_takes_the_traffic_at_once_and_the_driver_ends_with_10(
    world: session.Session, tmp_path: Path
) -> None:
    app = App(world, tmp_path, "aborted")
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path) as load:
        driver = halfway(app)
        watched = app.run("abort", "--if-unwatched")
        assert watched.returncode == 0 and "watches it" in watched.stderr and app.status()["weight"] == 50
        gone = app.run("abort", "--reason", "orders are lost")
        assert gone.returncode == 0 and "orders are lost" in gone.stderr, gone.stderr
        assert driver.wait(30) == 10 and app.ask() == "v1"
    assert counted(load).failed == 0
    last = entries(app)[-1]
    assert (last["verb"], last["outcome"], last["revision"]) == ("abort", "reverted", "v2")
    assert "orders are lost" in last["reason"]
    nothing = app.run("abort")
    assert nothing.returncode == 6 and "nothing to abort" in nothing.stderr
    assert app.run("abort", "--if-unwatched").returncode == 0


def test_a_killed_driver_is_told_by_status_and_wait_and_aborted_only_when_its_lease_is_over(
    world: session.Session, tmp_path: Path
) -> None:
    app = App(world, tmp_path, "unwatched")
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path) as load:
        killed(halfway(app))
        still = app.run("unlock")
        assert still.returncode == 7 and "is being deployed by" in still.stderr, still.stderr
        aborted = app.run("abort", "--if-unwatched")  # at once: it watches whether the driver is alive
        assert aborted.returncode == 0 and app.ask() == "v1" and "watching for" in aborted.stderr, aborted.stderr
        killed(halfway(app))
        until(lambda: not app.status()["watched"], 40)
        assert "nobody watches" in app.run("status").stdout
        waited = app.run("wait", "--timeout", "60s")
        assert waited.returncode == 8 and "docc resume unwatched" in waited.stderr, waited.stderr
        assert app.run("unlock").returncode == 0
        aborted = app.run("abort", "--if-unwatched")
        assert aborted.returncode == 0 and app.ask() == "v1", aborted.stderr
    assert counted(load).failed == 0
    assert app.run("wait").returncode == 10


def test_resume_goes_on_without_the_file_and_wait_ends_with_what_deploy_would(
    world: session.Session, tmp_path: Path
) -> None:
    app = App(world, tmp_path, "resumed")
    assert app.deploy("demo:v1").returncode == 0
    none = app.run("resume", "--yes")
    assert none.returncode == 6 and "no unfinished rollout" in none.stderr
    with app.traffic(tmp_path) as load:
        app.write(interval=8)
        driver = app.start("demo:v2")
        until(lambda: app.status()["weight"] == 50, 60)
        killed(driver)
        app.path.unlink()
        words = app.command("resume", app.name, "--yes", "--prometheus-url", world.prometheus)
        resumed = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        until(lambda: app.status()["last_writer"] and app.status()["driver"], 40)
        assert app.run("wait").returncode == 0 and app.ask() == "v2"
        told = resumed.communicate(timeout=90)[1]
        assert resumed.returncode == 0 and "taking over the rollout of v2" in told, told
    assert counted(load).failed == 0


def test_force_new_rolls_what_serves_already_in_steps_and_once(world: session.Session, tmp_path: Path) -> None:
    app = App(world, tmp_path, "renewed")
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path) as load:
        renewed = app.deploy("demo:v1", "--force-new")
        assert renewed.returncode == 0, renewed.stderr
        again = app.deploy("demo:v1", "--error-unchanged")
    weights = [(each["revision"], each["weight"]) for each in json.loads(renewed.stdout)["weights"]]
    assert weights == [("v2", 50), ("v2", 100)] and app.status()["stable"] == "v2"
    assert again.returncode == 3 and app.status()["stable"] == "v2", again.stderr
    assert counted(load).failed == 0


def test_a_parked_rollout_is_resumed_or_rolled_back(world: session.Session, tmp_path: Path) -> None:
    app = App(world, tmp_path, "parked")
    assert app.deploy("demo:v1").returncode == 0
    driver = halfway(app)
    driver.send_signal(signal.SIGTERM)
    assert driver.wait(20) == 143
    assert entries(app)[-1]["outcome"] == "parked"
    assert app.run("rollback").returncode == 0 and app.ask() == "v1"
    assert entries(app)[-1]["verb"] == "rollback"


def test_gc_leaves_alone_what_somebody_drives_or_what_is_unfinished(world: session.Session, tmp_path: Path) -> None:
    app = App(world, tmp_path, "swept")
    assert app.deploy("demo:v1").returncode == 0
    driver = halfway(app)
    words = app.command("gc", "-A", "-o", "json")
    swept = subprocess.run(words, capture_output=True, text=True, timeout=90)
    assert swept.returncode == 0, swept.stderr
    assert "a rollout is under way" in json.loads(swept.stdout)["default/swept"]["result"]
    assert app.status()["weight"] == 50
    assert app.run("abort").returncode == 0 and driver.wait(30) == 10


def test_the_last_ten_revisions_are_kept(world: session.Session, tmp_path: Path) -> None:
    app = App(world, tmp_path, "many")
    app.write(interval=1, keep_warm=0, bake=0, failure_conditions=[], canary={"increment": 100, "interval": 1})
    for number in range(1, 13):
        assert app.deploy(f"demo:v{number}").returncode == 0
    assert app.ask() == "v12"
    assert app.run("rollback", "--to", "v2", "--yes").returncode == 6
    gone = app.run("rollback", "--to", "v1", "--yes")
    assert gone.returncode == 6 and "there are v3, v4" in gone.stderr, gone.stderr
    assert app.run("rollback", "--to", "v3", "--yes").returncode == 0 and app.ask() == "v3"


def test_delete_takes_the_route_first_and_everything_else_and_keep_workload_nothing_that_serves(
    world: session.Session, tmp_path: Path
) -> None:
    app = App(world, tmp_path, "ended")
    assert app.deploy("demo:v1").returncode == 0
    unsure = app.run("delete")
    assert unsure.returncode == 2 and "--yes" in unsure.stderr
    kept = app.run("delete", "--keep-workload")
    assert kept.returncode == 0 and app.ask() == "v1" and app.run("status").returncode == 6, kept.stderr
    with app.traffic(tmp_path) as load:
        adopted = app.deploy("demo:v2")
    assert counted(load).failed == 0 and "50 %, 100 %" in adopted.stderr
    assert adopted.returncode == 0 and app.ask() == "v2", adopted.stderr
    gone = app.run("delete", "--yes")
    deleted = [row.split()[-2:] for row in gone.stderr.splitlines() if " delete " in row]
    assert gone.returncode == 0 and deleted[0] == ["HTTPRoute", "ended"] and deleted[-1] == ["Lease", "docc-ended"]
    assert app.run("delete", "--yes").returncode == 6
