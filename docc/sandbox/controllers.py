"""What a cluster's controllers make of its objects: pods of Deployments, endpoints of Services, status of Gateways and routes.

Each reconcile() looks at everything and changes what differs; the loop runs it after every change and at deadlines, never
by polling. Pods belong to their Deployment directly: the sandbox has no ReplicaSet.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from docc.sandbox.endpoints import reconcile_endpoints
from docc.sandbox.route_status import reconcile_gateways, reconcile_routes
from docc.sandbox.store import Store, rfc3339

Object = dict[str, Any]
IDLE_SECONDS = 60.0
BURST_PODS = 500
"""At most so many new ones at a look, as a ReplicaSet's controller does."""
REVISION_ANNOTATION = "deployment.kubernetes.io/revision"
"""Of the ReplicaSet, where there is one. Here no template changes, so it is always the first."""


async def run(store: Store, now: Callable[[], float]) -> None:
    """Until cancelled."""
    while True:
        version = store.version
        deadline = reconcile(store, now())
        await store.changed(version, max(0.01, min(deadline - now(), IDLE_SECONDS)))


def reconcile(store: Store, now: float) -> float:
    """One pass over everything. Returns when something may have to be done though nothing changes (unix seconds)."""
    store.collect()
    deadline = min((_deployment(store, body, now) for body in store.select("Deployment")), default=float("inf"))
    reconcile_endpoints(store)
    reconcile_gateways(store)
    reconcile_routes(store)
    return deadline


def _deployment(store: Store, deployment: Object, now: float) -> float:
    meta, spec = deployment["metadata"], deployment["spec"]
    pods = [
        pod
        for pod in store.select("Pod", meta["namespace"])
        if any(owner["uid"] == meta["uid"] for owner in pod["metadata"].get("ownerReferences") or [])
        and "deletionTimestamp" not in pod["metadata"]
    ]
    for _ in range(min(spec["replicas"] - len(pods), BURST_PODS)):
        pods.append(store.create("Pod", _pod(deployment)))
    surplus = sorted(pods, key=lambda pod: (is_ready(pod), pod["metadata"]["creationTimestamp"]))
    for pod in surplus[: max(0, len(pods) - spec["replicas"])]:
        store.delete("Pod", meta["namespace"], pod["metadata"]["name"])
        pods.remove(pod)
    store.annotate("Deployment", meta["namespace"], meta["name"], {REVISION_ANNOTATION: "1"})
    ready = [pod for pod in pods if is_ready(pod)]
    settled = [_ready_since(pod, now) + spec.get("minReadySeconds", 0) for pod in ready]
    counts = _Counts(len(pods), len(ready), sum(1 for at in settled if at <= now))
    status, deadline = _status(deployment, counts, now)
    store.set_status("Deployment", meta["namespace"], meta["name"], status)
    return float(min([deadline, *(at for at in settled if at > now)]))


def _pod(deployment: Object) -> Object:
    meta, template = deployment["metadata"], deployment["spec"]["template"]
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
    }
    return {
        "metadata": {
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": dict((template.get("metadata") or {}).get("labels") or {}),
            "annotations": dict((template.get("metadata") or {}).get("annotations") or {}),
            "ownerReferences": [owner],
        },
        "spec": template["spec"],
    }


class _Counts(NamedTuple):
    """Pods. available: those that have been ready for the Deployment's minReadySeconds."""

    total: int
    ready: int
    available: int


def _status(deployment: Object, pods: _Counts, now: float) -> tuple[Object, float]:
    """The status, and when ProgressDeadlineExceeded may become true."""
    total, ready, settled = pods
    spec, before = deployment["spec"], deployment.get("status") or {}
    wanted = spec["replicas"]
    generation = deployment["metadata"]["generation"]
    known = {condition["type"]: condition for condition in before.get("conditions") or []}
    progressed = (before.get("observedGeneration"), before.get("availableReplicas", 0)) != (generation, settled)
    since = now if progressed else _instant(known.get("Progressing", {}).get("lastUpdateTime"), now)
    deadline = since + spec["progressDeadlineSeconds"]
    late = settled < wanted and now >= deadline
    progressing = ("False", "ProgressDeadlineExceeded") if late else ("True", "NewReplicaSetAvailable")
    available = "True" if settled >= max(wanted, 1) or wanted == 0 else "False"
    conditions = [
        _condition(
            known, "Available", available, f"MinimumReplicas{'A' if available == 'True' else 'Una'}vailable", now
        ),
        {**_condition(known, "Progressing", *progressing, now), "lastUpdateTime": rfc3339(since)},
    ]
    counts = {"replicas": total, "updatedReplicas": total, "readyReplicas": ready, "availableReplicas": settled}
    status: Object = {k: v for k, v in counts.items() if v}
    if total > settled:
        status["unavailableReplicas"] = total - settled
    status |= {"observedGeneration": generation, "conditions": conditions}
    return status, deadline if settled < wanted and not late else float("inf")


def _condition(known: dict[str, Object], kind: str, status: str, reason: str, now: float) -> Object:
    before = known.get(kind, {})
    changed = before.get("status") != status
    at = rfc3339(now) if changed else before.get("lastTransitionTime")
    return {"type": kind, "status": status, "reason": reason, "lastTransitionTime": at}


def _instant(text: str | None, otherwise: float) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else otherwise


def _ready_since(pod: Object, now: float) -> float:
    """Whole seconds, as in the API."""
    conditions = pod["status"]["conditions"]
    return next((_instant(c.get("lastTransitionTime"), now) for c in conditions if c["type"] == "Ready"), now)


def is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
