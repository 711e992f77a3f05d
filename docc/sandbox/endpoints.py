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
        "ports": [_port(port, pods) for port in service["spec"].get("ports") or []],
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


def _port(port: Object, pods: list[Object]) -> Object:
    target = port.get("targetPort", port["port"])
    for pod in pods:
        if isinstance(target, str):
            named = (p for c in pod["spec"]["containers"] for p in c.get("ports") or [] if p.get("name") == target)
            target = next((p["containerPort"] for p in named), target)
        mapped = json.loads((pod["metadata"].get("annotations") or {}).get(PORTS_ANNOTATION, "{}"))
        target = mapped.get(str(target), target)
        break
    return {"name": port.get("name", ""), "port": target, "protocol": port.get("protocol", "TCP")}


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
