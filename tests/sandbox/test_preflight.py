"""What stands in a deploy's way, end to end: others come first, docc in a process of its own sees them and touches nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docc.adapters.kube_connection import Connection, Request
from docc.model.moves import Object
from docc.sandbox import session

ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes"
SERVICES, DEPLOYMENTS = "/api/v1/namespaces/default/services", "/apis/apps/v1/namespaces/default/deployments"
REQUESTS_MAX = 24
"""Of a healthy canary of two steps; the Lease's renewals and the four watches, which last, are not counted."""


@pytest.fixture
def others(world: session.Session) -> Iterator[Others]:
    found = Others(world)
    yield found
    found.clear()


class Others:
    """Somebody else at the same API."""

    def __init__(self, world: session.Session) -> None:
        self._api, self._made = Connection(kubeconfig=world.kubeconfig), list[str]()

    def make(self, path: str, name: str, **body: Any) -> Object:
        self._made.append(f"{path}/{name}")
        return self._api.send(Request("create", path, body={"metadata": {"name": name}, **body}))

    def annotate(self, address: str, **annotations: str) -> None:
        change = {"metadata": {"annotations": {key.replace("_", "/"): value for key, value in annotations.items()}}}
        self._api.send(Request("patch", address, body=change, form="merge-patch+json"))

    def clear(self) -> None:
        for address in reversed(self._made):
            self._api.send(Request("delete", address))


def deploy(
    world: session.Session, folder: Path, name: str, *words: str, **more: Any
) -> subprocess.CompletedProcess[str]:
    container = {"image": "demo:v1", "ports": [{"port": 80}]}
    application = {"name": name, "scale": 1, "hosts": [f"{name}.test"], "containers": {"web": container}, **more}
    manifest = {
        "application": application,
        "deployment_strategy": {"drain": 1, "canary": {"increment": 50, "interval": 1}},
    }
    (folder / "m.json").write_text(json.dumps(manifest))
    command = [sys.executable, "-m", "docc", "deploy", str(folder / "m.json"), "--kubeconfig", world.kubeconfig, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def audit(world: session.Session) -> list[Object]:
    entries = [json.loads(row) for row in Path(world.audit).read_text().splitlines()]
    return [entry for entry in entries if entry["agent"].startswith("docc/")]


def test_all_that_is_in_the_way_is_said_at_once_and_nothing_is_touched(
    world: session.Session, others: Others, tmp_path: Path
) -> None:
    others.make(ROUTES, "blog", spec={"parentRefs": [{"name": "sandbox"}], "hostnames": ["one.test"], "rules": [{}]})
    others.make(SERVICES, "one", spec={"selector": {"app": "theirs"}, "ports": [{"port": 80}]})
    pod = {"metadata": {"labels": {"app": "theirs"}}, "spec": {"containers": [{"name": "a", "image": "demo:v9"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "theirs"}}, "template": pod}
    others.make(DEPLOYMENTS, "one-v1", spec=spec)
    before = len(audit(world))
    told = deploy(world, tmp_path, "one")
    assert told.returncode == 7, told.stderr
    for words in (
        "HTTPRoute default/blog claims one.test",
        "Service one exists",
        "Deployment one-v1 exists",
        "3 things",
    ):
        assert words in told.stderr, told.stderr
    assert told.stderr.rstrip().endswith("nothing was touched")
    asked = [(entry["verb"], entry["resource"]) for entry in audit(world)[before:]]
    assert {need for need in asked if need[0] not in ("get", "list", "watch")} == {
        ("create", "selfsubjectrulesreviews")
    }


def test_a_service_that_selects_the_next_version_is_refused_until_its_owner_accepts(
    world: session.Session, others: Others, tmp_path: Path
) -> None:
    assert deploy(world, tmp_path, "two").returncode == 0
    selector = {"app.kubernetes.io/name": "two"}
    others.make(SERVICES, "all", spec={"selector": selector, "ports": [{"port": 80}], "clusterIP": "10.0.0.7"})
    refused = deploy(world, tmp_path, "two", "--image", "demo:v2")
    assert refused.returncode == 7 and "Service all selects the pods of v2" in refused.stderr, refused.stderr
    others.annotate(f"{SERVICES}/all", **{"docc.dev_unweighted": "accepted"})
    accepted = deploy(world, tmp_path, "two", "--image", "demo:v2")
    assert accepted.returncode == 0 and "note: Service all selects the pods of v2" in accepted.stderr, accepted.stderr


def test_the_first_without_hosts_is_alone_and_the_second_is_refused(
    world: session.Session, others: Others, tmp_path: Path
) -> None:
    refused = deploy(world, tmp_path, "three", "--dry-run", hosts=[])
    assert refused.returncode == 7 and "names no hosts" in refused.stderr and "default/two" in refused.stderr


def test_a_dry_run_at_the_server_leaves_nothing(world: session.Session, others: Others, tmp_path: Path) -> None:
    told = deploy(world, tmp_path, "four", "--dry-run=server")
    assert told.returncode == 0 and "nothing was touched: --dry-run=server" in told.stderr, told.stderr
    connection = Connection(kubeconfig=world.kubeconfig)
    for path in (ROUTES, SERVICES, DEPLOYMENTS):
        names = [item["metadata"]["name"] for item in connection.send(Request("list", path))["items"]]
        assert not [name for name in names if name.startswith("four")]


def test_a_canary_with_all_of_it_costs_few_requests(world: session.Session, others: Others, tmp_path: Path) -> None:
    assert deploy(world, tmp_path, "five").returncode == 0
    before = len(audit(world))
    assert deploy(world, tmp_path, "five", "--image", "demo:v2").returncode == 0
    apart = (
        ("leases", "patch"),
        *((plural, "watch") for plural in ("httproutes", "deployments", "services", "endpointslices", "pods")),
    )
    asked = [entry for entry in audit(world)[before:] if (entry["resource"], entry["verb"]) not in apart]
    assert len(asked) <= REQUESTS_MAX, Counter((entry["verb"], entry["resource"]) for entry in asked)
    assert not [entry for entry in asked if entry["resource"] in ("gateways", "namespaces", "version")]
