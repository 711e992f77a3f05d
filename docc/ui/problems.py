"""Errors -> text. The order: what went wrong and where, the evidence, what to do, and last how things stand, because the
last line is the one that is read."""

from __future__ import annotations

from typing import Any

from docc.model.errors import DoccError, ManifestError
from docc.ui.console import neutral


def text(error: DoccError) -> str:
    """All lines of an error."""
    lines = [f"error: {error.what}"]
    if isinstance(error, ManifestError) and error.problems:
        lines = [f"{problem}" for problem in error.problems]
        plural = "" if len(error.problems) == 1 else "s"
        lines.append(f"error: {error.what} ({len(error.problems)} problem{plural})")
    for label, value in (("where", error.where), ("why", error.why), ("fix", error.fix), ("state", error.state)):
        if value:
            first, *rest = value.splitlines()
            lines.append(f"  {label + ':':<7}{first}")
            lines += [f"         {row}" for row in rest]
    return neutral("\n".join(lines))


def document(error: DoccError) -> dict[str, Any]:
    """The same for `-o json`."""
    problems = error.problems if isinstance(error, ManifestError) else ()
    return {
        "error": {
            "code": type(error).__name__.removesuffix("Error"),
            "exit_code": int(error.exit_code),
            "what": error.what,
            "where": error.where,
            "why": error.why,
            "fix": error.fix,
            "state": error.state,
            "problems": [
                {"file": p.source, "line": p.line, "column": p.column, "message": p.message} for p in problems
            ],
        }
    }
