"""EndpointSlices from Services and Pods: who gets the traffic of a Service. The Service's labels are mirrored onto the slice,
as Kubernetes does. A port below 1024 appears as the high port that the node has mapped it to (annotation of the pod)."""

from __future__ import annotations

import json
from typing import Any

from docc.sandbox.refusals import StoreError
from docc.sandbox.store import Store

Object = dict[str, Any]
PORTS_ANNOTATION = "sandbox.docc.dev/ports"


def reconcile_endpoints(store: Store) -> None:
    for service in store.select("Service"):
        selector = (service.get("spec") or {}).get("selector")
        if selector:
            _put(store, _slice(store, service, selector))


def _slice(store: Store, service: Object, selector: dict[str, str]) -> Object:
    meta = service["metadata"]
    pods = [pod for pod in store.select("Pod", meta["namespace"], selector) if (pod.get("status") or {}).get("podIP")]
    owner = {"apiVersion": "v1", "kind": "Service", "name": meta["name"], "uid": meta["uid"], "controller": True}
    labels = {**(meta.get("labels") or {}), "kubernetes.io/service-name": meta["name"]}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{meta['name']}-endpoints",
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [owner],
        },
        "addressType": "IPv4",
        "endpoints": [_endpoint(pod) for pod in pods],
        "ports": [found for port in service["spec"].get("ports") or [] for found in _ports(port, pods)],
    }


def _endpoint(pod: Object) -> Object:
    conditions = pod["status"].get("conditions") or []
    serving = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    terminating = "deletionTimestamp" in pod["metadata"]
    meta = pod["metadata"]
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": serving and not terminating, "serving": serving, "terminating": terminating},
        "targetRef": {"kind": "Pod", "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
    }


def _ports(port: Object, pods: list[Object]) -> list[Object]:
    """The port as an endpoint's; none for a name that no container has."""
    target = port.get("targetPort", port["port"])
    if pods and isinstance(target, str):
        named = (p for c in pods[0]["spec"]["containers"] for p in c.get("ports") or [] if p.get("name") == target)
        target = next((p["containerPort"] for p in named), None)
    if not isinstance(target, int):
        return []
    real = mapped_ports(pods[0]).get(str(target), target) if pods else target
    return [{"name": port.get("name", ""), "port": real, "protocol": port.get("protocol", "TCP")}]


def mapped_ports(pod: Object) -> dict[str, int]:
    """Where the node serves a pod's ports, by their numbers: its annotation, which anybody can write, so only if it is one."""
    try:
        found = json.loads((pod["metadata"].get("annotations") or {}).get(PORTS_ANNOTATION, "{}"))
    except ValueError:
        return {}
    ports = found.items() if isinstance(found, dict) else ()
    return {number: port for number, port in ports if type(port) is int and 0 < port < 65536}


def _put(store: Store, wanted: Object) -> None:
    meta = wanted["metadata"]
    found = store.find("EndpointSlice", meta["namespace"], meta["name"])
    try:
        if found is None:
            store.create("EndpointSlice", wanted)
        else:
            store.replace("EndpointSlice", {**wanted, "metadata": {**found["metadata"], **meta}})
    except StoreError as error:
        if error.code != 409:
            raise
