"""Acceptance cases 14, 15 and 17 on the sandbox: back at once, the same command again, and a fast return."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from docc.sandbox import session
from tests.sandbox.live import App, counted, until

pytestmark = pytest.mark.timeout(300)


def steps(text: str, revision: int) -> list[int]:
    return [each["weight"] for each in json.loads(text)["weights"] if each["revision"] == f"v{revision}"]


def test_case_14_rollback_right_after_promotion_goes_to_pods_that_are_still_up(
    world: session.Session, tmp_path: Path
) -> None:
    app = App(world, tmp_path, "promoted")
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path) as load:
        there = app.deploy("demo:v2")
        back = app.run("rollback", "-o", "json", "--yes")
        assert (there.returncode, back.returncode) == (0, 0), back.stderr
    found = counted(load, there.stdout, back.stdout)
    assert found.requests > 300 and found.failed == 0, found
    assert steps(back.stdout, 1) == [100] and app.ask() == "v1"
    assert app.status()["stable"] == "v1"


def test_case_15_after_a_fail_the_same_command_tries_again_and_is_judged_again(
    world: session.Session, tmp_path: Path
) -> None:
    app = App(world, tmp_path, "failed")
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path) as load:
        tries = [app.deploy("demo:v2-err30") for _ in range(2)]
    assert [each.returncode for each in tries] == [10, 10]
    assert all(steps(each.stdout, 2) == [50, 0] for each in tries), [each.stdout for each in tries]
    found = counted(load, *(each.stdout for each in tries))
    assert found.failed == 0 and sum(found.bad.values()) > 0 and app.ask() == "v1", found


def test_case_15_after_a_park_the_same_command_tries_again(world: session.Session, tmp_path: Path) -> None:
    app = App(world, tmp_path, "parked")
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path):
        driver = app.start("demo:v2")
        until(lambda: app.status()["weight"] == 50, 60)
        driver.send_signal(signal.SIGTERM)
        assert driver.wait(30) == 143 and app.ask() == "v1"
        again = app.deploy("demo:v2")
    assert again.returncode == 0 and steps(again.stdout, 2) == [50, 100] and app.ask() == "v2"


def test_case_17_the_version_that_serves_takes_back_what_is_half_way_without_steps(
    world: session.Session, tmp_path: Path
) -> None:
    app = App(world, tmp_path, "half-way")
    app.write(interval=30)
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path) as load:
        driver = app.start("demo:v2")
        until(lambda: app.status()["weight"] == 50, 60)
        driver.kill()
        driver.wait(10)
        back = app.deploy("demo:v1")
    assert back.returncode == 0 and "fast return" in back.stderr, back.stderr
    assert steps(back.stdout, 2) == [0] and steps(back.stdout, 1) in ([], [100]), back.stdout
    assert counted(load, back.stdout).failed == 0
    assert app.ask() == "v1" and app.status()["stable"] == "v1"
