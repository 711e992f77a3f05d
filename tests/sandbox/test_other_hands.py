"""A second writer at work on the route while docc rolls out under live traffic: no request is lost, and who it was is told."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docc.sandbox import session
from tests.sandbox.live import App, counted

Object = dict[str, Any]
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes"


def ask(world: session.Session, method: str, path: str, body: Any = None, manager: str = "kubectl-edit") -> Object:
    config = json.loads(Path(world.kubeconfig).read_text(encoding="utf-8"))
    form = "json-patch" if isinstance(body, list) else "merge-patch"
    headers = {
        "Authorization": f"Bearer {config['users'][0]['user']['token']}",
        "Content-Type": f"application/{form}+json" if method == "PATCH" else "application/json",
    }
    data = None if body is None else json.dumps(body).encode()
    url = f"{world.api}{path}?fieldManager={manager}"
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=10) as answer:
        found: Object = json.loads(answer.read())
        return found


def until(holds: Callable[[], Any], seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit, "not in time"
        time.sleep(0.05)


def live(world: session.Session, name: str) -> dict[str, int]:
    rules = ask(world, "GET", f"{ROUTES}/{name}")["spec"]["rules"]
    return {backend["name"]: backend["weight"] for rule in rules for backend in rule.get("backendRefs", [])}


def weigh(world: session.Session, name: str, **weights: int) -> None:
    """All of the first rule's backends."""
    backends = ask(world, "GET", f"{ROUTES}/{name}")["spec"]["rules"][0]["backendRefs"]
    for backend in backends:
        backend["weight"] = weights[backend["name"].rsplit("-", 1)[1]]
    ask(world, "PATCH", f"{ROUTES}/{name}", [{"op": "replace", "path": "/spec/rules/0/backendRefs", "value": backends}])


def docc(app: App, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(app.command(*words), capture_output=True, text=True, timeout=60)


def test_weights_by_another_hand_are_held_then_disputed_and_won_with_force(
    world: session.Session, tmp_path: Path
) -> None:
    app = App(world, tmp_path, "hands")
    manifest = json.loads(app.path.read_text(encoding="utf-8"))
    manifest["deployment_strategy"] |= {"no_data_limit": 4}
    app.path.write_text(json.dumps(manifest), encoding="utf-8")
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path) as load:
        ended: list[subprocess.CompletedProcess[str]] = []
        driver = threading.Thread(target=lambda: ended.append(app.deploy("demo:v2")))
        driver.start()
        until(lambda: live(world, "hands").get("hands-v2") == 50)
        weigh(world, "hands", v1=90, v2=10)
        until(lambda: "others" in docc(app, "status", "hands").stdout)
        driver.join(60)
        (disputed,) = ended
        assert disputed.returncode == 11, disputed.stderr
        assert "hands-v1 90, hands-v2 10 instead of hands-v1 50, hands-v2 50 (by kubectl-edit" in disputed.stderr
        assert re.search(r"docc resume hands -n default .*--force-conflicts", disputed.stderr)
        assert live(world, "hands") == {"hands-v1": 90, "hands-v2": 10}
        refused = app.deploy("demo:v2")
        assert refused.returncode == 7 and "kubectl-edit has changed what docc wrote" in refused.stderr
        told = app.status()
        assert [edit["manager"] for edit in told["others"]] == ["kubectl-edit"]
        assert told["revisions"]["v2"]["weight"] == 10
        won = app.deploy("demo:v2", "--force-conflicts")
        assert won.returncode == 0 and app.ask() == "v2", won.stderr
    assert counted(load, won.stdout).failed == 0


def test_a_route_deleted_at_rest_is_made_again_for_who_serves_and_a_bad_version_comes_by_steps_all_the_same(
    world: session.Session, tmp_path: Path
) -> None:
    app = App(world, tmp_path, "pruned")
    assert app.deploy("demo:v1").returncode == 0
    ask(world, "DELETE", f"{ROUTES}/pruned")
    told = docc(app, "status", "pruned")
    assert told.returncode == 6 and "no app" not in told.stderr, told.stderr
    assert "Service pruned leads to v1, 2 pods ready behind it; v1 has 2 of 2 pods ready" in " ".join(
        told.stderr.split()
    )
    assert re.search(r"pruned +unrecorded +v1:front", docc(app, "list").stdout)
    with app.traffic(tmp_path):
        bad = app.deploy("demo:v2-err100")
        assert bad.returncode == 10 and "HTTPRoute pruned: gone instead of there" in bad.stderr, bad.stderr
        assert app.ask() == "v1" and app.status()["stable"] == "v1"
    assert [weight["weight"] for weight in json.loads(bad.stdout)["weights"]][:1] == [50]


def test_a_rule_in_a_platform_team_s_route(world: session.Session, tmp_path: Path) -> None:
    app = App(world, tmp_path, "tenant")
    manifest = json.loads(app.path.read_text(encoding="utf-8"))
    del manifest["application"]["hosts"]
    manifest["application"]["route"] = {"name": "public", "rule": "tenant"}
    app.path.write_text(json.dumps(manifest), encoding="utf-8")
    absent = app.deploy("demo:v1")
    assert absent.returncode == 5 and "HTTPRoute public is not there" in absent.stderr, absent.stderr
    other = {"name": "site", "matches": [{"path": {"type": "Exact", "value": "/other"}}], "backendRefs": []}
    ours = {"name": "tenant", "matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}
    route = {
        "metadata": {"name": "public", "labels": {"team": "platform"}},
        "spec": {"parentRefs": [{"name": "sandbox"}], "hostnames": ["tenant.test"], "rules": [other, ours]},
    }
    made = ask(world, "POST", ROUTES, route)
    assert app.deploy("demo:v1").returncode == 0
    assert app.status()["stable"] == "v1" and "tenant " in docc(app, "list").stdout
    until(lambda: app.ask() == "v1", 10)
    with app.traffic(tmp_path) as load:
        good = app.deploy("demo:v2")
        assert good.returncode == 0 and app.ask() == "v2", good.stderr
        bad = app.deploy("demo:v3-err30")
        assert bad.returncode == 10, bad.stderr
        back = docc(app, "rollback", "tenant")
        assert back.returncode == 0 and app.ask() == "v1", back.stderr
    assert counted(load, good.stdout, bad.stdout).failed == 0
    moved = json.loads(app.path.read_text(encoding="utf-8"))
    del moved["application"]["route"]
    elsewhere = tmp_path / "moved.json"
    elsewhere.write_text(json.dumps(moved), encoding="utf-8")
    refused = docc(app, "deploy", str(elsewhere), "--prometheus-url", world.prometheus)
    assert refused.returncode == 7 and "docc moves no application" in refused.stderr
    assert docc(app, "delete", "tenant", "--yes").returncode == 0
    left = ask(world, "GET", f"{ROUTES}/public")
    assert left["spec"]["rules"][1].pop("backendRefs") == []
    assert left["spec"] == made["spec"] and left["metadata"]["labels"] == {"team": "platform"}
    assert "annotations" not in left["metadata"]
