"""Options that mean the same everywhere stand where people put them."""

from __future__ import annotations

import pytest

from docc.cli.options import arranged


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("deploy m.json -n web", "deploy m.json -n web"),
        ("-n web deploy m.json", "deploy -n web m.json"),
        ("--context=prod -n web status shop", "status --context=prod -n web shop"),
        ("--kubeconfig f sandbox up", "sandbox --kubeconfig f up"),
        ("--version", "--version"),
        ("-n", "-n"),
        ("", ""),
        ("deploy -- --no-color", "deploy -- --no-color"),
    ],
)
def test_what_stands_before_the_command_goes_behind_it(typed: str, words: str) -> None:
    assert arranged(typed.split()) == (words.split(), True)


@pytest.mark.parametrize("typed", ["--no-color status shop", "status --no-color shop", "status shop --no-color"])
def test_no_color_may_stand_anywhere(typed: str) -> None:
    assert arranged(typed.split()) == (["status", "shop"], False)
