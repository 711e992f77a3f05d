"""The defaults that a real API server writes into objects, as far as clients of the sandbox can meet them. Pure."""

from __future__ import annotations

from typing import Any

from docc.sandbox.kinds import GATEWAY_GROUP

Object = dict[str, Any]


def fill(kind: str, body: Object) -> Object:
    """body is the caller's own copy; it is changed and returned."""
    if kind == "Namespace":
        body["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = body["metadata"]["name"]
        body["status"] = {"phase": "Active"}
    elif kind == "Deployment":
        _deployment(body["spec"])
    elif kind == "Pod":
        _pod(body["spec"])
    elif kind == "Service":
        _service(body.setdefault("spec", {}))
    elif kind == "Gateway":
        for listener in body["spec"]["listeners"]:
            listener.setdefault("allowedRoutes", {}).setdefault("namespaces", {}).setdefault("from", "Same")
    elif kind == "HTTPRoute":
        _route(body["spec"])
    return body


def _deployment(spec: Object) -> None:
    spec.setdefault("replicas", 1)
    spec.setdefault("progressDeadlineSeconds", 600)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault(
        "strategy", {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    )
    _pod(spec["template"]["spec"])


def _pod(spec: Object) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    for container in spec["containers"]:
        for port in container.get("ports", []):
            port.setdefault("protocol", "TCP")
        for name in ("readinessProbe", "livenessProbe", "startupProbe"):
            if probe := container.get(name):
                for field, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1)):
                    probe.setdefault(field, value)
                probe.setdefault("failureThreshold", 3)


def _service(spec: Object) -> None:
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("clusterIP", "None")  # no service addresses here: nobody would answer on them
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        port["targetPort"] = port.get("targetPort") or port["port"]  # 0 and "" are none


def _route(spec: Object) -> None:
    for parent in spec.get("parentRefs", []):
        parent.setdefault("group", GATEWAY_GROUP)
        parent.setdefault("kind", "Gateway")
    for rule in spec.get("rules", []):
        rule.setdefault("matches", [{"path": {"type": "PathPrefix", "value": "/"}}])
        for match in rule["matches"]:
            match.setdefault("path", {"type": "PathPrefix", "value": "/"})
            match["path"].setdefault("type", "PathPrefix")
            match["path"].setdefault("value", "/")
            for header in [*match.get("headers", []), *match.get("queryParams", [])]:
                header.setdefault("type", "Exact")
        for backend in rule.get("backendRefs", []):
            backend.setdefault("group", "")
            backend.setdefault("kind", "Service")
            backend.setdefault("weight", 1)
