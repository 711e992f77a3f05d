"""Refusals in kube-apiserver's words, with the parts of a Status that clients read: code, reason, details, causes. Pure.

A client tells a missing object (404 with details.name) from a path that is unknown, and a failed JSON Patch test (422 without
causes) from an object that is not valid (422 with causes): both are kept here as the real server does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docc.sandbox.kinds import Kind

Object = dict[str, Any]


class StoreError(Exception):
    """code, reason, details and causes as in a Kubernetes Status."""

    def __init__(
        self, code: int, reason: str, message: str, causes: Sequence[Object] = (), details: Object | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.causes, self._details = code, reason, tuple(causes), details or {}

    @property
    def status(self) -> Object:
        details = {**self._details, **({"causes": list(self.causes)} if self.causes else {})}
        return {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": str(self),
            **({"reason": self.reason} if self.reason else {}), "details": details, "code": self.code,
        }  # fmt: skip


def not_found(kind: Kind, name: str) -> StoreError:
    return StoreError(404, "NotFound", f'{kind.resource} "{name}" not found', details=_named(kind, name))


def exists(kind: Kind, name: str) -> StoreError:
    return StoreError(409, "AlreadyExists", f'{kind.resource} "{name}" already exists', details=_named(kind, name))


def terminating(kind: Kind, name: str, namespace: str) -> StoreError:
    """Of a create."""
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    message = f'{kind.resource} "{name}" is forbidden: {why}'
    causes = [cause("metadata.namespace", "NamespaceTerminating", f"namespace {namespace} is being terminated")]
    return StoreError(403, "Forbidden", message, causes, _named(kind, name))


def conflict(kind: Kind, name: str, why: str = "") -> StoreError:
    """why "": another writer was first."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return StoreError(409, "Conflict", message, details=_named(kind, name))


def precondition(kind: Kind, name: str, what: str, pair: tuple[str, str], perhaps: str) -> StoreError:
    """Of a DELETE. what: UID or ResourceVersion. pair: the one that was asked for, and the object's own."""
    whole = f"{kind.kind}{f'.{kind.group}' if kind.group else ''}"
    why = f"the {what} in the precondition ({pair[0]}) does not match the {what} in record ({pair[1]})"
    message = f'Operation cannot be fulfilled on {whole} "{name}": {why}. The object might have been {perhaps}'
    return StoreError(409, "Conflict", message, details={**_named(kind, name), "kind": kind.kind})


def other_uid(kind: Kind, name: str, wanted: str, found: str) -> StoreError:
    return conflict(kind, name, f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}")


def invalid(kind: Kind | None, name: str, causes: Sequence[Object]) -> StoreError:
    """kind None: what is not valid is the request, not an object of a kind."""
    words = [f"{cause.get('field', '')}: {cause['message']}" for cause in causes]
    listed = words[0] if len(words) == 1 else f"[{', '.join(words)}]"
    whole = f"{kind.kind}{f'.{kind.group}' if kind.group else ''}" if kind else ""
    details = {**_named(kind, name), "kind": kind.kind} if kind else {}
    return StoreError(422, "Invalid", f'{whole} "{name}" is invalid: {listed}', causes, details)


def cause(field: str, reason: str, message: str) -> Object:
    """reason: FieldValueInvalid, FieldValueRequired, FieldValueForbidden, FieldValueNotSupported."""
    return {"reason": reason, "message": message, **({"field": field} if field else {})}


def bad(message: str) -> StoreError:
    return StoreError(400, "BadRequest", message)


def gone(kind: Kind, body: Object) -> Object:
    """What a DELETE answers for most kinds: a Status too, of a success."""
    details = {**_named(kind, body["metadata"]["name"]), "uid": body["metadata"]["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _named(kind: Kind, name: str) -> Object:
    return {"name": name, "kind": kind.plural, **({"group": kind.group} if kind.group else {})}
