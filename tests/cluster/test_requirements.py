"""What a machine lacks is told in one sentence, and fails: a test that skipped would hide that nothing was tested."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.rig.session import ROOT

CLUSTER = [sys.executable, "-m", "tests.cluster"]


def run(*command: str, **env: str) -> tuple[int, str]:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr


def with_commands(folder: Path, *names: str) -> str:
    """A PATH with nothing but these."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(shutil.which(name) or "/missing")
    return str(folder)


@pytest.mark.parametrize("command", ["build", "up"])
def test_without_root_it_says_so(command: str, tmp_path: Path) -> None:
    """In a user namespace without a map root is nobody."""
    code, words = run("unshare", "--user", *CLUSTER, command, "--folder", str(tmp_path / "one"))
    assert (code, words) == (1, "the test cluster needs root: it lives in network namespaces of its own\n")


@pytest.mark.parametrize(
    ("there", "lacks"),
    [((), "`ip` (iproute2)"), (("ip",), "`unshare` (util-linux)"), (("ip", "unshare"), "`nsenter` (util-linux)")],
)
def test_without_a_command_it_names_it(there: tuple[str, ...], lacks: str, tmp_path: Path) -> None:
    code, words = run(*CLUSTER, "build", PATH=with_commands(tmp_path / "bin", *there))
    assert (code, words) == (1, f"the test cluster needs the command {lacks}\n")


def test_without_go_it_says_what_go_is_for(tmp_path: Path) -> None:
    path = with_commands(tmp_path / "bin", "ip", "unshare", "nsenter", "true")
    code, words = run(*CLUSTER, "build", PATH=path, XDG_CACHE_HOME=str(tmp_path / "empty"))
    assert (code, words) == (1, "Go is missing: the test cluster's controlplane has to be built from its Go module\n")


def test_what_is_built_needs_no_go(tmp_path: Path) -> None:
    path = with_commands(tmp_path / "bin", "ip", "unshare", "nsenter", "true")
    assert run(*CLUSTER, "build", PATH=path) == (0, "")


def test_without_a_cluster_there_is_nothing_to_show_or_to_end(tmp_path: Path) -> None:
    folder = str(tmp_path / "none")
    for command in ("status", "env", "shell"):
        code, words = run(*CLUSTER, command, "--folder", folder)
        assert (code, words) == (1, "no cluster is running: python -m tests.cluster up\n")
    assert run(*CLUSTER, "down", "--folder", folder) == (0, "no cluster was running\n")
