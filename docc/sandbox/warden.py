"""Kills what a dead supervisor has left: `python -S -E warden.py OWNER`, whose stdin is a pipe that the supervisor holds.

tether.py ties each child to the supervisor; what a child has started itself is not tied to anybody. When the pipe ends, however
the supervisor did, every process that carries the owner's mark in its environment is killed, until there is none.
"""

import contextlib
import os
import signal
import sys
import time

MARK = "DOCC_SANDBOX_OWNER"
ROUNDS_MAX = 100


def marked(owner: str) -> "list[int]":
    wanted, found = f"{MARK}={owner}".encode(), []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/environ", "rb") as environ:
                    if wanted in environ.read().split(b"\0"):
                        found.append(int(name))
            except OSError:
                pass  # gone meanwhile, or somebody else's
    return found


def sweep(owner: str) -> None:
    for _ in range(ROUNDS_MAX):
        left = marked(owner)
        if not left:
            return
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    sweep(sys.argv[1])
