"""A Deployment's scale subresource: the Deployment as a Scale, and what a changed Scale makes of the Deployment."""

from __future__ import annotations

from typing import Any

from docc.sandbox.refusals import bad
from docc.sandbox.store import Store, patched

Object = dict[str, Any]
Place = tuple[str, str | None, str]
_KNOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def of(deployment: Object) -> Object:
    meta = {name: deployment["metadata"][name] for name in _KNOWN}
    labels = deployment["spec"]["selector"].get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    status = {"replicas": (deployment.get("status") or {}).get("replicas", 0), "selector": selector}
    replicas = deployment["spec"]["replicas"]
    spec = {"replicas": replicas} if replicas else {}  # an API server leaves a 0 out
    return {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": meta, "spec": spec, "status": status}


def patch(store: Store, place: Place, changes: Any, form: str) -> Object:
    return replace(store, place, patched(of(store.get(*place)), changes, form))


def replace(store: Store, place: Place, wanted: Object) -> Object:
    """Only spec.replicas is taken from it; resourceVersion and uid, where they are given, must be its own. Absent is 0."""
    meta, spec = wanted.get("metadata") or {}, wanted.get("spec") or {}
    if not isinstance(meta, dict) or not isinstance(spec, dict) or set(spec) - {"replicas"}:
        raise bad('Scale in version "v1" cannot be handled as a Scale: its spec holds only replicas')
    kept = {name: meta[name] for name in ("uid", "resourceVersion") if meta.get(name)}
    after = store.patch(*place, {"metadata": kept, "spec": {"replicas": spec.get("replicas", 0)}}, form="merge")
    return of(after)
