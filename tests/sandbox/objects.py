"""One valid object of each kind that the sandbox speaks, by the path of its collection."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
GATEWAY = "gateway.networking.k8s.io/v1"
_LABELS = {"app": "shop"}
_POD: Object = {"containers": [{"name": "web", "image": "demo:v1", "ports": [{"containerPort": 8080}]}]}
_CORE, _HOME = "/api/v1", "/namespaces/default"


def _body(api_version: str, kind: str, name: str, **fields: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": dict(_LABELS)}, **fields}


OBJECTS: dict[str, Object] = {
    f"{_CORE}/namespaces": _body("v1", "Namespace", "other"),
    f"/apis/apps/v1{_HOME}/deployments": _body(
        "apps/v1", "Deployment", "shop",
        spec={"replicas": 2, "selector": {"matchLabels": _LABELS}, "template": {"metadata": {"labels": _LABELS}, "spec": _POD}},
    ),
    f"{_CORE}{_HOME}/pods": _body("v1", "Pod", "shop-x1", spec=_POD),
    f"{_CORE}{_HOME}/services": _body("v1", "Service", "shop", spec={"selector": _LABELS, "ports": [{"port": 80}]}),
    f"/apis/discovery.k8s.io/v1{_HOME}/endpointslices": _body(
        "discovery.k8s.io/v1", "EndpointSlice", "shop-1", addressType="IPv4", endpoints=[], ports=[]
    ),
    f"{_CORE}{_HOME}/configmaps": _body("v1", "ConfigMap", "shop", data={"a": "1"}),
    f"/apis/coordination.k8s.io/v1{_HOME}/leases": _body(
        "coordination.k8s.io/v1", "Lease", "docc-shop", spec={"holderIdentity": "me", "leaseDurationSeconds": 15}
    ),
    f"/apis/{GATEWAY}{_HOME}/gateways": _body(
        GATEWAY, "Gateway", "own",
        spec={"gatewayClassName": "x", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
    ),
    f"/apis/{GATEWAY}{_HOME}/httproutes": _body(
        GATEWAY, "HTTPRoute", "shop",
        spec={"parentRefs": [{"name": "sandbox"}], "rules": [{"backendRefs": [{"name": "shop", "port": 80}]}]},
    ),
    f"{_CORE}{_HOME}/events": _body(
        "v1", "Event", "shop.1", involvedObject={"kind": "Pod", "name": "shop-x1", "namespace": "default"}, reason="Killing"
    ),
}  # fmt: skip
COLLECTIONS = tuple(OBJECTS)


def path_of(kind: str) -> str:
    return next(path for path, body in OBJECTS.items() if body["kind"] == kind)
