"""Status of Gateways and HTTPRoutes as a Gateway API implementation computes it (v1: Accepted and ResolvedRefs, each with
its reasons). Pure up to the two reconcile functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docc.sandbox.kinds import GATEWAY_GROUP
from docc.sandbox.store import Store, rfc3339

Object = dict[str, Any]
CONTROLLER = "docc.dev/sandbox"
_NEVER = rfc3339(0)


def reconcile_gateways(store: Store) -> None:
    routes = store.select("HTTPRoute")
    for gateway in store.select("Gateway"):
        meta = gateway["metadata"]
        status: Object = {
            "conditions": [
                _condition("Accepted", "Accepted", "", meta["generation"]),
                _condition("Programmed", "Programmed", "", meta["generation"]),
            ],
            "listeners": [
                {
                    "name": listener["name"],
                    "supportedKinds": [{"group": GATEWAY_GROUP, "kind": "HTTPRoute"}],
                    "attachedRoutes": sum(1 for route in routes if _attached(store, route, gateway, listener)),
                    "conditions": [_condition("Accepted", "Accepted", "", meta["generation"])],
                }
                for listener in gateway["spec"]["listeners"]
            ],
        }
        store.set_status("Gateway", meta["namespace"], meta["name"], status)


def reconcile_routes(store: Store) -> None:
    for route in store.select("HTTPRoute"):
        meta = route["metadata"]
        parents = []
        for parent in route["spec"].get("parentRefs") or []:
            accepted = acceptance(store, route, parent)
            resolved = resolution(store, route)
            conditions = [
                _condition("Accepted", *(accepted or ("Accepted", "")), meta["generation"], good=accepted is None),
                _condition(
                    "ResolvedRefs", *(resolved or ("ResolvedRefs", "")), meta["generation"], good=resolved is None
                ),
            ]
            parents.append({"parentRef": parent, "controllerName": CONTROLLER, "conditions": conditions})
        store.set_status("HTTPRoute", meta["namespace"], meta["name"], {"parents": parents})


def acceptance(store: Store, route: Object, parent: Object) -> tuple[str, str] | None:
    """(reason, message) of a refusal, None when the parent takes the route."""
    if (parent.get("group", GATEWAY_GROUP), parent.get("kind", "Gateway")) != (GATEWAY_GROUP, "Gateway"):
        return "InvalidKind", "the sandbox attaches routes to Gateways only"
    home = parent.get("namespace") or route["metadata"]["namespace"]
    gateway = store.find("Gateway", home, parent["name"])
    if gateway is None:
        return "NoMatchingParent", f"Gateway {home}/{parent['name']} does not exist"
    named = [
        listener
        for listener in gateway["spec"]["listeners"]
        if parent.get("sectionName") in (None, listener["name"]) and parent.get("port") in (None, listener["port"])
    ]
    if not named:
        return "NoMatchingParent", "the Gateway has no such listener"
    allowing = [listener for listener in named if _allows(store, route, gateway, listener)]
    if not allowing:
        return "NotAllowedByListeners", f"no listener allows routes from namespace {route['metadata']['namespace']}"
    if not any(hosts_of(listener, route) for listener in allowing):
        return "NoMatchingListenerHostname", "the route's hostnames and the listeners' have nothing in common"
    return None


def resolution(store: Store, route: Object) -> tuple[str, str] | None:
    """(reason, message) of the first backend that cannot be resolved."""
    home = route["metadata"]["namespace"]
    for rule in route["spec"].get("rules") or []:
        for backend in rule.get("backendRefs") or []:
            if (backend.get("group", ""), backend.get("kind", "Service")) != ("", "Service"):
                return "InvalidKind", f"backend kind {backend.get('kind')} is not known"
            if backend.get("namespace", home) != home:
                return "RefNotPermitted", f"no ReferenceGrant allows namespace {backend['namespace']}"
            if store.find("Service", home, backend["name"]) is None:
                return "BackendNotFound", f"Service {home}/{backend['name']} does not exist"
    return None


def listeners_of(store: Store, route: Object, gateway: Object) -> list[Object]:
    """The Gateway's listeners that serve the route."""
    return [listener for listener in gateway["spec"]["listeners"] if _attached(store, route, gateway, listener)]


def _attached(store: Store, route: Object, gateway: Object, listener: Object) -> bool:
    meta = gateway["metadata"]
    for parent in route["spec"].get("parentRefs") or []:
        home = parent.get("namespace") or route["metadata"]["namespace"]
        if (home, parent["name"]) != (meta["namespace"], meta["name"]):
            continue
        if parent.get("sectionName") not in (None, listener["name"]) or parent.get("port") not in (
            None,
            listener["port"],
        ):
            continue
        if _allows(store, route, gateway, listener) and hosts_of(listener, route):
            return True
    return False


def _allows(store: Store, route: Object, gateway: Object, listener: Object) -> bool:
    allowed = listener.get("allowedRoutes") or {}
    kinds = allowed.get("kinds")
    if kinds and not any(kind["kind"] == "HTTPRoute" for kind in kinds):
        return False
    rule, home = allowed.get("namespaces") or {}, route["metadata"]["namespace"]
    origin = rule.get("from", "Same")
    if origin == "Selector":
        namespace = store.find("Namespace", None, home) or {"metadata": {}}
        return selects(rule.get("selector") or {}, namespace["metadata"].get("labels") or {})
    return bool(origin == "All" or home == gateway["metadata"]["namespace"])


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A LabelSelector on labels."""
    if not (selector.get("matchLabels") or {}).items() <= labels.items():
        return False
    tests = {
        "In": lambda key, values: labels.get(key) in values,
        "NotIn": lambda key, values: labels.get(key) not in values,
        "Exists": lambda key, values: key in labels,
        "DoesNotExist": lambda key, values: key not in labels,
    }
    return all(tests[e["operator"]](e["key"], e.get("values") or []) for e in selector.get("matchExpressions") or [])


def hosts_of(listener: Object, route: Object) -> list[str]:
    """The hostnames under which the listener serves the route; ["*"] for all; [] when they have none in common."""
    wanted, own = route["spec"].get("hostnames") or [], listener.get("hostname")
    if not wanted:
        return [own or "*"]
    if not own:
        return list(wanted)
    return [met for host in wanted if (met := _meet(own, host))]


def _meet(own: str, host: str) -> str:
    if own == host:
        return host
    if own.startswith("*.") and host.removeprefix("*").endswith(own[1:]):
        return host
    if host.startswith("*.") and own.endswith(host[1:]):
        return own
    return ""


def _condition(kind: str, reason: str, message: str, generation: int, *, good: bool = True) -> Object:
    return {
        "type": kind,
        "status": "True" if good else "False",
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": _NEVER,
    }
