"""`python -m tests.cluster build | test | up | down | status | env | shell`: the test cluster as a developer's tool."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from docc.sandbox.processes import tied
from tests.cluster.build.builder import BuildFailed, of_the_cluster
from tests.cluster.rig import session

_ALONE = "tests/cluster/test_lifetime.py"
_OWN = (
    "tests/cluster/acceptance/test_talk.py",
    "tests/cluster/acceptance/test_restarts.py",
    "tests/cluster/acceptance/test_killed.py",
    "tests/cluster/test_promql.py",
)
"""Each file has a cluster of its own; the last one a Prometheus, at a port that it has to itself."""
WORKERS, _TEST_SECONDS_MAX = 4, "600"
GOAL_MINUTES, MINUTES_MAX = 20, 40
"""Of the whole suite, when all is built. Machines are noisy; what takes more than the second waits for what does not come."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("command", choices=("build", "test", "up", "down", "status", "env", "shell"))
    parser.add_argument("--folder", type=Path, default=session.default_folder(), help="several can run side by side")
    parser.add_argument("--scrape-seconds", type=float, default=session.SCRAPE_SECONDS)
    given = parser.parse_args()
    folder = given.folder.absolute()
    try:
        return _run(given.command, folder, given.scrape_seconds)
    except (session.Unusable, BuildFailed) as error:
        _say(f"{error}")
        return 1


def _run(command: str, folder: Path, scrape_seconds: float) -> int:
    if command == "build":
        session.require()
        of_the_cluster().build(_say)
        return 0
    if command == "up":
        session.require()
        of_the_cluster().build(_say)
        _show(session.up(folder, scrape_seconds))
        return 0
    if command == "test":
        return _test(folder)
    if command == "down":
        _say("the cluster has ended" if session.down(folder) else "no cluster was running")
        return 0
    running = session.status(folder)
    if running is None:
        _say("no cluster is running: python -m tests.cluster up")
        return 1
    if command == "status":
        _show(running)
        return 0
    if command == "env":
        rows = [f"export {name}={shlex.quote(value)}" for name, value in running.env.items()]
        sys.stdout.write("\n".join([*rows, ""]))
        return 0
    return _shell(running)


def _test(folder: Path) -> int:
    """The whole suite: what shares a cluster side by side (mostly it waits), then what begins clusters of its own."""
    began = time.monotonic()
    with session.borrowed(folder):
        together = _pytest(
            "tests/cluster",
            *(f"--ignore={file}" for file in (_ALONE, *_OWN)),
            "-n",
            f"{WORKERS}",
            "--dist",
            "worksteal",
        )
    own = _pytest(*_OWN, "-n", "2", "--dist", "loadfile")
    alone = _pytest(_ALONE)
    return together or own or alone or in_time((time.monotonic() - began) / 60)


def in_time(minutes: float) -> int:
    """The exit code."""
    late = minutes > MINUTES_MAX
    fault = f": more than {MINUTES_MAX} are no noise; --durations tells who waits" if late else ""
    _say(f"it took {minutes:.1f} minutes (goal {GOAL_MINUTES}){fault}")
    return int(late)


def _pytest(*words: str) -> int:
    command = [sys.executable, "-m", "pytest", "--timeout", _TEST_SECONDS_MAX, *words]
    return subprocess.run(tied(command), cwd=session.ROOT, check=False).returncode


def _shell(running: session.Session) -> int:
    path = os.pathsep.join([str(_tools(running)), str(Path(sys.executable).parent), os.environ["PATH"]])
    shell = [*session.entering(running), os.environ.get("SHELL", "sh")]
    _say("a shell in the cluster's network; kubectl and docc (of this checkout) are on the PATH; ask env for the rest")
    modules = os.pathsep.join([str(session.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {**os.environ, **running.env, "PATH": path, "PYTHONPATH": modules}
    return subprocess.run(shell, env=env, check=False).returncode


def _tools(running: session.Session) -> Path:
    """A folder with kubectl, and docc as it is in this checkout."""
    folder = running.folder / "bin"
    folder.mkdir(exist_ok=True)
    kubectl, docc = folder / "kubectl", folder / "docc"
    if not kubectl.exists():
        kubectl.symlink_to(running.kubectl)
    docc.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m docc "$@"\n', encoding="utf-8")
    docc.chmod(0o755)
    return folder


def _show(running: session.Session) -> None:
    sys.stdout.write(json.dumps({**running.env, "ENTER": shlex.join(session.entering(running))}, indent=2) + "\n")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
