"""The cluster's one process: `python -m tests.cluster.rig.supervisor FOLDER SCRAPE_SECONDS [LIFELINE]`, as the first process of
its own process, network and mount namespaces (session.py). Starts the parts in their order and says where they are.

FOLDER/session.json appears when everything answers. SIGTERM ends it, or the end of the pipe LIFELINE; and because it is its
namespace's first process, the kernel ends everything in there with it, whatever ends it.
"""

from __future__ import annotations

import asyncio
import base64
import faulthandler
import json
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import aiohttp

from docc.sandbox import processes
from docc.sandbox.supervisor import stop
from tests.cluster.rig import components, kubelet, layout
from tests.cluster.rig.apiclient import ApiClient
from tests.cluster.rig.components import Component
from tests.cluster.rig.layout import Layout

STEP_SECONDS_MAX = 90.0
END_SECONDS = 3.0
ORDER_SECONDS = 0.1


class PartFailed(Exception):
    """A sentence that names the part and quotes its last words."""


async def main(where: Layout, scrape_seconds: float, lifeline: int | None) -> None:
    """Until it is told to end. Raises ExceptionGroup when a part fails: half a cluster would lie."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if lifeline is not None:
        os.set_inheritable(lifeline, False)
        loop.add_reader(lifeline, ended.set)  # nobody writes into it: it is readable at its end
    await _network()
    await _done(components.keys(where))
    async with asyncio.TaskGroup() as group:
        parts: list[asyncio.Task[None]] = []

        def begin(component: Component) -> None:
            parts.append(group.create_task(_keep(where, component)))

        begin(components.etcd(where))
        await _until("etcd", _has_a_past)
        begin(components.apiserver(where))
        async with ApiClient(where.kubeconfig_of("kubelet"), where.certificate, "kubelet") as api:
            await _until("kube-apiserver", lambda: kubelet.ready(api))
            begin(components.controller_manager(where))
            begin(components.scheduler(where))
            node = kubelet.Kubelet(api, where)
            await node.register()
            parts.append(group.create_task(node.run()))
            await _apply_crds(where)
            begin(components.istiod(where))
            await _apply(where, scrape_seconds)
            where.session.write_text(json.dumps(session(where)), encoding="utf-8")
            faulthandler.cancel_dump_traceback_later()
            await ended.wait()
            await stop(parts)


def session(where: Layout) -> dict[str, str]:
    """What people and tests want to know of a running cluster."""
    return {
        "kubeconfig": str(where.kubeconfig), "api": layout.API_URL, "gateway": layout.GATEWAY,
        "mesh_proxy": f"http://{layout.MESH_PROXY}", "prometheus": layout.PROMETHEUS_URL,
        "audit": str(where.audit_log), "access_log": str(where.access_log(layout.INGRESS)),
        "kubectl": components.kubectl(where)[0],
    }  # fmt: skip


async def _network() -> None:
    """Every address of pods and Services is this namespace's own: nothing has to be routed."""
    await _done(("ip", "link", "set", "lo", "up"))
    for block in (layout.POD_ADDRESSES, layout.SERVICE_ADDRESSES):
        await _done(("ip", "route", "add", "local", block, "dev", "lo"))


async def _has_a_past() -> bool:
    """Writes into etcd, twice, before anybody else does: so no list that the API server keeps begins at version 1, and who
    would watch from there is told that it is too old, as in any cluster of some age."""
    past = {"key": base64.b64encode(b"/past").decode()}
    try:
        async with aiohttp.ClientSession(components.ETCD_URL, trust_env=False) as etcd:
            for _ in range(2):
                async with etcd.post("/v3/kv/put", json=past) as answer:
                    answer.raise_for_status()
        return True
    except (aiohttp.ClientError, OSError):
        return False


async def _apply_crds(where: Layout) -> None:
    kubectl = components.kubectl(where)
    await _done((*kubectl, "apply", "--server-side", "--recursive", "-f", str(components.crds())))
    await _done((*kubectl, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"))


async def _apply(where: Layout, scrape_seconds: float) -> None:
    """The pods and the Gateway, and waits until they work."""
    kubectl = components.kubectl(where)
    await _done((*kubectl, "apply", "--server-side", "-f", str(components.objects(where, scrape_seconds))))
    for namespace, condition, what in (
        (layout.INGRESS, "Programmed", f"gateway/{layout.GATEWAY_NAME}"),
        (layout.INGRESS, "Available", f"deployment/{layout.GATEWAY_NAME}"),
        (layout.MESH, "Available", f"deployment/{layout.MESH_CLIENT}"),
        (layout.MONITORING, "Available", f"deployment/{layout.PROMETHEUS_NAME}"),
    ):
        await _done((*kubectl, "--namespace", namespace, "wait", f"--for=condition={condition}", what, "--timeout=60s"))


async def _keep(where: Layout, component: Component) -> None:
    """Runs it until cancelled, anew when that is asked for. Raises PartFailed when it ends by itself."""
    order = where.restart(component.name)
    while True:
        await _run(where.log(component.name), component, order)
        await asyncio.sleep(float(order.read_text(encoding="utf-8")))
        order.unlink()


async def _run(path: Path, component: Component, order: Path) -> None:
    """Until there is an order to restart: then it is killed, as if its machine had died."""
    with path.open("ab") as log:
        process = await processes.spawn(component.command, {**os.environ, **component.env}, log)
    ended, grace = asyncio.create_task(process.wait()), END_SECONDS
    try:
        while not order.exists():
            if (await asyncio.wait([ended], timeout=ORDER_SECONDS))[0]:
                raise PartFailed(f"{component.name} ended with {ended.result()}: {_last_words(path)}")
        grace = 0.0
    finally:
        ended.cancel()
        await processes.end(process, grace)


async def _done(command: Sequence[str]) -> None:
    """Runs it to its end. Raises PartFailed unless that is a good one."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    if process.returncode != 0:
        words = said.decode("utf-8", "replace").strip().splitlines()[-3:]
        raise PartFailed(f"{' '.join(command)} ended with {process.returncode}: {' '.join(words)}")


async def _until(what: str, answers: Callable[[], Awaitable[bool]]) -> None:
    try:
        async with asyncio.timeout(STEP_SECONDS_MAX):
            while not await answers():
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise PartFailed(f"{what} did not answer within {STEP_SECONDS_MAX:.0f} s") from error


def _last_words(path: Path) -> str:
    rows = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return rows[-1] if rows else "it said nothing"


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


if __name__ == "__main__":
    faulthandler.dump_traceback_later(STEP_SECONDS_MAX)  # a start that hangs tells where
    try:
        pipe = int(sys.argv[3]) if len(sys.argv) > 3 else None
        asyncio.run(main(Layout(Path(sys.argv[1])), float(sys.argv[2]), pipe))
    except Exception as error:
        traceback.print_exception(error)
        sys.exit(f"{_first(error)}")  # the last line of the log is what session.up shows
