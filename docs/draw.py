"""Writes what docs can take from the code: the drawing of the phases. `python docs/draw.py`.

tests/quality/test_docs.py fails when it is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from docc.core.phases import TRANSITIONS, Signal

DOCS = Path(__file__).resolve().parent
BEGIN, END = "<!-- drawn by docs/draw.py -->\n", "<!-- end of the drawing -->\n"


def phases() -> str:
    """The transitions as a Mermaid state diagram; taking over changes no phase and is left out."""
    rows = ["```mermaid", "stateDiagram-v2"]
    merged: dict[tuple[str, str], list[str]] = {}
    for (before, signal), after in TRANSITIONS.items():
        if signal is not Signal.TAKE_OVER:
            merged.setdefault((before.value if before else "[*]", after.value), []).append(signal.name.lower())
    rows += [f"    {before} --> {after}: {', '.join(signals)}" for (before, after), signals in merged.items()]
    return "\n".join([*rows, "```", "", *(f"- *{s.name.lower()}*: {s.value}" for s in Signal), ""])


def drawn(text: str) -> str:
    """docs/architecture.md with the drawing renewed."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + phases() + END + after


def main() -> None:
    path = DOCS / "architecture.md"
    path.write_text(drawn(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
