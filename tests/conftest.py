"""The suite may be run by a CI system itself: docc must not take it for the job that a test is about."""

from __future__ import annotations

import os


def pytest_configure() -> None:
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITLAB_CI"):
        os.environ.pop(name, None)
