"""The sandbox as its page tells it, typed into a real shell: up, eval, deploy, ask, down."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

MANIFEST = {
    "application": {"name": "shop", "containers": {"web": {"image": "demo:v7", "ports": [{"port": 8080}]}}},
    "deployment_strategy": {"drain": 0},
}
KEYS = ("KUBECONFIG", "GATEWAY", "PROMETHEUS", "DOCC_PROMETHEUS_URL")


class Shell:
    """A POSIX shell with docc on its path, and a home of its own. A quote and a blank in the path must not hurt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "it's a home"
        (self.folder / "bin").mkdir(parents=True)
        docc = self.folder / "bin" / "docc"
        docc.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m docc "$@"\n')
        docc.chmod(0o755)
        (self.folder / "manifest.json").write_text(json.dumps(MANIFEST))
        kept = {key: value for key, value in os.environ.items() if key not in KEYS and not key.startswith("XDG_")}
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        self.env = {**kept, "PATH": path, "XDG_STATE_HOME": str(self.folder / "state"), "HOME": str(self.folder)}
        self.env["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])

    def types(self, script: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", "-uc", script]
        return subprocess.run(command, env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=120)


def answered(api: str) -> None:
    """Whatever it says, it is there."""
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(api, timeout=10).close()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    opened = Shell(tmp_path)
    yield opened
    opened.types("docc sandbox down; docc sandbox down --name second")


@pytest.mark.timeout(300)
def test_a_person_brings_it_up_deploys_asks_the_app_and_takes_it_down(shell: Shell) -> None:
    none = shell.types("docc sandbox status")
    assert none.returncode == 6 and none.stdout == "" and "docc sandbox up" in none.stderr
    up = shell.types("docc sandbox up")
    assert up.returncode == 0 and "eval" in up.stderr, up.stderr
    found = dict(line.split("=", 1) for line in up.stdout.splitlines())
    assert set(found) == {"KUBECONFIG", "GATEWAY", "PROMETHEUS"}
    again = shell.types("docc sandbox up")
    assert again.returncode == 0 and again.stdout == up.stdout, "it is found running, not begun anew"

    script = """
        set -e
        eval "$(docc sandbox status -o env)"
        for key in KUBECONFIG GATEWAY PROMETHEUS DOCC_PROMETHEUS_URL; do printenv "$key"; done
        docc deploy manifest.json --yes >/dev/null 2>&1
        docc status shop -o name
        python3 -c 'import os, sys, urllib.request as u
print(u.urlopen("http://" + os.environ["GATEWAY"] + "/").headers["x-version"])'
    """
    done = shell.types(script)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert told == [found["KUBECONFIG"], found["GATEWAY"], found["PROMETHEUS"], found["PROMETHEUS"], "shop", "v7"]

    document = json.loads(shell.types("docc sandbox status -o json").stdout)
    assert {key: document[key] for key in found} == found
    answered(document["api"])
    assert "KUBECONFIG" in shell.types("docc sandbox status").stdout
    ended = shell.types("docc sandbox down")
    assert ended.returncode == 0 and "has ended" in ended.stderr
    with pytest.raises(urllib.error.URLError, match="refused"):
        answered(document["api"])
    assert shell.types("docc sandbox status -o env").returncode == 6
    assert "No sandbox was running" in shell.types("docc sandbox down").stderr


@pytest.mark.timeout(200)
def test_two_stand_side_by_side_by_name_and_an_output_that_is_none_is_refused(shell: Shell) -> None:
    assert shell.types("docc sandbox up && docc sandbox up --name second").returncode == 0
    first, second = (shell.types(f"docc sandbox status{words}").stdout for words in ("", " --name second"))
    assert first != second and len(first.splitlines()) == len(second.splitlines()) == 3
    assert shell.types("docc sandbox down --name second && docc sandbox status").stdout == first
    assert shell.types("docc sandbox status --name second").returncode == 6
    assert shell.types("docc sandbox status -o yaml").returncode == 2
