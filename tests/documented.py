"""What stands in the docs is what is tested: the expressions of docs/failure-conditions.md and the jobs of docs/ci.md, by their
headings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

DOC = Path(__file__).resolve().parents[1] / "docs" / "failure-conditions.md"
CI = DOC.with_name("ci.md")
_EXPRESSION = re.compile(r"^### (?P<heading>[^\n]+)\n\n```promql\n(?P<text>.+?)\n```$", re.MULTILINE | re.DOTALL)


def expressions() -> dict[str, str]:
    return {found["heading"]: found["text"] for found in _EXPRESSION.finditer(DOC.read_text(encoding="utf-8"))}


def recipes() -> dict[str, dict[str, Any]]:
    text = CI.read_text(encoding="utf-8")
    found = re.finditer(
        r"^## (?P<heading>[^\n]+)\n(?:(?!^## ).)*?```yaml\n(?P<text>.+?)\n```$", text, re.MULTILINE | re.DOTALL
    )
    return {each["heading"]: YAML(typ="safe", pure=True).load(each["text"]) for each in found}
