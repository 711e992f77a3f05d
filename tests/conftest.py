"""The suite may be run by a CI system itself, or behind a shell's "&": docc must not take that for what a test is about."""

from __future__ import annotations

import os
import signal


def pytest_configure() -> None:
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITLAB_CI"):
        os.environ.pop(name, None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # docc leaves it ignored, as it should
        signal.signal(signal.SIGINT, signal.default_int_handler)
