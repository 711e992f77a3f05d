"""Who the user is and what of some permissions the API server denies: its reviews, asked as seldom as they allow."""

from __future__ import annotations

from collections.abc import Sequence

from docc.adapters.kube_connection import Connection, Request
from docc.core.permissions import Permission, missing
from docc.model.errors import CredentialsError, DoccError, LookAgain
from docc.model.moves import Object

_REVIEWS = "/apis/authorization.k8s.io/v1"


def denied(
    connection: Connection, namespace: str, needed: Sequence[Permission], wished: Sequence[Permission] = ()
) -> tuple[Permission, ...]:
    """Those of `needed` and `wished` that the user lacks in the namespace. One SelfSubjectRulesReview; where the server says
    that its list is incomplete (an authorizer cannot list rules), one SelfSubjectAccessReview for each needed one that the
    list does not have; whether a wished one is granted the request itself will tell then. Nothing is denied if the server
    has no such review, either. Raises CredentialsError (401)."""
    try:
        status = _review(connection, "SelfSubjectRulesReview", {"namespace": namespace})
        rules = status.get("resourceRules") or []
        lacking = missing(needed, rules)
        if not status.get("incomplete"):
            return (*lacking, *missing(wished, rules))
        return tuple(need for need in lacking if not _allowed(connection, namespace, need))
    except (CredentialsError, LookAgain):
        raise
    except DoccError:
        return ()


def user(connection: Connection) -> str:
    """The name by which the server knows the user, "" if it does not tell."""
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        found = connection.send(Request("create", path, body=body))
    except DoccError:
        return ""
    return str(found.get("status", {}).get("userInfo", {}).get("username") or "")


def _allowed(connection: Connection, namespace: str, need: Permission) -> bool:
    resource, _, sub = need.resource.partition("/")
    attributes = {
        "namespace": namespace, "group": need.group, "resource": resource, "subresource": sub, "verb": need.verb
    }  # fmt: skip
    return bool(_review(connection, "SelfSubjectAccessReview", {"resourceAttributes": attributes}).get("allowed"))


def _review(connection: Connection, kind: str, spec: Object) -> Object:
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    answer = connection.send(Request("create", f"{_REVIEWS}/{kind.lower()}s", body=body))
    status: Object = answer.get("status") or {}
    return status
