"""Acceptance: the documented expressions, word for word. Those that need no Istio metrics tell a good version from a bad one;
those that do are held against what Istio says of its metrics, as upstream Envoy has none of them.
"""

from __future__ import annotations

import re

import httpx
import pytest

from docc.core.permissions import DISCOVER, DRIVE, EXPLAIN, role
from tests.cluster.acceptance.app import App
from tests.cluster.build.builder import of_the_cluster
from tests.cluster.rig import layout
from tests.documented import expressions

HERE = {heading: text for heading, text in expressions().items() if "istio_requests_total" not in text}
ISTIO = {heading: text for heading, text in expressions().items() if heading not in HERE}


@pytest.mark.parametrize("heading", HERE)
def test_a_documented_expression_promotes_the_good_and_takes_back_the_bad(app: App, heading: str) -> None:
    """A counter of errors is born with the first one, and two scrapes later it has a rate: steps must be longer than that."""
    app.strategy |= {"failure_conditions": [{"name": "Errors", "expression": HERE[heading]}], "no_data_limit": 30}
    app.strategy["canary"] = {"increment": 50, "interval": 8}
    app.serves()
    with app.traffic() as seen:
        good = app.deploy("demo:v2")
        assert good.code == 0, good
        bad = app.deploy("demo:v3-err30")
        assert bad.code == 10, bad
    assert seen.steps(2)[:2] == [50, 100] and seen.steps(3) == [50, 0]
    (passed,), (failed,) = good.document["checks"], bad.document["checks"]
    assert passed["verdict"] == "OK" and passed["value"] == 0
    assert failed["verdict"] == "FAIL" and 0.05 < failed["value"] < 0.6, failed
    assert "Errors is 0." in bad.err and "at 50 %" in bad.err, bad


def test_a_prometheus_that_only_the_cluster_reaches_is_asked_through_the_api_server(app: App) -> None:
    service = f"{layout.PROMETHEUS_NAME}:{layout.PROMETHEUS_PORT}"
    app.strategy["prometheus"] = {"service": f"{layout.MONITORING}/{service}"}
    app.serves()
    refused = app.deploy("demo:v2", DOCC_PROMETHEUS_URL="")
    assert refused.code == 4 and "you may not: get services/proxy" in refused.err, refused
    assert f"docc rbac --prometheus-service {layout.MONITORING}/{service}" in refused.err, refused
    assert "nothing was touched" in refused.err and app.weights == {"v1": 100} and app.pods(2) == []
    printed = app.docc("rbac", "--prometheus-service", f"{layout.MONITORING}/{service}", "-o", "json").document["items"]
    (through,) = next(found for found in printed if found["metadata"]["namespace"] == layout.MONITORING)["rules"]
    mine, found = role("docc", app.namespace, (*DRIVE, *EXPLAIN))["rules"], role("docc", None, DISCOVER)["rules"]
    allowed = str(app.cluster.service_account(app.namespace, "asks", mine, [*found, through]))
    with app.traffic() as seen:
        for image, code in (("demo:v2", 0), ("demo:v3-err30", 10)):
            ended = app.deploy(image, "--kubeconfig", allowed, DOCC_PROMETHEUS_URL="")
            assert ended.code == code, ended
    assert seen.steps(2)[:2] == [50, 100] and seen.steps(3) == [50, 0]


@pytest.mark.parametrize("heading", ISTIO)
def test_a_documented_expression_asks_for_labels_that_istios_metrics_have(heading: str) -> None:
    """As Istio's own tests and tools ask for them, in the very version that runs here."""
    sources = (of_the_cluster().folder("istiod") / "metrics").glob("*/*.go")
    theirs = {word for source in sources for word in re.findall(r'"(\w+)"', source.read_text(encoding="utf-8"))}
    ours = set(re.findall(r'(\w+)(?:=~?"|\{)', ISTIO[heading]))
    assert {"istio_requests_total", "reporter", "response_code"} < ours <= theirs, ours - theirs


def test_istio_names_each_versions_endpoints_as_the_documented_expressions_do(app: App) -> None:
    """istiod tells every proxy, with each endpoint, what the metrics are to say of it: workload;namespace;canonical service;
    canonical revision;cluster (the values of destination_*). The words of docc's manifest are the same ones."""
    app.strategy |= {"canary": {"increment": 50, "interval": 60}, "failure_conditions": []}
    app.serves()
    driver = app.start("demo:v2")
    app.until_weight(2, 50)
    first, second = (f"shop-v{revision};{app.namespace};shop;v{revision};Kubernetes" for revision in (1, 2))
    by_service = {"shop": {first}, "shop-v1": {first}, "shop-v2": {second}}
    wanted = {f"outbound|8080||{name}.{app.namespace}.svc.cluster.local": who for name, who in by_service.items()}
    app.until(lambda: _named(app) == wanted)
    driver.terminate()
    assert app.ended(driver).code == 143


def _named(app: App) -> dict[str, set[str]]:
    """What the Gateway's Envoy knows of the endpoints in this namespace, by cluster."""
    (pod,) = app.cluster.admin.list("pods", layout.INGRESS)
    url = f"http://{pod['status']['podIP']}:{layout.ENVOY_ADMIN_PORT}/config_dump?include_eds"
    dump = httpx.get(url, trust_env=False, timeout=30).json()["configs"]
    endpoints = next(part for part in dump if part["@type"].endswith(".EndpointsConfigDump"))
    found: dict[str, set[str]] = {}
    for each in endpoints["dynamic_endpoint_configs"]:
        config = each["endpoint_config"]
        if app.namespace not in config["cluster_name"]:
            continue
        for place in config.get("endpoints") or []:
            for endpoint in place.get("lb_endpoints") or []:
                workload = endpoint["metadata"]["filter_metadata"]["istio"]["workload"]
                found.setdefault(config["cluster_name"], set()).add(workload)
    return found
