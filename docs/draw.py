"""Writes what docs take from the code, between its marks: `make docs`, or `python -m docs.draw`.

A page is written by hand; between two marks stands a drawing, which is one function's text. tests/quality/test_docs.py fails
when one is stale.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docc.core.phases import TRANSITIONS, Signal
from docc.ui import exit_codes
from docs import commands, events, manifest

DOCS = Path(__file__).resolve().parent
BEGIN, END = "<!-- drawn by docs/draw.py: {} -->\n", "<!-- end of the drawing -->\n"


def phases() -> str:
    """The transitions as a Mermaid state diagram; taking over changes no phase and is left out."""
    rows = ["```mermaid", "stateDiagram-v2"]
    merged: dict[tuple[str, str], list[str]] = {}
    for (before, signal), after in TRANSITIONS.items():
        if signal is not Signal.TAKE_OVER:
            merged.setdefault((before.value if before else "[*]", after.value), []).append(signal.name.lower())
    rows += [f"    {before} --> {after}: {', '.join(signals)}" for (before, after), signals in merged.items()]
    return "\n".join([*rows, "```", "", *(f"- *{s.name.lower()}*: {s.value}" for s in Signal), ""])


DRAWINGS: dict[str, dict[str, Callable[[], str]]] = {
    "architecture.md": {"phases": phases},
    "commands.md": {"commands": commands.reference},
    "manifest.md": {"fields": manifest.fields, "refusals": manifest.refusals},
}


def drawn(page: str, text: str) -> str:
    """The page's text with its drawings renewed; docs/exit-codes.md is one drawing as a whole."""
    if page == "exit-codes.md":
        return exit_codes.page()
    for name, drawing in DRAWINGS[page].items():
        before, rest = text.split(BEGIN.format(name))
        _, after = rest.split(END, 1)
        text = before + BEGIN.format(name) + drawing() + END + after
    return text


def main() -> None:
    for page in (*DRAWINGS, "exit-codes.md"):
        path = DOCS / page
        path.write_text(drawn(page, path.read_text(encoding="utf-8")), encoding="utf-8")
    events.SCHEMA.write_text(events.text(), encoding="utf-8")


if __name__ == "__main__":
    main()
