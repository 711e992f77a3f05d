"""Why a revision's pods are not ready, in one sentence: the cause, not the timeout. Pure; reads objects as on the wire.

Fatal means that waiting cannot help, so the rollout ends at once. A bare ImagePullBackOff is not fatal (registries
have bad minutes), "not found" and "unauthorized" are; a crash loop is fatal from the second restart on.
"""

from __future__ import annotations

from docc.model.moves import Object
from docc.model.world import Trouble

_NO_IMAGE = ("not found", "manifest unknown", "unauthorized", "denied", "does not exist", "no such image")
_TRANSIENT_CONFIG = "failed to sync"
_RESTARTS_MIN = 2


def diagnose(deployment: Object, pods: list[Object]) -> Trouble | None:
    """The most telling trouble of all pods; None when there is nothing to tell."""
    found = [trouble for pod in pods if (trouble := _pod(pod)) is not None]
    telling = min(found, key=lambda trouble: (not trouble.fatal, not trouble.crashed), default=None)
    return telling or _deployment(deployment, pods)


def _deployment(deployment: Object, pods: list[Object]) -> Trouble | None:
    for condition in deployment.get("status", {}).get("conditions") or []:
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return Trouble(f"pods cannot be created: {condition.get('message', '')}")
    if not pods and deployment.get("spec", {}).get("replicas", 1) > 0:
        return Trouble("no pod exists yet")
    return None


def _pod(pod: Object) -> Trouble | None:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    conditions = {c.get("type"): c for c in status.get("conditions") or []}
    if conditions.get("Ready", {}).get("status") == "True":
        return None
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        if (trouble := _container(name, container)) is not None:
            return trouble
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return Trouble(f"pod {name} cannot be scheduled: {scheduled.get('message', '')}", pod=name)
    return Trouble(f"pod {name} is {str(status.get('phase', 'pending')).lower()}", pod=name)


def _container(pod: str, status: Object) -> Trouble | None:
    name, image = status.get("name", ""), status.get("image", "")
    state = status.get("state") or {}
    waiting, reason = state.get("waiting") or {}, (state.get("waiting") or {}).get("reason", "")
    message = str(waiting.get("message", ""))
    if reason in ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"):
        fatal = reason != "ImagePullBackOff" and any(word in message.lower() for word in _NO_IMAGE)
        fatal = fatal or reason in ("InvalidImageName", "ErrImageNeverPull")
        return Trouble(f"image {image} cannot be pulled (pod {pod}, {reason}): {message}", fatal, pod, name)
    if reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
        return Trouble(f"container {name} cannot start: {message}", _TRANSIENT_CONFIG not in message, pod, name)
    restarts = int(status.get("restartCount", 0))
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    if restarts or state.get("terminated"):
        how = "was OOM-killed" if ended.get("reason") == "OOMKilled" else f"exits {ended.get('exitCode', '?')}"
        text = f"container {name} of pod {pod} {how}, {restarts} restart{'' if restarts == 1 else 's'}"
        return Trouble(text, restarts >= _RESTARTS_MIN and not state.get("running"), pod, name, crashed=True)
    if state.get("running") and not status.get("ready"):
        return Trouble(f"container {name} of pod {pod} runs, its readiness probe does not pass", False, pod, name)
    return None
