"""`docc delete`: what goes next. The route first, so that no request is sent to pods that are ending; then what serves; what
docc knows last, so that a delete that was broken off can be typed again. Only objects that docc has made are touched.
"""

from __future__ import annotations

from docc.core.names import history_name, parse_revision
from docc.core.observation import is_docc_s, see
from docc.core.route import record_path, traffic
from docc.model.moves import Delete, Effect, Object, Operation, Patch, Ref
from docc.model.record import ANNOTATION
from docc.model.world import Home, Objects, Routed


def next_removal(app: str, objects: Objects, home: Home, *, keep_workload: bool) -> Effect | None:
    """None when nothing is left but the Lease. keep_workload: only what docc knows goes: record and history. Of a route that
    others own docc's backends and its record go, in one write."""
    routed = see(app, objects, routed=True, home=home).routed
    if keep_workload:
        return _forgotten(app, objects, routed) or _deleted("ConfigMap", objects.history)
    if routed.foreign and (leave := _left(app, routed)) is not None:
        return leave
    going = [
        *(() if routed.foreign else (("HTTPRoute", objects.route),)),
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


def _left(app: str, routed: Routed) -> Patch | None:
    """Somebody else's route without this application; its generation says that the rule is still where it was."""
    spec = traffic(app, routed, {}, port=0, candidate=None)
    forget = _unrecorded(routed.record_text, routed.annotation)
    if not spec and not forget:
        return None
    same: Operation = {"op": "test", "path": "/metadata/generation", "value": routed.generation}
    return Patch(Ref(routed.kind, routed.name), (same, *forget, *spec))


def _forgotten(app: str, objects: Objects, routed: Routed) -> Patch | None:
    """The record's removal from whatever carries it."""
    front = (objects.services.get(app) or {}).get("metadata", {}).get("annotations") or {}
    for ref, text, annotation in (
        (Ref("HTTPRoute", routed.name or app), routed.record_text, routed.annotation),
        (Ref("Service", app), front.get(ANNOTATION), ANNOTATION),
    ):
        if forget := _unrecorded(text, annotation):
            return Patch(ref, forget)
    return None


def _unrecorded(text: str | None, annotation: str) -> tuple[Operation, ...]:
    if text is None:
        return ()
    path = record_path(annotation)
    return {"op": "test", "path": path, "value": text}, {"op": "remove", "path": path}


def lock_of(app: str, lease: Object | None) -> Delete | None:
    """The Lease goes last."""
    return (
        None if lease is None else _deleted("Lease", lease) if lease["metadata"]["name"] == history_name(app) else None
    )
