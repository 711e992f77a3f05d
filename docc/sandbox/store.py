"""The objects, with the rules that an API server keeps: versions, generations, conflicts, owners, watches. Synchronous, for
one thread; knows no HTTP and no controller. Objects are plain dicts as on the wire; what is returned is the caller's own.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from docc.sandbox import validation
from docc.sandbox.defaults import fill
from docc.sandbox.kinds import by_kind
from docc.sandbox.patches import FailedTest, json_patch, merge_patch

Object = dict[str, Any]
Key = tuple[str, str, str]
"""(kind, namespace or "", name)"""
HISTORY_MAX = 2000


class StoreError(Exception):
    """code, reason and causes as in a Kubernetes Status."""

    def __init__(self, code: int, reason: str, message: str, causes: tuple[Object, ...] = ()) -> None:
        super().__init__(message)
        self.code, self.reason, self.causes = code, reason, causes


@dataclass(frozen=True, slots=True)
class Change:
    """type: ADDED, MODIFIED or DELETED. before: the object before a MODIFIED, for watches with a selector."""

    type: str
    kind: str
    object: Object
    before: Object | None
    version: int


class Store:
    def __init__(self, now: Callable[[], float]) -> None:
        """now: unix seconds."""
        self._now = now
        self._objects: dict[Key, Object] = {}
        self._versions = itertools.count(1000)
        self.version = next(self._versions)
        self._history: deque[Change] = deque(maxlen=HISTORY_MAX)
        self._waiting: set[asyncio.Event] = set()

    # --- reading
    def get(self, kind: str, namespace: str | None, name: str) -> Object:
        found = self._objects.get(self._key(kind, namespace, name))
        if found is None:
            raise StoreError(404, "NotFound", f'{by_kind(kind).plural} "{name}" not found')
        return copy.deepcopy(found)

    def find(self, kind: str, namespace: str | None, name: str) -> Object | None:
        found = self._objects.get(self._key(kind, namespace, name))
        return None if found is None else copy.deepcopy(found)

    def select(self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> list[Object]:
        """In the order of their names; namespace None: all of them."""
        return [
            copy.deepcopy(body)
            for key, body in sorted(self._objects.items())
            if key[0] == kind
            and namespace in (None, "", key[1])
            and (labels or {}).items() <= (body["metadata"].get("labels") or {}).items()
        ]

    def changes_since(self, version: int) -> list[Change]:
        """Raises StoreError 410 when the history does not reach back so far."""
        if self._history and version < self._history[0].version - 1 and len(self._history) == HISTORY_MAX:
            raise StoreError(410, "Expired", f"too old resource version: {version} ({self._history[0].version})")
        return [change for change in self._history if change.version > version]

    async def changed(self, since: int, seconds: float) -> bool:
        """Waits until there is something newer than `since`; False when the time is over."""
        if self.version > since:
            return True
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            await asyncio.wait_for(event.wait(), seconds)
            return True
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(event)

    # --- writing
    def create(self, kind: str, body: Object) -> Object:
        definition, body = by_kind(kind), copy.deepcopy(body)
        meta = body.setdefault("metadata", {})
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + uuid.uuid4().hex[:5]
        body.pop("status", None)
        self._check(kind, body)
        if definition.namespaced:
            meta.setdefault("namespace", "default")
            if ("Namespace", "", meta["namespace"]) not in self._objects:
                raise StoreError(404, "NotFound", f'namespaces "{meta["namespace"]}" not found')
        key = self._key(kind, meta.get("namespace"), meta["name"])
        if key in self._objects:
            raise StoreError(409, "AlreadyExists", f'{definition.plural} "{meta["name"]}" already exists')
        meta.update(uid=str(uuid.uuid4()), creationTimestamp=rfc3339(self._now()))
        if definition.has_status:
            meta["generation"] = 1
        body.update(apiVersion=definition.api_version, kind=kind)
        self._record("ADDED", key, fill(kind, body))
        return self.get(*key)

    def patch(
        self, kind: str, namespace: str | None, name: str, patch: Any, *, form: str, subresource: str = ""
    ) -> Object:
        """form: merge or json. subresource: "" or status. Raises StoreError: 404; 409 for an old resourceVersion; 422
        without causes for a failed test; 422 with causes, or 400, for what the patch would make of the object."""
        before = self.get(kind, namespace, name)
        try:
            after = json_patch(before, patch) if form == "json" else merge_patch(before, patch)
        except FailedTest as error:
            message = f"the server rejected our request due to an error in our request: {error}"
            raise StoreError(422, "Invalid", message) from error
        except ValueError as error:
            raise StoreError(400, "BadRequest", str(error)) from error
        if after.get("metadata", {}).get("resourceVersion") not in (None, before["metadata"]["resourceVersion"]):
            raise _outdated(kind, name)
        return self._update(kind, before, after, subresource)

    def set_status(self, kind: str, namespace: str | None, name: str, status: Object) -> Object:
        """No write, and no new version, when nothing differs."""
        before = self.get(kind, namespace, name)
        return self._update(kind, before, {**before, "status": copy.deepcopy(status)}, "status")

    def replace(self, kind: str, body: Object) -> Object:
        """The whole object, by the sandbox's own controllers."""
        meta = body["metadata"]
        return self._update(kind, self.get(kind, meta.get("namespace"), meta["name"]), copy.deepcopy(body), "")

    def _update(self, kind: str, before: Object, after: Object, subresource: str) -> Object:
        definition = by_kind(kind)
        if definition.has_status:
            if subresource == "status":
                after = {**before, **({"status": after["status"]} if "status" in after else {})}
            elif "status" in before:
                after["status"] = before["status"]
            else:
                after.pop("status", None)
        kept = ("name", "namespace", "uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp")
        after["metadata"] = {k: v for k, v in after["metadata"].items() if k not in kept}
        after["metadata"] = {**{k: before["metadata"][k] for k in kept if k in before["metadata"]}, **after["metadata"]}
        self._check(kind, after)
        after = fill(kind, after)
        if kind == "Deployment" and after["spec"]["template"] != before["spec"]["template"]:
            message = "the sandbox does not roll a changed template out; docc never changes one"
            cause = {"reason": "FieldValueForbidden", "message": message, "field": "spec.template"}
            raise StoreError(422, "Invalid", f"Deployment: {message}", (cause,))
        if after == before:
            return copy.deepcopy(before)
        if definition.has_status and after.get("spec") != before.get("spec"):
            after["metadata"]["generation"] = before["metadata"]["generation"] + 1
        key = self._key(kind, before["metadata"].get("namespace"), before["metadata"]["name"])
        self._record("MODIFIED", key, after)
        return self.get(*key)

    def delete(
        self,
        kind: str,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> Object:
        """A Pod is only marked (deletionTimestamp) until finish_delete; everything else is gone at once, and with it, soon,
        what it owned."""
        found = self.get(kind, namespace, name)
        if uid not in (None, found["metadata"]["uid"]):
            raise _outdated(kind, name)
        if resource_version not in (None, found["metadata"]["resourceVersion"]):
            raise _outdated(kind, name)
        key = self._key(kind, namespace, name)
        if kind == "Pod":
            if "deletionTimestamp" not in found["metadata"]:
                found["metadata"]["deletionTimestamp"] = rfc3339(self._now())
                self._record("MODIFIED", key, found)
            return found
        self._remove(key)
        return found

    def finish_delete(self, kind: str, namespace: str | None, name: str, uid: str) -> None:
        """The node is done with a pod."""
        key = self._key(kind, namespace, name)
        found = self._objects.get(key)
        if found is not None and found["metadata"]["uid"] == uid:
            self._remove(key)

    # --- within
    def _remove(self, key: Key) -> None:
        gone = self._objects.pop(key)
        self._note(Change("DELETED", key[0], gone, None, self._next(gone)))
        for owned in list(self._owned(gone["metadata"]["uid"])):
            namespace = owned["metadata"].get("namespace")
            if self.find(owned["kind"], namespace, owned["metadata"]["name"]) is not None:
                self.delete(owned["kind"], namespace, owned["metadata"]["name"])

    def _owned(self, uid: str) -> Iterator[Object]:
        """Objects all of whose owners are gone, `uid` being the last."""
        alive = {body["metadata"]["uid"] for body in self._objects.values()}
        for body in list(self._objects.values()):
            owners = {owner["uid"] for owner in body["metadata"].get("ownerReferences") or []}
            if uid in owners and not owners & alive:
                yield body

    def _record(self, change: str, key: Key, body: Object) -> None:
        before = self._objects.get(key)
        version = self._next(body)
        self._objects[key] = body
        self._note(Change(change, key[0], copy.deepcopy(body), before, version))

    def _next(self, body: Object) -> int:
        self.version = next(self._versions)
        body["metadata"]["resourceVersion"] = str(self.version)
        return self.version

    def _note(self, change: Change) -> None:
        self._history.append(change)
        for event in self._waiting:
            event.set()

    def _check(self, kind: str, body: Object) -> None:
        unknown, causes = validation.problems(kind, body)
        if unknown:
            raise StoreError(400, "BadRequest", f"strict decoding error: {', '.join(unknown)}")
        if causes:
            name = body.get("metadata", {}).get("name", "")
            words = "; ".join(f"{cause['field']}: {cause['message']}" for cause in causes)
            raise StoreError(422, "Invalid", f'{kind} "{name}" is invalid: {words}', causes)

    def _key(self, kind: str, namespace: str | None, name: str) -> Key:
        return kind, (namespace or "default") if by_kind(kind).namespaced else "", name


def _outdated(kind: str, name: str) -> StoreError:
    message = f'Operation cannot be fulfilled on {by_kind(kind).plural} "{name}": the object has been modified'
    return StoreError(409, "Conflict", message)


def rfc3339(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
