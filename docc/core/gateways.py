"""Which Gateway a route attaches to: the one that is named, or the only one that admits the namespace. Pure.

Rules of admission are Gateway API's (v1, AllowedRoutes and hostname intersection): a listener admits routes from its own
namespace, all, or those whose labels match; and a listener's hostname and the route's hosts must intersect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from docc.model.errors import UnusableError
from docc.model.manifest import GatewayName
from docc.model.moves import Object


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
        raise UnusableError(
            f"several Gateways admit namespace {namespace}",
            why=", ".join(_shown(gateway) for gateway in admitting),
            state="nothing was touched",
            fix=f'name one in the manifest: "gateway": "{_full_name(admitting[0])}"',
        )
    if not admitting:
        return None
    meta = admitting[0]["metadata"]
    return GatewayName(meta["name"], meta["namespace"])


def none_admits(gateways: Sequence[Object], namespace: str) -> UnusableError:
    """For those who cannot do without."""
    found = "; ".join(_shown(gateway) for gateway in gateways) or "this cluster has none"
    return UnusableError(
        f"no Gateway admits namespace {namespace}",
        why=f"found: {found}",
        state="nothing was touched",
        fix="ask whoever runs the Gateway to admit the namespace (listeners[].allowedRoutes), or name another Gateway",
    )


def refusal(
    gateway: Object, section: str | None, namespace: str, labels: Mapping[str, str], hosts: Sequence[str]
) -> str:
    """Why no listener of the Gateway takes the route; "" if one does."""
    listeners = [
        listener
        for listener in gateway["spec"].get("listeners") or []
        if section in (None, listener.get("name")) and listener.get("protocol") in ("HTTP", "HTTPS")
    ]
    if not listeners:
        return f"it has no HTTP listener{f' named {section}' if section else ''}"
    home = gateway["metadata"]["namespace"]
    admitting = [listener for listener in listeners if _admits(listener, home, namespace, labels)]
    if not admitting:
        return f"no listener allows routes from namespace {namespace} ({_allowances(listeners)})"
    if not any(_hosts_meet(str(listener.get("hostname") or ""), hosts) for listener in admitting):
        return f"no listener's hostname covers {', '.join(hosts)}"
    return ""


def _named(
    gateways: Sequence[Object],
    wanted: GatewayName,
    namespace: str,
    labels: Mapping[str, str],
    hosts: Sequence[str],
) -> GatewayName:
    home = wanted.namespace or namespace
    for gateway in gateways:
        if gateway["metadata"]["name"] == wanted.name and gateway["metadata"]["namespace"] == home:
            if why := refusal(gateway, wanted.section, namespace, labels, hosts):
                raise UnusableError(
                    f"Gateway {home}/{wanted.name} does not take routes of this application",
                    why=why,
                    state="nothing was touched",
                    fix="change the manifest's gateway or hosts, or the Gateway's listeners",
                )
            return GatewayName(wanted.name, home, wanted.section)
    raise UnusableError(
        f"Gateway {home}/{wanted.name} does not exist",
        why=f"found: {', '.join(_full_name(g) for g in gateways) or 'none'}",
        state="nothing was touched",
        fix='"gateway": "NAMESPACE/NAME" in the manifest',
    )


def _admits(listener: Object, home: str, namespace: str, labels: Mapping[str, str]) -> bool:
    allowed = listener.get("allowedRoutes") or {}
    kinds = allowed.get("kinds")
    if kinds and not any(kind.get("kind") == "HTTPRoute" for kind in kinds):
        return False
    namespaces = allowed.get("namespaces") or {}
    origin = namespaces.get("from", "Same")
    if origin == "All":
        return True
    if origin == "Selector":
        return matches(namespaces.get("selector") or {}, labels)
    return origin == "Same" and home == namespace


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A Kubernetes LabelSelector; an empty one matches everything."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression(expression, labels) for expression in selector.get("matchExpressions") or [])


def _expression(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """An operator that this docc does not know matches nothing: rather no Gateway than a wrong one."""
    key, values = expression["key"], expression.get("values") or []
    holds = {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }
    return holds.get(expression["operator"], False)


def _hosts_meet(listener: str, hosts: Sequence[str]) -> bool:
    return not listener or not hosts or any(_meet(listener, host) for host in hosts)


def _meet(listener: str, host: str) -> bool:
    """Whether two hostnames, each perhaps with a leading "*.", have a name in common."""
    if listener.startswith("*."):
        return host == listener or host.removeprefix("*").endswith(listener[1:])
    if host.startswith("*."):
        return listener.endswith(host[1:])
    return listener == host


def _full_name(gateway: Object) -> str:
    return f"{gateway['metadata']['namespace']}/{gateway['metadata']['name']}"


def _shown(gateway: Object) -> str:
    listeners = gateway["spec"].get("listeners") or []
    return f"{_full_name(gateway)} ({_allowances(listeners)})"


def _allowances(listeners: Sequence[Object]) -> str:
    return ", ".join(
        f"{listener.get('name')}: from {((listener.get('allowedRoutes') or {}).get('namespaces') or {}).get('from', 'Same')}"
        for listener in listeners
    )
