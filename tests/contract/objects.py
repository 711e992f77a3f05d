"""The objects that the cases send: as small as a server takes them, each with what docc itself puts into one."""

from __future__ import annotations

from typing import Any

from tests.contract.api import Object

GATEWAY_API = "gateway.networking.k8s.io/v1"


def named(name: str, **meta: Any) -> Object:
    return {"metadata": {"name": name, **meta}}


def config_map(name: str, data: dict[str, str] | None = None, **meta: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", **named(name, **meta), "data": data or {"a": "1"}}


def deployment(name: str, image: str = "demo:v1", replicas: int = 0, **container: Any) -> Object:
    labels = {"app": name}
    whole = {"name": "web", "image": image, "ports": [{"containerPort": 8080}], **container}
    pod = {"terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False, "containers": [whole]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", **named(name), "spec": spec}


def service(name: str, **spec: Any) -> Object:
    whole = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}], **spec}
    return {"apiVersion": "v1", "kind": "Service", **named(name), "spec": whole}


def lease(name: str, holder: str, **spec: Any) -> Object:
    whole = {
        "holderIdentity": holder, "leaseDurationSeconds": 15, "acquireTime": "2026-01-02T03:04:05.000006Z",
        "renewTime": "2026-01-02T03:04:05.000006Z", "leaseTransitions": 0, **spec,
    }  # fmt: skip
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", **named(name), "spec": whole}


def gateway(name: str, **listener: Any) -> Object:
    """Its address is given by hand: then nobody deploys an Envoy for it."""
    one = {"name": "http", "port": 80, "protocol": "HTTP", **listener}
    address = {"type": "Hostname", "value": f"{name}.example.com"}
    spec = {"gatewayClassName": "istio", "addresses": [address], "listeners": [one]}
    return {"apiVersion": GATEWAY_API, "kind": "Gateway", **named(name), "spec": spec}


def route(name: str, parents: list[Object] | None = None, backends: list[Object] | None = None, **spec: Any) -> Object:
    whole: Object = {
        "rules": [{"backendRefs": [{"name": "shop", "port": 80}] if backends is None else backends}],
        **spec,
    }
    if parents:
        whole["parentRefs"] = parents
    return {"apiVersion": GATEWAY_API, "kind": "HTTPRoute", **named(name), "spec": whole}
