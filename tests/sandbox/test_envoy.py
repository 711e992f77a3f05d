"""The real Envoy in front of real pods: who gets which requests, and that none is lost."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from docc.sandbox import accounts
from docc.sandbox.envoy import Envoy, EnvoyEnded
from docc.sandbox.load import Load
from tests.sandbox.local_world import World, empty_store, gateway, world

PROBE: dict[str, Any] = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1}
GRACEFUL: dict[str, Any] = {"readinessProbe": PROBE, "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}

Rows = list[dict[str, Any]]


@contextlib.asynccontextmanager
async def traffic(here: World, rate: float) -> AsyncIterator[Rows]:
    """Requests for as long as the block runs; afterwards the rows are there, and Envoy has counted the same."""
    out, ended = io.StringIO(), asyncio.Event()
    rows: Rows = []
    running = asyncio.create_task(Load(here.gateway, out, "shop.test").run(rate, ended))
    try:
        yield rows
    finally:
        ended.set()
        await running
    rows += [json.loads(row) for row in out.getvalue().splitlines()]
    logged = await log_of(here, rows)
    assert sorted(row["tag"] for row in logged) == sorted(row["tag"] for row in rows), "each is sent exactly once"
    assert accounts.of_load(rows, []).same_as(accounts.of_access_log(logged, []))


async def log_of(here: World, rows: Rows) -> Rows:
    """Envoy's own lines of these requests; it flushes them every 200 ms."""
    first, found = min(row["sent"] for row in rows), []
    for _ in range(40):
        lines = [json.loads(row) for row in here.access_log.read_text(encoding="utf-8").splitlines()]
        found = [row for row in lines if row["tag"] and float(row["start"]) >= first - 0.005]
        if len(found) >= len(rows):
            break
        await asyncio.sleep(0.1)
    return found


async def ask(here: World, count: int, rate: float = 500) -> Rows:
    async with traffic(here, rate) as rows:
        await asyncio.sleep(count / rate)
    return rows


async def two_versions(here: World) -> None:
    here.deploy("v1", "demo:v1", replicas=2, **GRACEFUL)
    here.deploy("v2", "demo:v2", replicas=2, **GRACEFUL)
    await here.until(lambda: here.ready("v1") and here.ready("v2"))


async def routed(here: World, status: int = 200) -> None:
    """Until the first answer of this kind from the Gateway."""
    for _ in range(200):
        if (await status_of(here.gateway)) == status:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"no {status} within 4 s")


async def status_of(address: str, host: str = "shop.test", path: str = "/") -> int:
    name, port = address.rsplit(":", 1)
    try:
        reader, writer = await asyncio.open_connection(name, int(port))
    except ConnectionRefusedError:
        return 0
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


def test_a_share_of_20_percent_is_20_percent_of_2000_requests(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path) as here:
            await two_versions(here)
            here.route({"v1": 80, "v2": 20})
            await routed(here)
            rows = await ask(here, 2200)
            answers = Counter(row["version"] for row in rows)
            assert set(answers) == {"v1", "v2"} and len(rows) >= 2000
            error = (len(rows) * 0.2 * 0.8) ** 0.5
            assert abs(answers["v2"] - 0.2 * len(rows)) <= 4 * error
            kinds = Counter((row["new"], row["method"]) for row in rows)
            assert 0.45 < sum(n for (new, _), n in kinds.items() if new) / len(rows) < 0.55
            assert 0.09 < sum(n for (_, method), n in kinds.items() if method == "POST") / len(rows) < 0.11
            assert all(kinds[(new, "POST")] > 50 for new in (True, False))

    asyncio.run(play())


def test_a_change_of_weight_moves_all_traffic_soon_and_loses_none(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path) as here:
            await two_versions(here)
            here.route({"v1": 100, "v2": 0})
            await routed(here)
            moved: list[tuple[float, str]] = []
            async with traffic(here, 200) as rows:
                for _ in range(3):
                    for version, other in (("v2", "v1"), ("v1", "v2")):
                        await asyncio.sleep(0.4)
                        moved.append((time.time(), version))
                        here.route({version: 100, other: 0})
                await asyncio.sleep(0.4)
            assert all(row["version"] for row in rows)
            late = []
            for at, (since, version) in enumerate(moved):
                end = moved[at + 1][0] if at + 1 < len(moved) else since + 0.4
                wrong = [r["sent"] - since for r in rows if since <= r["sent"] < end and r["version"] != version]
                late.append(max(wrong, default=0.0))
            assert sorted(late)[len(late) // 2] < 0.2, late

    asyncio.run(play())


def test_a_fresh_revision_put_into_the_route_at_once_and_scaled_away_later_loses_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path) as here:
            here.deploy("v1", "demo:v1", replicas=2, **GRACEFUL)
            await here.until(lambda: here.ready("v1"))
            here.route({"v1": 100})
            await routed(here)
            async with traffic(here, 150) as rows:
                here.deploy("v2", "demo:v2", replicas=2, **GRACEFUL)
                await here.until(lambda: here.ready("v2"))
                here.route({"v1": 50, "v2": 50})
                await asyncio.sleep(0.6)
                here.scale("v2", 1)
                await here.until(lambda: len(here.pods("v2")) == 1)
                here.route({"v1": 100, "v2": 0})
                await asyncio.sleep(0.2)
                here.scale("v2", 0)
                await here.until(lambda: not here.pods("v2"))
                here.route({"v1": 100})
                here.store.delete("Service", "default", "v2")
                await asyncio.sleep(0.4)
            versions = Counter(row["version"] for row in rows)
            assert set(versions) == {"v1", "v2"} and {row["status"] for row in rows} == {200}

    asyncio.run(play())


@pytest.mark.parametrize(("broken", "status"), [("missing", 500), ("no port", 500), ("empty", 503)])
def test_a_backend_that_is_not_there_answers_for_its_share(tmp_path: Path, broken: str, status: int) -> None:
    async def play() -> None:
        async with world(tmp_path) as here:
            here.deploy("v1", "demo:v1", readinessProbe=PROBE)
            if broken == "empty":
                here.deploy("empty", "demo:v2-neverready", readinessProbe=PROBE)
            await here.until(lambda: here.ready("v1"))
            here.route({"v1": 50, broken.replace(" ", "-"): 50})
            await routed(here)
            rows = await ask(here, 600)
            codes = Counter(row["status"] for row in rows)
            assert set(codes) == {200, status}
            assert abs(codes[status] - len(rows) / 2) <= 4 * (len(rows) * 0.25) ** 0.5
            account = accounts.of_load(rows, [])
            assert account.failed == codes[status] and account.bad == {}

    asyncio.run(play())


def test_weights_that_are_all_0_answer_500_and_no_route_404(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path) as here:
            here.deploy("v1", "demo:v1", readinessProbe=PROBE)
            await here.until(lambda: here.ready("v1"))
            await routed(here, 404)
            here.route({"v1": 0})
            await routed(here, 500)
            here.route({"v1": 1})
            await routed(here, 200)
            here.store.delete("HTTPRoute", "default", "shop")
            await routed(here, 404)

    asyncio.run(play())


def test_errors_of_the_app_are_bad_answers_and_not_failures(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path) as here:
            here.deploy("v1", "demo:v1-bad", readinessProbe=PROBE)
            await here.until(lambda: here.ready("v1"))
            here.route({"v1": 1})
            await routed(here, 200)
            account = accounts.of_load(await ask(here, 300), [])
            assert account.failed == 0
            assert abs(account.bad["v1"] - 0.3 * account.requests) <= 1

    asyncio.run(play())


def test_hosts_headers_and_a_gateway_of_ones_own(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path) as here:
            here.deploy("v1", "demo:v1", readinessProbe=PROBE)
            await here.until(lambda: here.ready("v1"))
            here.store.create("Gateway", gateway("own", hostname="*.example.com"))
            spec = {"parentRefs": [{"name": "own"}], "rules": [{"backendRefs": [{"name": "v1", "port": 80}]}]}
            here.store.create("HTTPRoute", {"metadata": {"name": "own", "namespace": "default"}, "spec": spec})

            def ports() -> dict[str, int]:
                body = here.store.get("Gateway", "default", "own")
                found: dict[str, int] = json.loads(
                    body["metadata"].get("annotations", {}).get("sandbox.docc.dev/ports", "{}")
                )
                return found

            port = (await here.until(ports))["80"]
            own = f"127.0.0.1:{port}"
            for _ in range(100):
                if await status_of(own, "shop.example.com") == 200:
                    break
                await asyncio.sleep(0.05)
            assert await status_of(own, f"shop.example.com:{port}") == 200
            assert await status_of(own, "elsewhere.org") == 404
            assert await status_of(here.gateway, "shop.example.com") == 404

    asyncio.run(play())


def test_a_slow_app_slows_no_other_request_down(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path) as here:
            here.deploy("v1", "demo:v1-slow300", readinessProbe=PROBE)
            await here.until(lambda: here.ready("v1"))
            here.route({"v1": 1})
            await routed(here)
            rows = await ask(here, 150, rate=100)
            assert len(rows) >= 0.95 * 150
            assert min(row["done"] - row["sent"] for row in rows) > 0.25

    asyncio.run(play())


def test_the_end_of_envoy_ends_its_task_with_its_words(tmp_path: Path) -> None:
    async def play() -> None:
        (tmp_path / "bootstrap.json").mkdir()  # so that no configuration can be written for it
        with pytest.raises(OSError):
            await Envoy(empty_store(), tmp_path).run()
        (tmp_path / "bootstrap.json").rmdir()
        envoy = Envoy(empty_store(), tmp_path)
        running = asyncio.create_task(envoy.run())
        await envoy.ready()
        (child,) = [p for p in Path("/proc").glob("[0-9]*") if f"{tmp_path}/bootstrap.json" in _command(p)]
        os.kill(int(child.name), signal.SIGKILL)
        with pytest.raises(EnvoyEnded, match="Envoy ended with -9"):
            async with asyncio.timeout(10):
                await running

    asyncio.run(play())


def _command(process: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return (process / "cmdline").read_text(encoding="utf-8").split("\0")
    return []
