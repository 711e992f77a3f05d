"""Which Gateway docc takes, end to end: named, the only one, several, none. docc in processes of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from docc.adapters.kube_connection import Connection, Request
from docc.model.moves import Object
from docc.sandbox import session

GATEWAYS = "/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways"


class Gateways:
    """The sandbox's Gateways: it begins with one, "sandbox"."""

    def __init__(self, world: session.Session) -> None:
        self.connection = Connection(kubeconfig=world.kubeconfig)

    def replace(self, *wanted: Object) -> None:
        for gateway in self.connection.send(Request("list", GATEWAYS))["items"]:
            self.connection.send(Request("delete", f"{GATEWAYS}/{gateway['metadata']['name']}"))
        for gateway in wanted:
            self.connection.send(Request("create", GATEWAYS, body=gateway))


def gateway(name: str, **listener: Any) -> Object:
    whole = {"name": "http", "port": 80, "protocol": "HTTP", **listener}
    spec = {"gatewayClassName": "docc-sandbox", "listeners": [whole]}
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": meta, "spec": spec}


def deploy(
    world: session.Session, folder: Path, *words: str, canary: bool = True, **application: Any
) -> subprocess.CompletedProcess[str]:
    container = {"image": "demo:v1", "ports": [{"port": 80}]}
    manifest: Object = {"application": {"name": "shop", "scale": 1, "containers": {"web": container}, **application}}
    manifest["deployment_strategy"] = {"drain": 1, **({"canary": {"increment": 50, "interval": 1}} if canary else {})}
    (folder / "m.json").write_text(json.dumps(manifest))
    command = [sys.executable, "-m", "docc", "deploy", str(folder / "m.json"), "--kubeconfig", world.kubeconfig, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


OTHERS = {"allowedRoutes": {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "blue"}}}}}


@pytest.mark.parametrize(
    ("there", "named", "code", "words"),
    [
        ([gateway("sandbox")], None, 0, ["Gateway default/sandbox"]),
        ([gateway("sandbox"), gateway("inner", **OTHERS)], None, 0, ["Gateway default/sandbox"]),
        ([gateway("a"), gateway("b")], None, 5, ["2 Gateways admit namespace default", "default/a", "default/b", '"gateway"']),
        ([gateway("a"), gateway("b")], "default/b", 0, ["Gateway default/b"]),
        ([gateway("a"), gateway("b")], "b", 0, ["Gateway default/b"]),
        ([gateway("a")], "c", 5, ["default/c", "default/a"]),
        ([gateway("inner", **OTHERS)], "inner", 5, ["default/inner", "team=blue"]),
        ([gateway("inner", **OTHERS)], None, 5, ["no Gateway admits namespace default", "default/inner", "team=blue"]),
        ([gateway("a", hostname="*.example.org")], None, 5, ["no Gateway admits", "*.example.org"]),
        ([], None, 5, ["no Gateway admits namespace default", "this cluster has no Gateway"]),
    ],
)  # fmt: skip
def test_which_gateway_a_canary_takes(
    world: session.Session, tmp_path: Path, there: list[Object], named: str | None, code: int, words: list[str]
) -> None:
    Gateways(world).replace(*there)
    application: Object = {"hosts": ["shop.test"], **({"gateway": named} if named else {})}
    told = deploy(world, tmp_path, "--dry-run", **application)
    assert told.returncode == code, told.stderr
    for word in words:
        assert word in told.stderr, told.stderr
    assert "nothing was touched" in told.stderr + told.stdout


def test_without_any_gateway_a_rollout_without_canary_goes_by_the_front_service(
    world: session.Session, tmp_path: Path
) -> None:
    Gateways(world).replace()
    first = deploy(world, tmp_path, canary=False)
    assert first.returncode == 0, first.stderr
    second = deploy(world, tmp_path, "--image", "demo:v2", canary=False)
    assert second.returncode == 0 and "undo: docc rollback shop" in second.stderr, second.stderr
    connection = Connection(kubeconfig=world.kubeconfig)
    front = connection.send(Request("get", "/api/v1/namespaces/default/services/shop"))
    assert front["spec"]["selector"]["docc.dev/revision"] == "v2"
    routes = connection.send(Request("list", "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes"))
    assert routes["items"] == []
