"""What in a namespace is others' than docc's: every field of each route, Service and Deployment, without what docc writes there
(what is called docc.dev, backends and rules for those on trial, the selector, the number of pods), and what the API server and
its controllers write. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Object = dict[str, Any]
Snapshot = Mapping[tuple[str, str, str], Mapping[str, Any]]
"""Of each object (plural, name, uid): the values by their paths, like spec/rules/0/filters/0/type."""
KINDS = ("httproutes", "services", "deployments")
REVISIONS_KEPT = 10
_APP, _ABSENT = "docc.dev/app", "(absent)"
_SERVERS = ("resourceVersion", "generation", "managedFields", "annotations/deployment.kubernetes.io/revision")


def taken(objects: Mapping[str, Sequence[Object]], app: str) -> Snapshot:
    """objects: by plural. app: whose docc's doing is left out."""
    return {
        (plural, body["metadata"]["name"], body["metadata"]["uid"]): dict(_theirs(plural, body, app))
        for plural, bodies in objects.items() for body in bodies
    }  # fmt: skip


def differences(before: Snapshot, after: Snapshot, app: str, changed: Iterable[str] = ()) -> list[str]:
    """What has changed of what was there before. changed: the paths that somebody has changed on purpose, with all below them,
    like httproutes/NAME/spec/rules/1."""
    found = []
    kept = sum(1 for plural, name, _ in after if plural == "deployments" and _is_revision(name, app))
    for key, fields in before.items():
        plural, name, _ = key
        docc_s = plural == "services" or (plural == "deployments" and kept >= REVISIONS_KEPT)
        if key not in after and docc_s and _is_revision(name, app):
            continue  # docc's to delete, and a Service to make again
        now = after.get(key, {})
        for path in sorted({*fields, *now}):
            was, is_now = fields.get(path, _ABSENT), now.get(path, _ABSENT)
            whole = f"{plural}/{name}/{path}"
            if was != is_now and not any(whole == each or whole.startswith(f"{each}/") for each in changed):
                found.append(f"{whole}: {was!r} became {is_now!r}")
    return found


def _theirs(plural: str, body: Object, app: str) -> Iterator[tuple[str, Any]]:
    made_by_docc = (body["metadata"].get("labels") or {}).get(_APP) == app
    spec = {**(body.get("spec") or {})}
    if made_by_docc and plural in ("services", "deployments"):
        spec.pop({"services": "selector", "deployments": "replicas"}[plural], None)
    if plural == "httproutes":
        spec["rules"] = [_rule(rule, app) for rule in spec.get("rules") or [] if not _on_trial(rule, app)]
    for path, value in _leaves({"metadata": body["metadata"], "spec": spec}):
        if "docc.dev/" not in path and not path.removeprefix("metadata/").startswith(_SERVERS):
            yield path, value


def _rule(rule: Object, app: str) -> Object:
    backends = [each for each in rule.get("backendRefs") or [] if not _is_revision(each["name"], app)]
    return {**rule, "backendRefs": backends}


def _on_trial(rule: Object, app: str) -> bool:
    """docc's, for those whom a header leads to one version."""
    headers = any(match.get("headers") for match in rule.get("matches") or [])
    return headers and any(_is_revision(each["name"], app) for each in rule.get("backendRefs") or [])


def _is_revision(name: str, app: str) -> bool:
    return re.fullmatch(rf"{re.escape(app)}-v\d+", name) is not None


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """An empty list or object is a leaf."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not inner:
        yield path, value
    for key, below in inner:
        yield from _leaves(below, f"{path}/{key}".lstrip("/"))
