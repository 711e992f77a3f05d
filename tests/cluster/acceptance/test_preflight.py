"""Acceptance: what a real API server has around an application, seen by the Role that docc prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docc.core.permissions import DISCOVER, DRIVE, EXPLAIN, PREFLIGHT, Permission, role
from tests.cluster.acceptance.app import App, Ended
from tests.cluster.acceptance.test_rights import refused, used
from tests.cluster.conftest import Figure
from tests.cluster.rig import layout
from tests.cluster.rig.cluster import Cluster

Object = dict[str, Any]
WHERE = {
    "HTTPRoute": ("gateway.networking.k8s.io/v1", "httproutes"),
    "Service": ("v1", "services"),
    "ResourceQuota": ("v1", "resourcequotas"),
    "HorizontalPodAutoscaler": ("autoscaling/v2", "horizontalpodautoscalers"),
    "PodDisruptionBudget": ("policy/v1", "poddisruptionbudgets"),
    "DestinationRule": ("networking.istio.io/v1", "destinationrules"),
    "AuthorizationPolicy": ("security.istio.io/v1", "authorizationpolicies"),
}
REQUESTS_MAX = 30
"""Of a healthy canary of five steps, renewals of the Lease apart."""


@pytest.fixture
def seeing(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[App]:
    """Its login may also look at what others have around it."""
    made = App(cluster, namespace, tmp_path, rights=(*DRIVE, *EXPLAIN, *PREFLIGHT))
    yield made
    made.close()


def make(app: App, kind: str, name: str, spec: Object) -> None:
    """As somebody else."""
    version, plural = WHERE[kind]
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}
    app.cluster.admin.send("POST", f"{prefix}/namespaces/{app.namespace}/{plural}", json=body)


def autoscaler(target: str) -> Object:
    return {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}, "maxReplicas": 5}


def untouched(app: App, ended: Ended, code: int) -> None:
    assert ended.code == code and ended.err.rstrip().endswith("nothing was touched"), ended
    writes = [
        entry
        for entry in app.cluster.audit(agent="docc/", namespace=app.namespace)
        if entry["verb"] in ("create", "patch", "delete") and "dryRun=All" not in entry["requestURI"]
    ]
    assert [entry for entry in writes if entry["objectRef"].get("apiGroup") != "authorization.k8s.io"] == []


def test_all_that_is_in_the_way_of_a_first_deploy_is_said_at_once(seeing: App) -> None:
    app = seeing
    parent = {"namespace": layout.INGRESS, "name": layout.GATEWAY_NAME}
    make(
        app,
        "HTTPRoute",
        "theirs",
        {"parentRefs": [parent], "hostnames": [app.host], "rules": [{}]},
    )
    make(app, "Service", app.name, {"selector": {"who": "others"}, "ports": [{"port": 80}]})
    make(app, "ResourceQuota", "small", {"hard": {"pods": "1", "count/deployments.apps": "9"}})
    app.until(lambda: app.cluster.admin.get("resourcequotas", app.namespace, "small").get("status", {}).get("hard"))
    ended = app.deploy("demo:v1")
    for words in (
        f"HTTPRoute {app.namespace}/theirs claims {app.host}",
        f"Service {app.name} exists, and docc did not make it",
        "quota small has no room for v1: pods",
        "0 of 1 are used; 2 more pods are needed at the peak, 1 too many",
        "3 things stand in the way",
    ):
        assert words in ended.err, (words, ended)
    untouched(app, ended, 5)


def test_what_would_not_follow_is_told_and_a_door_past_the_weights_is_refused(seeing: App) -> None:
    app = seeing
    app.serves()
    one = {"matchLabels": {"docc.dev/app": app.name, "docc.dev/revision": "v1"}}
    make(app, "HorizontalPodAutoscaler", "auto", autoscaler(f"{app.name}-v1"))
    make(app, "PodDisruptionBudget", "one", {"selector": one, "minAvailable": 1})
    make(
        app,
        "PodDisruptionBudget",
        "every",
        {"selector": {"matchLabels": {"docc.dev/app": app.name}}, "minAvailable": 1},
    )
    make(app, "DestinationRule", "limits", {"host": f"{app.name}-v1"})
    make(app, "AuthorizationPolicy", "guard", {"selector": one, "action": "ALLOW", "rules": [{}]})
    told = app.deploy("demo:v2", "--dry-run")
    assert told.code == 0, told
    for words in (
        f"HorizontalPodAutoscaler auto scales Deployment {app.name}-v1 and does not follow",
        "PodDisruptionBudget one selects other pods",
        f"DestinationRule limits is for host {app.name}-v1",
        "AuthorizationPolicy guard selects other pods",
    ):
        assert f"note: {words}" in told.err, (words, told)
    assert "budget every" not in told.err.lower() and "not looked at" not in told.err, told
    make(
        app,
        "Service",
        "all",
        {"selector": {"app.kubernetes.io/name": app.name}, "ports": [{"port": 80, "targetPort": 8080}]},
    )
    refused = app.deploy("demo:v2")
    assert refused.code == 7 and "Service all selects the pods of v2" in refused.err, refused
    assert app.weights == {"v1": 100}


def test_a_dry_run_at_the_server_hears_quotas_and_pod_security(app: App) -> None:
    """Nothing of it comes from docc's own arithmetic: the login may look at no quota."""
    told = app.deploy("demo:v1", "--dry-run=server")
    assert (
        told.code == 0 and "note: whether the pods would be admitted was not tried: you may not create pods" in told.err
    ), told
    rules = role("docc", app.namespace, (*DRIVE, *EXPLAIN, Permission("", "pods", "create")))["rules"]
    everywhere = role("docc", None, DISCOVER)["rules"]
    app.kubeconfig = app.cluster.service_account(app.namespace, f"docc-{app.name}-pods", rules, everywhere)
    told = app.deploy("demo:v1", "--dry-run=server")
    assert told.code == 0 and "note" not in told.err, told
    make(app, "ResourceQuota", "none", {"hard": {"count/services": "0"}})
    app.until(lambda: app.cluster.admin.get("resourcequotas", app.namespace, "none").get("status", {}).get("hard"))
    strict = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    app.cluster.admin.patch("namespaces", "", app.namespace, strict)
    ended = app.deploy("demo:v1", "--dry-run=server")
    assert f"the API server would refuse Service {app.name}-v1" in ended.err and "exceeded quota: none" in ended.err, (
        ended
    )
    assert "the API server would refuse Pod" in ended.err and "violates PodSecurity" in ended.err, ended
    untouched(app, ended, 5)


def test_who_may_not_look_around_is_told_and_deploys(app: App) -> None:
    ended = app.deploy("demo:v1")
    assert ended.code == 0 and "not looked at: you may not list resourcequotas" in ended.err, ended


def test_a_canary_of_five_steps_with_all_of_it_stays_within_its_requests(seeing: App, figure: Figure) -> None:
    app = seeing
    app.strategy |= {
        "canary": {"increment": 20, "interval": 2},
        "failure_conditions": [],
    }  # the metrics are not the API's
    app.serves()
    before = len(requests(app))
    ended = app.deploy("demo:v2")
    assert ended.code == 0, ended
    asked = requests(app)[before:]
    figure(f"{len(asked)} API requests: {', '.join(asked)}")
    assert len(asked) <= REQUESTS_MAX, asked
    entries = [entry for entry in app.audited() if "objectRef" in entry]
    assert {*PREFLIGHT} - used(entries) == set() and refused(entries) == [], (
        "printed, and never asked for; or not enough"
    )


def requests(app: App) -> list[str]:
    """docc's, each once, renewals of the Lease apart."""
    cells = [f"{e['verb']} {e.get('objectRef', {}).get('resource', e['requestURI'])}" for e in app.audited()]
    return [cell for cell in cells if cell != "patch leases"]
