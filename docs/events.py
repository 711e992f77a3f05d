"""schemas/event.json: what a line of `-o jsonl` may be. Made from model/facts.py, by `make docs`; writes nothing itself.

A fact's class is an event, its fields are the event's, its docstring is the description. The version line, the target, the
result and the error are no facts; they are described here, and tests/unit/ui/test_events.py holds them against docc's own.
"""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from docc.model.errors import ExitCode
from docc.model.facts import Fact
from docc.ui import events

SCHEMA = Path(__file__).resolve().parents[1] / "schemas" / "event.json"
Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
FLOAT: Schema = {"type": ["number", "string"], "pattern": "^(NaN|[+-]Inf)$"}
INSTANT: Schema = {"type": "string", "pattern": "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$"}
REVISION: Schema = {"type": ["string", "null"], "pattern": "^v[0-9]+$"}
SECONDS: Schema = {"type": ["number", "null"]}
CODE: Schema = {"enum": [int(code) for code in ExitCode]}


def listed(**properties: Schema) -> Schema:
    """An object that has all of these. More may come with a later docc, so they are not refused."""
    return {"type": "object", "required": list(properties), "properties": properties}


CHECK = listed(
    name=TEXT, verdict=TEXT, value={"anyOf": [FLOAT, {"type": "null"}]}, operator=TEXT, threshold=FLOAT, series=TEXT,
    weight={"type": "integer"}, reason=TEXT, basis=TEXT, query=TEXT, ignored={"type": "boolean"},
)  # fmt: skip
OTHERS: dict[str, Schema] = {
    "version": {
        **listed(docc=TEXT, format={"const": events.FORMAT}),
        "description": "The first line. A reader stops at a format that it does not know, and skips unknown events and fields.",
    },
    "target": {
        **listed(at=INSTANT, event={"const": "target"}, app=TEXT, namespace=TEXT, context=TEXT),
        "description": "What the stream is about, and where. Not there if docc ends before it knows.",
    },
    "result": {
        **listed(
            app=TEXT, namespace=TEXT, result=TEXT, exit_code=CODE, reason=TEXT,
            serving={"type": "object", "additionalProperties": {"type": "integer"}},
            stable=REVISION, candidate=REVISION, previous=REVISION, phase={"type": ["string", "null"]},
            weights={"type": "array", "items": listed(at=NUMBER, revision=REVISION, weight={"type": "integer"})},
            promoted_at=SECONDS, exposed_seconds=SECONDS, checks={"type": "array", "items": CHECK},
            evidence={"type": "array", "items": listed(source=TEXT, text=TEXT)},
            requests={"type": "object", "additionalProperties": {"type": "integer"}},
            plan={"type": "array", "items": TEXT}, notes={"type": "array", "items": TEXT},
            undo=TEXT, started=SECONDS, finished=SECONDS,
        ),
        "description": "The last line, and the one document of -o json; after a dry run, too. Instants are unix seconds by the"
        " API server's clock.",
    },
    "error": {
        **listed(
            error=listed(
                code=TEXT, exit_code=CODE, what=TEXT, where=TEXT, why=TEXT, fix=TEXT, state=TEXT,
                problems={
                    "type": "array",
                    "items": listed(
                        file=TEXT, line={"type": "integer"}, column={"type": "integer"}, message=TEXT, fix=TEXT
                    ),
                },
                obstacles={"type": "array", "items": listed(code=TEXT, what=TEXT, where=TEXT, why=TEXT, fix=TEXT)},
            )
        ),
        "description": "The last line where docc ends before it has moved any traffic (exit codes 1 to 7).",
    },
}  # fmt: skip


def text() -> str:
    """The whole file."""
    return json.dumps(schema(), indent=2) + "\n"


def schema() -> Schema:
    definitions = {**OTHERS, **{events.name(kind): of_fact(kind) for kind in get_args(Fact)}}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "docc's event stream",
        "description": "One line of `docc deploy -o jsonl`, or of another verb that drives: the version, the target, events,"
        " and last the result or the error. Made from docc/model/facts.py by `make docs`; do not edit.",
        "oneOf": [{"$ref": f"#/definitions/{name}"} for name in definitions],
        "definitions": definitions,
    }


def of_fact(kind: type) -> Schema:
    found = listed(at=INSTANT, event={"const": events.name(kind)}, **_fields(kind))
    written = kind.__doc__ if kind.__doc__ and not kind.__doc__.startswith(f"{kind.__name__}(") else ""
    return {**found, "description": " ".join(inspect.cleandoc(written).split())} if written else found


def _fields(kind: type) -> dict[str, Schema]:
    hints = get_type_hints(kind)
    return {each.name: of_type(hints[each.name]) for each in fields(kind)}


def of_type(hint: Any) -> Schema:
    """As docc/ui/events.py writes values of the type. Raises TypeError for one that it does not know."""
    simple: dict[Any, Schema] = {
        bool: {"type": "boolean"}, int: {"type": "integer"}, float: FLOAT, str: TEXT, type(None): {"type": "null"}
    }  # fmt: skip
    if hint in simple:
        return simple[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [of_type(each) for each in inner]}
    if origin is Literal:
        return {"enum": list(inner)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": of_type(inner[1])}
    if isinstance(origin, type) and issubclass(origin, Sequence | frozenset):
        return _items(inner)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [each.value for each in hint]}
    if is_dataclass(hint) and isinstance(hint, type):
        return listed(**_fields(hint))
    raise TypeError(f"no JSON is known for {hint}")


def _items(inner: tuple[Any, ...]) -> Schema:
    """(str, ...) and (str,) alone are lists of any length, (str, int) a pair."""
    if len(inner) > 1 and inner[-1] is not Ellipsis:
        return {
            "type": "array",
            "items": [of_type(each) for each in inner],
            "minItems": len(inner),
            "maxItems": len(inner),
        }
    return {"type": "array", "items": of_type(inner[0])}
