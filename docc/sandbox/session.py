"""A sandbox from outside: up, down, status. Knows the supervisor's folder and pid, nothing of what is in it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from docc.model.errors import UnusableError

UP_SECONDS_MAX = 20.0
DOWN_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Session:
    """Where a running sandbox is."""

    folder: Path
    pid: int
    kubeconfig: str
    gateway: str
    prometheus: str
    api: str
    access_log: str
    audit: str


def folder_of(name: str) -> Path:
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "docc" / "sandbox" / name


def status(folder: Path) -> Session | None:
    """The sandbox that runs in this folder; None if none does (also when its supervisor has died)."""
    try:
        found = json.loads((folder / "session.json").read_text(encoding="utf-8"))
        command = Path(f"/proc/{found['pid']}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    if b"docc.sandbox.supervisor" not in command:
        return None
    names = ("pid", "kubeconfig", "gateway", "prometheus", "api", "access_log", "audit")
    return Session(folder, **{name: found[name] for name in names})


def up(folder: Path) -> Session:
    """Starts a sandbox, or returns the one that runs. Raises UnusableError with the supervisor's own words."""
    if (running := status(folder)) is not None:
        return running
    _require()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    pid = _spawn(folder)
    limit = time.monotonic() + UP_SECONDS_MAX
    while time.monotonic() < limit and not _ended(pid):
        if (running := status(folder)) is not None:
            return running
        time.sleep(0.05)
    else:
        if not _ended(pid):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    words = (folder / "supervisor.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise UnusableError(
        "the sandbox did not start",
        where=str(folder / "supervisor.log"),
        why=words[-1] if words else f"it was not ready after {UP_SECONDS_MAX:.0f} s",
        state="nothing is left running",
    )


def _spawn(folder: Path) -> int:
    """The supervisor in a session of its own: it outlives this process, which therefore keeps nothing but its pid."""
    log, path = str(folder / "supervisor.log"), os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "docc.sandbox.supervisor", str(folder)],
        {**os.environ, "PYTHONPATH": path},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _ended(pid: int) -> bool:
    """Only for a child of this process that nobody has waited for yet."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def down(folder: Path) -> bool:
    """Ends the sandbox and all that it started; False if none ran."""
    running = status(folder)
    if running is not None:
        os.kill(running.pid, signal.SIGTERM)
        limit = time.monotonic() + DOWN_SECONDS_MAX
        while time.monotonic() < limit and status(folder) is not None:
            time.sleep(0.05)
        if status(folder) is not None:
            os.kill(running.pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
    return running is not None


def _require() -> None:
    """Raises UnusableError when the sandbox cannot work here at all."""
    if not sys.platform.startswith("linux"):
        raise UnusableError(
            "the sandbox runs on Linux only", state="nothing was started", fix="docc itself runs on macOS too"
        )
    try:
        import aiohttp
        import envoy
        import jsonpatch
    except ImportError as error:
        raise UnusableError(
            "the sandbox's parts are not installed",
            why=str(error),
            state="nothing was started",
            fix="pip install 'docc-deploy[sandbox]'",
        ) from error
    del aiohttp, envoy, jsonpatch
