"""What pods say of themselves: which of their ends is a crash, and why they are not ready."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from docc.core.observation import see
from docc.model.moves import Object
from docc.model.world import Objects, Revision, Trouble

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC).timestamp()
DEPLOYMENT: Object = {"metadata": {"name": "shop-v2", "uid": "u"}, "spec": {"replicas": 1}}
RUNNING = {"running": {"startedAt": "2026-11-23T12:00:00Z"}}


def seen(*pods: Object, deployment: Object = DEPLOYMENT) -> Revision:
    objects = Objects(deployments={"shop-v2": deployment}, pods={pod["metadata"]["name"]: pod for pod in pods})
    return see("shop", objects).revision(2)


def pod(*containers: Object, name: str = "a", revision: int = 2, ready: bool = False, **more: Any) -> Object:
    meta = {"name": name, "labels": {"docc.dev/revision": f"v{revision}"}, **more.pop("metadata", {})}
    conditions = [{"type": "Ready", "status": str(ready)}, *more.pop("conditions", [])]
    return {"metadata": meta, "status": {"containerStatuses": list(containers), "conditions": conditions, **more}}


def ended(clock: str, code: int = 1, reason: str = "Error") -> Object:
    return {"terminated": {"exitCode": code, "reason": reason, "finishedAt": f"2026-11-23T{clock}Z"}}


def web(**states: Object) -> Object:
    return {"name": "web", **states}


@pytest.mark.parametrize(
    ("pods", "at", "how"),
    [
        ([], None, ""),
        ([pod(web(state=RUNNING))], None, ""),
        ([pod(web(state=ended("12:00:00")))], NOON, "container web of pod a exited 1"),
        ([pod(web(state=RUNNING, lastState=ended("12:00:05")))], NOON + 5, "container web of pod a exited 1"),
        ([pod(web(lastState=ended("12:00:05")), ready=True)], NOON + 5, "container web of pod a exited 1"),
        ([pod(web(lastState=ended("12:00:00", 137, "OOMKilled")))], NOON, "container web of pod a was OOM-killed"),
        # The kernel may kill a child of the process, which then ends well.
        ([pod(web(lastState=ended("12:00:00", 0, "OOMKilled")))], NOON, "container web of pod a was OOM-killed"),
        ([pod(web(lastState=ended("12:00:00", 0, "Completed")))], None, ""),
        ([pod(web(state=ended("12:00:09", 3), lastState=ended("12:00:01")))], NOON + 9, "container web of pod a exited 3"),
        ([pod(web(lastState=ended("12:00:09", 3))), pod(web(lastState=ended("12:00:04")), name="b")], NOON + 9,
         "container web of pod a exited 3"),
        ([pod(web(lastState={"terminated": {"exitCode": 1, "finishedAt": None}}))], None, ""),
        ([pod(web(lastState=ended("12:00:00")), revision=1)], None, ""),
        ([pod(web(lastState=ended("12:00:00")), metadata={"deletionTimestamp": "2026-11-23T12:00:00Z"})], None, ""),
    ],
)  # fmt: skip
def test_the_newest_crash_is_known_with_its_instant(pods: list[Object], at: float | None, how: str) -> None:
    found = seen(*pods)
    assert (found.crashed_at, found.crash) == (at, how)


def waiting(reason: str, message: str = "", **more: Any) -> Object:
    return {"name": "web", "image": "acme/shop:2", "state": {"waiting": {"reason": reason, "message": message}}, **more}


IMAGE = "image acme/shop:2 cannot be pulled (pod a, {}): {}"
UNSCHEDULED = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}


@pytest.mark.parametrize(
    ("told", "fatal", "why"),
    [
        (pod(waiting("ImagePullBackOff", "Back-off pulling image")), False,
         IMAGE.format("ImagePullBackOff", "Back-off pulling image")),
        # The back-off repeats what was said before it: the next pull may go better.
        (pod(waiting("ImagePullBackOff", "manifest unknown")), False, IMAGE.format("ImagePullBackOff", "manifest unknown")),
        (pod(waiting("ErrImagePull", "i/o timeout")), False, IMAGE.format("ErrImagePull", "i/o timeout")),
        (pod(waiting("ErrImagePull", "401 Unauthorized")), True, IMAGE.format("ErrImagePull", "401 Unauthorized")),
        (pod(waiting("ErrImagePull", "manifest unknown")), True, IMAGE.format("ErrImagePull", "manifest unknown")),
        (pod(waiting("InvalidImageName", "bad")), True, IMAGE.format("InvalidImageName", "bad")),
        (pod(waiting("CreateContainerConfigError", 'secret "x" not found')), True,
         'container web cannot start: secret "x" not found'),
        (pod(waiting("CreateContainerConfigError", "failed to sync secret cache: timed out")), False,
         "container web cannot start: failed to sync secret cache: timed out"),
        (pod(waiting("CrashLoopBackOff", restartCount=1, lastState=ended("12:00:00", 3))), False,
         "container web of pod a exits 3, 1 restart"),
        (pod(waiting("CrashLoopBackOff", restartCount=2, lastState=ended("12:00:00", 137, "OOMKilled"))), True,
         "container web of pod a was OOM-killed, 2 restarts"),
        (pod({**web(state=RUNNING, lastState=ended("12:00:00")), "restartCount": 5}), False,
         "container web of pod a exits 1, 5 restarts"),
        (pod(web(state=RUNNING)), False, "container web of pod a runs, its readiness probe does not pass"),
        (pod(waiting("PodInitializing"), initContainerStatuses=[{**waiting("ErrImagePull", "denied"), "name": "init"}]),
         True, IMAGE.format("ErrImagePull", "denied")),
        (pod(conditions=[UNSCHEDULED], phase="Pending"), False, "pod a cannot be scheduled: 0/3 nodes are available"),
        (pod(phase="Pending"), False, "pod a is pending"),
    ],
)  # fmt: skip
def test_why_a_pod_is_not_ready(told: Object, fatal: bool, why: str) -> None:
    trouble = seen(told).trouble
    assert trouble is not None and (trouble.fatal, trouble.why) == (fatal, why)


def test_a_ready_pod_has_no_trouble_and_the_gravest_of_several_is_told() -> None:
    assert seen(pod(web(lastState=ended("12:00:00")), ready=True)).trouble is None
    found = seen(pod(phase="Pending"), pod(waiting("InvalidImageName", "bad"), name="b")).trouble
    assert found is not None and found.pod == "b"


def test_without_pods_the_deployment_says_why() -> None:
    assert seen().trouble == Trouble("no pod exists yet")
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    refused = {**DEPLOYMENT, "status": {"conditions": [failure]}}
    assert seen(deployment=refused).trouble == Trouble("pods cannot be created: exceeded quota")
    assert seen(deployment={**DEPLOYMENT, "spec": {"replicas": 0}}).trouble is None
