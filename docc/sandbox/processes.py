"""Child processes that end with the supervisor, whatever ends it: the kernel kills each child (tether.py), a warden kills what
those children have started (warden.py). Knows nothing of pods."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

from docc.sandbox.warden import MARK

_PYTHON = (sys.executable, "-S", "-E")
_TETHER, _WARDEN = (str(Path(__file__).with_name(name)) for name in ("tether.py", "warden.py"))


@cache
def owner() -> str:
    """The mark of this process' children. Not the pid alone: the kernel gives pids away again."""
    return f"{os.getpid()}-{secrets.token_hex(8)}"


async def post_warden() -> asyncio.subprocess.Process:
    """Before the first spawn; its life is as long as ours."""
    return await asyncio.create_subprocess_exec(
        *_PYTHON, _WARDEN, owner(), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def tied(command: Sequence[str]) -> tuple[str, ...]:
    """The command of a child that ends with this process, and with the thread that starts it."""
    return (*_PYTHON, _TETHER, str(os.getpid()), *command)


async def spawn(command: Sequence[str], env: Mapping[str, str], output: int | IO[bytes]) -> asyncio.subprocess.Process:
    """A process in a session of its own; output: where stdout and stderr go. (Not asyncio's own PIPE: a process with one ends,
    for asyncio, only when its last heir has let go of the pipe.) A command that cannot be run ends with 127 and says why.
    """
    return await asyncio.create_subprocess_exec(
        *tied(command),
        env={**env, MARK: owner()}, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip


async def ended(process: asyncio.subprocess.Process) -> int:
    """Its exit code, as Kubernetes counts them (128 + n for signal n). What it has left behind in its group is killed."""
    code = await process.wait()
    _kill(process, signal.SIGKILL)
    return code if code >= 0 else 128 - code


async def end(process: asyncio.subprocess.Process, grace_seconds: float) -> None:
    """SIGTERM to the whole group, and SIGKILL to what is left of it after the grace."""
    if process.returncode is None:
        _kill(process, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await process.wait()
    _kill(process, signal.SIGKILL)
    await process.wait()


def _kill(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
