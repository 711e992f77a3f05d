"""Every exit code of docs/exit-codes.md, brought about for real: the process ends with it, and its document says so, too."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from docc.model.errors import ExitCode
from docc.sandbox import session
from tests.sandbox.live import App, until

PAGE = (Path(__file__).parents[2] / "docs" / "exit-codes.md").read_text(encoding="utf-8")
Ended = subprocess.CompletedProcess[str]


def run(command: list[str]) -> Ended:
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def half_way(app: App) -> subprocess.Popen[str]:
    """A driver whose candidate has 50 %, and will have for as long as nothing happens."""
    app.write(interval=120)
    words = ["--image", "demo:v2", "--prometheus-url", app.world.prometheus, "-o", "json"]
    command = app.command("deploy", str(app.path), *words)
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: app.status().get("weight") == 50, 60)
    return driver


def stopped(driver: subprocess.Popen[str], by: signal.Signals) -> Ended:
    driver.send_signal(by)
    out, err = driver.communicate(timeout=30)
    return Ended(driver.args, driver.returncode, out, err)


def done(app: App) -> Ended:
    return app.deploy("demo:v1")


def usage(app: App) -> Ended:
    app.path.write_text("{")
    return app.deploy("demo:v1")


def unchanged(app: App) -> Ended:
    assert app.deploy("demo:v1").returncode == app.deploy("demo:v1").returncode == 0
    return app.deploy("demo:v1", "--error-unchanged")


def credentials(app: App) -> Ended:
    return with_kubeconfig(app, Path(app.world.kubeconfig).read_text().replace(token(app), "another"))


def unusable(app: App) -> Ended:
    server = urlsplit(app.world.api).netloc
    return with_kubeconfig(app, Path(app.world.kubeconfig).read_text().replace(server, "127.0.0.1:9"))


def with_kubeconfig(app: App, text: str) -> Ended:
    path = app.path.with_suffix(".kubeconfig")
    path.write_text(text)
    return run([*app.command("rollback", app.name, "-o", "json"), "--kubeconfig", str(path)])


def token(app: App) -> str:
    users = json.loads(Path(app.world.kubeconfig).read_text())["users"]
    return str(users[0]["user"]["token"])


def not_found(app: App) -> Ended:
    return run(app.command("rollback", app.name, "-o", "json"))


def failed_safe(app: App) -> Ended:
    assert app.deploy("demo:v1").returncode == 0
    return app.deploy("demo:v2-missing")


CASES: dict[ExitCode, Callable[[App], Ended]] = {
    ExitCode.DONE: done,
    ExitCode.USAGE: usage,
    ExitCode.UNCHANGED: unchanged,
    ExitCode.CREDENTIALS: credentials,
    ExitCode.UNUSABLE: unusable,
    ExitCode.NOT_FOUND: not_found,
    ExitCode.FAILED_SAFE: failed_safe,
}
UNDER_WAY = {ExitCode.IN_PROGRESS, ExitCode.LOCKED, ExitCode.TERMINATED, ExitCode.INTERRUPTED}
CLUSTER_GONE = {ExitCode.FAILED_NOT_CLEAN}


def proven(code: ExitCode, ended: Ended) -> None:
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    document = json.loads(ended.stdout)
    if code is not ExitCode.IN_PROGRESS:  # a status is about the application; asking for it has not failed
        assert document.get("error", document)["exit_code"] == code


@pytest.mark.parametrize("code", CASES, ids=lambda code: str(code.value))
def test_docc_ends_with(world: session.Session, tmp_path: Path, code: ExitCode) -> None:
    proven(code, CASES[code](App(world, tmp_path, f"code{code.value}")))


@pytest.mark.timeout(300)
def test_what_docc_ends_with_while_a_rollout_is_under_way(world: session.Session, tmp_path: Path) -> None:
    app, told = App(world, tmp_path, "under-way"), set()

    def ends(code: ExitCode, ended: Ended) -> None:
        proven(code, ended)
        told.add(code)

    assert app.deploy("demo:v1").returncode == 0
    driver = half_way(app)
    ends(ExitCode.IN_PROGRESS, run(app.command("status", app.name, "--exit-status", "-o", "json")))
    ends(ExitCode.LOCKED, app.deploy("demo:v3"))
    ends(ExitCode.TERMINATED, stopped(driver, signal.SIGTERM))
    ends(ExitCode.INTERRUPTED, stopped(half_way(app), signal.SIGINT))
    assert told == UNDER_WAY


@pytest.mark.timeout(300)
def test_docc_ends_with_11_when_the_cluster_is_gone_in_mid_rollout(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    app = App(session.up(folder), tmp_path, "lost")
    try:
        assert app.deploy("demo:v1").returncode == 0
        driver = half_way(app)
    finally:
        session.down(folder)
    ended = stopped(driver, signal.SIGTERM)
    proven(ExitCode.FAILED_NOT_CLEAN, ended)
    assert "could not be put back" in json.loads(ended.stdout)["reason"]
    assert "NOT CLEAN, act now" in ended.stderr
    by_hand = f"kubectl -n default --kubeconfig {folder / 'kubeconfig'} patch httproute lost --type=json -p "
    assert by_hand in ended.stderr  # to be copied as it is, from what was last seen


def test_every_code_of_the_page_is_brought_about() -> None:
    told = {int(found) for found in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert told == {*CASES, *UNDER_WAY, *CLUSTER_GONE, ExitCode.BUG}  # nobody knows how to bring a bug about
