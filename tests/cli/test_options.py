"""Options that mean the same everywhere stand where people put them."""

from __future__ import annotations

import pytest

from docc.cli.options import WITH_VALUE, arranged
from docs.commands import tree


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("deploy m.json -n web", "deploy m.json -n web"),
        ("-n web deploy m.json", "deploy -n web m.json"),
        ("--context=prod -n web status shop", "status --context=prod -n web shop"),
        ("--name second sandbox up", "sandbox up --name second"),
        ("--name second sandbox", "sandbox --name second"),
        ("-A list", "list -A"),
        ("-y --image a:2 deploy m.json", "deploy -y --image a:2 m.json"),
        ("-w -n status status shop", "status -w -n status shop"),
        ("--reason pause rollback shop", "rollback --reason pause shop"),
        ("list -n=web -o=json", "list -n web -o json"),
        ("-n= -o=json list", "list -n  -o json"),
        ("rollback shop --reason -n=web", "rollback shop --reason -n=web"),
        ("--version status", "--version status"),
        ("--version", "--version"),
        ("-n", "-n"),
        ("", ""),
        ("deploy -- --no-color", "deploy -- --no-color"),
    ],
)
def test_what_stands_before_the_command_goes_behind_it(typed: str, words: str) -> None:
    assert arranged(typed.split()) == (words.split(" ") if words else [], {})


@pytest.mark.parametrize("typed", ["--no-color status shop", "status --no-color shop", "status shop --no-color"])
def test_no_color_may_stand_anywhere(typed: str) -> None:
    assert arranged(typed.split()) == (["status", "shop"], {"NO_COLOR": "1"})


@pytest.mark.parametrize("typed", ["--no-live status shop -w", "status shop --no-live -w"])
def test_no_live_may_stand_anywhere(typed: str) -> None:
    assert arranged(typed.split()) == (["status", "shop", "-w"], {"DOCC_NO_LIVE": "1"})


@pytest.mark.parametrize(
    "typed", ["--as ann --as-group=a status shop --as-group b", "status --as=ann --as-group a,b shop"]
)
def test_whom_to_act_as_may_stand_anywhere(typed: str) -> None:
    assert arranged(typed.split()) == (["status", "shop"], {"DOCC_AS": "ann", "DOCC_AS_GROUPS": "a,b"})


@pytest.mark.parametrize("typed", ["--request-timeout 3s status shop", "status shop --request-timeout=3s"])
def test_the_time_of_a_request_may_stand_anywhere(typed: str) -> None:
    assert arranged(typed.split()) == (["status", "shop"], {"DOCC_REQUEST_TIMEOUT": "3s"})


def test_a_value_that_is_missing_is_left_for_the_parser_to_tell() -> None:
    assert arranged(["status", "shop", "--as"]) == (["status", "shop", "--as"], {})


def test_which_options_have_a_value_is_known_of_every_command() -> None:
    """An option that is missing there would make its value the command."""
    options = [each for _, command in tree() for each in command.params if each.param_type_name == "option"]
    found = {flag: each.is_flag for each in options for flag in each.opts}
    assert {flag for flag, is_flag in found.items() if not is_flag} - {"--dry-run"} == WITH_VALUE
    assert any(found.values()) and found["--yes"]
