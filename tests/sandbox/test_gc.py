"""`docc gc -A`, as a cron job has it: several namespaces, several applications, one exit code."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from docc.adapters.kube_connection import Connection, Request
from docc.sandbox import session
from tests.sandbox.live import App, until

pytestmark = pytest.mark.timeout(300)
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes/{}"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments/{}"


@pytest.fixture(scope="module")
def world(world: session.Session) -> session.Session:
    body = {"metadata": {"name": "other"}}
    Connection(kubeconfig=world.kubeconfig).send(Request("create", "/api/v1/namespaces", body=body))
    return world


def gc(app: App) -> tuple[int, dict[str, dict[str, Any]], str]:
    ended = subprocess.run(app.command("gc", "-A", "-o", "json"), capture_output=True, text=True, timeout=90)
    return ended.returncode, json.loads(ended.stdout), ended.stderr


def test_gc_of_all_namespaces_tidies_each_and_ends_with_the_gravest(world: session.Session, tmp_path: Path) -> None:
    """Two whose warm time is over, in two namespaces; and one between them whose record nobody can read."""
    api = Connection(kubeconfig=world.kubeconfig)
    apps = {"default": App(world, tmp_path, "alpha"), "other": App(world, tmp_path, "omega", namespace="other")}
    for app in apps.values():
        app.write(interval=1, keep_warm=0, bake=0, failure_conditions=[], canary={"increment": 100, "interval": 1})
        assert [app.deploy(f"demo:v{number}").returncode for number in (1, 2)] == [0, 0]
    assert gc(apps["default"])[0] == 0

    def replicas(namespace: str) -> int:
        found = api.send(Request("get", DEPLOYMENTS.format(namespace, f"{apps[namespace].name}-v1")))
        return int(found["spec"]["replicas"])

    assert [replicas(namespace) for namespace in apps] == [0, 0]
    damaged = App(world, tmp_path, "mended")
    damaged.write(interval=1, bake=0, failure_conditions=[])
    assert damaged.deploy("demo:v1").returncode == 0
    newer: list[Any] = [{"op": "add", "path": "/metadata/annotations/docc.dev~1rollout", "value": '{"v": 2}'}]
    api.send(Request("patch", ROUTES.format("default", "mended"), {}, newer, "json-patch+json"))
    for app in apps.values():
        app.write(interval=1, keep_warm=1, bake=0, failure_conditions=[], canary={"increment": 100, "interval": 1})
        assert app.deploy("demo:v3").returncode == 0
    until(lambda: gc(apps["default"])[1]["other/omega"]["result"] != "tidied up")
    code, told, err = gc(apps["default"])
    assert code == 7 and "cannot read" in told["default/mended"]["result"], err
    assert {name: found["exit_code"] for name, found in told.items()} == {
        "default/alpha": 0, "default/mended": 7, "other/omega": 0,
    }  # fmt: skip
    for namespace, app in apps.items():
        found = api.send(Request("get", DEPLOYMENTS.format(namespace, f"{app.name}-v2")))
        assert found["spec"]["replicas"] == 0, "the one that could not be read has not kept gc from the others"


def test_gc_of_all_namespaces_leaves_unfinished_rollouts_as_they_are(world: session.Session, tmp_path: Path) -> None:
    """One in each of two namespaces, whose drivers were killed half way: whoever tidies up decides nothing."""
    apps = [App(world, tmp_path, "half"), App(world, tmp_path, "halves", namespace="other")]
    for app in apps:
        app.write(interval=300)
        assert app.deploy("demo:v1").returncode == 0
        driver = app.start("demo:v2")
        until(lambda app=app: weight(app) == 50, 60)
        driver.kill()
        driver.wait(10)
    code, told, err = gc(apps[0])
    found = {name: told[name] for name in ("default/half", "other/halves")}
    assert code in (0, 7), err  # 7: what the other test has left there
    assert all(each["exit_code"] == 0 and "a rollout is under way" in each["result"] for each in found.values()), told
    assert [weight(app) for app in apps] == [50, 50]


def weight(app: App) -> int:
    words = [*app.command("status", app.name, "-o", "json"), "-n", str(app.more.get("namespace", "default"))]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    return int(json.loads(done.stdout)["weight"]) if done.returncode == 0 else 0
