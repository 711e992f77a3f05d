"""A container that tells its password as it crashes, and a Prometheus whose URL has one: neither gets out, in no form."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from docc.sandbox import session
from tests.sandbox.live import App, until

PLANTED = "Hunter2Hunter2"
CRASH = ["sh", "-c", 'echo "cannot log in with $DB_PASSWORD"; echo "::error::$LOG_LEVEL"; exit 1']


def deploy(app: App, image: str, prometheus: str, output: str, summary: Path) -> tuple[int, str]:
    """The exit code, and all that was written anywhere."""
    command = app.command("deploy", str(app.path), "--image", image, "--prometheus-url", prometheus, "-o", output)
    env = {
        **os.environ,
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_OUTPUT": f"{summary}.out",
    }
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr + summary.read_text() + Path(f"{summary}.out").read_text()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("output", ["text", "jsonl"])
def test_no_secret_is_in_anything_that_docc_writes(world: session.Session, tmp_path: Path, output: str) -> None:
    app = App(world, tmp_path, f"secret-{output}")
    manifest = json.loads(app.path.read_text())
    web = manifest["application"]["containers"]["web"]
    web["env"] = {"DB_PASSWORD": PLANTED, "LOG_LEVEL": "debug"}
    app.path.write_text(json.dumps(manifest))
    address = world.prometheus.replace("://", f"://ops:{PLANTED}@")
    code, told = deploy(app, "demo:v1", address, output, tmp_path / "first.md")
    assert code == 0 and PLANTED not in told, told

    web["command"] = CRASH
    app.path.write_text(json.dumps(manifest))
    code, told = deploy(app, "demo:v2", address, output, tmp_path / "crash.md")
    assert code == 10 and "cannot log in with ***" in told and "::error::debug" in told, told
    assert PLANTED not in told and not any(row.startswith("::error::debug") for row in told.splitlines())

    code, told = deploy(app, "demo:v3", f"http://ops:{PLANTED}@127.0.0.1:9", output, tmp_path / "away.md")
    assert code == 5 and "127.0.0.1:9" in told and PLANTED not in told, told
    route = stored(app, f"apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/{app.name}")
    history = stored(app, f"api/v1/namespaces/default/configmaps/docc-{app.name}")
    deployment = stored(app, f"apis/apps/v1/namespaces/default/deployments/{app.name}-v2")
    assert "docc.dev/rollout" in route["metadata"]["annotations"] and "reverted" in history["data"]["2"]
    assert "DB_PASSWORD" in deployment["metadata"]["annotations"]["docc.dev/manifest"]
    assert not any(PLANTED in json.dumps(kept) for kept in (route, history, deployment["metadata"]))


@pytest.mark.timeout(300)
def test_who_goes_on_without_the_manifest_hides_what_its_deployments_hold(
    world: session.Session, tmp_path: Path
) -> None:
    """What the cluster keeps of a manifest has no values of its environment."""
    app = App(world, tmp_path, "resumed")
    assert app.deploy("demo:v1").returncode == 0
    manifest = json.loads(app.path.read_text())
    late = ["sh", "-c", f"sleep 6; {CRASH[-1]}"]
    manifest["application"]["containers"]["web"] |= {"env": {"AWS_SECRET_ACCESS_KEY": PLANTED}, "command": late}
    manifest["application"]["containers"]["web"]["command"][-1] = late[-1].replace(
        "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY"
    )
    app.path.write_text(json.dumps(manifest))
    driver = app.start("demo:v2")
    until(lambda: app.status().get("phase") == "preparing")
    until(lambda: "resumed-v2" in json.dumps(stored(app, "apis/apps/v1/namespaces/default/deployments")))
    driver.kill()
    driver.wait()
    done = app.run("resume", "--yes", "--take-over", "--prometheus-url", world.prometheus)
    assert done.returncode == 10 and "cannot log in with ***" in done.stderr, done.stderr
    assert PLANTED not in done.stdout + done.stderr + app.run("status").stdout + app.run("history").stdout


def stored(app: App, path: str) -> Any:
    token = json.loads(Path(app.world.kubeconfig).read_text())["users"][0]["user"]["token"]
    request = urllib.request.Request(f"{app.world.api}/{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)
