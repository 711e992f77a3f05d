"""One container of a pod: pulled, run as a process, probed, restarted, ended. Knows its pod only as Surroundings.

What differs from a kubelet: back-offs are seconds, not minutes; and a process that does not listen yet is waited for, at most
one period, before its first probe, so that a start costs what it takes and not the next multiple of periodSeconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from docc.sandbox import probes, processes
from docc.sandbox.addresses import free_port
from docc.sandbox.images import behaviour
from docc.sandbox.logs import Logs, collect
from docc.sandbox.probes import Tally

Object = dict[str, Any]
PULL_BACKOFF_SECONDS = 2.0
BACKOFF_SECONDS = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Before each restart; a run of twice the last one begins anew. As in Kubernetes, the first restart does not wait."""
KILL_SECONDS = 1.0
"""A container's grace when the sandbox itself ends."""
STANDIN = (sys.executable, "-S", "-E", str(Path(__file__).with_name("standin.py")))
_REFERENCE = re.compile(r"\$(\$|\((\w+)\))")


class Surroundings(Protocol):
    """A container's pod. ports: container ports by number or name, as mapped by the node."""

    namespace: str
    name: str
    address: str
    ports: Mapping[str, int]
    grace_seconds: float
    logs: Logs

    def now(self) -> str: ...

    def tell(self) -> None:
        """Something in a container's status has changed."""

    def event(self, reason: str, message: str) -> None: ...


class Container:
    def __init__(self, spec: Object, pod: Surroundings) -> None:
        self._spec, self._pod, self.name = spec, pod, str(spec["name"])
        self.state: Object = _waiting("ContainerCreating", "")
        self.last: Object = {}
        self.restarts, self.ready, self.started = 0, False, False
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    @property
    def status(self) -> Object:
        """As in a pod's containerStatuses."""
        return {
            "name": self.name, "image": self._spec["image"], "imageID": "", "ready": self.ready, "started": self.started,
            "restartCount": self.restarts, "state": self.state, "lastState": self.last,
        }  # fmt: skip

    async def run(self) -> None:
        """Until stopped, or cancelled (which leaves no process either)."""
        does = behaviour(self._spec["image"])
        while does.missing:
            await self._fail_to_pull()
        crashes, loop = 0, asyncio.get_running_loop()
        while not self._stopping.is_set():
            began, started = loop.time(), self._pod.now()
            code = await self._once(does.env)
            reason = "Completed" if code == 0 else "Error"
            ended = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": self._pod.now()}
            self.state, self.ready, self.started = {"terminated": ended}, False, False
            self._pod.tell()
            if self._stopping.is_set():
                return
            crashes = crashes if loop.time() - began < 2 * BACKOFF_SECONDS[-1] else 0
            pause = BACKOFF_SECONDS[min(crashes, len(BACKOFF_SECONDS) - 1)]
            self.last, crashes = self.state, crashes + 1
            if pause:
                about = f"restarting failed container={self.name} pod={self._pod.name}"
                self.state = _waiting("CrashLoopBackOff", f"back-off {pause:.0f}s {about}")
                self._pod.tell()
                self._pod.event("BackOff", f"Back-off {about}")
                await asyncio.sleep(pause)
            self.restarts += 1

    async def stop(self) -> None:
        """preStop, then SIGTERM, then SIGKILL; the grace counts from the beginning, as in Kubernetes."""
        self._stopping.set()
        grace_seconds, loop = self._pod.grace_seconds, asyncio.get_running_loop()
        began = loop.time()
        if self._process is None or self._process.returncode is not None:
            return
        sleep = ((self._spec.get("lifecycle") or {}).get("preStop") or {}).get("sleep") or {}
        with contextlib.suppress(TimeoutError):  # a process that ends by itself meanwhile is not waited for
            async with asyncio.timeout(min(sleep.get("seconds", 0), grace_seconds)):
                await self._process.wait()
        await processes.end(self._process, max(grace_seconds - (loop.time() - began), KILL_SECONDS))

    async def _fail_to_pull(self) -> None:
        image = self._spec["image"]
        why = f'failed to pull and unpack image "{image}": {image}: not found'
        for reason, message in (
            ("ErrImagePull", why),
            ("ImagePullBackOff", f'Back-off pulling image "{image}": {why}'),
        ):
            self.state = _waiting(reason, message)
            self._pod.tell()
            self._pod.event("Failed", f'Failed to pull image "{image}": {why}')
            await asyncio.sleep(PULL_BACKOFF_SECONDS)

    async def _once(self, defaults: Mapping[str, str]) -> int:
        """One run of the process; its exit code."""
        env = self._environment(defaults)
        command = [_expand(word, env) for word in [*(self._spec.get("command") or []), *(self._spec.get("args") or [])]]
        if not self._spec.get("command"):
            command = list(STANDIN)  # arguments would go to the image's own entry point, which is not here
        pipe, end_of_process = os.pipe()
        place = (self._pod.namespace, self._pod.name, self.name)
        run = self._pod.logs.begin(place)
        output = asyncio.create_task(collect(pipe, run))
        try:
            process = self._process = await processes.spawn(command, env, end_of_process)
        finally:
            os.close(end_of_process)
        watching = asyncio.create_task(self._probe_all(process))
        try:
            self.state = {"running": {"startedAt": self._pod.now()}}
            self._pod.tell()
            code = await processes.ended(process)
            await asyncio.wait([output], timeout=1)
            return code
        finally:
            for task in (output, watching):
                task.cancel()
            await processes.end(process, KILL_SECONDS)
            self._pod.logs.end(place)
            for result in await asyncio.gather(output, watching, return_exceptions=True):
                if isinstance(result, Exception):
                    raise result

    def _environment(self, defaults: Mapping[str, str]) -> dict[str, str]:
        pod = self._pod
        wanted = [p["containerPort"] for p in self._spec.get("ports") or [] if p.get("protocol", "TCP") == "TCP"]
        asked = [self._port(probe) for name in probes.KINDS if (probe := self._spec.get(name))]
        port = pod.ports[str(wanted[0])] if wanted else asked[0] if asked else free_port(pod.address)
        env = {"PATH": os.environ.get("PATH", os.defpath), "HOSTNAME": pod.name, "HOST": pod.address, "PORT": str(port)}
        if "tcpSocket" in (self._spec.get("readinessProbe") or {}):
            env["PROBE"] = "tcpSocket"
        env |= defaults
        for variable in self._spec.get("env") or []:
            env[variable["name"]] = _expand(variable.get("value", ""), env)
        return env

    def _port(self, probe: Object) -> int:
        """The port of a probe, by number or name, as the node has mapped it."""
        target = (probe.get("httpGet") or probe.get("tcpSocket") or {}).get("port", 0)
        mapped = self._pod.ports.get(str(target))
        return mapped if mapped is not None else int(target) if str(target).isdigit() else 0

    async def _probe_all(self, process: asyncio.subprocess.Process) -> None:
        """startupProbe first; then readiness and liveness side by side, until cancelled."""
        given = {name: self._spec[name] for name in probes.KINDS if self._spec.get(name)}
        if given:
            first = next(iter(given.values()))
            await asyncio.sleep(first.get("initialDelaySeconds", 0))
            await probes.listens(self._pod.address, self._port(first), first["periodSeconds"])
        if "startupProbe" in given:
            await self._probe("startupProbe", given["startupProbe"], process)
        self.started = True
        if "readinessProbe" not in given:
            self.ready = True
        self._pod.tell()
        async with asyncio.TaskGroup() as group:
            for name in ("readinessProbe", "livenessProbe"):
                if name in given:
                    group.create_task(self._probe(name, given[name], process))

    async def _probe(self, name: str, probe: Object, process: asyncio.subprocess.Process) -> None:
        """Readiness decides who gets traffic; a failed startup or liveness probe ends the process; startup ends on success."""
        tally, kind = Tally(), name.removesuffix("Probe").capitalize()
        while not (self._stopping.is_set() and name == "livenessProbe"):
            problem = await probes.ask(probe, self._pod.address, self._port(probe))
            if problem:
                self._pod.event("Unhealthy", f"{kind} probe failed: {problem}")
            if tally.note(problem, probe):
                if name == "readinessProbe":
                    self.ready = bool(tally.passing)
                    self._pod.tell()
                elif not tally.passing:
                    self._pod.event("Killing", f"Container {self.name} failed {kind.lower()} probe, will be restarted")
                    await processes.end(process, probe.get("terminationGracePeriodSeconds", self._pod.grace_seconds))
                elif name == "startupProbe":
                    return
            await asyncio.sleep(probe["periodSeconds"])


def _waiting(reason: str, message: str) -> Object:
    return {"waiting": {"reason": reason, "message": message}}


def _expand(text: str, env: Mapping[str, str]) -> str:
    """$(NAME) as Kubernetes has it: an unknown name stays as it is, $$ is a dollar."""

    def value(found: re.Match[str]) -> str:
        return "$" if found[1] == "$" else env.get(found[2], found[0])

    return _REFERENCE.sub(value, text)
