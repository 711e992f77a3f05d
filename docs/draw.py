"""Writes what docs can take from the code: the drawing of the phases, and the table of exit codes. `python docs/draw.py`.

tests/quality/test_docs.py fails when the files are stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from docc.core.phases import TRANSITIONS, Signal
from docc.model.errors import ExitCode

DOCS = Path(__file__).resolve().parent
BEGIN, END = "<!-- drawn by docs/draw.py -->\n", "<!-- end of the drawing -->\n"
CODES = {
    ExitCode.DONE: "done, or nothing to do",
    ExitCode.BUG: "a bug of docc's, or an unexpected failure",
    ExitCode.USAGE: "usage or manifest: nothing was touched",
    ExitCode.UNCHANGED: "nothing changed (reserved for --error-unchanged)",
    ExitCode.CREDENTIALS: "credentials or permissions are missing",
    ExitCode.UNUSABLE: "cluster, Gateway, CRD or Prometheus cannot be used",
    ExitCode.NOT_FOUND: "no such app or revision, or nothing to act on",
    ExitCode.LOCKED: "somebody else drives this app, or owns an object of a wanted name",
    ExitCode.IN_PROGRESS: "in progress (only docc status --exit-status)",
    ExitCode.FAILED_SAFE: "failed; users are where they were before",
    ExitCode.FAILED_NOT_CLEAN: "failed and NOT clean: act now",
    ExitCode.INTERRUPTED: "stopped by SIGINT, traffic parked on stable",
    ExitCode.TERMINATED: "stopped by SIGTERM, traffic parked on stable",
}


def phases() -> str:
    """The transitions as a Mermaid state diagram; taking over changes no phase and is left out."""
    rows = ["```mermaid", "stateDiagram-v2"]
    merged: dict[tuple[str, str], list[str]] = {}
    for (before, signal), after in TRANSITIONS.items():
        if signal is not Signal.TAKE_OVER:
            merged.setdefault((before.value if before else "[*]", after.value), []).append(signal.name.lower())
    rows += [f"    {before} --> {after}: {', '.join(signals)}" for (before, after), signals in merged.items()]
    return "\n".join([*rows, "```", "", *(f"- *{s.name.lower()}*: {s.value}" for s in Signal), ""])


def exit_codes() -> str:
    head = (
        "# Exit codes\n\n2 to 7 promise that this run touched no production traffic.\n\n| code | meaning |\n|---|---|\n"
    )
    return head + "".join(f"| {int(code)} | {CODES[code]} |\n" for code in ExitCode)


def drawn(text: str) -> str:
    """docs/architecture.md with the drawing renewed."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + phases() + END + after


def main() -> None:
    path = DOCS / "architecture.md"
    path.write_text(drawn(path.read_text(encoding="utf-8")), encoding="utf-8")
    (DOCS / "exit-codes.md").write_text(exit_codes(), encoding="utf-8")


if __name__ == "__main__":
    main()
