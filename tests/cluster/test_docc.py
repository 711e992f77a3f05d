"""docc as a user runs it, on a real control plane: under live traffic, with no more rights than a team would give it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from docc.sandbox import accounts
from tests.cluster.rig.cluster import Cluster
from tests.cluster.rig.session import ROOT

Object = dict[str, Any]
CONDITION = (
    "sum(rate(http_requests_total{namespace='$namespace',deployment='$canary',code='500'}[4s])) / "
    "sum(rate(http_requests_total{namespace='$namespace',deployment='$canary'}[4s])) > 0.05"
)
EVERYTHING = ["get", "list", "watch", "create", "patch", "delete"]
IN_ITS_NAMESPACE: list[Object] = [
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": EVERYTHING},
    {"apiGroups": [""], "resources": ["services"], "verbs": EVERYTHING},
    {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["httproutes"], "verbs": EVERYTHING},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": EVERYTHING},
    {"apiGroups": ["", "discovery.k8s.io"], "resources": ["pods", "endpointslices"], "verbs": ["list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/log", "events"], "verbs": ["get", "list"]},
]
EVERYWHERE: list[Object] = [
    {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["gateways"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["services/proxy"], "resourceNames": ["prometheus:9090"], "verbs": ["get"]},
]


class App:
    """One application, driven by a ServiceAccount of its namespace."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        self._cluster, self._manifest, self.host = cluster, folder / "shop.json", f"shop.{namespace}"
        self.kubeconfig = cluster.service_account(namespace, "deployer", IN_ITS_NAMESPACE, EVERYWHERE)
        container = {"image": "demo:v1", "ports": [{"port": 8080}], "readiness": {"path": "/"}}
        application = {"name": "shop", "scale": 2, "hosts": [self.host], "containers": {"web": container}}
        strategy = {
            "canary": {"increment": 50, "interval": 3}, "bake": 2, "poll": 1, "drain": 1, "progress_deadline": 60,
            "prometheus": {"service": "monitoring/prometheus:9090"},
            "failure_conditions": [{"name": "Errors", "expression": CONDITION}],
        }  # fmt: skip
        manifest = {"application": application, "deployment_strategy": strategy}
        self._manifest.write_text(json.dumps(manifest), encoding="utf-8")

    def deploy(self, image: str) -> tuple[int, Object]:
        done = subprocess.run(
            [sys.executable, "-m", "docc", "deploy", str(self._manifest), "--image", image, "-o", "json"],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)}, cwd=ROOT,
            capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def serves(self, version: str) -> bool:
        return self._cluster.fetch(self.host, 5) == {(200, version): 5}

    @contextmanager
    def traffic(self, folder: Path) -> Iterator[Path]:
        out = folder / "load.jsonl"
        words = [sys.executable, "-m", "docc.sandbox.load", self._cluster.session.gateway, "60", str(out), self.host]
        with subprocess.Popen(words, cwd=ROOT) as load:
            try:
                self._cluster.until(lambda: out.exists() and out.stat().st_size)
                yield out
            finally:
                load.terminate()


@pytest.mark.timeout(360)
def test_a_good_canary_stays_and_a_bad_one_goes_and_nobody_loses_a_request(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    app = App(cluster, namespace, tmp_path)
    code, said = app.deploy("demo:v1")
    assert code == 0, said
    cluster.until(lambda: app.serves("v1"))
    with app.traffic(tmp_path) as load:
        good, promoted = app.deploy("demo:v2")
        assert good == 0 and app.serves("v2"), promoted
        bad, reverted = app.deploy("demo:v3-err30")
        assert bad == 10 and app.serves("v2"), reverted
    assert reverted["checks"][0]["verdict"] == "FAIL"
    weights = sorted((w["at"], w["revision"], w["weight"]) for said in (promoted, reverted) for w in said["weights"])
    account = accounts.of_load([json.loads(row) for row in load.read_text(encoding="utf-8").splitlines()], weights)
    assert account.failed == 0 and account.answers["v2"] > 100 and 0 < account.answers["v3"] < 1200
    refused = [entry for entry in cluster.audit("docc/", namespace) if entry["responseStatus"]["code"] in (401, 403)]
    assert not refused
