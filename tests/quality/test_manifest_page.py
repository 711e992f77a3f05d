"""docs/manifest.md and the schema's words: examples are accepted, defaults are what docc takes, refusals are docc's own."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from docc.spec import check
from docc.spec.build import read
from docs import manifest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


def fields(found: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of every object in the schema, wherever it is defined."""
    for name, field in found.get("properties", {}).items():
        yield f"{path}.{name}", field
    for key, inner in found.items():
        if isinstance(inner, dict):
            yield from fields(inner, f"{path}/{key}")
        for each in inner if isinstance(inner, list) else ():
            if isinstance(each, dict):
                yield from fields(each, f"{path}/{key}")


FIELDS = list(fields(check.schema()))


@pytest.mark.parametrize("text", EXAMPLES, ids=["smallest", "full"])
def test_an_example_is_a_valid_manifest(text: str) -> None:
    command = [sys.executable, "-m", "docc", "validate", "-"]
    done = subprocess.run(command, input=text, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_smallest_example_is_the_one_that_is_broken() -> None:
    assert json.loads(EXAMPLES[0]) == manifest.SMALLEST


def test_the_notes_are_about_the_example() -> None:
    notes = re.findall(r"^\| `([^`]+)` \|", PAGE.split("## A full example")[1].split("## Fields")[0], re.MULTILINE)
    assert len(notes) > 8
    for path in notes:
        found = json.loads(EXAMPLES[1])
        for name in path.split("."):
            found = found[name]


@pytest.mark.parametrize(("path", "field"), FIELDS, ids=[path for path, _ in FIELDS])
def test_a_field_is_described_and_its_examples_and_default_are_valid(path: str, field: dict[str, Any]) -> None:
    name = path.rpartition(".")[2]
    told = manifest._resolved(field)["description"]
    assert told.endswith(".") and f"\n| `{name}` |" in PAGE
    rules = {**field, "definitions": check.schema()["definitions"]}
    for value in [*field.get("examples", ()), *([field["default"]] if "default" in field else [])]:
        Draft7Validator(rules).validate(value)


def test_defaults_are_what_docc_takes() -> None:
    definitions = check.schema()["definitions"]

    def of(name: str) -> dict[str, Any]:
        found = {
            key: field.get("default") for key, field in definitions[name]["properties"].items() if "default" in field
        }
        return {key: value for key, value in found.items() if key != "failure_conditions" or value}

    plain = json.dumps(manifest.SMALLEST)
    container = {**of("container"), "image": "nginx:1.29", "ports": [{"port": 80, **of("port")}]}
    spelt = {
        "application": {**of("application"), "name": "shop", "containers": {"web": container}},
        "deployment_strategy": of("strategy"),
    }
    assert spelt["deployment_strategy"]["keep_warm"] == 600
    first, second = read(plain.encode(), "m.json"), read(json.dumps(spelt).encode(), "m.json")
    assert (first.application, first.strategy) == (second.application, second.strategy)


@pytest.mark.parametrize(("rule", "changes"), manifest.RULES, ids=[rule for rule, _ in manifest.RULES])
def test_a_rule_is_broken_by_its_example_and_no_other_is(rule: str, changes: dict[str, Any]) -> None:
    assert len(manifest.refused(manifest.broken(changes))) == 1


def test_each_of_docc_s_own_rules_has_an_example() -> None:
    texts = [json.loads(manifest.broken(changes)) for _, changes in manifest.RULES]
    for rule in (*check._RULES, lambda values: check._injections(values, ())):
        told = []
        for values in texts:
            with contextlib.suppress(KeyError, TypeError):
                told += list(rule(values))
        assert told, rule
