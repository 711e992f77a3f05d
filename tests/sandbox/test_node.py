"""The node: pods as real processes on loopback, probed, restarted and ended as a kubelet does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.sandbox import processes
from docc.sandbox.addresses import Addresses, listenable
from docc.sandbox.logs import LINE_BYTES_MAX, LINES_MAX, Logs, collect
from docc.sandbox.probes import Tally
from docc.sandbox.refusals import StoreError
from tests.sandbox.local_world import World, world

HTTP: dict[str, Any] = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1}
TCP: dict[str, Any] = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}


def events(play: World, reason: str) -> dict[str, int]:
    """Message -> count."""
    return {e["message"]: e["count"] for e in play.store.select("Event") if e["reason"] == reason}


def alive(pid: int) -> bool:
    """A zombie has ended: nobody in this container may be there to reap it."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    return False


def is_waiting(play: World, reason: str) -> bool:
    return bool(play.container("app").get("state", {}).get("waiting", {}).get("reason") == reason)


def log(play: World, name: str, previous: bool = False) -> str:
    (pod,) = play.pods(name)
    return play.node.logs.read("default", pod["metadata"]["name"], "web", previous, None)


async def eventually(condition: Any, seconds: float = 5.0) -> Any:
    limit = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < limit
        await asyncio.sleep(0.02)
    return value


def test_pods_become_ready_by_their_probe_each_on_its_own_address(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            here.deploy("app", "demo:v1", replicas=3, readinessProbe=HTTP)
            await here.until(lambda: here.ready("app"))
            addresses = {pod["status"]["podIP"] for pod in here.pods()}
            assert len(addresses) == 3 and all(address.startswith("127.") for address in addresses)
            for pod in here.pods():
                status = pod["status"]
                assert status["phase"] == "Running"
                (container,) = status["containerStatuses"]
                assert (container["ready"], container["started"], container["restartCount"]) == (True, True, 0)
                assert "running" in container["state"]

    asyncio.run(play())


def test_a_port_below_1024_is_served_higher_and_everybody_is_told(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            probe = {"httpGet": {"port": "http"}, "periodSeconds": 1}
            here.deploy("app", "nginx:1.24", ports=[{"containerPort": 80, "name": "http"}], readinessProbe=probe)
            await here.until(lambda: here.ready("app"))
            (pod,) = here.pods()
            port = json.loads(pod["metadata"]["annotations"]["sandbox.docc.dev/ports"])["80"]
            assert port >= 1024
            piece = await here.until(lambda: next(iter(here.store.select("EndpointSlice")), None))
            assert piece["ports"][0]["port"] == port
            assert f"1.24 listens on {pod['status']['podIP']}:{port}" in log(here, "app")

    asyncio.run(play())


def test_a_command_is_run_as_it_is_with_references_to_its_environment(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            env = [{"name": "WHO", "value": "you"}, {"name": "GREETING", "value": "hello $(WHO)"}]
            script = "echo $HOST:$PORT '$(GREETING) $(NONE) $$(WHO)'; exec sleep 60"
            here.deploy("app", "any:1", command=["sh", "-c"], args=[script], env=env)
            await here.until(lambda: here.ready("app"))
            (pod,) = here.pods()
            said = await eventually(lambda: log(here, "app"))
            assert said == f"{pod['status']['podIP']}:8080 hello you $(NONE) $(WHO)\n"

    asyncio.run(play())


def test_a_crash_is_restarted_with_back_off_and_leaves_its_traces(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            here.deploy("app", "demo:v1", env=[{"name": "CRASH", "value": "1"}])
            waiting = await here.until(lambda: here.container("app").get("state", {}).get("waiting", {}).get("message"))
            name = here.pods()[0]["metadata"]["name"]
            assert waiting == f"back-off 1s restarting failed container=web pod={name}"
            status = here.container("app")
            assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
            assert (status["restartCount"], status["ready"]) == (1, False)
            assert (status["lastState"]["terminated"]["exitCode"], status["lastState"]["terminated"]["reason"]) == (
                1,
                "Error",
            )
            assert log(here, "app") == log(here, "app", previous=True) == "v1 panics: it was told to crash\n"
            assert here.pods()[0]["status"]["phase"] == "Running"
            began = time.monotonic()
            await here.until(lambda: here.container("app")["restartCount"] == 2)
            assert time.monotonic() - began > 0.8
            assert f"Back-off restarting failed container=web pod={name}" in events(here, "BackOff")

    asyncio.run(play())


def test_a_signal_ends_a_container_with_128_more(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            here.deploy("app", "any:1", command=["sh", "-c", "kill -9 $$$$"])
            await here.until(lambda: here.container("app").get("lastState"))
            assert here.container("app")["lastState"]["terminated"]["exitCode"] == 137

    asyncio.run(play())


def test_a_command_that_is_not_there_says_so(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            here.deploy("app", "any:1", command=["no-such-program"])
            await here.until(lambda: here.container("app").get("restartCount"))
            assert here.container("app")["lastState"]["terminated"]["exitCode"] == 127
            assert log(here, "app", previous=True) == "exec no-such-program: No such file or directory\n"

    asyncio.run(play())


def test_a_missing_image_is_told_in_a_registrys_words_and_can_be_deleted(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            here.deploy("app", "demo:v9-missing")
            for reason in ("ErrImagePull", "ImagePullBackOff"):
                await here.until(partial(is_waiting, here, reason))
                message = here.container("app")["state"]["waiting"]["message"]
                assert message.endswith("demo:v9-missing: not found")
            assert here.pods()[0]["status"]["phase"] == "Pending"
            assert any("Failed to pull image" in message for message in events(here, "Failed"))
            with pytest.raises(StoreError, match="waiting to start"):
                log(here, "app")
            here.scale("app", 0)
            await here.until(lambda: not here.pods())

    asyncio.run(play())


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (HTTP, "Readiness probe failed: HTTP probe failed with statuscode: 503"),
        (TCP, "Readiness probe failed: dial tcp {address}:8080: connect: connection refused"),
    ],
    ids=["http", "tcp"],
)
def test_one_that_never_gets_ready_is_never_an_endpoint_and_says_why(
    tmp_path: Path, probe: dict[str, Any], words: str
) -> None:
    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            here.deploy("app", "demo:v1-neverready", readinessProbe=probe)
            await here.until(lambda: any(count >= 2 for count in events(here, "Unhealthy").values()))
            (pod,) = here.pods()
            assert list(events(here, "Unhealthy")) == [words.format(address=pod["status"]["podIP"])]
            ready = {c["type"]: c for c in pod["status"]["conditions"]}["Ready"]
            assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")
            assert not any(e["conditions"]["ready"] for e in here.store.select("EndpointSlice")[0]["endpoints"])

    asyncio.run(play())


def test_a_pod_is_ready_when_all_its_containers_are(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            sidecar = {"name": "side", "image": "side:1-late1", "ports": [{"containerPort": 9090}],
                       "readinessProbe": {"httpGet": {"port": 9090}, "periodSeconds": 1}}  # fmt: skip
            main = {"name": "web", "image": "demo:v1", "ports": [{"containerPort": 8080}], "readinessProbe": HTTP}
            here.deploy("app", "", pod={"containers": [main, sidecar, {"name": "portless", "image": "side:2"}]})
            await here.until(lambda: here.container("app").get("ready"))
            assert not here.ready("app")
            await here.until(lambda: here.ready("app"))
            assert [s["restartCount"] for s in here.pods()[0]["status"]["containerStatuses"]] == [0, 0, 0]

    asyncio.run(play())


def test_readiness_is_lost_after_failure_threshold_and_won_again(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            flag = tmp_path / "ready"
            flag.touch()
            serve = (
                "import http.server, os, sys\n"
                "class Handler(http.server.BaseHTTPRequestHandler):\n"
                "    def do_GET(self):\n"
                "        self.send_response(200 if os.path.exists(sys.argv[1]) else 500)\n"
                "        self.end_headers()\n"
                "http.server.HTTPServer((os.environ['HOST'], int(os.environ['PORT'])), Handler).serve_forever()\n"
            )
            probe = {**HTTP, "failureThreshold": 2}
            here.deploy("app", "any:1", command=["python3", "-c", serve, str(flag)], readinessProbe=probe)
            await here.until(lambda: here.ready("app"))
            flag.unlink()
            began = time.monotonic()
            await here.until(lambda: not here.ready("app"))
            assert time.monotonic() - began > 0.9, "one failure of two must not be enough"
            flag.touch()
            await here.until(lambda: here.ready("app"))
            assert here.container("app")["restartCount"] == 0

    asyncio.run(play())


@pytest.mark.parametrize("kind", ["livenessProbe", "startupProbe"])
def test_a_failed_liveness_or_startup_probe_restarts_the_container(tmp_path: Path, kind: str) -> None:
    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            probe: dict[str, Any] = {kind: {**TCP, "failureThreshold": 1}}
            here.deploy("app", "any:1", command=["sleep", "60"], **probe)
            await here.until(lambda: here.container("app").get("restartCount"))
            word = kind.removesuffix("Probe")
            assert list(events(here, "Killing")) == [f"Container web failed {word} probe, will be restarted"]
            assert here.container("app")["lastState"]["terminated"]["exitCode"] == 143

    asyncio.run(play())


def test_nothing_else_is_probed_before_the_startup_probe_has_passed(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            startup = {**HTTP, "failureThreshold": 30}
            liveness = {**HTTP, "failureThreshold": 1}
            here.deploy("app", "demo:v1-late2", startupProbe=startup, livenessProbe=liveness)
            await here.until(lambda: here.ready("app"))
            assert here.container("app")["restartCount"] == 0
            assert all(message.startswith("Startup") for message in events(here, "Unhealthy"))

    asyncio.run(play())


def test_a_deleted_pod_serves_through_its_pre_stop_and_is_no_endpoint(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            here.deploy("app", "demo:v1", readinessProbe=HTTP, lifecycle={"preStop": {"sleep": {"seconds": 1}}})
            await here.until(lambda: here.ready("app"))
            address = here.pods()[0]["status"]["podIP"]
            here.scale("app", 0)
            await here.until(lambda: here.pods() and "deletionTimestamp" in here.pods()[0]["metadata"])
            began = time.monotonic()
            await here.until(lambda: not here.store.select("EndpointSlice")[0]["endpoints"][0]["conditions"]["ready"])
            _, writer = await asyncio.open_connection(address, 8080)
            writer.close()
            await here.until(lambda: not here.pods())
            assert 0.9 < time.monotonic() - began < 3
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(address, 8080)

    asyncio.run(play())


def test_one_that_ignores_sigterm_is_killed_after_its_grace_with_its_children(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            script = "trap '' TERM; sleep 1000 & echo $!; echo $$$$; wait; wait; sleep 1000"
            here.deploy("app", "any:1", command=["sh", "-c", script], pod={"terminationGracePeriodSeconds": 1})
            pids = await _pids(here)
            here.scale("app", 0)
            began = time.monotonic()
            await here.until(lambda: not here.pods())
            assert 0.9 < time.monotonic() - began < 4
            await eventually(lambda: not any(map(alive, pids)))

    asyncio.run(play())


async def _pids(here: World) -> list[int]:
    """The two that the container has printed."""

    def said() -> list[str]:
        with contextlib.suppress(StoreError, ValueError):
            return log(here, "app").split()
        return []

    await eventually(lambda: len(said()) == 2)
    return [int(pid) for pid in said()]


def test_what_a_container_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            here.deploy("app", "any:1", command=["sh", "-c", "sleep 1000 & echo $!; exit 3"])
            await here.until(lambda: here.container("app").get("lastState"))
            left = int(log(here, "app", previous=True) if here.container("app")["restartCount"] else log(here, "app"))
            await eventually(lambda: not alive(left))

    asyncio.run(play())


def test_the_end_of_the_node_is_the_end_of_all_processes(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            here.deploy(
                "app", "any:1", command=["sh", "-c", "trap '' TERM; sleep 1000 & echo $! $$$$; wait; wait; sleep 1000"]
            )
            pids = await _pids(here)
            began = time.monotonic()
        assert time.monotonic() - began < 3
        await eventually(lambda: not any(map(alive, pids)))

    asyncio.run(play())


def test_a_child_whose_parent_died_before_it_could_be_tied_does_not_start(tmp_path: Path) -> None:
    async def play() -> None:
        told = tmp_path / "told"
        tether = str(Path(processes.__file__).with_name("tether.py"))
        process = await asyncio.create_subprocess_exec("python3", "-S", "-E", tether, "1", "touch", str(told))
        assert os.getpid() != 1
        assert await process.wait() == 1
        assert not told.exists()

    asyncio.run(play())


def test_sandboxes_side_by_side_have_blocks_of_their_own() -> None:
    with contextlib.closing(Addresses()) as one, contextlib.closing(Addresses()) as other:
        assert one.block != other.block
        addresses = {one.next() for _ in range(1000)} | {other.next() for _ in range(1000)}
        assert len(addresses) == 2000


def test_a_port_that_is_taken_on_all_addresses_is_served_elsewhere() -> None:
    with contextlib.closing(Addresses()) as addresses, socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        first, second = listenable(addresses.next(), port), listenable(addresses.next(), port)
        assert first == second != port
        assert listenable(addresses.next(), 80) == 20080


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 4), st.integers(1, 4))
def test_a_probe_changes_state_only_after_its_threshold_in_a_row(
    answers: list[bool], successes: int, failures: int
) -> None:
    tally, probe = Tally(), {"successThreshold": successes, "failureThreshold": failures}
    for count, good in enumerate(answers, 1):
        before = tally.passing
        changed = tally.note("" if good else "no", probe)
        assert changed == (tally.passing is not before)
        if changed:
            needed = successes if good else failures
            assert tally.passing is good and answers[count - needed : count] == [good] * needed


def _print(pipe: int, rows: bytes) -> None:
    with os.fdopen(pipe, "wb") as out:
        out.write(rows + b"x" * (3 * LINE_BYTES_MAX) + b"\xff")


def test_logs_are_bounded_and_keep_one_run_more() -> None:
    async def play() -> None:
        logs, place = Logs(), ("default", "pod", "web")
        for number in range(3):
            pipe, end = os.pipe()
            printing = asyncio.to_thread(
                _print, end, b"".join(b"%d-%d\n" % (number, row) for row in range(LINES_MAX + 5))
            )
            await asyncio.gather(collect(pipe, logs.begin(place)), printing)
            logs.end(place)
        logs.begin(place)
        assert logs.read(*place, False, None) == "", "the present run has said nothing yet"
        present = logs.read(*place, True, None).splitlines()
        assert len(present) == LINES_MAX and present[-1] == "\N{REPLACEMENT CHARACTER}" and present[0].startswith("2-")
        assert len(logs.read(*place, True, 5).splitlines()) == 5 and logs.read(*place, True, 0) == ""
        assert max(map(len, present)) == LINE_BYTES_MAX
        logs.forget("default", "pod")
        with pytest.raises(StoreError, match="waiting to start"):
            logs.read(*place, False, None)

    asyncio.run(play())
