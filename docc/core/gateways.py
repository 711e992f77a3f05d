"""Which Gateway a route attaches to: the one that is named, or the only one that admits the namespace. Pure.

Rules of admission are Gateway API's (v1: AllowedRoutes, RouteNamespaces, hostname intersection): a listener takes HTTPRoutes
from its own namespace, from all, or from those whose labels match, and its hostname and the route's hosts must have a name in
common. What this file must not know: how Gateways are found, and whether the application could do without one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from docc.core.shapes import understood
from docc.model.errors import UnusableError
from docc.model.manifest import GatewayName
from docc.model.moves import Object
from docc.model.world import Routed

_GROUP = "gateway.networking.k8s.io"
_PROTOCOLS = ("HTTP", "HTTPS")
_UNTOUCHED = "nothing was touched"


def choose(
    gateways: Sequence[Object],
    wanted: GatewayName | None,
    namespace: str,
    namespace_labels: Mapping[str, str],
    hosts: Sequence[str],
) -> GatewayName | None:
    """The Gateway, with its namespace; None when none is named and none admits the namespace. Raises UnusableError for a
    named one that is missing or refuses, and for several that admit."""
    if wanted is not None:
        return _named(gateways, wanted, namespace, namespace_labels, hosts)
    admitting = [g for g in gateways if not refusal(g, None, namespace, namespace_labels, hosts)]
    if len(admitting) > 1:
        names = sorted(full_name(gateway) for gateway in admitting)
        raise UnusableError(
            f"{len(names)} Gateways admit namespace {namespace}, and the manifest names none",
            where=f"application.gateway; namespace {namespace}",
            why=_found(admitting),
            state=_UNTOUCHED,
            fix=f'name one in the manifest, e.g. "gateway": "{names[0]}"',
        )
    if not admitting:
        return None
    meta = admitting[0]["metadata"]
    return GatewayName(meta["name"], meta["namespace"])


def admitted_already(
    routed: Routed, wanted: GatewayName | None, namespace: str, hosts: Sequence[str]
) -> GatewayName | None:
    """The Gateway that the live route is attached to, where its controller has accepted just what is wanted: that says more
    than its listeners could. None if it must be looked for."""
    if routed.kind != "HTTPRoute" or routed.accepted is not True or sorted(hosts) != sorted(_hostnames(routed)):
        return None
    parents = [ref for ref in routed.body["spec"].get("parentRefs") or [] if ref.get("kind", "Gateway") == "Gateway"]
    if len(parents) != 1:
        return None
    found = GatewayName(parents[0]["name"], parents[0].get("namespace") or namespace, parents[0].get("sectionName"))
    if wanted is None:
        return found if found.section is None else None  # a manifest that names none any more gets the usual choice
    return found if GatewayName(wanted.name, wanted.namespace or namespace, wanted.section) == found else None


def _hostnames(routed: Routed) -> Sequence[str]:
    found: Sequence[str] = routed.body["spec"].get("hostnames") or []
    return found


def none_admits(
    gateways: Sequence[Object],
    namespace: str,
    namespace_labels: Mapping[str, str] | None = None,
    hosts: Sequence[str] = (),
) -> UnusableError:
    """For those who cannot do without. With the namespace's labels and the hosts, each Gateway's own reason is told."""
    why = _found(gateways)
    if namespace_labels is not None:
        reasons = [(full_name(g), refusal(g, None, namespace, namespace_labels, hosts)) for g in gateways]
        why = "; ".join(f"{name}: {reason}" for name, reason in sorted(reasons))
    return UnusableError(
        f"no Gateway admits namespace {namespace}",
        where=f"namespace {namespace}",
        why=why or "this cluster has no Gateway",
        state=_UNTOUCHED,
        fix="ask whoever runs a Gateway to admit the namespace (spec.listeners[].allowedRoutes), or to make one that does",
    )


def refusal(
    gateway: Object, section: str | None, namespace: str, labels: Mapping[str, str], hosts: Sequence[str]
) -> str:
    """Why no listener of the Gateway takes the route; "" if one does. section: only this listener counts."""
    gateway, misfit = understood("Gateway", gateway)
    if misfit:
        return f"docc cannot read it: {misfit}"
    listeners = [
        listener
        for listener in gateway["spec"].get("listeners") or []
        if section in (None, listener.get("name")) and listener.get("protocol") in _PROTOCOLS
    ]
    if not listeners:
        return f"it has no HTTP listener{f' named {section}' if section else ''} ({_listeners(gateway)})"
    listeners = [listener for listener in listeners if _takes_http_routes(listener)]
    if not listeners:
        return "its listeners take no HTTPRoutes (allowedRoutes.kinds)"
    home = gateway["metadata"]["namespace"]
    admitting = [listener for listener in listeners if _admits(listener, home, namespace, labels)]
    if not admitting:
        return "; ".join(f"{listener.get('name')} {_allows(listener, home, namespace)}" for listener in listeners)
    if not any(_hosts_meet(str(listener.get("hostname") or ""), hosts) for listener in admitting):
        names = ", ".join(f"{listener.get('name')} is for {listener.get('hostname')}" for listener in admitting)
        return f"no listener covers {' or '.join(hosts)}: {names}"
    return ""


def _named(
    gateways: Sequence[Object],
    wanted: GatewayName,
    namespace: str,
    labels: Mapping[str, str],
    hosts: Sequence[str],
) -> GatewayName:
    home = wanted.namespace or namespace
    found = next((g for g in gateways if full_name(g) == f"{home}/{wanted.name}"), None)
    if found is None:
        raise UnusableError(
            f"Gateway {home}/{wanted.name} does not exist",
            where="application.gateway",
            why=f"there is {_found(gateways)}" if gateways else "this cluster has no Gateway",
            state=_UNTOUCHED,
            fix='name one that exists, as "gateway": "NAMESPACE/NAME"',
        )
    if why := refusal(found, wanted.section, namespace, labels, hosts):
        raise UnusableError(
            f"Gateway {home}/{wanted.name} does not take routes of this application",
            where=f"application.gateway; namespace {namespace}",
            why=why,
            state=_UNTOUCHED,
            fix="change gateway or hosts in the manifest, or ask whoever runs the Gateway to change its listeners",
        )
    return GatewayName(wanted.name, home, wanted.section)


def _takes_http_routes(listener: Object) -> bool:
    """No kinds: what the protocol takes, for HTTP and HTTPS that is HTTPRoute."""
    kinds = (listener.get("allowedRoutes") or {}).get("kinds")
    return not kinds or any(kind.get("kind") == "HTTPRoute" and kind.get("group", _GROUP) == _GROUP for kind in kinds)


def _from(listener: Object) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (listener.get("allowedRoutes") or {}).get("namespaces") or {}
    return found


def _admits(listener: Object, home: str, namespace: str, labels: Mapping[str, str]) -> bool:
    namespaces = _from(listener)
    match namespaces.get("from", "Same"):
        case "All":
            return True
        case "Selector":
            return matches(namespaces.get("selector"), labels)
        case origin:
            return bool(origin == "Same" and home == namespace)


def _allows(listener: Object, home: str, namespace: str) -> str:
    """What a listener that does not admit the namespace would admit."""
    namespaces = _from(listener)
    match namespaces.get("from", "Same"):
        case "Selector":
            wanted = _selector_text(namespaces.get("selector"))
            return f"allows namespaces with {wanted}, which {namespace} has not"
        case "Same":
            return f"allows only its own namespace, {home}"
        case origin:
            return f"allows routes from {origin}"


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """A Kubernetes LabelSelector (meta/v1): an empty one matches everything, an absent one nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(expression, labels) for expression in selector.get("matchExpressions") or [])


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """An operator that this docc does not know matches nothing: rather no Gateway than a wrong one."""
    key, values = str(expression.get("key")), expression.get("values") or []
    holds = {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }
    return holds.get(expression.get("operator", ""), False)


def _selector_text(selector: Mapping[str, Any] | None) -> str:
    """As kubectl writes selectors: a=b,c in (d,e)."""
    parts = [f"{key}={value}" for key, value in ((selector or {}).get("matchLabels") or {}).items()]
    for expression in (selector or {}).get("matchExpressions") or []:
        key, values = expression.get("key", ""), ",".join(expression.get("values") or [])
        operator = expression.get("operator", "")
        parts.append({"Exists": key, "DoesNotExist": f"!{key}"}.get(operator, f"{key} {operator.lower()} ({values})"))
    return ",".join(parts) or "a selector that matches none"


def _hosts_meet(listener: str, hosts: Sequence[str]) -> bool:
    return not hosts or any(meet(listener, host) for host in hosts)


def meet(one: str, other: str) -> bool:
    """Whether two hostnames have a name in common; "" is every name. A leading "*." stands for one or more labels (Gateway
    API, Hostname)."""
    if not one or not other:
        return True
    if one.startswith("*.") and other.startswith("*."):
        return one.endswith(other[1:]) or other.endswith(one[1:])
    if one.startswith("*."):
        return other.endswith(one[1:])
    if other.startswith("*."):
        return one.endswith(other[1:])
    return one == other


def full_name(gateway: Object) -> str:
    return f"{gateway['metadata']['namespace']}/{gateway['metadata']['name']}"


def _found(gateways: Sequence[Object]) -> str:
    return "; ".join(f"{full_name(gateway)} ({_listeners(gateway)})" for gateway in sorted(gateways, key=full_name))


def _listeners(gateway: Object) -> str:
    """Each listener with whom it admits: "http: from Same"."""
    gateway, misfit = understood("Gateway", gateway)
    if misfit:
        return "unreadable"
    listeners = gateway["spec"].get("listeners") or []
    return ", ".join(f"{x.get('name')}: from {_from(x).get('from', 'Same')}" for x in listeners) or "no listeners"
