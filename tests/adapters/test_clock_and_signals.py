"""The server's time, a sleep that ends early, and what SIGINT and SIGTERM do to a real process."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from docc.adapters.clock import ServerClock
from docc.adapters.kube_connection import Request
from tests.adapters.kubeconfig import connect
from tests.adapters.server import LIMIT_SECONDS, serve

ROOT = Path(__file__).resolve().parents[2]
HOUR = 3600.0


@pytest.mark.parametrize(
    ("dates", "offset"),
    [
        ([], 0.0), ([0.0], 0.0), ([1.0], 0.0), ([-1.0], 0.0), ([100.0], 100.0), ([-100.0], -100.0), ([100.0, 101.0], 100.0),
        ([100.0, 0.0], 0.0), ([100.0, 50.0], 50.0), ([100.0, 99.0, -200.0], -200.0),
    ],
)  # fmt: skip
def test_the_servers_dates_set_the_clock_only_if_they_are_far_off(dates: list[float], offset: float) -> None:
    clock = ServerClock()
    for off in dates:
        clock.heard(time.time() + off)
    assert clock.now() - time.time() == pytest.approx(offset, abs=1.0)


def test_an_answer_of_a_server_whose_clock_is_off_sets_it(tmp_path: Path) -> None:
    clock = ServerClock()
    with serve(lambda x: x.reply(200, {}, {"Date": "Fri, 01 Jan 2100 00:00:00 GMT"})) as server:
        connection = connect(tmp_path, server.url)
        connection.on_date = clock.heard
        connection.send(Request("get", "/version"))
    assert clock.now() == pytest.approx(4_102_444_800.0, abs=60.0)


def test_sleep_lasts_until_its_instant_and_not_for_one_that_is_over() -> None:
    clock = ServerClock()
    instant = clock.now() + 0.05
    clock.sleep_until(instant)
    assert clock.now() >= instant
    clock.sleep_until(instant - HOUR)


def test_a_ring_ends_a_sleep_also_one_that_has_not_begun_and_only_one() -> None:
    clock = ServerClock()
    for _ in range(5):
        clock.ring()
    clock.sleep_until(clock.now() + HOUR)
    instant = clock.now() + 0.05
    clock.sleep_until(instant)
    assert clock.now() >= instant, "five rings were one"
    sleeper = threading.Thread(target=clock.sleep_until, args=(clock.now() + HOUR,))
    sleeper.start()
    clock.ring()
    sleeper.join(LIMIT_SECONDS)
    assert not sleeper.is_alive()


class Process:
    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-m", "tests.adapters.waiting", *words]
        pipe = subprocess.PIPE
        self._popen = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)

    def line(self) -> str:
        assert self._popen.stdout is not None
        return self._popen.stdout.readline().strip()

    def go_on(self) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.write("\n")
        self._popen.stdin.flush()

    def send(self, number: int) -> None:
        self._popen.send_signal(number)

    def insist(self, number: int) -> None:
        """Until it has ended: of two that wait to be delivered, one arrives."""
        limit = time.monotonic() + LIMIT_SECONDS
        while self._popen.poll() is None and time.monotonic() < limit:
            self.send(number)
            time.sleep(0.05)

    def code(self) -> int:
        return self._popen.wait(LIMIT_SECONDS)

    def close(self) -> None:
        self._popen.kill()
        self._popen.communicate()


@contextlib.contextmanager
def process(*words: str) -> Iterator[Process]:
    started = Process(*words)
    try:
        yield started
    finally:
        started.close()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("second", ["SIGINT", "SIGTERM"])
def test_the_first_signal_is_a_question_and_the_second_changes_nothing(name: str, second: str) -> None:
    with process() as docc:
        assert docc.line() == "ready"
        docc.send(signal.Signals[name])
        assert docc.line() == f"asked {name}", "it woke from a sleep of an hour"
        docc.send(signal.Signals[second])
        docc.go_on()
        assert docc.line() == f"asked {name}"
        assert docc.line() == "without"
        docc.go_on()
        assert docc.line() == "end" and docc.code() == 0


@pytest.mark.parametrize(("last", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_the_third_signal_ends_the_process_at_once(last: str, code: int) -> None:
    with process() as docc:
        assert docc.line() == "ready"
        docc.send(signal.SIGTERM)
        assert docc.line() == "asked SIGTERM"
        docc.insist(signal.Signals[last])
        assert docc.code() == code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, -signal.SIGTERM)])
def test_after_the_block_signals_do_what_they_did_before(number: signal.Signals, code: int) -> None:
    with process() as docc:
        assert docc.line() == "ready"
        docc.send(signal.SIGTERM)
        assert docc.line() == "asked SIGTERM"
        docc.go_on()
        assert docc.line() == "asked SIGTERM" and docc.line() == "without"
        docc.send(number)
        assert docc.code() == code


def test_signals_may_arrive_at_any_instruction_of_a_sleep() -> None:
    with process("storm") as docc:
        assert docc.line() == "weathered" and docc.code() == 0
