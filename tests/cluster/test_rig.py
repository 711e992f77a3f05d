"""What the cluster promises to the tests that stand on it: each promise once, held against the real thing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from docc import __version__
from tests.cluster.rig.cluster import Cluster, Refused, path
from tests.cluster.rig.session import ROOT

Object = dict[str, Any]
PROBE: Object = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}


def state(cluster: Cluster, namespace: str, name: str = "app") -> Object:
    """The state of the only pod's only container."""
    (container,) = _containers(cluster, namespace, name) or ({},)
    found: Object = container.get("state", {})
    return found


def _containers(cluster: Cluster, namespace: str, name: str = "app") -> list[Object]:
    pods = cluster.pods(namespace, name)
    return [status for pod in pods for status in (pod.get("status") or {}).get("containerStatuses") or []]


def waits_because(cluster: Cluster, namespace: str, reason: str) -> bool:
    return bool(state(cluster, namespace).get("waiting", {}).get("reason") == reason)


def events(cluster: Cluster, namespace: str, reason: str) -> list[str]:
    return [event["message"] for event in cluster.admin.list("events", namespace) if event["reason"] == reason]


def endpoints(cluster: Cluster, namespace: str, name: str = "app") -> list[bool]:
    """Whether each endpoint of a Service is ready."""
    slices = cluster.admin.list("endpointslices", namespace, f"kubernetes.io/service-name={name}")
    return [each["conditions"]["ready"] for piece in slices for each in piece.get("endpoints") or []]


# --- the control plane
def test_it_says_which_kubernetes_it_is(cluster: Cluster) -> None:
    found = cluster.admin.send("GET", "/version")
    assert (found["major"], found["minor"], found["gitVersion"][:6]) == ("1", "36", "v1.36.")


def test_unknown_fields_are_refused(cluster: Cluster, namespace: str) -> None:
    body = {"metadata": {"name": "app"}, "spec": {"selectr": {}}}
    with pytest.raises(Refused, match='unknown field "spec.selectr"'):
        cluster.admin.send("POST", path("services", namespace), params={"fieldValidation": "Strict"}, json=body)


def test_a_service_account_may_do_what_its_roles_say_and_nothing_else(cluster: Cluster, namespace: str) -> None:
    reads = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    sees = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}
    user = cluster.api(cluster.service_account(namespace, "reader", [reads], [sees]))
    assert user.list("pods", namespace) == []
    assert [node["metadata"]["name"] for node in user.list("nodes", "")] == ["rig"]
    for refused in (("pods", "default"), ("services", namespace)):
        with pytest.raises(Refused, match="forbidden") as raised:
            user.list(*refused)
        assert raised.value.code == 403
    user.close()


def test_the_audit_log_tells_who_asked_for_what(cluster: Cluster, namespace: str) -> None:
    user = cluster.api(Path(cluster.session.kubeconfig), agent=f"counted-{namespace}")
    for _ in range(3):
        user.list("pods", namespace)
    user.create("configmaps", namespace, {"metadata": {"name": "one"}, "data": {"secret": "not to be logged"}})
    user.close()
    cluster.until(lambda: len(cluster.audit(f"counted-{namespace}")) >= 4)
    entries = cluster.audit(f"counted-{namespace}", namespace)
    assert [(entry["verb"], entry["objectRef"]["resource"]) for entry in entries] == [("list", "pods")] * 3 + [
        ("create", "configmaps")
    ]
    assert {entry["user"]["username"] for entry in entries} == {"admin"}
    assert "not to be logged" not in json.dumps(entries)


# --- the node
def test_pods_become_ready_by_their_probe_each_on_its_own_address(cluster: Cluster, namespace: str) -> None:
    cluster.deploy(namespace, "app", "demo:v1", replicas=3, readinessProbe=PROBE)
    cluster.until(lambda: cluster.ready(namespace, "app"))
    addresses = {pod["status"]["podIP"] for pod in cluster.pods(namespace, "app")}
    assert len(addresses) == 3 and all(address.startswith("10.244.") for address in addresses)
    for address in addresses:
        answer = httpx.get(f"http://{address}:8080/", trust_env=False)
        assert (answer.status_code, answer.headers["x-version"]) == (200, "v1")
    assert cluster.until(lambda: len(endpoints(cluster, namespace)) == 3 and all(endpoints(cluster, namespace)))


def test_a_port_below_1024_is_served_as_it_is(cluster: Cluster, namespace: str) -> None:
    cluster.deploy(namespace, "app", "nginx:1.24", ports=[{"containerPort": 80}])
    cluster.until(lambda: cluster.ready(namespace, "app"))
    (pod,) = cluster.pods(namespace, "app")
    url = f"http://{pod['status']['podIP']}:80/"
    assert cluster.until(partial(_version, url)) == "1.24"


def _version(url: str) -> str:
    try:
        return str(httpx.get(url, trust_env=False).headers["x-version"])
    except httpx.TransportError:
        return ""


def test_a_missing_image_is_told_in_a_registrys_words(cluster: Cluster, namespace: str) -> None:
    cluster.deploy(namespace, "app", "demo:v9-missing")
    for reason in ("ErrImagePull", "ImagePullBackOff"):
        cluster.until(partial(waits_because, cluster, namespace, reason))
    (pod,) = cluster.pods(namespace, "app")
    assert pod["status"]["phase"] == "Pending"
    assert any("demo:v9-missing: not found" in message for message in events(cluster, namespace, "Failed"))
    with pytest.raises(Refused, match="waiting to start"):
        cluster.admin.log(namespace, pod["metadata"]["name"])


def test_a_crash_loop_leaves_its_traces_and_its_last_words(cluster: Cluster, namespace: str) -> None:
    cluster.deploy(namespace, "app", "demo:v1", env=[{"name": "CRASH", "value": "1"}])
    cluster.until(partial(waits_because, cluster, namespace, "CrashLoopBackOff"))
    (status,), (pod,) = _containers(cluster, namespace), cluster.pods(namespace, "app")
    assert status["restartCount"] >= 1 and status["lastState"]["terminated"]["exitCode"] == 1
    log = cluster.admin.log(namespace, pod["metadata"]["name"], previous="true", tailLines="1")
    assert log == "v1 panics: it was told to crash\n"


def test_a_slow_start_is_ready_late_and_a_never_ready_one_never(cluster: Cluster, namespace: str) -> None:
    cluster.deploy(namespace, "app", "demo:v1-late3", readinessProbe=PROBE)
    cluster.deploy(namespace, "never", "demo:v1-neverready", readinessProbe=PROBE)
    cluster.until(lambda: _containers(cluster, namespace) and "running" in state(cluster, namespace))
    assert not cluster.ready(namespace, "app") and not any(endpoints(cluster, namespace))
    cluster.until(lambda: cluster.ready(namespace, "app"))
    assert cluster.until(lambda: endpoints(cluster, namespace, "never")) == [False]
    words = cluster.until(lambda: events(cluster, namespace, "Unhealthy"))
    assert "Readiness probe failed: HTTP probe failed with statuscode: 503" in words
    assert not cluster.ready(namespace, "never")


def test_a_command_is_run_as_it_is_and_its_log_can_be_read(cluster: Cluster, namespace: str) -> None:
    cluster.deploy(namespace, "app", "any:1", command=["sh", "-c"], args=["echo first; echo $HOST; exec sleep 600"])
    cluster.until(lambda: cluster.ready(namespace, "app"))
    (pod,) = cluster.pods(namespace, "app")
    name, address = pod["metadata"]["name"], pod["status"]["podIP"]
    cluster.until(lambda: cluster.admin.log(namespace, name) == f"first\n{address}\n")
    assert cluster.admin.log(namespace, name, tailLines="1") == f"{address}\n"


def test_a_container_that_ignores_sigterm_lives_as_long_as_its_grace(cluster: Cluster, namespace: str) -> None:
    script = "trap 'echo told to end' TERM; echo begun; while :; do sleep 0.1; done"
    pod = {"terminationGracePeriodSeconds": 4}
    cluster.deploy(namespace, "app", "any:1", pod=pod, command=["sh", "-c", script])
    cluster.until(lambda: cluster.ready(namespace, "app"))
    name = cluster.pods(namespace, "app")[0]["metadata"]["name"]
    cluster.until(lambda: "begun" in cluster.admin.log(namespace, name))
    cluster.admin.patch("deployments", namespace, "app", {"spec": {"replicas": 0}})
    cluster.until(lambda: "deletionTimestamp" in cluster.pods(namespace, "app")[0]["metadata"])
    began = time.monotonic()
    cluster.until(lambda: "told to end" in cluster.admin.log(namespace, name))
    cluster.until(lambda: not cluster.pods(namespace, "app"))
    assert time.monotonic() - began > 2.5, "it was not given its grace"


def test_no_pod_is_begun_twice_however_many_come_and_go(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    script = f"echo $HOSTNAME >> {begun}; exec sleep 600"
    cluster.deploy(namespace, "app", "any:1", replicas=15, command=["sh", "-c", script])
    cluster.until(lambda: cluster.ready(namespace, "app"))
    for _ in range(2):
        cluster.admin.delete("pods", namespace, grace_seconds=1)
        cluster.until(lambda: cluster.ready(namespace, "app"))
    names = begun.read_text(encoding="utf-8").split()
    assert len(names) == len(set(names)) == 45


def test_a_pod_finds_its_service_accounts_token_and_the_api_server(cluster: Cluster, namespace: str) -> None:
    cluster.service_account(namespace, "worker", [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}])
    pod = {"serviceAccountName": "worker", "automountServiceAccountToken": True}
    cluster.deploy(namespace, "app", "any:1", pod=pod, command=["python3", "-c", IN_CLUSTER])
    cluster.until(lambda: cluster.ready(namespace, "app"))
    name = cluster.pods(namespace, "app")[0]["metadata"]["name"]
    words = cluster.until(lambda: cluster.admin.log(namespace, name)).split()
    assert words == [namespace, "200", "403"]
    assert not Path("/run/secrets/kubernetes.io").exists(), "the machine's own files were touched"


IN_CLUSTER = """
import os, ssl, time, urllib.error, urllib.request
home = "/var/run/secrets/kubernetes.io/serviceaccount"
namespace, token = (open(f"{home}/{name}").read() for name in ("namespace", "token"))
server = "https://%s:%s" % (os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"])
def code(plural):
    url = f"{server}/api/v1/namespaces/{namespace}/{plural}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=f"{home}/ca.crt")) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
print(namespace, code("configmaps"), code("secrets"), flush=True)
time.sleep(600)
"""


def test_a_pod_that_the_node_cannot_run_says_so(cluster: Cluster, namespace: str) -> None:
    spec = {"restartPolicy": "Never", "containers": [{"name": "web", "image": "demo:v1"}]}
    cluster.admin.create("pods", namespace, {"metadata": {"name": "once"}, "spec": spec})
    found = cluster.until(lambda: cluster.admin.get("pods", namespace, "once")["status"].get("message"))
    assert found == "this cluster's node cannot run it: restartPolicy Never"


# --- traffic
def test_a_route_is_programmed_and_splits_by_weight(cluster: Cluster, namespace: str) -> None:
    for version in ("v1", "v2"):
        cluster.deploy(namespace, version, f"demo:{version}", readinessProbe=PROBE)
    cluster.until(lambda: cluster.ready(namespace, "v1") and cluster.ready(namespace, "v2"))
    cluster.route(namespace, "shop", {"v1": 100, "v2": 0})
    host = f"shop.{namespace}"
    cluster.until(lambda: cluster.fetch(host) == {(200, "v1"): 1})
    assert cluster.fetch(host, 50) == {(200, "v1"): 50}
    cluster.route(namespace, "shop", {"v1": 50, "v2": 50})
    cluster.until(lambda: cluster.fetch(host) == {(200, "v2"): 1})
    answers = cluster.fetch(host, 400, tag="split")
    assert answers.keys() == {(200, "v1"), (200, "v2")} and 120 < answers[(200, "v2")] < 280
    cluster.route(namespace, "shop", {"v1": 0, "v2": 100})
    cluster.until(lambda: cluster.fetch(host, 10) == {(200, "v2"): 10})
    (parent,) = cluster.admin.get("httproutes", namespace, "shop")["status"]["parents"]
    assert {c["type"]: c["status"] for c in parent["conditions"]} == {"Accepted": "True", "ResolvedRefs": "True"}
    logged = cluster.until(lambda: _tagged(cluster, host, 400))
    assert {entry["version"] for entry in logged} == {"v1", "v2"}
    assert {(entry["proxy"], entry["status"]) for entry in logged} == {("ingress/public", 200)}


def _tagged(cluster: Cluster, host: str, count: int) -> list[Object]:
    found = [entry for entry in cluster.access_log(host) if entry["tag"] == "split"]
    return found if len(found) == count else []


def test_a_route_of_a_service_is_obeyed_in_the_mesh(cluster: Cluster, namespace: str) -> None:
    for version in ("v1", "v2", "shop"):
        cluster.deploy(namespace, version, f"demo:{version}", readinessProbe=PROBE)
    cluster.until(lambda: all(cluster.ready(namespace, name) for name in ("v1", "v2", "shop")))
    host = f"shop.{namespace}"
    cluster.until(lambda: cluster.fetch_in_mesh(host) == {(200, "shop"): 1})
    service = [{"group": "", "kind": "Service", "name": "shop"}]
    cluster.route(namespace, "shop", {"v1": 100, "v2": 0}, service)
    cluster.until(lambda: cluster.fetch_in_mesh(host, 5) == {(200, "v1"): 5})
    cluster.route(namespace, "shop", {"v1": 0, "v2": 100})
    cluster.until(lambda: cluster.fetch_in_mesh(host, 5) == {(200, "v2"): 5})
    cluster.until(lambda: {entry["proxy"] for entry in cluster.access_log(host)} == {"mesh/client"})


# --- metrics
def test_prometheus_knows_each_pod_by_its_deployment_and_its_labels(cluster: Cluster, namespace: str) -> None:
    revision = {"docc.dev/app": "shop", "docc.dev/revision": "v7"}
    labels = {"app": "app", **revision}
    container = {"name": "web", "image": "demo:v7-err30", "ports": [{"containerPort": 8080}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": {"app": "app"}}, "template": template}
    cluster.admin.create("deployments", namespace, {"metadata": {"name": "app"}, "spec": spec})
    cluster.until(lambda: cluster.ready(namespace, "app"))
    (pod,) = cluster.pods(namespace, "app")
    url = f"http://{pod['status']['podIP']}:8080/"
    cluster.until(partial(_version, url))
    for _ in range(20):
        httpx.get(url, trust_env=False)
    selector = f'http_requests_total{{namespace="{namespace}",code="500"}}'
    (series,) = cluster.until(lambda: cluster.query(f"{selector} >= 6"))
    metric = series["metric"]
    assert (metric["pod"], metric["deployment"], metric["revision"]) == (pod["metadata"]["name"], "app", "v7")
    assert (metric["docc_dev_app"], metric["docc_dev_revision"], metric["job"]) == ("shop", "v7", "pods")
    assert _scrape_interval(cluster, namespace) == "1s"
    (through,) = cluster.admin.send(
        "GET", path("services", "monitoring", "prometheus:9090") + "/proxy/api/v1/query", params={"query": selector}
    )["data"]["result"]
    assert through["metric"] == metric


def _scrape_interval(cluster: Cluster, namespace: str) -> str:
    answer = httpx.get(f"{cluster.session.prometheus}/api/v1/targets", trust_env=False).json()
    (target,) = (t for t in answer["data"]["activeTargets"] if t["labels"].get("namespace") == namespace)
    return str(target["scrapeInterval"])


def test_envoys_own_metrics_are_scraped(cluster: Cluster) -> None:
    query = 'envoy_server_live{namespace="ingress",deployment="public"}'
    (series,) = cluster.until(lambda: cluster.query(query))
    assert series["value"][1] == "1"


def test_a_shell_in_it_has_kubectl_docc_and_its_addresses(cluster: Cluster, tmp_path: Path) -> None:
    """From outside its network, as people type it: this test itself is inside."""
    shell, home = tmp_path / "shell", f"--net=/proc/{os.getppid()}/ns/net"
    words = ("kubectl version", "kubectl get namespace ingress -o name", "docc version", 'echo "gateway: $GATEWAY"')
    shell.write_text("#!/bin/sh\nset -e\n" + "\n".join(words), encoding="utf-8")
    shell.chmod(0o700)
    command = ["nsenter", home, "--", sys.executable, "-m", "tests.cluster", "shell", "--folder"]
    done = subprocess.run(
        [*command, str(cluster.session.folder)], cwd=ROOT, env={**os.environ, "SHELL": str(shell)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done
    for said in ("Server Version: v1.", "namespace/ingress\n", __version__, f"gateway: {cluster.session.gateway}\n"):
        assert said in done.stdout, (said, done)
