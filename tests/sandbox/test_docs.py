"""docs/sandbox.md against the code: kinds, tags, variables and limits are the ones that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docc.sandbox import logs, watch
from docc.sandbox.endpoints import PORTS_ANNOTATION
from docc.sandbox.images import behaviour
from docc.sandbox.kinds import KINDS
from docc.sandbox.store import HISTORY_MAX

TEXT = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
CODE = Path(logs.__file__).parent
TAGS = re.findall(r"^\| `(-[a-zN]+)` \|", TEXT, re.MULTILINE)


@pytest.mark.parametrize("tag", TAGS)
def test_each_tag_of_the_table_is_a_word_that_the_sandbox_knows(tag: str) -> None:
    found = behaviour(f"demo:v3{tag.replace('N', '7')}")
    assert found.env["VERSION"] == "v3" and (len(found.env) == 2 or found.missing)
    if tag.endswith("N"):
        without = behaviour(f"demo:v3{tag.removesuffix('N')}")
        assert without.env["VERSION"] == "v3" and without.env != found.env


def test_every_tag_kind_variable_and_limit_of_the_code_is_told() -> None:
    words = set(
        re.findall(r"-(err|slow|crash|late|bad|neverready|missing)", (CODE / "images.py").read_text(encoding="utf-8"))
    )
    assert {tag.strip("-N") for tag in TAGS} == words
    assert not {kind.kind for kind in KINDS} - set(re.findall(r"[A-Z][A-Za-z]+", TEXT))
    variables = set(
        re.findall(r'(?:number|environ\.get|in)\(?"?([A-Z_]{4,})"', (CODE / "standin.py").read_text(encoding="utf-8"))
    )
    assert {"ERROR_RATE", "LATENCY", "CRASH_AFTER", "READY_AFTER"} <= variables
    assert not variables - {"HOST", "PORT", "PROBE"} - set(re.findall(r"`([A-Z_]+)`", TEXT))
    assert PORTS_ANNOTATION in TEXT and f"last {HISTORY_MAX} changes" in TEXT
    assert f"timeoutSeconds up to {watch.SECONDS_MAX:.0f}" in TEXT and f"last {logs.LINES_MAX} lines" in TEXT
