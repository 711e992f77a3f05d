"""A sandbox from outside: up, down, status. Knows the supervisor's folder and pid, nothing of what is in it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docc.model.errors import UnusableError, UsageError

UP_SECONDS_MAX = 20.0
DOWN_SECONDS_MAX = 5.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")
_FIELDS = ("pid", "kubeconfig", "gateway", "prometheus", "api", "access_log", "audit")


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
    """Raises UsageError for a name that is no plain word: the folder is deleted with the sandbox."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a sandbox",
            state="nothing was touched",
            fix="use letters, digits and dashes, at most 40",
        )
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser().absolute() / "docc" / "sandbox" / name


def status(folder: Path) -> Session | None:
    """The sandbox that runs in this folder; None if none does (also when its supervisor has died)."""
    folder = folder.absolute()
    try:
        found = json.loads((folder / "session.json").read_text(encoding="utf-8"))
        session = Session(folder, **{name: found[name] for name in _FIELDS})
    except (OSError, ValueError, KeyError):
        return None
    return session if _is_supervisor(session.pid, folder) else None


def up(folder: Path) -> Session:
    """Starts a sandbox, or returns the one that runs. Raises UnusableError with the supervisor's own words."""
    folder = folder.absolute()
    _require()
    with _alone(folder):
        if (running := status(folder)) is not None:
            return running
        shutil.rmtree(folder, ignore_errors=True)  # what a dead one has left
        folder.mkdir(parents=True, mode=0o700)
        pid = _start(folder)
        try:
            return _until_ready(folder, pid)
        except BaseException:
            _end(pid, folder)
            raise


def down(folder: Path) -> bool:
    """Ends the sandbox and all that it started, and deletes its folder; False if none ran."""
    folder = folder.absolute()
    if not folder.exists():
        return False
    with _alone(folder):
        running = status(folder)
        if running is not None:
            _end(running.pid, folder)
        shutil.rmtree(folder, ignore_errors=True)
        return running is not None


def _start(folder: Path) -> int:
    """The pid of the supervisor."""
    done = subprocess.run(
        [sys.executable, "-m", "docc.sandbox.supervisor", str(folder)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd="/",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
    )  # fmt: skip
    if done.returncode != 0:
        raise _unusable(folder, done.stderr.strip().splitlines()[-1:])
    return int(done.stdout)


def _until_ready(folder: Path, pid: int) -> Session:
    limit = time.monotonic() + UP_SECONDS_MAX
    while time.monotonic() < limit:
        if (running := status(folder)) is not None:
            return running
        if not _is_supervisor(pid, folder):
            break
        time.sleep(0.02)
    log = folder / "supervisor.log"
    raise _unusable(folder, log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:])


def _unusable(folder: Path, words: list[str]) -> UnusableError:
    return UnusableError(
        "the sandbox did not start",
        where=str(folder / "supervisor.log"),
        why=words[0] if words else f"it was not ready after {UP_SECONDS_MAX:.0f} s",
        state="nothing is left running",
        fix="docc sandbox up, once more; if it fails again, the log tells what happened",
    )


def _is_supervisor(pid: int, folder: Path) -> bool:
    """Whether this pid is (still) the supervisor of this folder: a pid alone may be anybody's by now."""
    words = command_line(pid).split(b"\0")
    return b"docc.sandbox.supervisor" in words and os.fsencode(folder) in words


def command_line(pid: int) -> bytes:
    """b"" of a process that is gone. In the middle of an exec a living one's is empty, too, for a moment."""
    for _ in range(100):
        try:
            found = Path(f"/proc/{pid}/cmdline").read_bytes()
            if found or b") Z " in Path(f"/proc/{pid}/stat").read_bytes():
                return found
        except OSError:
            break
        time.sleep(0.001)
    return b""


def _end(pid: int, folder: Path) -> None:
    """SIGTERM, then SIGKILL; returns when the supervisor has gone."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            for number in (signal.SIGTERM, signal.SIGKILL):
                if _is_supervisor(pid, folder):
                    signal.pidfd_send_signal(handle, number)
                    select.select([handle], [], [], DOWN_SECONDS_MAX)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One `up` or `down` of this sandbox at a time."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
        import re2
    except ImportError as error:
        raise UnusableError(
            "the sandbox's parts are not installed",
            why=str(error),
            state="nothing was started",
            fix="pip install 'docc-deploy[sandbox]'",
        ) from error
    del aiohttp, envoy, jsonpatch, re2
