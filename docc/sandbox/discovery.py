"""What a client asks before it asks for objects: the server's version, its kinds, and what the caller may do with them."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from docc.sandbox.bodies import read_object
from docc.sandbox.kinds import KINDS
from docc.sandbox.refusals import StoreError

Object = dict[str, Any]
VERBS = ["get", "list", "watch", "create", "update", "patch", "delete"]
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
USER = "docc-sandbox"
_SHORT = {
    "pods": "po", "services": "svc", "deployments": "deploy", "configmaps": "cm", "namespaces": "ns", "events": "ev",
    "gateways": "gtw",
}  # fmt: skip
"""What people type, as a real cluster's discovery tells their client."""


def routes() -> list[web.RouteDef]:
    return [
        web.get("/readyz", _ready),
        web.get("/version", _version),
        web.get("/api", _core_versions),
        web.get("/apis", _groups),
        web.get("/api/{version:v1}", _resources),
        web.get("/apis/{group}/{version}", _resources),
        web.post(REVIEWS, _rules_review),
        web.post(ACCESS, _access_review),
        web.post(WHO, _who),
    ]


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
    group, version = request.match_info.get("group", ""), request.match_info["version"]
    found: list[Object] = []
    for kind in KINDS:
        if (kind.group, kind.version) != (group, version):
            continue
        known = {"namespaced": kind.namespaced, "kind": kind.kind}
        short = {"shortNames": [_SHORT[kind.plural]]} if kind.plural in _SHORT else {}
        found.append({"name": kind.plural, "singularName": kind.kind.lower(), **short, **known, "verbs": VERBS})
        if kind.has_status:
            found.append(
                {"name": f"{kind.plural}/status", "singularName": "", **known, "verbs": ["get", "update", "patch"]}
            )
    if not found:
        raise StoreError(404, "NotFound", f"the sandbox has no API group {group}/{version}")
    spoken = f"{group}/{version}" if group else version
    return web.json_response(
        {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": spoken, "resources": found}
    )


async def _rules_review(request: web.Request) -> web.Response:
    """Whoever has the token may do everything; what the sandbox does not speak is not found, and not forbidden."""
    body = await read_object(request)
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    status = {"resourceRules": rules, "nonResourceRules": [], "incomplete": False}
    return web.json_response({**body, "status": status}, status=201)


async def _access_review(request: web.Request) -> web.Response:
    body = await read_object(request)
    return web.json_response({**body, "status": {"allowed": True}}, status=201)


async def _who(request: web.Request) -> web.Response:
    body = await read_object(request)
    return web.json_response({**body, "status": {"userInfo": {"username": USER}}}, status=201)
