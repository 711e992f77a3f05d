"""Whether an object of others' has the form that docc reads it by. Pure.

Kubernetes' own kinds come as they are defined; of what a custom resource holds, its definition decides, and another version
of it, or none, lets anything through. Only the parts that docc reads are looked at; null is the same as absent.
"""

from __future__ import annotations

from typing import Any

from docc.model.moves import Object

Shape = Any
"""A type, a tuple of types, [of each entry], {key: of its value}, or {ANY: of each value}. Nothing is required."""
ANY = "*"
_TEXTS = {ANY: str}
_AMOUNTS = {ANY: (str, int, float)}
_SELECTOR = {"matchLabels": _TEXTS, "matchExpressions": [{"key": str, "operator": str, "values": [str]}]}
_PARENT = {key: str for key in ("group", "kind", "namespace", "name", "sectionName")} | {"port": int}
_MATCH = {"path": {"type": str, "value": str}, "headers": list, "queryParams": list, "method": str}
_TARGET = {"kind": str, "name": str}
_META = {"name": str, "namespace": str, "labels": _TEXTS, "annotations": _TEXTS, "creationTimestamp": str}
_SPECS: dict[str, Shape] = {
    "Deployment": {"template": {"spec": {"containers": [{"env": [{"name": str, "value": str}]}]}}},
    "Service": {
        "selector": _TEXTS, "clusterIP": str, "ports": [{"port": int, "targetPort": (int, str)}],
    },
    "HTTPRoute": {"hostnames": [str], "parentRefs": [_PARENT], "rules": [{"matches": [_MATCH]}]},
    "Gateway": {
        "listeners": [{
            "name": str, "protocol": str, "hostname": str,
            "allowedRoutes": {
                "namespaces": {"from": str, "selector": _SELECTOR}, "kinds": [{"group": str, "kind": str}],
            },
        }],
    },
    "ResourceQuota": {"scopes": [str], "scopeSelector": {"matchExpressions": list}},
    "HorizontalPodAutoscaler": {"scaleTargetRef": _TARGET, "minReplicas": int},
    "PodDisruptionBudget": {"selector": _SELECTOR},
    "DestinationRule": {"host": str},
    "AuthorizationPolicy": {"selector": _SELECTOR, "targetRefs": [_TARGET], "targetRef": _TARGET},
}  # fmt: skip
_STATUS: dict[str, Shape] = {
    "HTTPRoute": {"parents": [{"parentRef": _PARENT, "conditions": [{"type": str, "status": str}]}]},
    "ResourceQuota": {"hard": _AMOUNTS, "used": _AMOUNTS},
}
_WORDS = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}


def understood(kind: str, body: Any) -> tuple[Object, str]:
    """The object without its nulls, and with spec and status; and where it is not what docc could read, "" if it is."""
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict) or "name" not in body["metadata"]:
        return {"metadata": {"name": "without a name"}}, f"{kind} has no metadata.name"
    shape = {"metadata": _META, "spec": _SPECS.get(kind, {}), "status": _STATUS.get(kind, {})}
    plain = {"spec": {}, "status": {}, **_plain(body)}
    return plain, _misfit(plain, shape, kind)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if each is not None}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _misfit(value: Any, shape: Shape, at: str) -> str:
    """The first place that is something else, and what it is."""
    types: Any = dict if isinstance(shape, dict) else list if isinstance(shape, list) else shape
    if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
        return f"{at} is {_WORDS.get(type(value), 'null')}"
    if isinstance(shape, dict):
        places = ((each, shape.get(key, shape.get(ANY)), f"{at}.{key}") for key, each in value.items())
    elif isinstance(shape, list):
        places = ((each, shape[0], f"{at}[{number}]") for number, each in enumerate(value))
    else:
        return ""
    return next(
        (why for each, inner, where in places if inner is not None and (why := _misfit(each, inner, where))), ""
    )
