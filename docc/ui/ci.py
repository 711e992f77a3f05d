"""What docc does for the CI system that it runs in: folded phases while it works; annotations, summary and outputs at the end.

It says nothing that the log does not say as well, and a document on standard output stays alone there. Which facts begin a
phase, and what is worth folding, is decided here; how GitHub wants things spelled is ui/github.py's.
"""

from __future__ import annotations

import contextlib
import os
from typing import Protocol, TextIO

from docc.model import facts
from docc.model.errors import DoccError
from docc.model.facts import Fact
from docc.ui import final, github, problems
from docc.ui.console import Console, neutral


class Marks(Protocol):
    """How a CI system wants the beginning and the end of a phase told; "" where it is not worth a fold."""

    def begin(self, at: float, phase: str, title: str) -> str: ...

    def end(self, at: float, phase: str) -> str: ...


class GitHubMarks:
    """A group is shut until somebody opens it: pods that come up may be, traffic that moves must not."""

    def begin(self, at: float, phase: str, title: str) -> str:
        return "" if phase == "traffic" else github.command("group", title)

    def end(self, at: float, phase: str) -> str:
        return "" if phase == "traffic" else github.command("endgroup", "")


class GitLabMarks:
    """A section is open, and GitLab shows how long it took (docs.gitlab.com, "Custom collapsible sections")."""

    def begin(self, at: float, phase: str, title: str) -> str:
        return f"\x1b[0Ksection_start:{at:.0f}:docc_{phase}\r\x1b[0K{neutral(title)}"

    def end(self, at: float, phase: str) -> str:
        return f"\x1b[0Ksection_end:{at:.0f}:docc_{phase}\r\x1b[0K"


def marks() -> Marks | None:
    """Those of the CI system that this is a job of; None elsewhere."""
    if on_github():
        return GitHubMarks()
    return GitLabMarks() if os.environ.get("GITLAB_CI") == "true" else None


SYSTEMS = (
    "CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "JENKINS_URL", "TEAMCITY_VERSION", "TF_BUILD", "CODEBUILD_BUILD_ID",
)  # fmt: skip
"""Variables by which CI systems tell that a job is theirs; some of them give it a terminal."""


def takes_pictures(stream: TextIO) -> bool:
    """Whether a picture that moves may be drawn there: a person's terminal, which can move its cursor, and nobody said no."""
    if any(os.environ.get(name, "").lower() not in ("", "0", "false") for name in SYSTEMS):
        return False
    if os.environ.get("DOCC_NO_LIVE") or os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        return False
    try:
        return stream.isatty() and stream.fileno() >= 0
    except (OSError, ValueError):
        return False


def on_github() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


class Phases:
    """engine.ports.Sink. What goes wrong is told outside of any fold."""

    def __init__(self, console: Console, marks: Marks) -> None:
        self._console, self._marks = console, marks
        self._open, self._at = "", 0.0

    def emit(self, at: float, fact: Fact) -> None:
        """Never raises."""
        self._at = at
        with contextlib.suppress(Exception):
            self._consider(fact)

    def end(self) -> None:
        if self._open:
            self._mark(self._marks.end(self._at, self._open))
        self._open = ""

    def _consider(self, fact: Fact) -> None:
        match fact:
            case facts.Began():
                self._begin("preparing", f"Preparing v{fact.candidate}")
            case facts.Weighted() if self._open != "traffic":
                self._begin("traffic", f"Shifting traffic to v{fact.candidate}")
            case facts.Promoted():
                self._begin("tidying", f"v{fact.revision} is stable; tidying up")
            case facts.Reverted() | facts.Parked() | facts.StableLost():
                self.end()
            case _:
                return

    def _begin(self, phase: str, title: str) -> None:
        self.end()
        self._mark(self._marks.begin(self._at, phase, title))
        self._open = phase

    def _mark(self, text: str) -> None:
        if text:
            self._console.command(text)


def ended(console: Console, ending: final.Ending) -> None:
    """Before the last lines, so that they stay the last."""
    if on_github():
        for line in github.of_ending(ending):
            console.command(line)
        if ending.source or ending.facts:  # an abort that has found nothing to do is no news
            _append("GITHUB_STEP_SUMMARY", github.summary(ending))
        _append("GITHUB_OUTPUT", github.outputs(final.document(ending)))


def refused(console: Console, error: DoccError) -> None:
    if on_github():
        for line in github.of_error(error):
            console.command(line)
        _append("GITHUB_STEP_SUMMARY", github.refusal(error))
        _append("GITHUB_OUTPUT", github.outputs(problems.document(error)))


def _append(variable: str, text: str) -> None:
    """To the file that the variable names. What cannot be written is missed by nobody but the CI system."""
    path = os.environ.get(variable)
    if path:
        with contextlib.suppress(OSError), open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
