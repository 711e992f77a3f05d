"""The suite may be run by a CI system itself, or behind a shell's "&": docc must not take that for what a test is about. And it
runs on busy machines: how long one of hypothesis' examples takes says nothing."""

from __future__ import annotations

import os
import signal

from hypothesis import settings


def pytest_configure() -> None:
    settings.register_profile("docc", deadline=None)
    settings.load_profile("docc")
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITLAB_CI"):
        os.environ.pop(name, None)
    # docc leaves what is ignored as it is, as it should; and so do all that a shell begins behind "&", or nohup
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)
