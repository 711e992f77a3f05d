"""The Store over HTTP, in the API server's words. What it does not speak it refuses with a sentence: 404, 405 or 415.

    application(store, token=..., audit=..., logs=..., proxies=...) -> aiohttp.web.Application

token: what `Authorization: Bearer` must carry. audit: called with (verb, resource, code) of each request. logs: a pod's log,
(namespace, pod, container, previous, lines) -> text. proxies: "namespace/name:port" of a Service -> base URL behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from aiohttp import ClientSession, web

from docc.sandbox.kinds import KINDS, Kind, by_path
from docc.sandbox.store import Change, Object, Store, StoreError

WATCH_SECONDS_MAX = 300.0
BOOKMARK_SECONDS = 30.0
BODY_MAX = 3 << 20
SPOKEN = "the sandbox speaks get, list, watch, create, merge patch, JSON patch and delete"
_FORMS = {"application/merge-patch+json": "merge", "application/json-patch+json": "json"}


@dataclass(frozen=True, slots=True)
class Setting:
    store: Store
    token: str
    audit: Callable[[Mapping[str, Any]], None]
    logs: Callable[[str, str, str, bool, int | None], str]
    proxies: Mapping[str, str]


SETTING: web.AppKey[Setting] = web.AppKey("setting", Setting)


def application(setting: Setting) -> web.Application:
    app = web.Application(client_max_size=BODY_MAX, middlewares=[_outermost])
    app[SETTING] = setting
    app.router.add_get("/readyz", _ready)
    app.router.add_get("/version", _version)
    app.router.add_get("/api", _core_versions)
    app.router.add_get("/apis", _groups)
    app.router.add_get("/api/v1", _resources)
    app.router.add_get("/apis/{group}/{version}", _resources)
    app.router.add_post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", _rules_review)
    app.router.add_get("/api/v1/namespaces/{namespace}/services/{service}/proxy/{path:.*}", _proxy)
    for prefix in ("/api/{version:v1}", "/apis/{group}/{version}"):
        for scope in ("/namespaces/{namespace}", ""):  # the longer one first: both would match
            app.router.add_route("*", f"{prefix}{scope}/{{plural}}", _collection)
            app.router.add_route("*", f"{prefix}{scope}/{{plural}}/{{name}}", _object)
            app.router.add_route("*", f"{prefix}{scope}/{{plural}}/{{name}}/{{subresource}}", _subresource)
    return app


@web.middleware
async def _outermost(request: web.Request, handler: Any) -> web.StreamResponse:
    """Credentials, refusals as Status objects, the Date of every answer, the audit trail."""
    setting = request.app[SETTING]
    try:
        if setting.token and request.headers.get("Authorization") != f"Bearer {setting.token}":
            raise StoreError(401, "Unauthorized", "Unauthorized")
        response: web.StreamResponse = await handler(request)
    except StoreError as error:
        response = _status(error)
    except web.HTTPException as error:
        response = _status(StoreError(error.status, error.reason.replace(" ", ""), f"{request.path}: {SPOKEN}"))
    except (ValueError, KeyError, TypeError) as error:
        response = _status(StoreError(400, "BadRequest", f"the request cannot be understood: {error}"))
    if not response.prepared:
        response.headers["Date"] = formatdate(usegmt=True)
    _audit(setting, request, response.status)
    return response


def _audit(setting: Setting, request: web.Request, code: int) -> None:
    names = request.match_info
    verbs = {"GET": "get" if "name" in names else "list", "POST": "create", "PATCH": "patch", "DELETE": "delete"}
    verb = "watch" if request.query.get("watch") in ("true", "1") else verbs.get(request.method, request.method.lower())
    entry = {"verb": verb, "resource": names.get("plural", request.path.rsplit("/", 1)[-1]), "code": code}
    entry |= {"name": names.get("name", ""), "agent": request.headers.get("User-Agent", "")}
    setting.audit(entry)


def _status(error: StoreError) -> web.Response:
    details: Object = {"causes": list(error.causes)} if error.causes else {}
    if error.code == 404 and '"' in str(error):
        details["name"] = str(error).split('"')[1]
    body = {
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": str(error), "reason": error.reason,
        "details": details, "code": error.code,
    }  # fmt: skip
    return web.json_response(body, status=error.code)


def _kind(request: web.Request) -> Kind:
    names = request.match_info
    found = by_path(names.get("group", ""), names["version"], names["plural"])
    if found is None:
        spoken = ", ".join(kind.plural for kind in KINDS)
        raise StoreError(404, "NotFound", f"the sandbox has no such resource; it has {spoken}")
    return found


async def _collection(request: web.Request) -> web.StreamResponse:
    store, kind = request.app[SETTING].store, _kind(request)
    namespace = request.match_info.get("namespace")
    if request.method == "POST":
        body = await request.json()
        if kind.namespaced:
            body.setdefault("metadata", {}).setdefault("namespace", namespace or "default")
            if namespace is not None and body["metadata"]["namespace"] != namespace:
                raise StoreError(400, "BadRequest", "the namespace of the object does not match the request's")
        if (body.get("apiVersion"), body.get("kind")) != (kind.api_version, kind.kind):
            raise StoreError(400, "BadRequest", f"the object is not a {kind.api_version} {kind.kind}")
        return web.json_response(store.create(kind.kind, body), status=201)
    if request.method != "GET":
        raise StoreError(405, "MethodNotAllowed", f"{request.method} of a collection: {SPOKEN}")
    chosen = _selection(request, namespace)
    if request.query.get("watch") in ("true", "1"):
        return await _watch(request, kind, chosen)
    items = [body for body in store.select(kind.kind, namespace) if chosen(body)]
    listing = {
        "kind": f"{kind.kind}List",
        "apiVersion": kind.api_version,
        "metadata": {"resourceVersion": str(store.version)},
    }
    return web.json_response({**listing, "items": items})


async def _object(request: web.Request) -> web.StreamResponse:
    store, kind, names = request.app[SETTING].store, _kind(request), request.match_info
    place = (kind.kind, names.get("namespace"), names["name"])
    if request.method == "GET":
        return web.json_response(store.get(*place))
    if request.method == "PATCH":
        return web.json_response(store.patch(*place, await request.json(), form=_form(request)))
    if request.method == "DELETE":
        wanted = ((await request.json()) if request.can_read_body else {}).get("preconditions") or {}
        gone = store.delete(*place, uid=wanted.get("uid"), resource_version=wanted.get("resourceVersion"))
        return web.json_response(gone)
    raise StoreError(405, "MethodNotAllowed", f"{request.method} of an object: {SPOKEN}")


async def _subresource(request: web.Request) -> web.StreamResponse:
    setting, kind, names = request.app[SETTING], _kind(request), request.match_info
    place = (kind.kind, names.get("namespace"), names["name"])
    which = names["subresource"]
    if which == "status" and kind.has_status and request.method == "PATCH":
        patched = setting.store.patch(*place, await request.json(), form=_form(request), subresource="status")
        return web.json_response(patched)
    if which == "status" and request.method == "GET":
        return web.json_response(setting.store.get(*place))
    if which == "scale" and kind.kind == "Deployment" and request.method in ("GET", "PATCH"):
        return web.json_response(
            _scale(setting.store, place, await request.json() if request.method == "PATCH" else None)
        )
    if which == "log" and kind.kind == "Pod" and request.method == "GET":
        pod = setting.store.get(*place)
        container = request.query.get("container") or pod["spec"]["containers"][0]["name"]
        lines = int(request.query["tailLines"]) if "tailLines" in request.query else None
        previous = request.query.get("previous") == "true"
        return web.Response(text=setting.logs(place[1] or "default", place[2], container, previous, lines))
    raise StoreError(404, "NotFound", f"the sandbox has no {which} of {kind.plural}")


def _scale(store: Store, place: tuple[str, str | None, str], patch: Object | None) -> Object:
    if patch is not None:
        store.patch(*place, {"spec": {"replicas": patch["spec"]["replicas"]}}, form="merge")
    found = store.get(*place)
    meta = {k: found["metadata"][k] for k in ("name", "namespace", "uid", "resourceVersion")}
    counts = {"replicas": (found.get("status") or {}).get("replicas", 0)}
    return {
        "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": meta, "spec": {"replicas": found["spec"]["replicas"]},
        "status": counts,
    }  # fmt: skip


def _form(request: web.Request) -> str:
    form = _FORMS.get(request.content_type)
    if form is None:
        raise StoreError(415, "UnsupportedMediaType", f"{request.content_type} is not spoken here; {SPOKEN}")
    return form


def _selection(request: web.Request, namespace: str | None) -> Callable[[Object], bool]:
    fields = dict(
        pair.split("=", 1) for pair in request.query.get("fieldSelector", "").replace("==", "=").split(",") if pair
    )
    labels = [term.strip() for term in request.query.get("labelSelector", "").split(",") if term.strip()]
    known = {"metadata.name", "metadata.namespace", "involvedObject.name"}
    if set(fields) - known:
        raise StoreError(400, "BadRequest", f"field selectors of the sandbox: {', '.join(sorted(known))}")
    terms = [_term(term) for term in labels]

    def chosen(body: Object) -> bool:
        meta = body["metadata"]
        if namespace is not None and meta.get("namespace") != namespace:
            return False
        for field, value in fields.items():
            part, name = field.split(".")
            if (body.get(part) or {}).get(name) != value:
                return False
        return all(term(meta.get("labels") or {}) for term in terms)

    return chosen


def _term(term: str) -> Callable[[Mapping[str, str]], bool]:
    if any(mark in term for mark in ("(", " in ", " notin ")):
        raise StoreError(400, "BadRequest", "label selectors of the sandbox: key=value, key!=value, key, !key")
    if "!=" in term:
        key, value = term.split("!=", 1)
        return lambda labels: labels.get(key) != value
    if "=" in term:
        key, value = term.replace("==", "=").split("=", 1)
        return lambda labels: labels.get(key) == value
    if term.startswith("!"):
        return lambda labels: term[1:] not in labels
    return lambda labels: term in labels


async def _watch(request: web.Request, kind: Kind, chosen: Callable[[Object], bool]) -> web.StreamResponse:
    store = request.app[SETTING].store
    version = int(request.query.get("resourceVersion") or store.version)
    limit = min(float(request.query.get("timeoutSeconds") or WATCH_SECONDS_MAX), WATCH_SECONDS_MAX)
    bookmarks = request.query.get("allowWatchBookmarks") in ("true", "1")
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Date": formatdate(usegmt=True)})
    response.enable_chunked_encoding()
    await response.prepare(request)
    with contextlib.suppress(ConnectionResetError):  # the watcher has gone: nobody is left to be told
        await _follow(response, store, kind, chosen, (version, _now() + limit, bookmarks))
        await response.write_eof()
    return response


async def _follow(
    response: web.StreamResponse,
    store: Store,
    kind: Kind,
    chosen: Callable[[Object], bool],
    terms: tuple[int, float, bool],
) -> None:
    """terms: from which version, until when (loop time), with bookmarks."""
    version, end, bookmarks = terms
    while (left := end - _now()) > 0:
        try:
            changes = store.changes_since(version)
        except StoreError as error:
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": error.code}
            await _send(response, "ERROR", {**status, "reason": error.reason, "message": str(error)})
            break
        for change in changes:
            version = change.version
            if change.kind == kind.kind and (told := _seen_by(change, chosen)):
                await _send(response, told, change.object)
        if not await store.changed(version, min(left, BOOKMARK_SECONDS)) and bookmarks:
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


async def _proxy(request: web.Request) -> web.StreamResponse:
    names = request.match_info
    base = request.app[SETTING].proxies.get(f"{names['namespace']}/{names['service']}")
    if base is None:
        raise StoreError(
            503, "ServiceUnavailable", f"the sandbox proxies {', '.join(request.app[SETTING].proxies) or 'nothing'}"
        )
    async with ClientSession() as session, session.get(f"{base}/{names['path']}", params=request.query) as answer:
        return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)


async def _ready(request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _version(request: web.Request) -> web.Response:
    return web.json_response({"major": "1", "minor": "36", "gitVersion": "v1.36.0-docc-sandbox", "platform": "linux"})


async def _core_versions(request: web.Request) -> web.Response:
    return web.json_response({"kind": "APIVersions", "versions": ["v1"]})


async def _groups(request: web.Request) -> web.Response:
    groups = []
    for group, version in sorted({(kind.group, kind.version) for kind in KINDS if kind.group}):
        spoken = {"groupVersion": f"{group}/{version}", "version": version}
        groups.append({"name": group, "versions": [spoken], "preferredVersion": spoken})
    return web.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})


async def _resources(request: web.Request) -> web.Response:
    group, version = request.match_info.get("group", ""), request.match_info.get("version", "v1")
    verbs = ["get", "list", "watch", "create", "patch", "delete"]
    found = [
        {"name": k.plural, "singularName": k.kind.lower(), "namespaced": k.namespaced, "kind": k.kind, "verbs": verbs}
        for k in KINDS
        if (k.group, k.version) == (group, version)
    ]
    if not found:
        raise StoreError(404, "NotFound", f"the sandbox has no API group {group}/{version}")
    spoken = f"{group}/{version}" if group else version
    return web.json_response(
        {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": spoken, "resources": found}
    )


async def _rules_review(request: web.Request) -> web.Response:
    """Whoever has the token may do everything that the sandbox speaks."""
    body = await request.json()
    verbs = ["get", "list", "watch", "create", "patch", "delete"]
    rules = [
        {"apiGroups": [kind.group], "resources": [kind.plural, f"{kind.plural}/log"], "verbs": verbs} for kind in KINDS
    ]
    status = {"resourceRules": rules, "nonResourceRules": [], "incomplete": False}
    return web.json_response({**body, "status": status}, status=201)
