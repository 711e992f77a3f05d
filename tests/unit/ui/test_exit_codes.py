"""docs/exit-codes.md is the table of docc/model/errors.py in words, and says so of every code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from docc.model.errors import ExitCode
from docc.ui.exit_codes import MEANING, page

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "exit-codes.md"


def test_page_is_fresh(golden: Callable[[str, str], None]) -> None:
    golden(str(DOCUMENT), page())


@pytest.mark.parametrize("code", ExitCode)
def test_each_code_has_its_row(code: ExitCode) -> None:
    means, then = MEANING[code]
    assert f"| {code.value} | {means} | {then} |" in page().splitlines()
