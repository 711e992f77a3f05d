"""The front Service, as a living docc sees it change: by another hand beside a route, and as what carries the record of an
application without an HTTP port."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docc.adapters.kube_connection import Connection, Request
from docc.sandbox import session
from tests.sandbox.live import App, counted, until

pytestmark = pytest.mark.timeout(300)
SERVICES = "/api/v1/namespaces/default/services"
PROMPT_SECONDS_MAX = 30.0
"""Generous, and far from the deadline that would end the driver anyway."""
started: list[subprocess.Popen[bytes]] = []


@pytest.fixture(scope="module")
def world(world: session.Session) -> Iterator[session.Session]:
    yield world
    for process in started:  # those of a test that failed
        process.kill()
        process.wait(10)


def point(world: session.Session, name: str, revision: str) -> None:
    patch: list[Any] = [{"op": "replace", "path": "/spec/selector/docc.dev~1revision", "value": revision}]
    request = Request("patch", f"{SERVICES}/{name}", {"fieldManager": "kubectl-edit"}, patch, "json-patch+json")
    Connection(kubeconfig=world.kubeconfig).send(request)


def selected(world: session.Session, name: str) -> str:
    found = Connection(kubeconfig=world.kubeconfig).send(Request("get", f"{SERVICES}/{name}"))
    return str(found["spec"]["selector"]["docc.dev/revision"])


def start(app: App, image: str, log: Path) -> subprocess.Popen[bytes]:
    command = app.command("deploy", str(app.path), "--image", image, "--prometheus-url", app.world.prometheus)
    with log.open("wb") as out:
        started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out))
    return started[-1]


def without_http(world: session.Session, folder: Path, name: str) -> App:
    app = App(world, folder, name)
    ports = [{"port": 80, "app_protocol": "tcp"}]
    container = {"image": "demo:v1", "ports": ports}
    application = {"name": name, "scale": 1, "containers": {"web": container}}
    strategy = {"drain": 2, "progress_deadline": 120}
    app.path.write_text(json.dumps({"application": application, "deployment_strategy": strategy}))
    return app


def test_a_front_service_that_somebody_points_elsewhere_is_seen_by_the_driver_and_left_until_it_is_taken_back(
    world: session.Session, tmp_path: Path
) -> None:
    """Nothing else tells the driver: it writes nothing while it holds."""
    app = App(world, tmp_path, "pointed")
    assert app.deploy("demo:v1").returncode == 0
    log = tmp_path / "log"
    with app.traffic(tmp_path) as load:
        app.write(interval=5)
        driver = start(app, "demo:v2", log)
        until(lambda: app.status()["weight"] == 50, 60)
        point(world, "pointed", "v2")
        until(lambda: "selector of Service pointed" in log.read_text())
        assert "docc holds" in log.read_text()
        assert (selected(world, "pointed"), app.status()["weight"]) == ("v2", 50)
        point(world, "pointed", "v1")
        assert driver.wait(100) == 0 and app.ask() == "v2", log.read_text()
    assert selected(world, "pointed") == "v2" and counted(load).failed == 0


def test_wait_sees_the_end_of_an_application_without_an_http_port(world: session.Session, tmp_path: Path) -> None:
    app = without_http(world, tmp_path, "database")
    assert app.deploy("demo:v1").returncode == 0
    driver = start(app, "demo:v2-late8", tmp_path / "log")
    until(lambda: app.status()["phase"] == "preparing", 60)
    waited = app.run("wait")
    assert waited.returncode == 0 and "v2" in waited.stderr, waited.stderr
    assert driver.wait(60) == 0 and selected(world, "database") == "v2"


def test_an_abort_from_elsewhere_ends_the_driver_of_an_application_without_an_http_port(
    world: session.Session, tmp_path: Path
) -> None:
    """It waits for pods that do not come, and has nothing to write for two minutes."""
    app, log = without_http(world, tmp_path, "queue"), tmp_path / "log"
    assert app.deploy("demo:v1").returncode == 0
    driver = start(app, "demo:v2-neverready", log)
    until(lambda: "pods ready" in log.read_text(), 60)
    aborted = app.run("abort")
    assert aborted.returncode == 0, aborted.stderr
    assert driver.wait(PROMPT_SECONDS_MAX) == 10 and "aborted by" in log.read_text(), log.read_text()
    assert selected(world, "queue") == "v1"
