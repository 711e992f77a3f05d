"""The expressions of docs/failure-conditions.md, by their headings: what is written there is what is tested."""

from __future__ import annotations

import re
from pathlib import Path

DOC = Path(__file__).resolve().parents[1] / "docs" / "failure-conditions.md"
_EXPRESSION = re.compile(r"^### (?P<heading>[^\n]+)\n\n```promql\n(?P<text>.+?)\n```$", re.MULTILINE | re.DOTALL)


def expressions() -> dict[str, str]:
    return {found["heading"]: found["text"] for found in _EXPRESSION.finditer(DOC.read_text(encoding="utf-8"))}
