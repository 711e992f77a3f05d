"""What is wrong with an object, as kube-apiserver would tell it: fields that the sandbox does not know, values that it does not
allow, and what may not change. Pure; what is wrong with a route is in route_validation.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft7Validator, FormatChecker, ValidationError, validators
from jsonschema.protocols import Validator

from docc.sandbox import route_validation
from docc.sandbox.kinds import GATEWAY_GROUP, by_kind
from docc.sandbox.refusals import cause

Object = dict[str, Any]
_SHOWN_MAX = 200
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAMES: Mapping[str, tuple[re.Pattern[str], str]] = {
    "Namespace": (_LABEL, "a lowercase RFC 1123 label"),
    "Service": (_LABEL, "a lowercase RFC 1123 label"),
}
"""Kinds whose names are shorter words than those of others."""


_FORMATS = FormatChecker(formats=())
_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")


@_FORMATS.checks("micro-time")
def _is_micro_time(value: object) -> bool:
    return not isinstance(value, str) or _MICRO_TIME.fullmatch(value) is not None


@cache
def _validator(kind: str) -> Validator:
    whole = Draft7Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, v: isinstance(v, int) and not isinstance(v, bool)
    )
    strict: type[Validator] = validators.extend(Draft7Validator, type_checker=whole)
    return strict(by_kind(kind).schema, format_checker=_FORMATS)


def problems(kind: str, body: Object) -> tuple[list[str], list[str], list[Object]]:
    """(unknown fields, what the decoder of a built-in kind stumbles over, causes of a Status)."""
    unknown: list[str] = []
    mistyped: list[str] = []
    causes: list[Object] = []
    decoded = by_kind(kind).group != GATEWAY_GROUP
    for error in _validator(kind).iter_errors(body):
        path = _path(error.absolute_path)
        if error.validator == "additionalProperties" and isinstance(error.instance, dict):
            known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
            unknown += [
                f'unknown field "{f"{path}.{key}" if path else key}"' for key in error.instance if key not in known
            ]
        elif decoded and error.validator in ("type", "format"):
            mistyped.append(
                f"json: cannot unmarshal {_shown(error.instance)} into field {path} ({error.message[:_SHOWN_MAX]})"
            )
        else:
            causes += _causes(error, path)
    if not unknown and not mistyped and not causes:
        causes = [*_names(kind, body), *_SEMANTICS.get(kind, _nothing)(body)]
    return unknown, mistyped, causes


def immutable(kind: str, before: Object, after: Object) -> list[Object]:
    """Causes for what an update would change and may not."""
    causes = [
        cause(f"metadata.{name}", "FieldValueInvalid", f"Invalid value: {_shown(new)}: field is immutable")
        for name in ("name", "namespace", "uid")
        if (new := after["metadata"].get(name, before["metadata"].get(name))) != before["metadata"].get(name)
    ]
    if kind == "Deployment":
        if after["spec"]["selector"] != before["spec"]["selector"]:
            message = f"Invalid value: {_shown(after['spec']['selector'])}: field is immutable"
            causes.append(cause("spec.selector", "FieldValueInvalid", message))
        if after["spec"]["template"] != before["spec"]["template"]:
            message = "Forbidden: the sandbox does not roll a changed template out; docc never changes one"
            causes.append(cause("spec.template", "FieldValueForbidden", message))
    if kind == "ConfigMap" and before.get("immutable"):
        causes += [
            cause(name, "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set")
            for name in ("data", "binaryData", "immutable")
            if after.get(name) != before.get(name)
        ]
    return causes


def _causes(error: ValidationError, path: str) -> list[Object]:
    rule: Any = error.validator_value
    if error.validator == "required" and isinstance(error.instance, dict):
        missing = [name for name in rule if name not in error.instance]
        return [cause(f"{path}.{name}" if path else name, "FieldValueRequired", "Required value") for name in missing]
    if error.validator == "minLength":
        return [cause(path, "FieldValueRequired", "Required value")]
    if error.validator == "enum":
        known = ", ".join(json.dumps(value) for value in rule)
        message = f"Unsupported value: {_shown(error.instance)}: supported values: {known}"
        return [cause(path, "FieldValueNotSupported", message)]
    said = error.message.removeprefix(repr(error.instance)).strip()[:_SHOWN_MAX]
    return [cause(path or "object", "FieldValueInvalid", f"Invalid value: {_shown(error.instance)}: {said}")]


def _names(kind: str, body: Object) -> Iterator[Object]:
    meta = body["metadata"]
    if not meta.get("name"):
        yield cause("metadata.name", "FieldValueRequired", "Required value: name or generateName is required")
    elif kind in _NAMES and not _NAMES[kind][0].fullmatch(meta["name"]):
        message = f"Invalid value: {_shown(meta['name'])}: it is not {_NAMES[kind][1]} of at most 63 characters"
        yield cause("metadata.name", "FieldValueInvalid", message)
    if meta.get("finalizers"):
        message = "Forbidden: the sandbox would delete the object without waiting for them"
        yield cause("metadata.finalizers", "FieldValueForbidden", message)


def _deployment(body: Object) -> Iterator[Object]:
    wanted = body["spec"]["selector"].get("matchLabels") or {}
    labels = (body["spec"]["template"].get("metadata") or {}).get("labels") or {}
    if not wanted or not wanted.items() <= labels.items():
        message = f"Invalid value: {_shown(labels)}: `selector` does not match template `labels`"
        yield cause("spec.template.metadata.labels", "FieldValueInvalid", message)


def _service(body: Object) -> Iterator[Object]:
    ports = (body.get("spec") or {}).get("ports") or []
    for at, port in enumerate(ports if len(ports) > 1 else []):
        if not port.get("name"):
            yield cause(f"spec.ports[{at}].name", "FieldValueRequired", "Required value")


def _nothing(body: Object) -> Iterator[Object]:
    yield from ()


_SEMANTICS: Mapping[str, Callable[[Object], Iterator[Object]]] = {
    "Deployment": _deployment,
    "Service": _service,
    "HTTPRoute": route_validation.problems,
}


def _shown(value: Any) -> str:
    return json.dumps(value)[:_SHOWN_MAX]


def _path(parts: Any) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
