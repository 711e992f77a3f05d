"""What GitHub Actions reads besides plain text: annotations, groups, the step summary, outputs. Pure: endings and errors in,
texts out; where they go is ui/ci.py's.

The runner looks for commands in both of a step's streams, line by line (actions/runner, src/Runner.Worker/Handlers/
ScriptHandler.cs and OutputManager.cs), so that they can go to standard error and leave a document on standard output alone.
How they are escaped is the inverse of src/Runner.Common/ActionCommand.cs. Foreign text in the summary stands in code, where
Markdown means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from docc.model.errors import DoccError, ExitCode, ManifestError
from docc.ui import final
from docc.ui.console import neutral
from docc.ui.words import clock, number, one_line, quoted

PROBLEMS_MAX = 9
"""GitHub shows ten annotations of each kind for a step; the tenth is the summary of all."""
EVIDENCE_MAX = 5
_STOPPED = (ExitCode.INTERRUPTED, ExitCode.TERMINATED)


def command(name: str, text: str, properties: Mapping[str, str] | None = None) -> str:
    """One workflow command, which is one line whatever is in it."""
    told = ",".join(f"{key}={_property(value)}" for key, value in (properties or {}).items() if value)
    return f"::{name}{' ' if told else ''}{told}::{_data(text)}"


def _data(text: str) -> str:
    return neutral(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def of_ending(ending: final.Ending) -> Iterator[str]:
    """Nothing if all is well: the log says so. A rollout that was stopped as somebody wished is no error."""
    if ending.outcome.exit_code is not ExitCode.DONE:
        level = "warning" if ending.outcome.exit_code in _STOPPED else "error"
        yield command(level, final.text(ending), {"title": f"docc: {ending.app} in {ending.namespace}"})


def of_error(error: DoccError) -> Iterator[str]:
    """A manifest's problems stand at their lines, in the file that the job has checked out."""
    problems = error.problems if isinstance(error, ManifestError) else ()
    for problem in problems[:PROBLEMS_MAX]:
        place = {"file": problem.source, "line": str(problem.line), "col": str(problem.column)}
        if problem.source == "stdin":
            place = {}
        text = f"{problem.message}\nfix: {problem.fix}" if problem.fix else problem.message
        yield command("error", text, {**place, "title": "docc: the manifest"})
    told = [error.what, error.where, error.why, f"fix: {error.fix}" if error.fix else "", error.state]
    yield command("error", "\n".join(part for part in told if part), {"title": f"docc: {error.exit_code.name.lower()}"})


def outputs(result: Mapping[str, Any]) -> str:
    """Lines for $GITHUB_OUTPUT, of the document of -o json. None of the values can have a second line."""
    if "error" in result:
        values = {"result": "error", "revision": "", "exit_code": str(result["error"]["exit_code"]), "undo": ""}
    else:
        values = {
            "result": str(result["result"]),
            "revision": revision(result),
            "exit_code": str(result["exit_code"]),
            "undo": str(result["undo"]),
        }
    return "".join(f"{key}={_row(value)}\n" for key, value in values.items())


def revision(result: Mapping[str, Any]) -> str:
    """What the run was about: what it gave traffic, or the candidate, or what serves."""
    moved = [weight["revision"] for weight in result["weights"]]
    return str((moved[-1] if moved else None) or result["candidate"] or result["stable"] or "")


def summary(ending: final.Ending) -> str:
    """Markdown for $GITHUB_STEP_SUMMARY: what was rolled out, when it got how much traffic, what the conditions saw."""
    result, label = final.document(ending), final.next_label(ending)
    serving = ", ".join(f"{version} {weight} %" for version, weight in result["serving"].items())
    rows = [
        ("Application", f"{code(ending.app)} in {code(ending.namespace)}"),
        ("Revision", code(revision(result))),
        ("Result", f"{code(final.headline(ending))} (exit code {result['exit_code']})"),
        ("Serving", code(serving or "not known")),
        *([(label.capitalize(), code(result["undo"]))] if result["undo"] else []),
    ]
    parts = [f"### docc: {code(ending.app)}", _table(("", ""), rows)]
    if result["weights"]:
        moved = [(clock(w["at"]), code(w["revision"] or ""), f"{w['weight']} %") for w in result["weights"]]
        parts.append(_table(("Time", "Revision", "Traffic"), moved))
    if result["checks"]:
        parts.append(_table(("Condition", "Verdict", "Value", "Fires at", "Traffic"), map(_check, result["checks"])))
    parts += [_evidence(each) for each in result["evidence"][:EVIDENCE_MAX]]
    return "\n".join(parts)


def refusal(error: DoccError) -> str:
    """The summary of a run that ended before it had moved any traffic."""
    named = {"What": error.what, "Where": error.where, "Why": error.why, "Fix": error.fix, "State": error.state}
    rows = [(key, code(value)) for key, value in named.items() if value]
    return "\n".join(["### docc", _table(("", ""), [*rows, ("Exit code", str(int(error.exit_code)))])])


def code(text: str) -> str:
    """Foreign text as a code span that also holds in a table: its fence is longer than any run of backticks in it."""
    row = _row(text).replace("|", "\\|")
    fence = _fence(row, 1)
    blank = " " if "`" in row else ""
    return f"{fence}{blank}{row}{blank}{fence}" if row else ""


def _fence(text: str, least: int) -> str:
    return "`" * max([least, *(len(run) + 1 for run in re.findall("`+", text))])


def _row(text: str) -> str:
    return neutral(one_line(text)).strip()


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _check(check: Mapping[str, Any]) -> tuple[str, ...]:
    value, threshold = (_number(check[key]) for key in ("value", "threshold"))
    fires = f"{check['operator']} {threshold}"
    return code(check["name"]), code(check["verdict"]), code(value), code(fires), f"{check['weight']} %"


def _number(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else number(value)


def _evidence(found: Mapping[str, Any]) -> str:
    """As in the log: marked rows, the last of them, none too long."""
    rows = [neutral(row) for row in quoted(found["text"])]
    fence = _fence("\n".join(rows), 3)
    return "\n".join([code(found["source"]), "", f"{fence}text", *rows, fence, ""])
