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
_HTTP_ROUTE = {"group": GATEWAY_GROUP, "kind": "HTTPRoute"}


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
                _listener_status(store, gateway, listener, routes) for listener in gateway["spec"]["listeners"]
            ],
        }
        store.set_status("Gateway", meta["namespace"], meta["name"], status)


def _listener_status(store: Store, gateway: Object, listener: Object, routes: list[Object]) -> Object:
    generation = gateway["metadata"]["generation"]
    foreign = [kind["kind"] for kind in _kinds(listener) if not _is_http_route(kind)]
    resolved = ("InvalidRouteKinds", f"not known: {', '.join(foreign)}") if foreign else ("ResolvedRefs", "")
    return {
        "name": listener["name"],
        "supportedKinds": [_HTTP_ROUTE] if any(map(_is_http_route, _kinds(listener))) else [],
        "attachedRoutes": sum(1 for route in routes if _attached(store, route, gateway, listener)),
        "conditions": [
            _condition("Accepted", "Accepted", "", generation),
            _condition("ResolvedRefs", *resolved, generation, good=not foreign),
        ],
    }


def reconcile_routes(store: Store) -> None:
    for route in store.select("HTTPRoute"):
        meta = route["metadata"]
        parents = []
        for parent in route["spec"].get("parentRefs") or []:
            if _gateway_of(store, route, parent) is None:
                continue
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
    gateway = _gateway_of(store, route, parent)
    if gateway is None:
        return "NoMatchingParent", f"there is no Gateway {parent['name']}"
    named = [listener for listener in gateway["spec"]["listeners"] if _named(parent, listener)]
    if not named:
        return "NoMatchingParent", "the Gateway has no such listener"
    allowing = [listener for listener in named if _allows(store, route, gateway, listener)]
    if not allowing:
        return "NotAllowedByListeners", f"no listener allows HTTPRoutes from namespace {route['metadata']['namespace']}"
    if not any(hosts_of(listener, route) for listener in allowing):
        return "NoMatchingListenerHostname", "the route's hostnames and the listeners' have nothing in common"
    return None


def resolution(store: Store, route: Object) -> tuple[str, str] | None:
    """(reason, message) of the first backend that cannot be resolved. As istiod does, it looks at none without weight, and not
    at the Service's ports."""
    home = route["metadata"]["namespace"]
    for rule in route["spec"].get("rules") or []:
        for backend in rule.get("backendRefs") or []:
            if backend.get("weight", 1) == 0:
                continue
            if (backend.get("group", ""), backend.get("kind", "Service")) != ("", "Service"):
                return "InvalidKind", f"backend kind {backend.get('kind')} is not known"
            if backend.get("namespace", home) != home:
                return "RefNotPermitted", f"no ReferenceGrant allows namespace {backend['namespace']}"
            service = store.find("Service", home, backend["name"])
            if service is None:
                return "BackendNotFound", f"Service {home}/{backend['name']} does not exist"
    return None


def listeners_of(store: Store, route: Object, gateway: Object) -> list[Object]:
    """The Gateway's listeners that serve the route."""
    return [listener for listener in gateway["spec"]["listeners"] if _attached(store, route, gateway, listener)]


def _gateway_of(store: Store, route: Object, parent: Object) -> Object | None:
    """The Gateway that a parentRef means; None if it is of another kind, or not there: then nobody here speaks for it, and the
    route's status says nothing of it (Gateway API, RouteStatus.parents)."""
    if (parent.get("group", GATEWAY_GROUP), parent.get("kind", "Gateway")) != (GATEWAY_GROUP, "Gateway"):
        return None
    return store.find("Gateway", parent.get("namespace") or route["metadata"]["namespace"], parent["name"])


def _named(parent: Object, listener: Object) -> bool:
    return parent.get("sectionName") in (None, listener["name"]) and parent.get("port") in (None, listener["port"])


def _attached(store: Store, route: Object, gateway: Object, listener: Object) -> bool:
    for parent in route["spec"].get("parentRefs") or []:
        meant = _gateway_of(store, route, parent)
        if meant is None or meant["metadata"]["uid"] != gateway["metadata"]["uid"] or not _named(parent, listener):
            continue
        if _allows(store, route, gateway, listener) and hosts_of(listener, route):
            return True
    return False


def _kinds(listener: Object) -> list[Object]:
    """What the listener takes: none named means what its protocol takes, for HTTP that is HTTPRoute."""
    return (listener.get("allowedRoutes") or {}).get("kinds") or [_HTTP_ROUTE]


def _is_http_route(kind: Object) -> bool:
    return (kind.get("group", GATEWAY_GROUP), kind["kind"]) == (GATEWAY_GROUP, "HTTPRoute")


def _allows(store: Store, route: Object, gateway: Object, listener: Object) -> bool:
    if not any(map(_is_http_route, _kinds(listener))):
        return False
    rule, home = (listener.get("allowedRoutes") or {}).get("namespaces") or {}, route["metadata"]["namespace"]
    origin = rule.get("from", "Same")
    if origin == "Selector":
        namespace = store.find("Namespace", None, home) or {"metadata": {}}
        return selects(rule.get("selector"), namespace["metadata"].get("labels") or {})
    return bool(origin == "All" or home == gateway["metadata"]["namespace"])


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """A LabelSelector on labels: an empty one selects everything, an absent one nothing."""
    if selector is None:
        return False
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
