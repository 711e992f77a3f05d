"""A watch over HTTP: what has changed since a version, and then what changes, one JSON line for each.

As in an API server: without a version, or from "0", it begins with what there is; a version that the history no longer holds
ends it with an ERROR of code 410; with allowWatchBookmarks the version is told in quiet times and before the watch ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from aiohttp import web

from docc.sandbox.kinds import Kind
from docc.sandbox.refusals import StoreError, bad, cause, invalid
from docc.sandbox.store import Change, Store

Object = dict[str, Any]
SECONDS_MAX = 300.0
BOOKMARK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Terms:
    """since None: begin with what there is."""

    since: int | None
    seconds: float
    bookmarks: bool


def terms(query: Mapping[str, str], current: int) -> Terms:
    """Raises StoreError: 400; 422 for a streaming list, as a server without that feature; 504 for a version yet to come."""
    if "sendInitialEvents" in query:
        message = "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
        raise invalid(None, "", [cause("sendInitialEvents", "FieldValueForbidden", message)])
    seconds = query.get("timeoutSeconds") or str(int(SECONDS_MAX))
    if not re.fullmatch(r"[0-9]{1,9}", seconds):
        raise bad(f"timeoutSeconds: {seconds!r} is not a number of seconds")
    since = version_of(query, current)
    bookmarks = query.get("allowWatchBookmarks") in ("true", "1")
    return Terms(since, min(float(seconds) or SECONDS_MAX, SECONDS_MAX), bookmarks)


def version_of(query: Mapping[str, str], current: int) -> int | None:
    """The resourceVersion that is asked for; None for "any"."""
    text = query.get("resourceVersion") or "0"
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise bad(f'resourceVersion: Invalid value: "{text}"')
    version = int(text)
    if version > current:
        causes = [cause("", "ResourceVersionTooLarge", "Too large resource version")]
        raise StoreError(504, "Timeout", f"Too large resource version: {version}, current: {current}", causes)
    return version or None


async def answer(
    request: web.Request, store: Store, kind: Kind, chosen: Callable[[Object], bool], wanted: Terms
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Date": formatdate(usegmt=True)})
    response.enable_chunked_encoding()
    await response.prepare(request)
    with contextlib.suppress(ConnectionResetError):  # the watcher has gone: nobody is left to be told
        await _follow(response, store, kind, chosen, wanted)
        await response.write_eof()
    return response


async def _follow(
    response: web.StreamResponse, store: Store, kind: Kind, chosen: Callable[[Object], bool], wanted: Terms
) -> None:
    end, version = _now() + wanted.seconds, wanted.since
    if version is None:
        version = store.version
        for body in store.select(kind.kind):
            if chosen(body):
                await _send(response, "ADDED", body)
    while (left := end - _now()) > 0:
        try:
            changes = store.changes_since(version)
        except StoreError as error:
            await _send(response, "ERROR", error.status)
            return
        for change in changes:
            version = change.version
            if change.kind == kind.kind and (told := _seen_by(change, chosen)):
                await _send(response, told, change.object)
        if not await store.changed(version, min(left, BOOKMARK_SECONDS)) and wanted.bookmarks:
            body = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": {"resourceVersion": str(version)}}
            await _send(response, "BOOKMARK", body)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _seen_by(change: Change, chosen: Callable[[Object], bool]) -> str:
    """The event's type for a watch with a selector: an object may come into its sight, or leave it."""
    now = chosen(change.object)
    before = change.before is not None and chosen(change.before)
    if change.type != "MODIFIED":
        return change.type if now else ""
    return {(True, True): "MODIFIED", (False, True): "ADDED", (True, False): "DELETED"}.get((before, now), "")


async def _send(response: web.StreamResponse, kind: str, body: Object) -> None:
    await response.write(json.dumps({"type": kind, "object": body}).encode() + b"\n")
