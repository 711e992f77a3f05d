"""Runs a command that dies with its parent: `python -S -E tether.py PARENT_PID COMMAND [ARG ...]`.

PR_SET_PDEATHSIG (Linux, prctl(2)) survives exec, so the kernel kills the command when the supervisor is gone, even by
SIGKILL. A parent that died before the call is noticed by its pid.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.stderr.write(f"exec {sys.argv[2]}: {error.strerror}\n")
    os._exit(127)
