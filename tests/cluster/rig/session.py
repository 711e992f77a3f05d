"""A cluster from outside its namespaces: up, down, status, and going in. Knows its folder and its first process, not its parts.

Its namespaces have no names: they are there as long as their first process is, and nothing of them can be left behind.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docc.sandbox.session import command_line
from tests.cluster.build.builder import of_the_cluster
from tests.cluster.rig.layout import Layout

UP_SECONDS_MAX = 100.0
DOWN_SECONDS_MAX = 15.0
SCRAPE_SECONDS = 1.0
ROOT = Path(__file__).resolve().parents[3]
_NAMESPACES = ("unshare", "--net", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child")
_CLONE_NEWNET = 0x40000000
_SUPERVISOR = "tests.cluster.rig.supervisor"


class Unusable(Exception):
    """One sentence for people."""


@dataclass(frozen=True, slots=True)
class Session:
    """Where a running cluster is. All addresses are those of its network namespace. pid: its first process, as seen here."""

    folder: Path
    pid: int
    kubeconfig: str
    api: str
    gateway: str
    mesh_proxy: str
    prometheus: str
    audit: str
    access_log: str
    kubectl: str

    @property
    def env(self) -> dict[str, str]:
        return {
            "KUBECONFIG": self.kubeconfig, "GATEWAY": self.gateway, "MESH_PROXY": self.mesh_proxy,
            "PROMETHEUS": self.prometheus, "DOCC_PROMETHEUS_URL": self.prometheus, "AUDIT": self.audit,
            "ACCESS_LOG": self.access_log,
        }  # fmt: skip


def default_folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser().absolute() / "docc" / "testcluster"


def require() -> None:
    """Raises Unusable when no cluster can run on this machine."""
    if not sys.platform.startswith("linux"):
        raise Unusable("the test cluster runs on Linux only: it lives in network namespaces")
    if os.geteuid() != 0:
        raise Unusable("the test cluster needs root: it lives in network namespaces of its own")
    for command, package in (("ip", "iproute2"), ("unshare", "util-linux"), ("nsenter", "util-linux")):
        if shutil.which(command) is None:
            raise Unusable(f"the test cluster needs the command `{command}` ({package})")
    tried = subprocess.run([*_NAMESPACES, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        raise Unusable(f"this machine lets not even root make namespaces: {tried.stderr.strip()}")


def status(folder: Path) -> Session | None:
    """The cluster that runs in this folder; None if none does, also when it is not ready or has died."""
    keeper = _keeper(folder)
    first = _first_process(keeper) if keeper is not None else None
    try:
        found = json.loads(Layout(folder).session.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return None if first is None else Session(folder, first, **found)


def up(folder: Path, scrape_seconds: float = SCRAPE_SECONDS, lifeline: int | None = None) -> Session:
    """Starts a cluster, or returns the one that runs. Raises Unusable, also when its programs are not built.

    lifeline: the reading end of a pipe. A cluster that is started with one ends when nobody holds the other end any more.
    """
    return _found_or_begun(folder, scrape_seconds, lifeline)[0]


@contextlib.contextmanager
def borrowed(folder: Path, scrape_seconds: float = SCRAPE_SECONDS) -> Iterator[Session]:
    """The cluster that runs in this folder, which then is left so; else one that ends with the block, or with this process."""
    lifeline, held = os.pipe()
    try:
        running, begun = _found_or_begun(folder, scrape_seconds, lifeline)
        try:
            yield running
        finally:
            if begun:
                down(folder)
    finally:
        os.close(held)
        os.close(lifeline)


def _found_or_begun(folder: Path, scrape_seconds: float, lifeline: int | None) -> tuple[Session, bool]:
    """Whether it was begun here is the second."""
    require()
    if missing := of_the_cluster().missing():
        raise Unusable(f"{', '.join(missing)} not built: python -m tests.cluster build")
    with _alone(folder):
        if (running := status(folder)) is not None:
            return running, False
        _clear(folder)  # what a dead one has left, or one whose start was broken off
        folder.mkdir(parents=True, mode=0o700)
        keeper = _start(folder, scrape_seconds, lifeline)
        try:
            return _until_ready(folder, keeper), True
        except BaseException:
            _end(keeper, folder)
            raise


def down(folder: Path) -> bool:
    """Ends the cluster and all that it started, and deletes its folder; False if none ran."""
    if not folder.exists():
        return False
    with _alone(folder):
        return _clear(folder)


@contextlib.contextmanager
def inside(session: Session) -> Iterator[None]:
    """This thread, and the processes and threads that it starts, are in the cluster's network meanwhile."""
    with open("/proc/self/ns/net", "rb") as home, open(f"/proc/{session.pid}/ns/net", "rb") as there:
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def entering(session: Session) -> list[str]:
    """The words before a command that is to run in the cluster's network."""
    return ["nsenter", f"--net=/proc/{session.pid}/ns/net", "--"]


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns is younger than the oldest Python that docc supports
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _clear(folder: Path) -> bool:
    keeper = _keeper(folder)
    if keeper is not None:
        _end(keeper, folder)
    shutil.rmtree(folder, ignore_errors=True)
    return keeper is not None


def _start(folder: Path, scrape_seconds: float, lifeline: int | None) -> int:
    """The pid of the process that keeps the namespaces; the supervisor is its only child."""
    given = [str(folder), str(scrape_seconds), *([] if lifeline is None else [str(lifeline)])]
    # The shell's child belongs to nobody when it returns, and has told its pid before it can be killed.
    detached = 'setsid "$@" >"$0/supervisor.log" 2>&1 </dev/null & echo $! >"$0/pid"'
    subprocess.run(
        ["sh", "-c", detached, str(folder), *_NAMESPACES, sys.executable, "-m", _SUPERVISOR, *given],
        cwd=ROOT, check=True, pass_fds=() if lifeline is None else (lifeline,),
    )  # fmt: skip
    return int((folder / "pid").read_text(encoding="utf-8"))


def _until_ready(folder: Path, keeper: int) -> Session:
    limit = time.monotonic() + UP_SECONDS_MAX
    while time.monotonic() < limit:
        if (running := status(folder)) is not None:
            return running
        if not _is_ours(keeper, folder):
            break
        time.sleep(0.05)
    log = folder / "supervisor.log"
    words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    why = words[0] if words else f"it was not ready after {UP_SECONDS_MAX:.0f} s; {_where(keeper)}"
    raise Unusable(f"the cluster did not start: {why} (see {log})")


def _where(keeper: int) -> str:
    """How far it has come, for those who wonder why it takes so long."""
    first = _first_process(keeper)
    try:
        waits = Path(f"/proc/{first or keeper}/wchan").read_text(encoding="utf-8")
    except OSError:
        waits = "nothing that can be told"
    return f"{'its first process' if first else 'the kernel, which makes its namespaces,'} waits in {waits}"


def _keeper(folder: Path) -> int | None:
    try:
        pid = int((folder / "pid").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return pid if _is_ours(pid, folder) else None


def _first_process(keeper: int) -> int | None:
    """The keeper's child."""
    try:
        children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text(encoding="utf-8").split()
    except OSError:
        return None
    return int(children[0]) if children else None


def _is_ours(pid: int, folder: Path) -> bool:
    """Whether this pid is (still) the keeper of this folder's cluster: a pid alone may be anybody's by now."""
    words = command_line(pid).split(b"\0")
    return _SUPERVISOR.encode() in words and os.fsencode(folder) in words


def _end(keeper: int, folder: Path) -> None:
    """SIGTERM to the first process, then SIGKILL to its keeper and so to all; returns when the keeper has gone."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(keeper)
        try:
            first = _first_process(keeper)
            if first is not None:
                os.kill(first, signal.SIGTERM)
                if select.select([handle], [], [], DOWN_SECONDS_MAX)[0]:
                    return
            if _is_ours(keeper, folder):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                select.select([handle], [], [], DOWN_SECONDS_MAX)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One `up` or `down` of this cluster at a time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
