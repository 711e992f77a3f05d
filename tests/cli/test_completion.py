"""What the shell is offered behind `docc status <Tab>`: by a process of its own, as the shell runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from docc.model.moves import Object
from docc.model.record import ANNOTATION, Phase, Record

SHELLS = {"bash": "complete_bash", "zsh": "complete_zsh", "fish": "complete_fish"}


def route(app: str, record: Record) -> Object:
    meta = {"name": app, "namespace": "web", "creationTimestamp": "2026-11-01T10:00:00Z"}
    return {"metadata": {**meta, "annotations": {ANNOTATION: record.to_text()}}, "spec": {}}


def offered(server: str, folder: Path, words: str, shell: str = "bash", **env: str) -> tuple[str, float]:
    """What is printed, and in how many seconds."""
    config: Object = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": server}}], "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "web"}}],
    }  # fmt: skip
    (folder / "config").write_text(json.dumps(config))
    given = {"_DOCC_COMPLETE": SHELLS[shell], "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    typed = {"_TYPER_COMPLETE_ARGS": words, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    began = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-m", "docc"], capture_output=True, text=True, timeout=60,
        env={**os.environ, "KUBECONFIG": str(folder / "config"), **given, **typed, **env},
    )  # fmt: skip
    assert "Traceback" not in told.stderr and not told.stderr, told.stderr
    return told.stdout, time.monotonic() - began


@pytest.fixture
def cluster(httpserver: HTTPServer) -> str:
    running = Record(2, Phase.SHIFTING, "me", 1e9, 1e9, stable=1, candidate=2, weight=25)
    found = {"httproutes": [route("shop", running), route("shelf", running), route("cart", running)]}

    def answer(request: Request) -> Response:
        kind = request.path.rsplit("/", 1)[-1]
        return Response(json.dumps({"kind": "List", "metadata": {}, "items": found.get(kind, [])}), 200)

    httpserver.expect_request("/apis/gateway.networking.k8s.io/v1/namespaces/web/httproutes").respond_with_handler(
        answer
    )
    httpserver.expect_request("/api/v1/namespaces/web/services").respond_with_handler(answer)
    return str(httpserver.url_for(""))


@pytest.mark.parametrize("shell", SHELLS)
def test_names_that_begin_so_are_offered(cluster: str, tmp_path: Path, shell: str) -> None:
    told, _ = offered(cluster, tmp_path, "docc status sh", shell)
    assert "shop" in told and "shelf" in told and "cart" not in told
    if shell != "bash":  # which shows no descriptions
        assert "shifting v1" in told


def test_the_namespace_that_was_typed_is_looked_in(cluster: str, tmp_path: Path) -> None:
    assert offered(cluster, tmp_path, "docc rollback -n web sh")[0].split() == ["shelf", "shop"]
    assert offered(cluster, tmp_path, "docc rollback -n other sh")[0].split() == []  # which the server does not know


def test_a_server_that_hangs_keeps_nobody_waiting(httpserver: HTTPServer, tmp_path: Path) -> None:
    def hang(request: Request) -> Response:
        time.sleep(5)
        return Response("{}", 200)

    httpserver.expect_request("/apis/gateway.networking.k8s.io/v1/namespaces/web/httproutes").respond_with_handler(hang)
    told, seconds = offered(str(httpserver.url_for("")), tmp_path, "docc status sh")
    assert told.split() == [] and seconds < 5


def test_without_any_cluster_nothing_is_said(tmp_path: Path) -> None:
    assert offered("http://127.0.0.1:1", tmp_path, "docc status sh")[0].split() == []
    assert offered("http://127.0.0.1:1", tmp_path, "docc status sh", KUBECONFIG=str(tmp_path / "none"))[0].split() == []
