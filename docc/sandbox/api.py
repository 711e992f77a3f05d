"""The Store over HTTP, in the API server's words. What it does not speak it refuses with a sentence: 404, 405 or 415.

application(Setting(store, token, audit, logs, proxies)) -> aiohttp.web.Application
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from aiohttp import BasicAuth, ClientSession, web

from docc.sandbox import discovery, refusals, scale, watch
from docc.sandbox.bodies import SPOKEN, read_object, read_patch
from docc.sandbox.kinds import KINDS, Kind, by_path
from docc.sandbox.refusals import StoreError, bad, cause, invalid
from docc.sandbox.selection import chooser, page
from docc.sandbox.store import Object, Store

BODY_MAX = 3 << 20
_POLICIES = ("Background", "Foreground")
_ANSWERED_WHOLE = ("Namespace", "Pod", "Service")
"""A DELETE of these answers with the object."""


@dataclass(frozen=True, slots=True)
class Setting:
    """token: what `Authorization` must carry. audit: called with verb, resource, code, name and agent of each request.
    logs: a pod's log, (namespace, pod, container, previous, lines) -> text. proxies: "namespace/name:port" of a Service -> base
    URL behind it."""

    store: Store
    token: str
    audit: Callable[[Mapping[str, Any]], None]
    logs: Callable[[str, str, str, bool, int | None], str]
    proxies: Mapping[str, str]


SETTING: web.AppKey[Setting] = web.AppKey("setting", Setting)


def application(setting: Setting) -> web.Application:
    app = web.Application(client_max_size=BODY_MAX, middlewares=[_outermost])
    app[SETTING] = setting
    app.add_routes(discovery.routes())
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
        if setting.token and not _knows(request, setting.token):
            raise StoreError(401, "Unauthorized", "Unauthorized")
        response: web.StreamResponse = await handler(request)
    except StoreError as error:
        response = _status(error)
    except web.HTTPException as error:
        message = f"{request.method} {request.path}: {error.reason.lower()}; {SPOKEN}"
        response = _status(StoreError(error.status, error.reason.replace(" ", ""), message))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        response = _status(bad(f"the request cannot be understood: {error}"))
    if not response.prepared:
        response.headers["Date"] = formatdate(usegmt=True)
    _audit(setting, request, response.status)
    return response


def _knows(request: web.Request, token: str) -> bool:
    """As a bearer, or as the password that a URL can carry: kubectl gives a server without TLS no other."""
    given = request.headers.get("Authorization", "")
    try:
        return given == f"Bearer {token}" or BasicAuth.decode(given).password == token
    except ValueError:
        return False


def _audit(setting: Setting, request: web.Request, code: int) -> None:
    names = request.match_info
    verbs = {"GET": "get" if "name" in names else "list", "POST": "create", "PUT": "update"}
    verb = "watch" if _watches(request) else verbs.get(request.method, request.method.lower())
    entry = {"verb": verb, "resource": names.get("plural", request.path.rsplit("/", 1)[-1]), "code": code}
    entry |= {"name": names.get("name", ""), "agent": request.headers.get("User-Agent", "")}
    setting.audit(entry)


def _status(error: StoreError) -> web.Response:
    return web.json_response(error.status, status=error.code)


def _watches(request: web.Request) -> bool:
    return request.query.get("watch") in ("true", "1")


def _kind(request: web.Request) -> Kind:
    names = request.match_info
    found = by_path(names.get("group", ""), names["version"], names["plural"])
    if found is None or ("namespace" in names and not found.namespaced):
        spoken = ", ".join(kind.plural for kind in KINDS)
        raise StoreError(404, "NotFound", f"{request.path}: the sandbox has no such resource; it has {spoken}")
    return found


@contextlib.contextmanager
def _written(request: web.Request, options: Mapping[str, Any] | None = None) -> Iterator[Store]:
    """Where a write goes: with dryRun=All to a store that is forgotten afterwards. The manager is as the client says, or what
    its User-Agent begins with."""
    store, asked = (
        request.app[SETTING].store,
        [*request.query.getall("dryRun", []), *((options or {}).get("dryRun") or [])],
    )
    if set(asked) - {"All"}:
        raise invalid(
            None, "", [cause("dryRun", "FieldValueNotSupported", 'Unsupported value: supported values: "All"')]
        )
    manager = request.query.get("fieldManager") or request.headers.get("User-Agent", "").split("/")[0]
    with (store.rehearsal() if asked else store).written_by(manager) as found:
        yield found


async def _collection(request: web.Request) -> web.StreamResponse:
    store, kind = request.app[SETTING].store, _kind(request)
    namespace = request.match_info.get("namespace")
    if request.method == "POST":
        body = await read_object(request)
        _addressed(kind, body, namespace or ("default" if kind.namespaced else None), None)
        with _written(request) as written:
            return web.json_response(written.create(kind.kind, body), status=201)
    if request.method != "GET":
        raise StoreError(405, "MethodNotAllowed", f"{request.method} of a collection: {SPOKEN}")
    chosen = chooser(kind, namespace, request.query)
    if _watches(request):
        return await watch.answer(request, store, kind, chosen, watch.terms(request.query, store.version))
    version = watch.version_of(request.query, store.version)
    if request.query.get("resourceVersionMatch") == "Exact" and version != store.version:
        raise StoreError(
            410, "Expired", f"the sandbox keeps no old lists: {version} is not the current {store.version}"
        )
    items, more = page(
        [body for body in store.select(kind.kind, namespace) if chosen(body)], store.version, request.query
    )
    listing = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version}
    return web.json_response({**listing, "metadata": {"resourceVersion": str(store.version), **more}, "items": items})


def _addressed(kind: Kind, body: Object, namespace: str | None, name: str | None) -> None:
    """The object is of the kind, the namespace and the name that the path says; what it leaves out is filled in."""
    given = (body.setdefault("apiVersion", kind.api_version), body.setdefault("kind", kind.kind))
    if given != (kind.api_version, kind.kind):
        raise bad(
            f"the object provided is unrecognized: it is {given[0]} {given[1]}, not {kind.api_version} {kind.kind}"
        )
    meta = body.setdefault("metadata", {})
    if not isinstance(meta, dict):
        raise bad("metadata must be an object")
    if namespace is not None and meta.setdefault("namespace", namespace) != namespace:
        raise bad("the namespace of the provided object does not match the namespace sent on the request")
    if name is not None and meta.setdefault("name", name) != name:
        raise bad(f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")


async def _object(request: web.Request) -> web.StreamResponse:
    store, kind, names = request.app[SETTING].store, _kind(request), request.match_info
    place = (kind.kind, names.get("namespace"), names["name"])
    if request.method == "GET":
        return web.json_response(store.get(*place))
    if request.method in ("PATCH", "PUT"):
        return web.json_response(await _changed(request, kind, ""))
    if request.method == "DELETE":
        options = (await read_object(request)) if request.can_read_body else {}
        wanted = _delete_options(request, kind, options)
        with _written(request, options) as written:
            gone = written.delete(*place, uid=wanted.get("uid"), resource_version=wanted.get("resourceVersion"))
        return web.json_response(gone if kind.kind in _ANSWERED_WHOLE else refusals.gone(kind, gone))
    raise StoreError(405, "MethodNotAllowed", f"{request.method} of an object: {SPOKEN}")


async def _changed(request: web.Request, kind: Kind, subresource: str) -> Object:
    names = request.match_info
    place = (kind.kind, names.get("namespace"), names["name"])
    if request.method == "PATCH":
        patch, form = await read_patch(request)
        with _written(request) as written:
            return written.patch(*place, patch, form=form, subresource=subresource)
    body = await read_object(request)
    _addressed(kind, body, names.get("namespace"), names["name"])
    with _written(request) as written:
        return written.replace(kind.kind, body, subresource=subresource)


def _delete_options(request: web.Request, kind: Kind, options: Object) -> Object:
    """Its preconditions. What would be done otherwise than asked is refused."""
    policy = options.get("propagationPolicy") or request.query.get("propagationPolicy") or "Background"
    if policy not in _POLICIES or options.get("orphanDependents"):
        raise bad(
            f"the sandbox deletes what an object owned with it: propagationPolicy {' or '.join(_POLICIES)}, not {policy}"
        )
    if options.get("gracePeriodSeconds") is not None or "gracePeriodSeconds" in request.query:
        raise bad(
            "the sandbox gives a pod its own terminationGracePeriodSeconds; gracePeriodSeconds is not spoken here"
        )
    if kind.kind == "Namespace" and request.match_info["name"] == "default":
        message = 'namespaces "default" is forbidden: this namespace may not be deleted'
        raise StoreError(403, "Forbidden", message)
    found = options.get("preconditions") or {}
    if not isinstance(found, dict):
        raise bad("preconditions must be an object")
    return found


async def _subresource(request: web.Request) -> web.StreamResponse:
    setting, kind, names = request.app[SETTING], _kind(request), request.match_info
    place = (kind.kind, names.get("namespace"), names["name"])
    match names["subresource"], request.method:
        case "status", "GET" if kind.has_status:
            return web.json_response(setting.store.get(*place))
        case "status", "PATCH" | "PUT" if kind.has_status:
            return web.json_response(await _changed(request, kind, "status"))
        case "scale", "GET" if kind.kind == "Deployment":
            return web.json_response(scale.of(setting.store.get(*place)))
        case "scale", "PATCH" if kind.kind == "Deployment":
            patch, form = await read_patch(request)
            with _written(request) as written:
                return web.json_response(scale.patch(written, place, patch, form))
        case "scale", "PUT" if kind.kind == "Deployment":
            whole = await read_object(request)
            with _written(request) as written:
                return web.json_response(scale.replace(written, place, whole))
        case "log", "GET" if kind.kind == "Pod":
            return _log(request, setting)
        case (("status" | "scale" | "log"), _) if names["subresource"] in _subresources(kind):
            raise StoreError(405, "MethodNotAllowed", f"{request.method} of {names['subresource']} is not spoken here")
    raise StoreError(404, "NotFound", f"{request.path}: the sandbox has no {names['subresource']} of {kind.plural}")


def _subresources(kind: Kind) -> tuple[str, ...]:
    own = {"Deployment": ("scale",), "Pod": ("log",)}.get(kind.kind, ())
    return (*own, *(("status",) if kind.has_status else ()))


def _log(request: web.Request, setting: Setting) -> web.Response:
    namespace, name = request.match_info.get("namespace") or "default", request.match_info["name"]
    if "follow" in request.query and request.query["follow"] not in ("false", "0"):
        raise bad("the sandbox does not follow logs")
    pod = setting.store.get("Pod", namespace, name)
    known = [container["name"] for container in pod["spec"]["containers"]]
    container = request.query.get("container") or known[0]
    if container not in known:
        raise bad(f"container {container} is not valid for pod {name}")
    lines = request.query.get("tailLines")
    if lines is not None and not lines.isdecimal():
        raise invalid(
            None, name, [cause("tailLines", "FieldValueInvalid", f"Invalid value: {lines}: must be 0 or more")]
        )
    previous = request.query.get("previous") in ("true", "1")
    return web.Response(text=setting.logs(namespace, name, container, previous, None if lines is None else int(lines)))


async def _proxy(request: web.Request) -> web.StreamResponse:
    names = request.match_info
    base = request.app[SETTING].proxies.get(f"{names['namespace']}/{names['service']}")
    if base is None:
        known = ", ".join(request.app[SETTING].proxies) or "nothing"
        raise StoreError(503, "ServiceUnavailable", f"the sandbox proxies {known}")
    async with ClientSession() as session, session.get(f"{base}/{names['path']}", params=request.query) as answer:
        return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)
