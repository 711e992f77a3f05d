"""Kubernetes objects that several parts of a cluster make. Pure."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


def make(api_version: str, kind: str, namespace: str, name: str, **content: Any) -> Object:
    """namespace "": for what is in none."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def deployment(
    namespace: str, name: str, labels: Object, container: Object, annotations: Object | None = None
) -> Object:
    """Of one pod that ends quickly and asks the API server for nothing."""
    spec = {"automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1, "containers": [container]}
    template = {"metadata": {"labels": labels, "annotations": annotations or {}}, "spec": spec}
    whole = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return make("apps/v1", "Deployment", namespace, name, spec=whole)


def service(namespace: str, name: str, labels: Object, port: int, target: int) -> Object:
    ports = [{"name": "http", "port": port, "targetPort": target}]
    return make("v1", "Service", namespace, name, spec={"selector": labels, "ports": ports})


def probe(path: str, port: int) -> Object:
    return {"httpGet": {"path": path, "port": port}, "periodSeconds": 1}
