"""The objects, with the rules that an API server keeps: versions, generations, conflicts, owners, watches. Synchronous, for
one thread; knows no HTTP and no controller. Objects are plain dicts as on the wire; what is returned is the caller's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
import json
import random
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from docc.sandbox import refusals, validation
from docc.sandbox.defaults import fill
from docc.sandbox.kinds import by_kind
from docc.sandbox.managers import managed
from docc.sandbox.patches import FailedTest, json_patch, merge_patch
from docc.sandbox.refusals import StoreError

Object = dict[str, Any]
Key = tuple[str, str, str]
"""(kind, namespace or "", name)"""
HISTORY_MAX = 2000
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes', which spell no word and are not mistaken for each other
_SUFFIX_TRIES = 8  # Kubernetes' too, since 1.32


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
        self.version = self._first = next(self._versions)
        self._history: deque[Change] = deque(maxlen=HISTORY_MAX)
        self._waiting: set[asyncio.Event] = set()
        self._manager = "sandbox"

    # --- reading
    def get(self, kind: str, namespace: str | None, name: str) -> Object:
        found = self._objects.get(self._key(kind, namespace, name))
        if found is None:
            raise refusals.not_found(by_kind(kind), name)
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
        oldest = self._history[0].version - 1 if len(self._history) == HISTORY_MAX else self._first
        if version < oldest:
            raise StoreError(410, "Expired", f"too old resource version: {version} ({oldest})")
        return [change for change in self._history if change.version > version]

    async def changed(self, since: int, seconds: float) -> bool:
        """Waits until there is something newer than `since`; False when the time is over."""
        if self.version > since:
            return True
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            async with asyncio.timeout(seconds):  # not wait_for: Python 3.11's can swallow a cancellation
                await event.wait()
            return True
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(event)

    # --- writing
    def rehearsal(self) -> Store:
        """A store of its own with the same objects: what is written there has not happened here (dryRun=All)."""
        other = Store(self._now)
        other._objects, other.version = dict(self._objects), self.version
        other._versions = itertools.count(self.version + 1)
        return other

    @contextlib.contextmanager
    def written_by(self, manager: str) -> Iterator[Store]:
        """Whom metadata.managedFields names for what is written inside, without waiting for anything."""
        before, self._manager = self._manager, manager or self._manager
        try:
            yield self
        finally:
            self._manager = before

    def create(self, kind: str, body: Object) -> Object:
        definition, body = by_kind(kind), copy.deepcopy(body)
        body.setdefault("metadata", {})
        body.pop("status", None)
        self._generate_name(kind, body["metadata"])
        self._check(kind, body)
        meta = body["metadata"]
        if meta.get("resourceVersion"):
            raise StoreError(500, "", "resourceVersion should not be set on objects to be created")
        if definition.namespaced:
            meta.setdefault("namespace", "default")
            home = self._objects.get(("Namespace", "", meta["namespace"]))
            if home is None:
                raise refusals.not_found(by_kind("Namespace"), meta["namespace"])
            if "deletionTimestamp" in home["metadata"]:
                raise refusals.terminating(definition, meta["name"], meta["namespace"])
        key = self._key(kind, meta.get("namespace"), meta["name"])
        if key in self._objects:
            raise refusals.exists(definition, meta["name"])
        meta.pop("deletionTimestamp", None)
        meta.update(uid=str(uuid.uuid4()), creationTimestamp=rfc3339(self._now()))
        meta.pop("generation", None)
        _without_empty_maps(meta)
        if definition.generation:
            meta["generation"] = 1
        body.update(apiVersion=definition.api_version, kind=kind)
        body = fill(kind, body)
        self._note_manager(None, body)
        self._record("ADDED", key, body)
        return self.get(*key)

    def patch(
        self, kind: str, namespace: str | None, name: str, patch: Any, *, form: str, subresource: str = ""
    ) -> Object:
        """form: merge or json. subresource: "" or status. Raises StoreError: 404; 409 for an old resourceVersion; 422
        without causes for a failed test; 422 with causes, or 400, for what the patch would make of the object."""
        before = self.get(kind, namespace, name)
        after = patched(before, patch, form)
        if not isinstance(after.get("metadata"), dict):
            raise refusals.bad("the patch must leave the object its metadata")
        if after["metadata"].get("resourceVersion") not in (None, before["metadata"]["resourceVersion"]):
            raise refusals.conflict(by_kind(kind), name)
        return self._update(before, after, subresource, by_patch=True)

    def set_status(self, kind: str, namespace: str | None, name: str, status: Object) -> Object:
        """No write, and no new version, when nothing differs."""
        before = self.get(kind, namespace, name)
        return self._update(before, {**before, "status": copy.deepcopy(status)}, "status")

    def replace(self, kind: str, body: Object, *, subresource: str = "") -> Object:
        """The whole object, or its status. Raises StoreError: 404; 409 for an old resourceVersion or another uid; 422, 400."""
        definition, after = by_kind(kind), copy.deepcopy(body)
        meta = after["metadata"]
        before = self.get(kind, meta.get("namespace"), meta["name"])
        known = before["metadata"]
        if not meta.get("resourceVersion") and not definition.unconditional:
            message = 'Invalid value: "": must be specified for an update'
            cause = refusals.cause("metadata.resourceVersion", "FieldValueInvalid", message)
            raise refusals.invalid(definition, meta["name"], [cause])
        if meta.get("uid") not in (None, "", known["uid"]):
            raise refusals.other_uid(definition, meta["name"], meta["uid"], known["uid"])
        if meta.get("resourceVersion") not in (None, "", known["resourceVersion"]):
            raise refusals.conflict(definition, meta["name"])
        return self._update(before, after, subresource)

    def _update(self, before: Object, after: Object, subresource: str, *, by_patch: bool = False) -> Object:
        kind, meta = before["kind"], before["metadata"]
        definition = by_kind(kind)
        if definition.has_status:
            if subresource == "status":
                after = {**before, **({"status": after["status"]} if "status" in after else {})}
            elif "status" in before:
                after["status"] = before["status"]
            else:
                after.pop("status", None)
        self._check(kind, after, by_patch=by_patch)
        after = fill(kind, after)
        if causes := validation.immutable(kind, before, after):
            raise refusals.invalid(definition, meta["name"], causes)
        kept = ("name", "namespace", "uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp",
                "deletionGracePeriodSeconds")  # fmt: skip
        own = {k: v for k, v in after["metadata"].items() if k not in kept}
        after["metadata"] = {**{k: meta[k] for k in kept if k in meta}, **own}
        _without_empty_maps(after["metadata"])
        after.update(apiVersion=definition.api_version, kind=kind)
        self._note_manager(before, after)
        if after == before:
            return copy.deepcopy(before)
        if definition.generation and _wanted(after) != _wanted(before):
            after["metadata"]["generation"] = meta["generation"] + 1
        key = self._key(kind, meta.get("namespace"), meta["name"])
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
        """A Pod is only marked (deletionTimestamp) until finish_delete, and its Namespace as long as there is one; everything
        else is gone at once, and with it, soon, what it owned. With a Namespace goes all that is in it."""
        found = self.get(kind, namespace, name)
        meta, definition = found["metadata"], by_kind(kind)
        if uid not in (None, meta["uid"]):
            pair = (str(uid), meta["uid"])
            raise refusals.precondition(definition, name, "UID", pair, "deleted and then recreated")
        if resource_version not in (None, meta["resourceVersion"]):
            pair = (str(resource_version), meta["resourceVersion"])
            raise refusals.precondition(definition, name, "ResourceVersion", pair, "modified")
        key = self._key(kind, namespace, name)
        if kind == "Pod":
            if "deletionTimestamp" not in meta:
                grace_seconds = found["spec"]["terminationGracePeriodSeconds"]
                meta["deletionTimestamp"] = rfc3339(self._now() + grace_seconds)
                meta["deletionGracePeriodSeconds"] = grace_seconds
                self._record("MODIFIED", key, found)
            return found
        if kind == "Namespace":
            return self._empty(key, found)
        self._remove(key)
        return found

    def annotate(self, kind: str, namespace: str | None, name: str, notes: Mapping[str, str]) -> None:
        """As a controller notes something beside a status: no new generation of any kind."""
        body = self.get(kind, namespace, name)
        known = body["metadata"].get("annotations") or {}
        if not notes.items() <= known.items():
            body["metadata"]["annotations"] = {**known, **notes}
            self._record("MODIFIED", self._key(kind, namespace, name), body)

    def collect(self) -> None:
        """What is owned by nobody that exists goes."""
        alive = {body["metadata"]["uid"] for body in self._objects.values()}
        for key, body in list(self._objects.items()):
            owners = {owner["uid"] for owner in body["metadata"].get("ownerReferences") or []}
            if owners and not owners & alive and key in self._objects:
                self.delete(*key)

    def finish_delete(self, kind: str, namespace: str | None, name: str, uid: str) -> None:
        """The node is done with a pod."""
        key = self._key(kind, namespace, name)
        found = self._objects.get(key)
        if found is not None and found["metadata"]["uid"] == uid:
            self._remove(key)
            home = self._objects.get(("Namespace", "", key[1]))
            if home is not None and "deletionTimestamp" in home["metadata"] and not self._within(key[1]):
                self._remove(("Namespace", "", key[1]))

    # --- within
    def _empty(self, home: Key, namespace: Object) -> Object:
        """It is gone when its last pod is, and nothing is made there meanwhile."""
        for key in self._within(home[2]):
            if key in self._objects:
                self.delete(*key)
        if not self._within(home[2]):
            self._remove(home)
        elif "deletionTimestamp" not in namespace["metadata"]:
            namespace["metadata"]["deletionTimestamp"] = rfc3339(self._now())
            namespace["status"] = {"phase": "Terminating"}
            self._record("MODIFIED", home, namespace)
        return namespace

    def _within(self, namespace: str) -> list[Key]:
        return [key for key in self._objects if key[1] == namespace]

    def _remove(self, key: Key) -> None:
        gone = copy.deepcopy(self._objects.pop(key))
        self._note(Change("DELETED", key[0], gone, None, self._next(gone)))
        owned = [self._key(b["kind"], b["metadata"].get("namespace"), b["metadata"]["name"])
                 for b in self._owned(gone["metadata"]["uid"])]  # fmt: skip
        for other in owned:
            if other in self._objects:
                self.delete(*other)

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

    def _check(self, kind: str, body: Object, *, by_patch: bool = False) -> None:
        definition = by_kind(kind)
        unknown, mistyped, causes = validation.problems(kind, body)
        unknown, lead = (unknown, "strict decoding error: ") if unknown else (mistyped, "")
        if unknown and by_patch:
            message = f"Invalid value: {json.dumps(body)}: {lead}{', '.join(unknown)}"
            raise refusals.invalid(None, "", [refusals.cause("patch", "FieldValueInvalid", message)])
        if unknown:
            words = f'{kind} in version "{definition.version}" cannot be handled as a {kind}'
            raise refusals.bad(f"{words}: {lead}{', '.join(unknown)}")
        if causes:
            meta = body.get("metadata")
            raise refusals.invalid(definition, str(meta.get("name", "")) if isinstance(meta, dict) else "", causes)

    def _note_manager(self, before: Object | None, after: Object) -> None:
        if after["kind"] == "HTTPRoute":
            now = rfc3339(self._now())
            after["metadata"]["managedFields"] = managed(before, after, self._manager, now)

    def _generate_name(self, kind: str, meta: Any) -> None:
        """A name that is free, but for a chance so small that the client is told of it with 409."""
        if not isinstance(meta, dict) or meta.get("name") or not isinstance(meta.get("generateName"), str):
            return
        namespace = meta.get("namespace")
        for _ in range(_SUFFIX_TRIES):
            meta["name"] = meta["generateName"] + "".join(random.choices(_SUFFIX_LETTERS, k=5))
            if not isinstance(namespace, str | None) or self._key(kind, namespace, meta["name"]) not in self._objects:
                return

    def _key(self, kind: str, namespace: str | None, name: str) -> Key:
        return kind, (namespace or "default") if by_kind(kind).namespaced else "", name


def patched(before: Object, patch: Any, form: str) -> Object:
    """form: merge or json. Raises StoreError 422 without causes for a failed test, 400 for what is no patch of that form."""
    try:
        return json_patch(before, patch) if form == "json" else merge_patch(before, patch)
    except FailedTest as error:
        message = "the server rejected our request due to an error in our request"
        raise StoreError(422, "Invalid", message) from error
    except ValueError as error:
        raise refusals.bad(str(error)) from error


def _without_empty_maps(meta: Object) -> None:
    """An API server does not keep them: a patch finds no annotations where the last one was taken away."""
    for name in ("labels", "annotations", "ownerReferences"):
        if name in meta and not meta[name]:
            del meta[name]


def _wanted(body: Object) -> Object:
    """What counts as a new generation when it changes; of a Deployment its annotations too."""
    notes = body["metadata"].get("annotations") if body["kind"] == "Deployment" else None
    return {"annotations": notes, **{key: value for key, value in body.items() if key not in ("metadata", "status")}}


def rfc3339(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
