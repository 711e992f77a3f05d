"""Plain values -> every problem at once: the schema's rules by jsonschema, the rest (names, ports, PromQL, injection) here."""

from __future__ import annotations

import contextlib
import difflib
import json
import math
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from docc.core.expression import ExpressionError, parse
from docc.core.names import name_problem
from docc.model.errors import ManifestError, Problem
from docc.model.secrets import MASK, masked
from docc.spec import trial
from docc.spec.assets import folder
from docc.spec.positions import Path, Positions

Found = Iterator[tuple[Path, str | None, str]]
"""(path of the value, key inside it or None, what is wrong)"""


@cache
def schema() -> dict[str, Any]:
    """The manifest's JSON Schema (draft-07)."""
    found: dict[str, Any] = json.loads((folder("schemas") / "manifest.json").read_text(encoding="utf-8"))
    return found


def check(values: dict[str, Any], text: str, source: str, known: Iterable[Problem] = ()) -> None:
    """Raises ManifestError with all problems, in the file's order. known: those that reading it has found already."""
    found = [*_by_schema(values), *_injections(values, ())]
    for rule in _RULES:
        # A rule reads shapes that the schema has just refused, perhaps: then it has nothing to add to what is said already.
        with contextlib.suppress(KeyError, TypeError, AttributeError, ValueError):
            found.extend(list(rule(values)))
    problems = set(known)
    if not found and not problems:
        return
    positions = Positions(text)
    for path, key, message in found:
        line, column = positions.of_key(path, key) if key is not None else positions.of_value(path)
        problems.add(Problem(line, column, message, source))
    raise ManifestError("the manifest is not valid", problems=tuple(sorted(problems)))


def _by_schema(values: dict[str, Any]) -> Found:
    from jsonschema import Draft7Validator, validators

    strict = Draft7Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, v: isinstance(v, int) and not isinstance(v, bool)
    )
    validator = validators.extend(Draft7Validator, type_checker=strict)(schema())
    for error in validator.iter_errors(values):
        yield from _told(error)


def _told(error: Any) -> Found:
    path: Path = tuple(error.absolute_path)
    name = _name(path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = error.schema.get("properties", {})
        for key in error.instance:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1, 0.6)
                hint = (
                    f', did you mean "{near[0]}"?'
                    if near
                    else f"; known here: {', '.join(k for k in known if k != '$schema')}"
                )
                yield path, key, f'unknown field "{key}"{hint}'
        return
    if error.validator == "anyOf":
        fitting = [sub for sub in error.context if sub.validator != "type"]
        if fitting:
            yield from _told(fitting[0])
            return
    yield path, None, _WORDS.get(error.validator, _plain)(error, name)


def _name(path: Path) -> str:
    """The field, or the list's item: hosts[0]."""
    field = next((at for at in range(len(path) - 1, -1, -1) if isinstance(path[at], str)), len(path))
    return "".join(str(part) if isinstance(part, str) else f"[{part}]" for part in path[field:]) or "the manifest"


def _shown(value: Any, path: Iterable[Any] = ()) -> str:
    """A value that is wrong. What the environment is to hold may be a secret, however wrong it is."""
    if "env" in path:
        return MASK
    text = masked(json.dumps(value, ensure_ascii=True))
    return text if len(text) <= 60 else text[:57] + "..."


def _plain(error: Any, name: str) -> str:
    return f"{name}: {error.message}"


def _type(error: Any, name: str) -> str:
    wanted = error.validator_value if isinstance(error.validator_value, str) else " or ".join(error.validator_value)
    article = "an" if wanted[0] in "aio" else "a"
    words = {"boolean": "true or false", "object": "an object {...}", "array": "a list [...]"}
    return (
        f"{name} is {_shown(error.instance, error.absolute_path)}; must be {words.get(wanted, f'{article} {wanted}')}"
    )


def _described(error: Any) -> str:
    """What the schema says of the field, within a sentence."""
    text = str(error.schema.get("description", ""))
    return text[:1].lower() + text[1:]


def _range(error: Any, name: str) -> str:
    low, high = error.schema.get("minimum"), error.schema.get("maximum")
    return f"{name} is {_shown(error.instance, error.absolute_path)}; must be {low} to {high}"


def _required(error: Any, name: str) -> str:
    missing = error.message.split("'")[1]
    example = {
        "image": ', e.g. "registry.example.com/acme/shop:1.4.2"',
        "interval": ", e.g. 120",
        "increment": ", e.g. 5",
    }
    return f'"{missing}" is required in {name}{example.get(missing, "")}'


_WORDS: dict[str, Callable[[Any, str], str]] = {
    "type": _type,
    "minimum": _range,
    "maximum": _range,
    "required": _required,
    "pattern": lambda e, n: (
        f"{n} is {_shown(e.instance, e.absolute_path)}; {_described(e) or 'it does not have the right form'}"
    ),
    "enum": lambda e, n: (
        f"{n} is {_shown(e.instance, e.absolute_path)}; must be one of {', '.join(map(str, e.validator_value))}"
    ),
    "minProperties": lambda e, n: f"{n} is empty",
    "minItems": lambda e, n: f"{n} is empty",
    "minLength": lambda e, n: f"{n} is empty",
    "maxLength": lambda e, n: f"{n} is longer than {e.validator_value} characters",
    "uniqueItems": lambda e, n: f"{n} names something twice",
    "anyOf": lambda e, n: f"{n} is {_shown(e.instance, e.absolute_path)}; {_described(e)}".rstrip("; "),
}


def _injections(value: Any, path: Path) -> Found:
    """Control characters have no place in names, hosts, headers and images. Environment values, commands and expressions
    may have line breaks and tabs, but no other."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if any(ord(letter) < 32 or ord(letter) == 127 for letter in key):
                yield path, key, f"control character in the name {_shown(key)}"
            yield from _injections(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _injections(inner, (*path, at))
    elif isinstance(value, str):
        allowed = "\n\t\r" if {"env", "command", "args", "expression"} & set(map(str, path)) else ""
        if any((ord(letter) < 32 and letter not in allowed) or ord(letter) == 127 for letter in value):
            yield (
                path,
                None,
                f"control character in {_shown(value, path)}; a header or a log line could be forged with it",
            )
        elif any(0xD800 <= ord(letter) <= 0xDFFF for letter in value):
            yield path, None, f"half of a surrogate pair in {_shown(value, path)}"


def _strategy_path(values: dict[str, Any]) -> Path:
    return (
        ("application", "deployment_strategy")
        if "deployment_strategy" in values["application"]
        else ("deployment_strategy",)
    )


def strategy_of(values: dict[str, Any]) -> dict[str, Any]:
    """deployment_strategy stands at the top level, or inside application with the same meaning."""
    found: dict[str, Any] = values["application"].get("deployment_strategy") or values.get("deployment_strategy") or {}
    return found


def _one_strategy(values: dict[str, Any]) -> Found:
    if "deployment_strategy" in values and "deployment_strategy" in values["application"]:
        yield (), "deployment_strategy", "deployment_strategy stands here and inside application; keep one of them"


def _names(values: dict[str, Any]) -> Found:
    application = values["application"]
    if problem := name_problem(application["name"]):
        yield ("application", "name"), None, problem
    for name in application["containers"]:
        if problem := _container_name(name):
            yield ("application", "containers"), name, problem


def _container_name(name: str) -> str:
    plain = name.replace("-", "")
    fits = plain.isascii() and plain.isalnum() and name == name.lower() and len(name) <= 63 and name.strip("-") == name
    return "" if fits else f'container name "{name}" is not a DNS label: lower-case letters, digits and "-"'


def _ports(values: dict[str, Any]) -> Found:
    taken: set[tuple[int, str]] = set()
    for name, container in values["application"]["containers"].items():
        for at, port in enumerate(container.get("ports", [])):
            path: Path = ("application", "containers", name, "ports", at, "port")
            key = (port["port"], port.get("protocol", "TCP"))
            if key in taken:
                yield path, None, f"port {key[0]}/{key[1]} appears twice; the containers of a pod share its ports"
            taken.add(key)
        readiness = container.get("readiness")
        if readiness is not None and "port" not in readiness and not container.get("ports"):
            yield (
                ("application", "containers", name, "readiness"),
                None,
                "readiness needs a port, and the container has none",
            )


def _routable(values: dict[str, Any]) -> Found:
    ports = [port for container in values["application"]["containers"].values() for port in container.get("ports", [])]
    if any(port.get("protocol", "TCP") == "TCP" and port.get("app_protocol", "http") == "http" for port in ports):
        return
    strategy = _strategy_path(values)
    wanted: dict[str, Path] = {
        kind: (*strategy, kind) for kind in ("canary", "ab_testing") if kind in strategy_of(values)
    }
    wanted |= {kind: ("application", kind) for kind in ("mesh", "route") if values["application"].get(kind)}
    for kind, path in wanted.items():
        yield path, None, f"{kind} needs a container with an HTTP port: only HTTP can be split"


def _others_route(values: dict[str, Any]) -> Found:
    """Gateway, hosts and paths of somebody else's route are theirs."""
    application = values["application"]
    if "route" not in application:
        return
    for field in ("gateway", "hosts", "paths", "mesh"):
        if field in application:
            yield (
                ("application", field),
                None,
                f"{field} is its owners' to say where route names an HTTPRoute of others",
            )
    strategy = strategy_of(values)
    for kind in ("ab_testing", "sticky"):
        if strategy.get(kind):
            why = f"{kind} needs rules of its own above the weighted one, which docc adds to no route of others"
            yield (*_strategy_path(values), kind), None, why


def _conditions(values: dict[str, Any]) -> Found:
    strategy, path = strategy_of(values), _strategy_path(values)
    seen: set[str] = set()
    for at, condition in enumerate(strategy.get("failure_conditions", [])):
        here: Path = (*path, "failure_conditions", at)
        if condition["name"] in seen:
            yield (*here, "name"), None, f'two conditions are named "{condition["name"]}"'
        seen.add(condition["name"])
        try:
            parse(condition["expression"], outcome_labels=tuple(strategy.get("outcome_labels", ())))
        except ExpressionError as error:
            yield (*here, "expression"), None, f"{condition['name']}: {error}"


def _times(values: dict[str, Any]) -> Found:
    strategy, path = strategy_of(values), _strategy_path(values)
    if "canary" in strategy and seconds(strategy["canary"]["interval"]) <= 0:
        yield (
            (*path, "canary", "interval"),
            None,
            f"interval is {_shown(strategy['canary']['interval'])}; must be more than 0",
        )
    if "poll" in strategy and seconds(strategy["poll"]) < 1:
        yield (*path, "poll"), None, f"poll is {_shown(strategy['poll'])}; must be at least 1 s"
    for at, value in _durations(strategy):
        if seconds(value) > SECONDS_MAX:
            yield (*path, *at), None, f"{at[-1]} is {_shown(value)}; must be at most 168h"


def _prometheus(values: dict[str, Any]) -> Found:
    source, path = strategy_of(values).get("prometheus", {}), (*_strategy_path(values), "prometheus")
    if source and ("url" in source) == ("service" in source):
        yield path, None, "prometheus needs either url or service"
    elif "service" in source:
        if int(source["service"].rpartition(":")[2]) not in range(1, 65536):
            yield (*path, "service"), None, f"service is {_shown(source['service'])}; a port is 1 to 65535"
        if "token_env" in source:
            why = "the API server takes the Authorization header off what it passes on to a Service"
            yield path, "token_env", f"token_env goes with url only: {why}"


SECONDS_MAX = 604800.0  # a week, as in the schema
_DURATIONS = ("bake", "poll", "no_data_limit", "progress_deadline", "drain", "keep_warm")


def _durations(strategy: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Those written as text: of numbers the schema knows the bounds."""
    for name, value in strategy.items():
        if name in _DURATIONS and isinstance(value, str):
            yield (name,), value
    for at in (("canary", "interval"), ("ab_testing", "pause_timeout")):
        if isinstance(value := strategy.get(at[0], {}).get(at[1]), str):
            yield at, value


_RULES = (_one_strategy, _names, _ports, _routable, _others_route, _conditions, _times, _prometheus, trial.problems)


def seconds(value: float | str) -> float:
    """Seconds of a number or of a Go duration that the schema has let pass."""
    if not isinstance(value, str):
        return float(value)
    import durationpy

    try:
        return float(durationpy.from_str(value).total_seconds())
    except durationpy.DurationError:
        return math.inf
