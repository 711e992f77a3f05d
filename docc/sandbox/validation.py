"""What is wrong with an object: fields that the sandbox does not know (400), and values that it does not allow (422)."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema import Draft7Validator, validators
from jsonschema.protocols import Validator

from docc.sandbox.kinds import by_kind

Object = dict[str, Any]
MATCHES_MAX = 128


@cache
def _validator(kind: str) -> Validator:
    whole = Draft7Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, v: isinstance(v, int) and not isinstance(v, bool)
    )
    strict: type[Validator] = validators.extend(Draft7Validator, type_checker=whole)
    return strict(by_kind(kind).schema)


def problems(kind: str, body: Object) -> tuple[list[str], tuple[Object, ...]]:
    """(unknown fields, causes of a Status)."""
    unknown: list[str] = []
    causes: list[Object] = []
    for error in _validator(kind).iter_errors(body):
        path = _path(error.absolute_path)
        if error.validator == "additionalProperties" and isinstance(error.instance, dict):
            known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
            unknown += [
                f'unknown field "{f"{path}.{key}" if path else key}"' for key in error.instance if key not in known
            ]
        else:
            causes.append({"reason": "FieldValueInvalid", "message": error.message[:300], "field": path or "object"})
    if not unknown and not causes:
        causes = _semantics(kind, body)
    return unknown, tuple(causes)


def _semantics(kind: str, body: Object) -> list[Object]:
    causes: list[Object] = []
    spec = body.get("spec", {})
    if kind == "HTTPRoute" and sum(len(rule.get("matches", [])) for rule in spec.get("rules", [])) > MATCHES_MAX:
        causes.append({"reason": "FieldValueInvalid", "message": "too many matches", "field": "spec.rules"})
    if kind == "Deployment":
        wanted = (spec.get("selector") or {}).get("matchLabels") or {}
        labels = (spec["template"].get("metadata") or {}).get("labels") or {}
        if not wanted or not wanted.items() <= labels.items():
            message = "`selector` does not match template `labels`"
            causes.append({"reason": "FieldValueInvalid", "message": message, "field": "spec.template.metadata.labels"})
    return causes


def _path(parts: Any) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
