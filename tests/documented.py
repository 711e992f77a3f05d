"""What stands in the docs is what is tested: the expressions of docs/failure-conditions.md and the jobs of docs/ci.md, by their
headings; the objects of docs/gitops.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

DOC = Path(__file__).resolve().parents[1] / "docs" / "failure-conditions.md"
CI, GITOPS = DOC.with_name("ci.md"), DOC.with_name("gitops.md")
_EXPRESSION = re.compile(r"^### (?P<heading>[^\n]+)\n\n```promql\n(?P<text>.+?)\n```$", re.MULTILINE | re.DOTALL)


def expressions() -> dict[str, str]:
    return {found["heading"]: found["text"] for found in _EXPRESSION.finditer(DOC.read_text(encoding="utf-8"))}


def recipes() -> dict[str, dict[str, Any]]:
    text = CI.read_text(encoding="utf-8")
    found = re.finditer(
        r"^## (?P<heading>[^\n]+)\n(?:(?!^## ).)*?```yaml\n(?P<text>.+?)\n```$", text, re.MULTILINE | re.DOTALL
    )
    return {each["heading"]: YAML(typ="safe", pure=True).load(each["text"]) for each in found}


def gitops() -> list[dict[str, Any]]:
    """Every block of the page, in its order: JSON is YAML, too."""
    found = re.finditer(
        r"^```(?:json|yaml)\n(?P<text>.+?)\n```$", GITOPS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [YAML(typ="safe", pure=True).load(each["text"]) for each in found]
