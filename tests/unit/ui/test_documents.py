"""Documents for programs: whoever parses them gets what was written, and nobody else finds anything in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from docc.ui.documents import written

TEXT = st.text() | st.sampled_from(
    ["::error::x", "a\n::error::x", "##[group]", "yes", "1:30", "~", "x " * 99, "\x1b[31m", "- a: b #c"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def parsed(text: str, form: str) -> Any:
    return json.loads(text) if form == "json" else YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize("form", ["json", "yaml"])
@given(VALUES)
def test_a_document_is_read_back_and_gives_no_command(form: str, value: Any) -> None:
    text = written(value, form)
    assert parsed(text, form) == value
    assert text.isascii() and "\x1b" not in text and "##" not in text
    assert not any(row.lstrip().startswith("::") for row in text.splitlines())


def test_what_an_older_reader_of_yaml_takes_for_something_else_is_quoted() -> None:
    """kubectl reads YAML 1.1, where these are truths and numbers."""
    values = ["yes", "Off", "n", "1:30", "0o7", "1_000", "~", "null", "true"]
    assert all(
        row == f'- "{value}"' or row == f"- '{value}'"
        for row, value in zip(written(values, "yaml").splitlines(), values, strict=True)
    )


def test_yaml_is_for_people_too() -> None:
    assert written({"name": "shop", "ports": [80], "none": [], "image": "acme/shop:2"}, "yaml").splitlines() == [
        "name: shop", "ports:", "- 80", "none: []", "image: acme/shop:2"
    ]  # fmt: skip
