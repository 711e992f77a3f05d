"""Two people at one application: who is refused and what they are told, who waits, who takes over, and what users notice."""

from __future__ import annotations

import getpass
import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from docc.sandbox import session
from tests.sandbox.live import App, counted, until

pytestmark = pytest.mark.timeout(300)
ME = f"{getpass.getuser()}@{socket.gethostname()}"
GITHUB = {
    "GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.example", "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_RUN_ID": "42",
}  # fmt: skip
GITLAB = {"GITLAB_CI": "true", "CI_JOB_URL": "https://gitlab.example/acme/shop/-/jobs/7"}
started: list[subprocess.Popen[bytes]] = []


@pytest.fixture(scope="module")
def world(world: session.Session) -> Iterator[session.Session]:
    yield world
    for process in started:  # those of a test that failed
        process.kill()
        process.wait(10)


@dataclass
class Docc:
    """One run of docc, which is not waited for. It has nobody to ask: its standard input is empty."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def told(self) -> str:
        return self.log.read_text()

    def ended(self, seconds: float = 100) -> int:
        return self.process.wait(seconds)


def begin(app: App, verb: str, *words: str, env: Mapping[str, str] | None = None) -> Docc:
    """`docc deploy FILE ...` or `docc resume APP ...`."""
    what = str(app.path) if verb == "deploy" else app.name
    command = app.command(verb, what, "--prometheus-url", app.world.prometheus, *words)
    log = Path(tempfile.mkstemp(dir=app.path.parent, suffix=".log")[1])
    with log.open("wb") as out:
        kept = {**os.environ, **(env or {})}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=kept)
    started.append(process)
    return Docc(process, log)


def at_half(app: App, interval: int) -> Docc:
    """A driver whose candidate v2 has 50 %, and gets more in `interval` seconds."""
    app.write(interval=interval)
    driver = begin(app, "deploy", "--image", "demo:v2")
    until(lambda: app.status().get("weight") == 50, 60)
    return driver


@pytest.fixture(scope="module")
def driven(world: session.Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Its driver lives, and its next step is far away."""
    app = App(world, tmp_path_factory.mktemp("driven"), "driven")
    assert app.deploy("demo:v1").returncode == 0
    driver = at_half(app, 600)
    yield app
    assert app.status()["weight"] == 50, "none of those who were refused has touched anything"
    driver.process.terminate()
    assert driver.ended() == 143, driver.told


@pytest.mark.parametrize("verb", ["deploy --image demo:v3", "resume"])
@pytest.mark.parametrize("more", ["", "--lock-wait 3s", "--take-over"])
def test_who_comes_second_is_told_who_drives_what_and_how_far_it_is(driven: App, verb: str, more: str) -> None:
    """--take-over, too, where there is nobody to ask: a living driver is not ended by a word in a script alone."""
    second = begin(driven, *verb.split(), *more.split())
    code, told = second.ended(), second.told
    assert code == 7, told
    assert f"error: driven is being deployed by {ME} (v2, shifting, 50 %)" in told
    age = re.search(
        r"why: +it has held the lock for (\d+) s, and renewed it (\d+) s ago, while this command watched", told
    )
    assert age and int(age[1]) >= int(age[2]) and int(age[2]) < 15, told
    assert "where: Lease default/docc-driven" in told and "state: nothing was touched" in told
    waited = re.search(r"watched, (\d+) s long", told)
    assert bool(waited) == bool("wait" in more) and (waited is None or 3 <= int(waited[1]) < 30), told


def test_a_wait_for_the_lock_is_part_of_the_timeout(driven: App) -> None:
    second = begin(driven, "deploy", "--image", "demo:v3", "--lock-wait", "5m", "--timeout", "20s")
    assert second.ended(90) == 7 and "is being deployed by" in second.told, second.told
    assert "nothing was touched" in second.told


@pytest.mark.parametrize(
    ("env", "place"),
    [(GITHUB, "https://github.example/acme/shop/actions/runs/42"), (GITLAB, GITLAB["CI_JOB_URL"])],
    ids=["github", "gitlab"],
)
def test_a_ci_jobs_place_is_the_address_of_its_run(
    world: session.Session, tmp_path: Path, env: dict[str, str], place: str
) -> None:
    app = App(world, tmp_path, f"ci{len(place)}")
    driver = begin(app, "deploy", "--image", "demo:v1-neverready", env=env)
    until(lambda: (app.status().get("driver") or {}).get("holder") == place, 60)
    second = begin(app, "deploy", "--image", "demo:v1")
    assert second.ended() == 7 and f"{app.name} is being deployed by {place} (v1, preparing, 0 %)" in second.told, (
        second.told
    )
    driver.process.terminate()
    assert driver.ended() == 143, driver.told


def test_who_waits_goes_on_from_where_the_other_has_ended(world: session.Session, tmp_path: Path) -> None:
    """v2 is promoted first; then v3 is rolled out beside v2, not beside v1, which served when it was typed."""
    app = App(world, tmp_path, "patient")
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path) as load:
        driver = at_half(app, 20)
        waiting = begin(app, "deploy", "--image", "demo:v3", "--lock-wait", "5m")
        assert driver.ended() == 0 and "v2 is the stable version now" in driver.told, driver.told
        assert waiting.ended() == 0 and app.ask() == "v3", waiting.told
    assert f"{ME} drives it, and is alive; waiting up to 300 s" in waiting.told
    assert "rollout of v3; v2 serves 100 %" in waiting.told
    assert counted(load).failed == 0


def test_of_two_who_wait_each_gets_its_turn_with_a_number_of_its_own(world: session.Session, tmp_path: Path) -> None:
    """Both planned a v3, when both were typed."""
    app = App(world, tmp_path, "queue")
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path) as load:
        driver = at_half(app, 20)
        waiting = [begin(app, "deploy", "--image", f"demo:{image}", "--lock-wait", "5m") for image in ("w3", "w4")]
        for each in waiting:
            until(lambda each=each: "is alive; waiting" in each.told, 60)
        app.write(interval=3)
        assert driver.ended() == 0, driver.told
        assert [each.ended(200) for each in waiting] == [0, 0], [each.told for each in waiting]
    second = next(each for each in waiting if "v3 is another version by now; this is v4" in each.told)
    assert "rollout of v4; v3 serves 100 %" in second.told and app.status()["stable"] == "v4"
    assert counted(load).failed == 0


@pytest.mark.parametrize("verb", ["deploy --image demo:v2", "resume"])
def test_who_waits_goes_on_with_the_same_version_when_the_other_is_stopped(
    world: session.Session, tmp_path: Path, verb: str
) -> None:
    app = App(world, tmp_path, f"heir-{verb[:6]}")
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path) as load:
        driver = at_half(app, 20)
        waiting = begin(app, *verb.split(), "--lock-wait", "5m")
        until(lambda: "is alive; waiting" in waiting.told, 60)
        driver.process.terminate()
        assert driver.ended() == 143, driver.told
        assert waiting.ended() == 0 and app.ask() == "v2", waiting.told
    assert counted(load).failed == 0


@pytest.mark.parametrize("verb", ["deploy --image demo:v2", "resume"])
def test_take_over_with_a_yes_ends_the_living_driver_and_users_notice_nothing(
    world: session.Session, tmp_path: Path, verb: str
) -> None:
    app = App(world, tmp_path, f"taken-{verb[:6]}")
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path) as load:
        driver = at_half(app, 20)
        taking = begin(app, *verb.split(), "--take-over", "--yes", env=GITLAB)
        assert driver.ended() == 7, driver.told
        assert f"overruled: {GITLAB['CI_JOB_URL']} took" in driver.told and "act now" not in driver.told, driver.told
        assert taking.ended() == 0 and app.ask() == "v2", taking.told
    assert counted(load).failed == 0
    assert "taking over the rollout of v2" in taking.told


@pytest.mark.parametrize("more", ["", "--take-over"])
def test_the_place_of_a_driver_that_is_gone_needs_no_question(
    world: session.Session, tmp_path: Path, more: str
) -> None:
    app = App(world, tmp_path, f"gone{len(more)}")
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path) as load:
        driver = at_half(app, 20)
        driver.process.kill()
        assert driver.ended() == -9
        heir = begin(app, "deploy", "--image", "demo:v2", *more.split())
        assert heir.ended() == 0 and app.ask() == "v2", heir.told
    assert f"{ME} holds the lock; watching for 15 s whether it is alive" in heir.told
    assert "is alive;" not in heir.told and "taking over the rollout of v2" in heir.told
    assert counted(load).failed == 0
