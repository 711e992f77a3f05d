"""How a cluster ends, and that nothing is left of it. Each test starts one besides the common one, which needs both cores: the
suite plays these alone, when everything else is over.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.rig import session


def test_a_cluster_that_is_told_to_end_leaves_nothing(tmp_path: Path) -> None:
    with another(tmp_path) as (running, there):
        assert session.down(running.folder) and not running.folder.exists()
        until_gone(there)


def test_a_killed_supervisor_leaves_nothing(tmp_path: Path) -> None:
    with another(tmp_path) as (running, there):
        os.kill(running.pid, signal.SIGKILL)
        until_gone(there)
        assert session.status(running.folder) is None


def test_a_killed_keeper_of_the_namespaces_leaves_nothing(tmp_path: Path) -> None:
    with another(tmp_path) as (running, there):
        os.kill(int((running.folder / "pid").read_text(encoding="utf-8")), signal.SIGKILL)
        until_gone(there)


def test_a_part_that_ends_is_the_end_of_all_and_is_named(tmp_path: Path) -> None:
    with another(tmp_path) as (running, there):
        os.kill(there["etcd"], signal.SIGKILL)
        until_gone(there)
        log = (running.folder / "supervisor.log").read_text(encoding="utf-8").splitlines()
        assert log[-1].startswith("etcd ended with -9")


def test_who_borrows_a_cluster_leaves_it_as_it_was(tmp_path: Path) -> None:
    with another(tmp_path) as (running, there):
        with session.borrowed(running.folder) as lent:
            assert lent == running
        assert session.status(running.folder) == running and all(map(alive, there.values()))
        session.down(running.folder)
    with session.borrowed(tmp_path / "third") as lent:
        assert session.status(lent.folder) == lent
    assert session.status(lent.folder) is None and not lent.folder.exists()


BORROWER = """
import sys, time
from pathlib import Path
from tests.cluster.rig import session
with session.borrowed(Path(sys.argv[1])):
    print("up", flush=True)
    time.sleep(600)
"""


def test_a_cluster_that_was_begun_to_be_borrowed_ends_with_a_borrower_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", BORROWER, str(tmp_path / "second")]
    with subprocess.Popen(command, cwd=session.ROOT, stdout=subprocess.PIPE, text=True) as borrower:
        assert borrower.stdout is not None and borrower.stdout.readline() == "up\n"
        with another(tmp_path) as (_, there):
            borrower.kill()
            until_gone(there)


@contextlib.contextmanager
def another(folder: Path) -> Iterator[tuple[session.Session, dict[str, int]]]:
    """A cluster besides the common one, and its processes: name -> pid (see processes_in)."""
    place = folder / "second"
    try:
        running = session.up(place)
        there = processes_in(running.pid)
        parts = {"etcd", "kube-apiserver", "kube-controller", "kube-scheduler", "istiod", "prometheus", "envoy"}
        assert parts <= there.keys()
        yield running, there
    finally:
        assert not session.down(place), "it was still there"


def until_gone(processes: dict[str, int]) -> None:
    limit = time.monotonic() + 20
    while left := [name for name, pid in processes.items() if alive(pid)]:
        assert time.monotonic() < limit, f"still alive: {left}"
        time.sleep(0.05)


def processes_in(first: int) -> dict[str, int]:
    """All in the same network namespace, by name; those of one name are numbered."""
    network = os.readlink(f"/proc/{first}/ns/net")
    found: dict[str, int] = {}
    for pid in os.listdir("/proc"):
        try:
            if pid.isdigit() and os.readlink(f"/proc/{pid}/ns/net") == network:
                name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
                found[name if name not in found else f"{name} {pid}"] = int(pid)
        except OSError:
            continue  # it has ended meanwhile
    return found


def alive(pid: int) -> bool:
    """A zombie has ended: nobody in this container may be there to reap it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
