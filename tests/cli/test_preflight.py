"""`docc deploy` before a cluster in which everything is in its way: all of it is said at once, and nothing was touched."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from docc.core.permissions import DRIVE, PREFLIGHT, role
from docc.model.moves import Object

GATEWAY_API = "gateway.networking.k8s.io"
PARENT = {"namespace": "infra", "name": "public"}


def thing(name: str, namespace: str = "web", **body: Any) -> Object:
    return {"metadata": {"name": name, "namespace": namespace, "uid": name, "resourceVersion": "1"}, **body}


LISTENER = {"name": "http", "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
LISTS: dict[str, list[Object]] = {
    "gateways": [thing("public", "infra", spec={"listeners": [LISTENER]})],
    "httproutes": [thing("blog", "team", spec={"hostnames": ["shop.test"], "parentRefs": [PARENT], "rules": [{}]})],
    "services": [
        thing("shop", spec={"selector": {"app": "shop"}}),
        thing("all", spec={"selector": {"app.kubernetes.io/name": "shop"}}),
    ],
    "deployments": [thing("shop-v1")],
    "resourcequotas": [thing("compute", status={"hard": {"pods": "4"}, "used": {"pods": "3"}})],
    "horizontalpodautoscalers": [thing("auto", spec={"scaleTargetRef": {"kind": "Deployment", "name": "shop"}})],
    "poddisruptionbudgets": [thing("budget", spec={"selector": {"matchLabels": {"app": "shop"}}})],
    "destinationrules": [thing("limits", spec={"host": "shop"})],
    "authorizationpolicies": [thing("guard", spec={"selector": {"matchLabels": {"app": "shop"}}})],
}  # fmt: skip
REFUSED = (
    "this cluster is too old: Kubernetes v1.29.3, docc needs 1.30",
    "HTTPRoute team/blog claims shop.test",
    "Deployment shop-v1 exists, and docc did not make it",
    "Service shop exists, and docc did not make it",
    "quota compute has no room for v1: pods",
    "no Prometheus is named",
)
TOLD = (
    "HorizontalPodAutoscaler auto scales Deployment shop and does not follow to shop-v1",
    "PodDisruptionBudget budget selects other pods",
    "DestinationRule limits is for host shop",
    "AuthorizationPolicy guard selects other pods",
    "Service all selects the pods of v1",
)


class Cluster:
    """version: the server's. lists: what each plural answers; a plural
    that is missing is a kind that the cluster does not have."""

    def __init__(self, server: HTTPServer, folder: Path) -> None:
        self.version, self.lists = "v1.29.3", {name: [*items] for name, items in LISTS.items()}
        self.granted = [*DRIVE, *PREFLIGHT]
        self.served = ["v1"]
        self.writes: list[str] = []
        self.bodies: list[Object] = []
        self.asked: list[str] = []
        self.folder = folder
        server.expect_request(re.compile(".*")).respond_with_handler(self._answer)
        self.url = server.url_for("")

    def _answer(self, request: Request) -> Response:
        path, plural = request.path, request.path.rsplit("/", 1)[-1]
        self.asked.append(f"{request.method} {path}")
        if plural == "selfsubjectrulesreviews":
            status = {"resourceRules": role("r", "web", self.granted)["rules"], "incomplete": False}
            return _json(201, {**request.get_json(), "status": status})
        if request.method != "GET":
            self.writes.append(f"{request.method} {path}?{request.query_string.decode()}")
            self.bodies.append(request.get_json())
            return self._admitted(request)
        if path == "/version":
            return _json(200, {"gitVersion": self.version})
        if path == f"/apis/{GATEWAY_API}":
            return _json(200, {"versions": [{"version": version} for version in self.served]})
        if plural == "web":
            return _json(200, thing("web"))
        if plural in ("pods", "endpointslices", "configmaps") or plural in self.lists:
            return _json(200, {"metadata": {}, "items": self.lists.get(plural, [])})
        return Response("404 page not found", 404)

    def _admitted(self, request: Request) -> Response:
        """A policy is against pods, and the user may make no route."""
        plural = request.path.rsplit("/", 1)[-1]
        if plural == "deployments":
            return _json(403, {"message": 'deployments.apps "shop-v1" is forbidden: exceeded quota: compute'})
        if plural == "pods":
            return _json(403, {"message": 'pods is forbidden: User "u" cannot create resource "pods"'})
        return _json(201, request.get_json())

    def deploy(self, *words: str, conditions: bool = True, **application: Any) -> subprocess.CompletedProcess[str]:
        container = {"image": "a:1", "ports": [{"port": 80}]}
        whole = {"name": "shop", "scale": 2, "hosts": ["shop.test"], "containers": {"web": container}, **application}
        strategy: Object = {"canary": {"increment": 50, "interval": 1}}
        if conditions:
            strategy["failure_conditions"] = [{"name": "Errors", "expression": 'errors{app="$canary"} > 1'}]
        manifest, config = self.folder / "m.json", self.folder / "config"
        manifest.write_text(json.dumps({"application": whole, "deployment_strategy": strategy}))
        here = {"cluster": "c", "user": "u", "namespace": "web"}
        config.write_text(
            json.dumps(
                {
                    "clusters": [{"name": "c", "cluster": {"server": self.url}}],
                    "users": [{"name": "u", "user": {"token": "s3cret"}}],
                    "contexts": [{"name": "here", "context": here}],
                    "current-context": "here",
                }
            )
        )
        command = [sys.executable, "-m", "docc", "deploy", str(manifest), "--kubeconfig", str(config), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)


def _json(status: int, body: Object) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


@pytest.fixture
def cluster(httpserver: HTTPServer, tmp_path: Path) -> Cluster:
    return Cluster(httpserver, tmp_path)


@pytest.fixture
def clear(cluster: Cluster) -> Cluster:
    """Nothing is in the way."""
    cluster.version = "v1.30.0"
    cluster.lists |= {"httproutes": [], "services": [], "deployments": [], "resourcequotas": []}
    return cluster


def test_everything_is_said_at_once_with_one_exit_code(cluster: Cluster) -> None:
    told = cluster.deploy("--yes")
    assert told.returncode == 5, told.stderr
    for words in REFUSED:
        assert told.stderr.count(words) == 1, (words, told.stderr)
    assert f"error: {len(REFUSED)} things stand in the way of this deploy" in told.stderr
    assert told.stderr.rstrip().endswith("nothing was touched") and cluster.writes == []


def test_scripts_get_all_of_it_too(cluster: Cluster) -> None:
    error = json.loads(cluster.deploy("--yes", "-o", "json").stdout)["error"]
    assert (error["code"], error["exit_code"], len(error["obstacles"])) == ("UNUSABLE", 5, len(REFUSED))
    assert {obstacle["code"] for obstacle in error["obstacles"]} == {"UNUSABLE", "LOCKED"}


def test_what_is_only_told_stands_with_the_plan(cluster: Cluster, clear: Cluster) -> None:
    cluster.lists["services"] = [LISTS["services"][1]]
    told = clear.deploy("--dry-run", conditions=False)
    assert told.returncode == 0 and "nothing was touched: --dry-run=client" in told.stderr, told.stderr
    for words in TOLD:
        assert f"note: {words}" in told.stderr, (words, told.stderr)
    assert cluster.writes == [] and "not looked at" not in told.stderr


@pytest.mark.parametrize("output", ["json", "jsonl"])
def test_scripts_get_the_plan_of_a_dry_run(cluster: Cluster, clear: Cluster, output: str) -> None:
    cluster.lists["services"] = [LISTS["services"][1]]
    told = clear.deploy("--dry-run", "-o", output, conditions=False)
    document = json.loads(told.stdout.splitlines()[-1])
    assert (document["result"], document["exit_code"], told.returncode) == ("planned", 0, 0)
    assert document["plan"][0] == "plan: shop v1: first deploy" and document["serving"] == {}
    assert [words for words in TOLD if not any(words in note for note in document["notes"])] == []
    assert len(told.stdout.splitlines()) == (1 if output == "json" else 3) and cluster.writes == []


def test_what_may_not_be_looked_at_is_said_and_refuses_nothing(clear: Cluster) -> None:
    clear.granted = [*DRIVE]
    told = clear.deploy("--dry-run", conditions=False)
    assert told.returncode == 0, told.stderr
    assert "not looked at: you may not list resourcequotas; " in told.stderr and "note:" not in told.stderr
    assert not [path for path in clear.asked if path.endswith(tuple(need.resource for need in PREFLIGHT))]


def test_what_has_not_the_form_of_its_kind_is_said_and_refuses_nothing(clear: Cluster) -> None:
    clear.lists["authorizationpolicies"] = [
        thing("empty", spec=None), thing("odd", spec={"selector": "shop"}), thing("none", spec={"selector": None}),
    ]  # fmt: skip
    done = clear.deploy("--dry-run", conditions=False)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "AuthorizationPolicy odd was not looked at: docc cannot read it" in done.stderr
    assert "AuthorizationPolicy.spec.selector is text" in done.stderr
    assert "AuthorizationPolicy empty" not in done.stderr and "AuthorizationPolicy none" not in done.stderr


def test_kinds_that_the_cluster_does_not_have_are_none_of_it(clear: Cluster) -> None:
    for need in PREFLIGHT:
        del clear.lists[need.resource]
    told = clear.deploy("--dry-run", conditions=False)
    assert told.returncode == 0 and "note" not in told.stderr and "not looked at" not in told.stderr, told.stderr


def test_an_older_gateway_api_is_named(clear: Cluster) -> None:
    del clear.lists["gateways"], clear.lists["httproutes"]
    clear.served = ["v1beta1"]
    told = clear.deploy("--yes", conditions=False)
    assert told.returncode == 5 and "Gateway API is too old: it has v1beta1, docc needs v1" in told.stderr, told.stderr
    clear.served = []
    assert "has no Gateway API (gateway.networking.k8s.io/v1)" in clear.deploy("--yes", conditions=False).stderr


def test_a_dry_run_at_the_server_hears_admission_before_anything_happens(clear: Cluster) -> None:
    told = clear.deploy("--dry-run=server", conditions=False)
    assert told.returncode == 5, told.stderr
    assert "the API server would refuse Deployment shop-v1" in told.stderr and "exceeded quota: compute" in told.stderr
    assert all("dryRun=All" in write for write in clear.writes)
    kinds = [body["kind"] for body in clear.bodies]
    assert kinds == ["Deployment", "Pod", "Service", "HTTPRoute", "Service"], kinds


def test_a_dry_run_is_one_of_two(clear: Cluster) -> None:
    told = clear.deploy("--dry-run=perhaps")
    assert told.returncode == 2 and "--dry-run=perhaps is not known here; it is one of client, server" in told.stderr
    assert clear.asked == []
