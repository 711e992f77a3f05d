"""Errors -> text, or a document. Pure; what to do about an error is decided where it is raised.

The order: a manifest's problems or a deploy's obstacles, what went wrong, where, the evidence, what to do, and last how
things stand, because the last line is the one that is read.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from docc.model.errors import DoccError, ManifestError, Obstacle, PreflightError, Problem
from docc.model.secrets import masked
from docc.ui.console import neutral
from docc.ui.words import count, quoted

EXCERPT_COLUMNS_MAX = 72
_INDENT = 9
_TEXT_COLUMNS_MIN = 40


def text(error: DoccError, columns: int | None = None) -> str:
    """All lines of an error. A manifest's problem stands above the line that it is about. columns: of the terminal; None: no
    row is broken, for grep."""
    lines: list[str] = []
    summary = f"error: {error.what}"
    if isinstance(error, PreflightError) and len(error.obstacles) > 1:
        for obstacle in error.obstacles:
            lines.append(f"error: {obstacle.what}")
            lines += _details(obstacle, columns)
    if isinstance(error, ManifestError) and error.problems:
        for problem in error.problems:
            lines += _problem(problem, error.text)
        summary += f" ({count(len(error.problems), 'problem')})"
    lines.append(summary)
    lines += _details(error, columns)
    lines += _labelled("state", error.state, columns)
    return neutral("\n".join(lines))


def _details(error: DoccError | Obstacle, columns: int | None) -> Iterator[str]:
    for label, value in (("where", error.where), ("why", error.why), ("fix", error.fix)):
        yield from _labelled(label, value, columns)


def _labelled(label: str, value: str, columns: int | None) -> Iterator[str]:
    """Several rows of evidence are somebody else's words: they stand below the label, quoted."""
    value = masked(value)
    rows = value.strip("\n").splitlines()
    if len(rows) > 1 and label == "why":
        yield f"  {label}:"
        yield from (f"    {row}" for row in quoted(value.strip("\n")))
        return
    if columns is not None:
        width = max(columns - _INDENT, _TEXT_COLUMNS_MIN)
        rows = [part for row in rows for part in textwrap.wrap(row, width, break_on_hyphens=False)]
    if rows:
        yield f"  {label + ':':<{_INDENT - 2}}{rows[0]}"
        yield from (f"{'':<{_INDENT}}{row}" for row in rows[1:])


def _problem(problem: Problem, source: str) -> Iterator[str]:
    yield str(problem)
    rows = source.splitlines()
    if 0 < problem.line <= len(rows):
        yield from excerpt(rows[problem.line - 1], problem.column)
    if problem.fix:
        yield f"    fix: {problem.fix}"


def excerpt(row: str, column: int) -> tuple[str, str]:
    """The part of a source line that column (from 1) lies in, and a caret below it."""
    row, at = masked(row), min(max(column - 1, 0), len(masked(row[: max(column - 1, 0)])))
    first = len(row) - len(row.lstrip())
    if len(row) - first > EXCERPT_COLUMNS_MAX:
        first = max(first, at - EXCERPT_COLUMNS_MAX // 2)
    shown = row[first : first + EXCERPT_COLUMNS_MAX].rstrip()
    # One column each, so that the caret stays below its character.
    shown = "".join(letter if letter.isprintable() else " " for letter in shown)
    return f"    {shown}", f"    {' ' * max(at - first, 0)}^"


def document(error: DoccError) -> dict[str, Any]:
    """The same for `-o json`. code: the exit code's name, a word that scripts may compare."""
    problems = error.problems if isinstance(error, ManifestError) else ()
    obstacles = error.obstacles if isinstance(error, PreflightError) else ()
    return {
        "error": {
            "code": error.exit_code.name,
            "exit_code": int(error.exit_code),
            "what": error.what,
            "where": error.where,
            "why": error.why,
            "fix": error.fix,
            "state": error.state,
            "problems": [
                {"file": p.source, "line": p.line, "column": p.column, "message": p.message, "fix": p.fix}
                for p in problems
            ],
            "obstacles": [
                {"code": o.exit_code.name, "what": o.what, "where": o.where, "why": o.why, "fix": o.fix}
                for o in obstacles
                if o.exit_code is not None
            ],
        }
    }
