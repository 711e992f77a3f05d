"""Child processes that die with the supervisor, whatever kills it (see tether.py)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_TETHER = str(Path(__file__).with_name("tether.py"))


async def spawn(command: Sequence[str], env: Mapping[str, str], output: int | IO[bytes]) -> asyncio.subprocess.Process:
    """A process in a session of its own; output: where stdout and stderr go (a file, or asyncio.subprocess.PIPE)."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-E", _TETHER, str(os.getpid()), *command,
        env=dict(env), stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip


async def end(process: asyncio.subprocess.Process, grace_seconds: float) -> None:
    """SIGTERM, then SIGKILL, to the whole group."""
    for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 5.0)):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), seconds)
