"""An API server that answers each request late: what docc can ask at once it asks at once, and it does not wait for ever."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from docc.sandbox import session
from tests.sandbox.hanging import Api, hanging
from tests.sandbox.live import App

pytestmark = pytest.mark.timeout(200)
BOUND_SECONDS = 60.0
"""Far more than docc allows itself; test machines are slow at times."""


@pytest.fixture
def app(world: session.Session, tmp_path: Path) -> App:
    return App(world, tmp_path, "slow")


@pytest.fixture
def late(world: session.Session, tmp_path: Path) -> Iterator[tuple[Api, Path]]:
    with hanging(world, tmp_path, lambda kind, path: False) as found:
        yield found


def typed(command: list[str], kubeconfig: Path) -> subprocess.CompletedProcess[str]:
    words = [*command[: command.index("--kubeconfig")], "--kubeconfig", str(kubeconfig)]
    return subprocess.run(words, capture_output=True, text=True, timeout=BOUND_SECONDS * 2)


def test_the_first_lists_of_a_deploy_are_asked_for_at_once(app: App, late: tuple[Api, Path]) -> None:
    server, kubeconfig = late
    server.late = 1.0
    planned = typed(
        app.command("deploy", str(app.path), "--dry-run", "--prometheus-url", app.world.prometheus), kubeconfig
    )
    assert planned.returncode == 0 and "plan: slow v1" in planned.stderr, planned.stderr
    assert server.most >= 5 and len(server.came) > 8


@pytest.mark.parametrize("words", [("deploy",), ("deploy", "--dry-run")])
def test_a_server_that_is_slow_with_each_answer_is_unusable_and_that_is_told_in_time(
    app: App, late: tuple[Api, Path], words: tuple[str, ...]
) -> None:
    server, kubeconfig = late
    server.late = 6.0  # each is in time, all of them together are not
    began = time.monotonic()
    refused = typed(app.command(words[0], str(app.path), "--yes", *words[1:]), kubeconfig)
    assert refused.returncode == 5 and time.monotonic() - began < BOUND_SECONDS
    assert "nothing was touched" in refused.stderr and "does not answer" in refused.stderr
    assert "looked at beforehand" in refused.stderr
    assert not [request for request in server.came if request.startswith(("PATCH", "DELETE"))]


def test_one_list_that_is_never_answered_is_told_in_time(world: session.Session, app: App, tmp_path: Path) -> None:
    with hanging(world, tmp_path, lambda kind, path: "/pods" in path) as (_, kubeconfig):
        began = time.monotonic()
        refused = typed(app.command("deploy", str(app.path), "--yes"), kubeconfig)
    assert refused.returncode == 5 and time.monotonic() - began < BOUND_SECONDS
    assert "nothing was touched" in refused.stderr, refused.stderr


def test_status_and_history_look_once_and_watch_nothing(app: App, late: tuple[Api, Path]) -> None:
    assert app.deploy("demo:v1").returncode == 0
    server, kubeconfig = late
    for verb in ("status", "history"):
        shown = typed(app.command(verb, app.name), kubeconfig)
        assert shown.returncode == 0 and "v1" in shown.stdout, shown.stderr
    assert len(server.came) > 10 and not [request for request in server.came if "watch=true" in request]
