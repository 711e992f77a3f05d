"""The two CI systems as far as docs/ci.md needs them: they run a job's scripts in the shell and the environment that those get,
signal the first process of a step when the job is cancelled, and keep the log.

What is installed is here already: `pip` and `pipx` are stand-ins that only take down what they were asked for."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS_MAX = 100


@dataclass
class Job:
    """folder: the checkout, in which scripts run. codes: how each script ended, by its name, in order."""

    folder: Path
    env: dict[str, str]
    codes: dict[str, int] = field(default_factory=dict)
    log: str = ""

    @classmethod
    def prepare(cls, folder: Path, **env: str) -> Job:
        tools = folder.parent / f"{folder.name}-bin"
        tools.mkdir()
        for tool in ("pip", "pipx"):
            (tools / tool).write_text(f'#!/bin/sh\necho "{tool} $@" >> "{tools}/installed"\n')
            (tools / tool).chmod(0o700)
        (tools / "docc").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m docc "$@"\n')
        (tools / "docc").chmod(0o700)
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "PYTHONPATH") if name in os.environ}
        path = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(part or os.getcwd() for part in sys.path),
        }
        return cls(folder, {**kept, **path, "CI": "true", **env})

    @property
    def installed(self) -> str:
        return (self.folder.parent / f"{self.folder.name}-bin" / "installed").read_text()

    def run(self, name: str, script: str, *, env: Mapping[str, str] = {}, cancel: Cancel | None = None) -> int:
        running = subprocess.Popen(
            ["bash", "-e", "-o", "pipefail", "-c", script], cwd=self.folder, env={**self.env, **env},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if cancel is not None:
            cancel.when()
            running.send_signal(cancel.by)
        out, _ = running.communicate(timeout=SECONDS_MAX)
        self.log += out.decode("utf-8")  # with its carriage returns
        self.codes[name] = running.returncode
        return running.returncode


@dataclass(frozen=True)
class Cancel:
    """The job is cancelled as soon as `when` returns, while the script that deploys is running."""

    by: signal.Signals
    when: Callable[[], Any]


def github(job: Job, workflow: Mapping[str, Any], contexts: Mapping[str, str], cancel: Cancel | None = None) -> bool:
    """Runs the steps of the only job; after one that failed only those that always run. Was it green?"""
    (steps,) = [each["steps"] for each in workflow["jobs"].values()]
    files = {name: job.folder.parent / f"{job.folder.name}-{name}" for name in ("ENV", "OUTPUT", "STEP_SUMMARY")}
    for name, path in files.items():
        path.touch()
        job.env[f"GITHUB_{name}"] = str(path)
    job.env |= {"GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(job.folder.parent)}
    green = True
    for step in (step for step in steps if "run" in step):
        assert step.get("if") in (None, "always()")
        if not green and "if" not in step:
            continue
        env = {name: evaluated(str(value), contexts) for name, value in step.get("env", {}).items()}
        deploys = step.get("id") == "deploy"
        for name in (
            "OUTPUT",
            "STEP_SUMMARY",
        ):  # each step has files of its own; those of the deploy are kept for the tests
            own = files[name] if deploys else Path(f"{files[name]}-{steps.index(step)}")
            own.touch()
            env[f"GITHUB_{name}"] = str(own)
        code = job.run(step["name"], evaluated(step["run"], contexts), env=env, cancel=cancel if deploys else None)
        green = green and code == 0
        job.env |= dict(row.split("=", 1) for row in files["ENV"].read_text().splitlines())
    return green


def evaluated(text: str, contexts: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda found: contexts[found[1]], text)


def gitlab(job: Job, pipeline: Mapping[str, Any], cancel: Cancel | None = None) -> bool:
    """before_script and script are one script, after_script another, which runs in any case."""
    (found,) = pipeline.values()
    job.env |= {"GITLAB_CI": "true", **found.get("variables", {})}
    code = job.run("script", "\n".join([*found["before_script"], *found["script"]]), cancel=cancel)
    job.run("after_script", "\n".join(found["after_script"]))
    return code == 0
