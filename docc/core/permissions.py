"""What each verb must be allowed to do, and what is lacking of it. Pure; the rules are Kubernetes RBAC's.

One table, from which `docc rbac` prints its Role and every verb finds out at its beginning what is missing. tests/sandbox and
tests/cluster hold it against the requests that docc really sends: none is refused, and none of these cells is there in vain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from docc.model.moves import Object

GATEWAY = "gateway.networking.k8s.io"
_VERBS = ("get", "list", "watch", "create", "patch", "delete")
"""In the order in which Roles are written."""


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One cell of RBAC: may `verb` the `resource` ("pods/log" for a subresource) of the API group."""

    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f".{self.group}" if self.group else "")


def _all(group: str, resource: str, *verbs: str) -> tuple[Permission, ...]:
    return tuple(Permission(group, resource, verb) for verb in verbs)


LOOK = (
    *_all("", "pods", "list"),
    *_all("", "services", "list"),
    *_all("apps", "deployments", "list"),
    *_all("discovery.k8s.io", "endpointslices", "list"),
    *_all(GATEWAY, "httproutes", "list"),
    *_all("coordination.k8s.io", "leases", "get"),
    *_all("", "configmaps", "list"),
)
"""Who serves, what is under way, who drives it, and what has been."""
LOOK_ON = (
    *LOOK,
    *_all("", "pods", "watch"),
    *_all("", "services", "watch"),
    *_all("apps", "deployments", "watch"),
    *_all("discovery.k8s.io", "endpointslices", "watch"),
    *_all(GATEWAY, "httproutes", "watch"),
)
"""And what becomes of it."""
TURN_BACK = (
    *LOOK_ON,
    # After a conflict, and when an answer is lost: what is there now, since a watch may be late.
    *_all("", "services", "get"),
    *_all("apps", "deployments", "get"),
    *_all(GATEWAY, "httproutes", "get"),
    *_all("", "services", "patch", "delete"),  # the front Service follows; a revision that is let go has none any more
    *_all("apps", "deployments", "patch", "delete"),  # a revision that is let go is scaled to 0; an old one is deleted
    *_all(GATEWAY, "httproutes", "patch"),  # the weights
    *_all("coordination.k8s.io", "leases", "create", "patch"),
    *_all("", "configmaps", "get", "create", "patch"),  # the history
)
"""Whoever is on call: nothing is made but the Lease and the history."""
DRIVE = (
    *TURN_BACK,
    *_all("", "services", "create"),
    *_all("apps", "deployments", "create"),
    *_all(GATEWAY, "httproutes", "create"),
)
EXPLAIN = (*_all("", "pods/log", "get"), *_all("", "events", "list"))
"""Without these docc works, and says less about why a version failed."""
DISCOVER = (
    *_all(GATEWAY, "gateways", "list"),
    *_all("", "namespaces", "get"),
    *_all(GATEWAY, "httproutes", "list"),
)
"""To find the Gateway of a manifest that names none, to say beforehand whether a named one admits, and who else is at it;
cluster-wide."""
PREFLIGHT = (
    *_all("", "resourcequotas", "list"),
    *_all("autoscaling", "horizontalpodautoscalers", "list"),
    *_all("policy", "poddisruptionbudgets", "list"),
    *_all("networking.istio.io", "destinationrules", "list"),
    *_all("security.istio.io", "authorizationpolicies", "list"),
)
"""To say beforehand what a deploy will run into. None is needed: what may not be listed is said to be not looked at."""

LIST = (*_all("", "services", "list"), *_all(GATEWAY, "httproutes", "list"))
REVIVE = (*TURN_BACK, *_all("", "services", "create"))
"""A cold revision gets its Service again."""
UNLOCK = _all("coordination.k8s.io", "leases", "get", "patch")
DELETE = (
    *TURN_BACK,
    *_all("", "configmaps", "delete"),
    *_all(GATEWAY, "httproutes", "delete"),
    *_all("coordination.k8s.io", "leases", "delete"),
)
NEEDED: Mapping[str, tuple[Permission, ...]] = {
    "deploy": DRIVE,
    "resume": DRIVE,
    "promote": DRIVE,
    "pause": TURN_BACK,
    "rollback": TURN_BACK,
    "rollback to a cold revision": REVIVE,
    "abort": TURN_BACK,
    "gc": TURN_BACK,
    "delete": DELETE,
    "status": LOOK,
    "status --watch": LOOK_ON,
    "wait": LOOK_ON,
    "history": LOOK,
    "unlock": UNLOCK,
    "list": LIST,
}


def ask_prometheus(namespace: str, service: str) -> Object:
    """The Role to ask one Prometheus through the API server. service: NAME:PORT, as it stands in the request's path."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "docc-prometheus", "namespace": namespace},
        "rules": [
            {"apiGroups": [""], "resources": ["services/proxy"], "resourceNames": [service], "verbs": ["get"]},
        ],
    }


def missing(needed: Iterable[Permission], rules: Sequence[Object]) -> tuple[Permission, ...]:
    """Those that no rule grants. rules: `resourceRules` of a SelfSubjectRulesReview (authorization.k8s.io/v1)."""
    return tuple(need for need in dict.fromkeys(needed) if not any(_grants(rule, need) for rule in rules))


def _grants(rule: Object, need: Permission) -> bool:
    """A rule for certain names only does not do: docc creates objects, and lists them."""
    _, _, sub = need.resource.partition("/")
    resources = rule.get("resources") or []
    named = need.resource in resources or "*" in resources or (sub != "" and f"*/{sub}" in resources)
    return (
        named
        and not rule.get("resourceNames")
        and bool({need.verb, "*"} & set(rule.get("verbs") or []))
        and bool({need.group, "*"} & set(rule.get("apiGroups") or []))
    )


def role(name: str, namespace: str | None, permissions: Iterable[Permission]) -> Object:
    """A Role that grants just these, or a ClusterRole without a namespace. Resources with the same verbs share a rule."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for need in dict.fromkeys(permissions):
        verbs.setdefault((need.group, need.resource), []).append(need.verb)
    rules: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), allowed in verbs.items():
        rules.setdefault((group, tuple(sorted(allowed, key=_VERBS.index))), []).append(resource)
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole" if namespace is None else "Role",
        "metadata": metadata,
        "rules": [
            {"apiGroups": [group], "resources": resources, "verbs": list(allowed)}
            for (group, allowed), resources in sorted(rules.items())
        ],
    }
