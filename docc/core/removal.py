"""`docc delete`: what goes next. The route first, so that no request is sent to pods that are ending; then what serves; what
docc knows last, so that a delete that was broken off can be typed again. Only objects that docc has made are touched.
"""

from __future__ import annotations

from docc.core.names import history_name, parse_revision
from docc.core.observation import is_docc_s
from docc.core.route import RECORD_PATH
from docc.model.moves import Delete, Effect, Object, Patch, Ref
from docc.model.record import ANNOTATION
from docc.model.world import Objects


def next_removal(app: str, objects: Objects, *, keep_workload: bool) -> Effect | None:
    """None when nothing is left but the Lease. keep_workload: only what docc knows goes: record and history."""
    if keep_workload:
        return _forgotten(app, objects) or _deleted("ConfigMap", objects.history)
    going = [
        ("HTTPRoute", objects.route),
        *(("Service", body) for name, body in objects.services.items() if _is_of(app, name)),
        *(("Deployment", body) for name, body in objects.deployments.items() if _is_of(app, name)),
        ("ConfigMap", objects.history),
    ]
    return next((effect for kind, body in going if (effect := _deleted(kind, body)) is not None), None)


def _is_of(app: str, name: str) -> bool:
    return name == app or parse_revision(app, name) is not None


def _deleted(kind: str, body: Object | None) -> Delete | None:
    if body is None or not is_docc_s(body) or body["metadata"].get("deletionTimestamp"):
        return None
    meta = body["metadata"]
    return Delete(Ref(kind, meta["name"]), meta["uid"], meta["resourceVersion"])


def _forgotten(app: str, objects: Objects) -> Patch | None:
    """The record's removal from whatever carries it."""
    for kind, body in (("HTTPRoute", objects.route), ("Service", objects.services.get(app))):
        text = ((body or {}).get("metadata", {}).get("annotations") or {}).get(ANNOTATION)
        if text is not None:
            test = {"op": "test", "path": RECORD_PATH, "value": text}
            return Patch(Ref(kind, app), (test, {"op": "remove", "path": RECORD_PATH}))
    return None


def lock_of(app: str, lease: Object | None) -> Delete | None:
    """The Lease goes last."""
    return (
        None if lease is None else _deleted("Lease", lease) if lease["metadata"]["name"] == history_name(app) else None
    )
