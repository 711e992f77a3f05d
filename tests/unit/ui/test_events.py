"""`-o jsonl`: whatever a fact holds, its line is one JSON object that schemas/event.json describes; and a sink never raises."""

from __future__ import annotations

import io
import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from docc.model import facts
from docc.model.errors import DoccError, ManifestError, Problem
from docc.model.facts import Fact
from docc.spec.assets import folder
from docc.ui import events, final, problems
from docc.ui.console import Console
from docs import events as described
from tests.unit.ui.story import T0
from tests.unit.ui.test_final import ENDINGS

KINDS = get_args(Fact)
SCHEMA = json.loads((folder("schemas") / "event.json").read_text(encoding="utf-8"))
VALID = Draft7Validator(SCHEMA)
REFUSED = ManifestError("the manifest is not valid", problems=(Problem(3, 9, "no", fix="yes"),), text="{}")


def written(at: float, fact: Fact) -> dict[str, Any]:
    """What a reader of the stream gets of it."""
    out = io.StringIO()
    events.Events(Console(out=out, err=io.StringIO())).emit(at, fact)
    (line,) = out.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    return found


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert len(KINDS) >= 18 and {events.name(kind) for kind in KINDS} < set(SCHEMA["definitions"])


@pytest.mark.parametrize("kind", KINDS, ids=events.name)
def test_any_fact_is_a_line_that_the_schema_describes(kind: type[Fact]) -> None:
    @given(st.floats(0, 4e9), st.from_type(kind))
    def holds(at: float, fact: Fact) -> None:
        found = written(at, fact)
        VALID.validate(found)
        assert found["event"] == events.name(kind)
        assert set(found) == set(SCHEMA["definitions"][found["event"]]["required"])

    holds()


def test_a_line_has_the_facts_own_fields_and_its_instant() -> None:
    assert written(T0 + 0.25, facts.Weighted(2, 1, 50, 1, 2)) == {
        "at": "2023-11-14T22:13:20.250Z", "event": "weighted",
        "candidate": 2, "stable": 1, "weight": 50, "step": 1, "steps": 2,
    }  # fmt: skip
    breach = facts.CheckSeen("Errors", "FAIL", float("inf"), ">", 0.05, "", 50, "rate(x[1m])")
    assert written(T0, breach)["value"] == "+Inf"


@pytest.mark.parametrize(
    "wrong",
    [
        {"event": "weighted"}, {"at": "now", "event": "let_go", "revision": 1}, {"docc": "1", "format": 2}, {"error": {}},
        {"at": "2023-11-14T22:13:20.250Z", "event": "let_go", "revision": "v1"},
        {"at": "2023-11-14T22:13:20.250Z", "event": "nosuch"},
    ],
)  # fmt: skip
def test_a_line_that_docc_never_writes_is_not_valid(wrong: dict[str, Any]) -> None:
    assert not VALID.is_valid(wrong)


def test_version_and_target_are_described() -> None:
    for line in (events.version(), events.target(T0, "shop", "prod", "web")):
        VALID.validate(line)


@pytest.mark.parametrize("name", ENDINGS)
def test_a_result_is_described_field_by_field(name: str) -> None:
    found = final.document(ENDINGS[name])
    VALID.validate(found)
    assert set(found) == set(SCHEMA["definitions"]["result"]["required"])
    for check in found["checks"]:
        assert set(check) == set(described.CHECK["required"])


@pytest.mark.parametrize("error", [DoccError("no"), REFUSED], ids=["plain", "manifest"])
def test_an_error_is_described_field_by_field(error: DoccError) -> None:
    found = problems.document(error)
    VALID.validate(found)
    known = SCHEMA["definitions"]["error"]["properties"]["error"]
    assert set(found["error"]) == set(known["required"])
    for each in found["error"]["problems"]:
        assert set(each) == set(known["properties"]["problems"]["items"]["required"])


def test_a_sink_never_raises() -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise RuntimeError("not even an OSError")

    events.Events(Console(out=Broken(), err=Broken())).emit(T0, facts.LetGo(1))
    events.Events(Console(out=io.StringIO())).emit(float("nan"), facts.LetGo(1))


def test_a_type_without_json_is_found_when_the_schema_is_made() -> None:
    assert described.of_type(tuple[str, ...]) == {"type": "array", "items": {"type": "string"}}
    assert described.of_type(facts.LetGo)["required"] == ["revision"]
    with pytest.raises(TypeError, match="no JSON"):
        described.of_type(complex)
