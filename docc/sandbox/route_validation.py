"""What is wrong with an HTTPRoute beyond its fields' types. Pure.

The rules of Gateway API v1 (lengths, patterns, durations of GEP-2257), and what Envoy itself would refuse: it takes a whole
configuration or none, so one regular expression that RE2 does not know would keep every later change of weight from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import re2

from docc.sandbox.refusals import cause

Object = dict[str, Any]
MATCHES_MAX = 128
PROGRAM_MAX = 32768
"""Instructions of a compiled expression: the limit that Istio gives its Envoys, and xds.bootstrap the sandbox's."""
PATH_MAX = 1024
VALUE_MAX = {"headers": 4096, "queryParams": 1024}
_DURATION = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}")
_PATH = re.compile(r"/[A-Za-z0-9/\-._~!$&'()*+,;=:@%]*", re.ASCII)
_NO_PART = ("//", "/./", "/../", "%2f", "%2F", "#")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]{0,4096}")


def problems(body: Object) -> Iterator[Object]:
    """Causes of a Status."""
    rules = body["spec"].get("rules", [])
    if sum(len(rule.get("matches", [])) for rule in rules) > MATCHES_MAX:
        message = f"Too many: must have at most {MATCHES_MAX} matches in all rules"
        yield cause("spec.rules", "FieldValueTooMany", message)
    for at, rule in enumerate(rules):
        place = f"spec.rules[{at}]"
        for number, match in enumerate(rule.get("matches", [])):
            yield from _match(match, f"{place}.matches[{number}]")
        yield from _timeouts(rule.get("timeouts", {}), f"{place}.timeouts")
        yield from _filters(rule.get("filters", []), f"{place}.filters")
        for number, backend in enumerate(rule.get("backendRefs", [])):
            if (backend.get("group", ""), backend.get("kind", "Service")) == ("", "Service") and "port" not in backend:
                yield _wrong(f"{place}.backendRefs[{number}]", backend, "Must have port for Service reference")
            yield from _filters(backend.get("filters", []), f"{place}.backendRefs[{number}].filters")


def _match(match: Object, place: str) -> Iterator[Object]:
    path = match.get("path", {})
    value = path.get("value", "/")
    if len(value) > PATH_MAX:
        yield _wrong(f"{place}.path.value", value, f"Too long: may not be more than {PATH_MAX} bytes")
    elif path.get("type") == "RegularExpression":
        yield from _expression(value, f"{place}.path.value")
    elif not _PATH.fullmatch(value) or any(part in value for part in _NO_PART) or value.endswith(("/.", "/..")):
        yield _wrong(
            f"{place}.path.value", value, "must be an absolute path without '//', '/./', '/../', '%2F', '?' or '#'"
        )
    for kind in ("headers", "queryParams"):
        for number, entry in enumerate(match.get(kind, [])):
            where = f"{place}.{kind}[{number}]"
            if not _HEADER_NAME.fullmatch(entry["name"]):
                yield _wrong(f"{where}.name", entry["name"], "must be a name of letters, digits and !#$%&'*+-.^_`|~")
            if len(entry["value"]) > VALUE_MAX[kind]:
                message = f"Too long: may not be more than {VALUE_MAX[kind]} bytes"
                yield _wrong(f"{where}.value", entry["value"], message)
            elif entry.get("type") == "RegularExpression":
                yield from _expression(entry["value"], f"{where}.value")
            elif not entry["value"] or not _HEADER_VALUE.fullmatch(entry["value"]):
                yield _wrong(
                    f"{where}.value", entry["value"], "must be 1 to 4096 characters, none of them a control character"
                )


def _expression(text: str, field: str) -> Iterator[Object]:
    """Read by RE2 itself, which is what Envoy has; an empty one Envoy does not take."""
    if not text:
        yield _wrong(field, text, "Envoy takes no empty regular expression")
        return
    quiet = re2.Options()
    quiet.log_errors = False
    try:
        size = re2.compile(text, quiet).programsize
    except re2.error as error:
        said = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        yield _wrong(field, text, f"Envoy's regular expressions are RE2's: {said}")
    except UnicodeEncodeError:
        yield _wrong(field, text, "it is not Unicode text")
    else:
        if size > PROGRAM_MAX:
            message = f"compiled it is {size} instructions long, and Envoy takes at most {PROGRAM_MAX}"
            yield _wrong(field, text, message)


def _timeouts(timeouts: Object, place: str) -> Iterator[Object]:
    for name, value in timeouts.items():
        if not _DURATION.fullmatch(value):
            message = f"{place}.{name} in body should match '^{_DURATION.pattern}$'"
            yield _wrong(f"{place}.{name}", value, message)
    if all(name in timeouts and _DURATION.fullmatch(timeouts[name]) for name in ("request", "backendRequest")):
        request, backend = seconds(timeouts["request"]), seconds(timeouts["backendRequest"])
        if 0 < request < backend:
            yield _wrong(place, timeouts, "backendRequest timeout cannot be longer than request timeout")


def seconds(duration: str) -> float:
    """A Gateway API duration (GEP-2257): 1h2m3s4ms."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    return sum(int(amount) * units[unit] for amount, unit in re.findall(r"(\d+)(ms|h|m|s)", duration))


def _filters(filters: list[Object], place: str) -> Iterator[Object]:
    for at, entry in enumerate(filters):
        for kind in ("requestHeaderModifier", "responseHeaderModifier"):
            edit, where = entry.get(kind, {}), f"{place}[{at}].{kind}"
            named = [(f"{where}.{how}[{n}]", item["name"], item["value"])
                     for how in ("set", "add") for n, item in enumerate(edit.get(how, []))]  # fmt: skip
            named += [(f"{where}.remove[{n}]", name, "") for n, name in enumerate(edit.get("remove", []))]
            for field, name, value in named:
                if not _HEADER_NAME.fullmatch(name):
                    yield _wrong(field, name, "must be a header's name: letters, digits and !#$%&'*+-.^_`|~")
                elif name.lower() == "host":
                    yield _wrong(field, name, "Envoy lets no header modifier touch Host")
                if not _HEADER_VALUE.fullmatch(value):
                    yield _wrong(field, value, "must have at most 4096 characters, none of them a control character")


def _wrong(field: str, value: Any, message: str) -> Object:
    return cause(field, "FieldValueInvalid", f"Invalid value: {json.dumps(value)[:200]}: {message}")
