"""Plays the kubelet of one node: every pod is a task, every container a process on the pod's own loopback address.

Ready comes from really probing. A container port below 1024 is mapped to one 20000 higher (no root here): probes,
endpoints and Envoy use that one, and the process reads it from PORT. Several containers of a pod share its address.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docc.sandbox import probes, processes
from docc.sandbox.endpoints import PORTS_ANNOTATION
from docc.sandbox.images import behaviour
from docc.sandbox.store import Store, StoreError, rfc3339

Object = dict[str, Any]
LOG_LINES_MAX = 500
BACKOFF_SECONDS = (1.0, 2.0, 4.0, 8.0)
PRIVILEGED = 1024
PORT_SHIFT = 20000
_STANDIN = str(Path(__file__).with_name("standin.py"))


class Node:
    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self.store, self.now = store, now
        self.logs: dict[tuple[str, str, str], list[deque[str]]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._count = 0

    async def run(self) -> None:
        """Until cancelled; then every process is ended."""
        try:
            while True:
                version = self.store.version
                for pod in self.store.select("Pod"):
                    uid = pod["metadata"]["uid"]
                    if uid not in self._tasks:
                        self._tasks[uid] = asyncio.create_task(_Pod(self, pod, self._address()).live())
                await self.store.changed(version, 3600)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def log(self, namespace: str, pod: str, container: str, previous: bool, lines: int | None) -> str:
        """As the kubelet: `previous` is the run before the one that runs, or, while none runs, the one that ended last."""
        runs = self.logs.get((namespace, pod, container), [])
        found = self.store.find("Pod", namespace, pod) or {}
        states = {s["name"]: s["state"] for s in (found.get("status") or {}).get("containerStatuses") or []}
        at = len(runs) - (2 if previous and "running" in states.get(container, {}) else 1)
        if not 0 <= at < len(runs):
            return ""
        kept = list(runs[at])
        return "".join(f"{line}\n" for line in (kept if lines is None else kept[-lines:] if lines else []))

    def _address(self) -> str:
        """Unique in this sandbox, and, by the supervisor's pid, unlikely to be another sandbox's."""
        self._count += 1
        return f"127.{10 + os.getpid() % 240}.{1 + self._count // 250}.{1 + self._count % 250}"


class _Pod:
    def __init__(self, node: Node, pod: Object, address: str) -> None:
        self.node, self.spec, self.address = node, pod["spec"], address
        meta = pod["metadata"]
        self.name, self.namespace, self.uid = meta["name"], meta["namespace"], meta["uid"]
        self.started = node.now()
        self.states: dict[str, Object] = {c["name"]: _waiting("ContainerCreating", "") for c in self.spec["containers"]}
        self.ready = dict.fromkeys(self.states, False)
        self.running: dict[str, asyncio.subprocess.Process] = {}
        self.ports = {
            str(p["containerPort"]): p["containerPort"] + (PORT_SHIFT if p["containerPort"] < PRIVILEGED else 0)
            for container in self.spec["containers"]
            for p in container.get("ports") or []
        }

    async def live(self) -> None:
        store = self.node.store
        note = {"metadata": {"annotations": {PORTS_ANNOTATION: json.dumps(self.ports)}}}
        containers = []
        try:
            store.patch("Pod", self.namespace, self.name, note, form="merge")
            self.tell()
            containers = [asyncio.create_task(self._container(c)) for c in self.spec["containers"]]
            while (found := store.find("Pod", self.namespace, self.name)) and not _deleted(found, self.uid):
                await store.changed(store.version, 3600)
            sleeps = [
                (((c.get("lifecycle") or {}).get("preStop") or {}).get("sleep") or {}) for c in self.spec["containers"]
            ]
            grace = float(self.spec.get("terminationGracePeriodSeconds", 30))
            await asyncio.sleep(min(max((sleep.get("seconds", 0) for sleep in sleeps), default=0), grace))
        except StoreError:
            pass  # deleted before it began
        finally:
            for task in containers:
                task.cancel()
            await asyncio.gather(*containers, return_exceptions=True)
            await asyncio.gather(*(processes.end(p, 2.0) for p in self.running.values()))
            store.finish_delete("Pod", self.namespace, self.name, self.uid)

    async def _container(self, container: Object) -> None:
        name, image = container["name"], container["image"]
        does = behaviour(image)
        while does.missing:
            message = f'failed to pull and unpack image "{image}": {image}: not found'
            for reason, words in (
                ("ErrImagePull", message),
                ("ImagePullBackOff", f'Back-off pulling image "{image}": {message}'),
            ):
                self.states[name] = _waiting(reason, words)
                self.tell()
                await asyncio.sleep(2)
        restarts = 0
        while True:
            code = await self._once(container, does.env, restarts)
            ended = {
                "exitCode": code,
                "reason": "Completed" if code == 0 else "Error",
                "finishedAt": rfc3339(self.node.now()),
            }
            pause = BACKOFF_SECONDS[min(restarts, len(BACKOFF_SECONDS) - 1)]
            restarts += 1
            self.ready[name] = False
            words = f"back-off {pause:.0f}s restarting failed container={name} pod={self.name}"
            self.states[name] = {
                **_waiting("CrashLoopBackOff", words), "restartCount": restarts, "lastState": {"terminated": ended}
            }  # fmt: skip
            self.tell()
            await asyncio.sleep(pause)

    async def _once(self, container: Object, defaults: dict[str, str], restarts: int) -> int:
        """One run of the container's process; its exit code, negative signals as Kubernetes counts them (128 + n)."""
        name = container["name"]
        first = next((p["containerPort"] for p in container.get("ports") or []), 8080)
        env = {k: os.environ[k] for k in ("PATH", "LANG") if k in os.environ}
        env |= {"HOST": self.address, "PORT": str(self.ports.get(str(first), first)), "POD_NAME": self.name, **defaults}
        env |= {variable["name"]: variable.get("value", "") for variable in container.get("env") or []}
        command = [*(container.get("command") or []), *(container.get("args") or [])]
        if not container.get("command"):
            command = [sys.executable, "-S", "-E", _STANDIN]
        process = await processes.spawn(command, env, asyncio.subprocess.PIPE)
        self.running[name] = process
        lines: deque[str] = deque(maxlen=LOG_LINES_MAX)
        self.node.logs.setdefault((self.namespace, self.name, name), []).append(lines)
        before = self.states[name]
        self.states[name] = {
            "state": {"running": {"startedAt": rfc3339(self.node.now())}}, "restartCount": restarts,
            **({"lastState": before["lastState"]} if "lastState" in before else {}),
        }  # fmt: skip
        self.tell()
        helpers = [asyncio.create_task(_collect(process, lines)), asyncio.create_task(self._probe(container))]
        try:
            code = await process.wait()
            await asyncio.wait(helpers[:1], timeout=1)
        finally:
            for helper in helpers:
                helper.cancel()
        return code if code >= 0 else 128 - code

    async def _probe(self, container: Object) -> None:
        """Readiness as Kubernetes has it: successThreshold answers to become ready, failureThreshold to lose it."""
        name, probe = container["name"], container.get("readinessProbe")
        if probe is None:
            self.ready[name] = True
            self.tell()
            return
        await asyncio.sleep(probe.get("initialDelaySeconds", 0))
        good = bad = 0
        while True:
            problem = await probes.ask(probe, self.address, self.ports, float(probe["timeoutSeconds"]))
            good, bad = (0, bad + 1) if problem else (good + 1, 0)
            if problem and not self.ready[name]:
                self._event("Unhealthy", f"Readiness probe failed: {problem}")
            if (not self.ready[name] and good >= probe["successThreshold"]) or (
                self.ready[name] and bad >= probe["failureThreshold"]
            ):
                self.ready[name] = not self.ready[name]
                self.tell()
            # A starting process is asked more often than a running one: tests and demos wait for it.
            await asyncio.sleep(float(probe["periodSeconds"]) if self.ready[name] or bad > 20 else 0.1)

    def _event(self, reason: str, message: str) -> None:
        about = {"kind": "Pod", "namespace": self.namespace, "name": self.name, "uid": self.uid}
        at = rfc3339(self.node.now())
        same = [
            event
            for event in self.node.store.select("Event", self.namespace)
            if event["involvedObject"] == about and event.get("message") == message
        ]
        if not same:
            body = {
                "involvedObject": about,
                "reason": reason,
                "message": message,
                "type": "Warning",
                "lastTimestamp": at,
            }
            self.node.store.create(
                "Event", {"metadata": {"generateName": f"{self.name}.", "namespace": self.namespace}, **body}
            )

    def tell(self) -> None:
        """Writes the pod's status, if it differs."""
        at, ready = rfc3339(self.started), all(self.ready.values())
        images = {c["name"]: c["image"] for c in self.spec["containers"]}
        flags = {"PodScheduled": True, "Initialized": True, "ContainersReady": ready, "Ready": ready}
        status: Object = {
            "phase": "Running" if any("running" in s["state"] for s in self.states.values()) else "Pending",
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "startTime": at,
            "conditions": [
                {"type": t, "status": "True" if f else "False", "lastTransitionTime": at} for t, f in flags.items()
            ],
            "containerStatuses": [
                {"restartCount": 0, **state, "name": name, "image": images[name], "ready": self.ready[name]}
                for name, state in self.states.items()
            ],
        }
        found = self.node.store.find("Pod", self.namespace, self.name)
        if found is not None and found["metadata"]["uid"] == self.uid:
            self.node.store.set_status("Pod", self.namespace, self.name, status)


def _waiting(reason: str, message: str) -> Object:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def _deleted(pod: Object, uid: str) -> bool:
    return "deletionTimestamp" in pod["metadata"] or pod["metadata"]["uid"] != uid


async def _collect(process: asyncio.subprocess.Process, lines: deque[str]) -> None:
    assert process.stdout is not None
    while row := await process.stdout.readline():
        lines.append(row.decode("utf-8", "replace").rstrip("\n"))
