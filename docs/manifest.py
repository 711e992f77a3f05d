"""The drawings of docs/manifest.md: every field as schemas/manifest.json has it, and the rules that no schema can say as docc
words them. Writes nothing; docs/draw.py does.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

from docc.model.errors import ManifestError
from docc.spec.build import read
from docc.spec.check import schema

Schema = dict[str, Any]

SMALLEST = {"application": {"name": "shop", "containers": {"web": {"image": "nginx:1.29", "ports": [{"port": 80}]}}}}

# A rule, and changes by path that make SMALLEST break it.
RULES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("The name has room for a revision behind it.", {"application.name": "shop-v3"}),
    ("The name is one that Kubernetes takes for a Service.", {"application.name": "Shop_API"}),
    ("Containers have names that Kubernetes takes.", {"application.containers.Web": {"image": "nginx:1.29"}}),
    (
        "The containers of a pod share its ports: each number once per protocol.",
        {"application.containers.proxy": {"image": "proxy:2", "ports": [{"port": 80}]}},
    ),
    (
        "A readiness check needs a port to ask.",
        {"application.containers.job": {"image": "job:1", "readiness": {"path": "/healthz"}}},
    ),
    (
        "Only HTTP can be split: a canary needs a container with an HTTP port.",
        {
            "application.containers.web.ports": [{"port": 5432, "app_protocol": "tcp"}],
            "deployment_strategy.canary": {"increment": 10, "interval": "1m"},
        },
    ),
    (
        "Where the route is others', gateway, hosts, paths and mesh are theirs to say, and there is no A/B.",
        {"application.route": {"name": "public", "rule": "shop"}, "application.hosts": ["shop.example.com"]},
    ),
    (
        "`deployment_strategy` stands once.",
        {"deployment_strategy": {"drain": 10}, "application.deployment_strategy": {"drain": 20}},
    ),
    ("A step takes time.", {"deployment_strategy.canary": {"increment": 10, "interval": "0s"}}),
    ("Prometheus is not asked more often than once a second.", {"deployment_strategy.poll": "500ms"}),
    ("Prometheus has one address.", {"deployment_strategy.prometheus": {"token_env": "PROMETHEUS_TOKEN"}}),
    (
        "A token reaches only an address: no Service behind the API server would see it.",
        {
            "deployment_strategy.prometheus.service": "monitoring/prometheus:9090",
            "deployment_strategy.prometheus.token_env": "PROMETHEUS_TOKEN",
        },
    ),
    (
        "Conditions have names of their own.",
        {"deployment_strategy.failure_conditions": [{"name": "Up", "expression": "up < 1"}] * 2},
    ),
    (
        "A condition compares with a number, in PromQL.",
        {"deployment_strategy.failure_conditions": [{"name": "Up", "expression": "up"}]},
    ),
    (
        "A condition knows `$app`, `$namespace`, `$canary`, `$stable`, `$revision`, and the range `[$window]`.",
        {"deployment_strategy.failure_conditions": [{"name": "Up", "expression": "up{deployment='$canry'} < 1"}]},
    ),
    ("Names, images and the like hold no control characters.", {"maintainer": "a\r\nb"}),
    (
        "Who is on trial is said for a trial.",
        {"deployment_strategy.ab_testing.headers": [{"name": "x-beta", "value": "yes"}]},
    ),
    (
        "Regular expressions are RE2's.",
        {
            "deployment_strategy.ab_testing.enable_headers": True,
            "deployment_strategy.ab_testing.headers": [{"name": "x-beta", "value": "(?=a)", "type": "regex"}],
        },
    ),
    (
        "Gateway API allows 64 matches in a rule: paths times headers and cookies.",
        {
            "application.paths": [f"/{at}" for at in range(13)],
            "deployment_strategy.ab_testing.enable_headers": True,
            "deployment_strategy.ab_testing.headers": [{"name": f"x-{at}", "value": "1"} for at in range(5)],
        },
    ),
    ("Nobody stays on a version where nobody gets both.", {"deployment_strategy.sticky": True}),
)


def fields() -> str:
    """A table for each object that has fields."""
    rows = []
    for path, found in _objects("", schema()):
        rows += [f"### {path or 'The top level'}", "", _linked(_meaning(found["description"])[0]), ""]
        rows += ["| Field | Type | Default | Meaning |", "|---|---|---|---|"]
        needed = found.get("required", [])
        rows += [_row(name, _resolved(field), name in needed) for name, field in found["properties"].items()]
        rows.append("")
    seconds = schema()["definitions"]["seconds"]["description"]
    rows += [
        "### Durations",
        "",
        seconds + ' A number is at most 604800, a week. `120`, `"120s"` and `"2m"` are the same.',
    ]
    return "\n".join([*rows, ""])


def refusals() -> str:
    """Each rule with a manifest that breaks it."""
    rows = []
    for rule, changes in RULES:
        wrong = json.dumps(changes).removeprefix("{").removesuffix("}")
        rows += [f"- {rule}  ", f"  `{wrong}`  ", f"  {' '.join(f'`{said}`' for said in refused(broken(changes)))}"]
    return "\n".join([*rows, ""])


def broken(changes: dict[str, Any]) -> str:
    """SMALLEST with `changes`, each at its path, as a manifest's text."""
    found: dict[str, Any] = copy.deepcopy(SMALLEST)
    for path, value in changes.items():
        *parents, last = path.split(".")
        at = found
        for name in parents:
            at = at.setdefault(name, {})
        at[last] = value
    return json.dumps(found)


def refused(text: str) -> list[str]:
    """What docc says against a manifest, without the places."""
    try:
        read(text.encode(), "manifest.json")
    except ManifestError as error:
        return [problem.message for problem in error.problems]
    return []


def _resolved(field: Schema) -> Schema:
    """The field with what it refers to; its own words win."""
    if "$ref" not in field:
        return field
    name = field["$ref"].removeprefix("#/definitions/")
    own = {key: value for key, value in field.items() if key != "$ref"}
    return {**schema()["definitions"][name], "is": name, **own}


def _objects(path: str, found: Schema) -> Iterator[tuple[str, Schema]]:
    """Every object that has fields of its own, each before those inside it. What is the same elsewhere is shown once."""
    if "properties" not in found:
        return
    yield path, found
    for name, field in found["properties"].items():
        inner, at = _resolved(field), f"{path}.{name}" if path else name
        if at == "application.deployment_strategy" or name == "limits":
            continue
        if inner.get("type") == "array":
            inner, at = _resolved(inner["items"]), f"{at}[]"
        elif isinstance(inner.get("additionalProperties"), dict):
            inner, at = _resolved(inner["additionalProperties"]), f"{at}.NAME"
        elif "anyOf" in inner:
            shapes = [shape for shape in inner["anyOf"] if "properties" in shape]
            inner = {**shapes[0], "description": inner["description"]} if shapes else inner
        yield from _objects(at, inner)


def _row(name: str, field: Schema, needed: bool) -> str:
    meaning, default = (_linked(text) for text in _meaning(field["description"]))
    if "default" in field:
        default = _code(field["default"])
    examples = [_code(example) for example in field.get("examples", ())]
    if examples:
        meaning += f" For example {' or '.join(examples)}."
    default = "**required**" if needed else default or "none"
    return f"| `{name}` | {_cell(_type(field))} | {_cell(default)} | {_cell(meaning)} |"


def _meaning(description: str) -> tuple[str, str]:
    """The description without its "Default: ...", and that."""
    meaning, _, default = description.partition("Default: ")
    return meaning.strip(), default.strip().removesuffix(".")


def _type(field: Schema, s: str = "") -> str:
    """In words; s: "s" for several of them."""
    if field.get("is") == "seconds":
        return "[duration](#durations)"
    if "enum" in field:
        return " or ".join(_code(value) for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_type(shape) for shape in field["anyOf"])
    kind: str = field["type"]
    if kind == "array":
        return f"list of {_type(_resolved(field['items']), 's')}" + _bounds(field, "Items", ", {} of them")
    if kind == "object":
        inner = field.get("additionalProperties")
        named = f" with {_type(_resolved(inner), 's')} by name" if isinstance(inner, dict) else ""
        return f"object{s}" + named + _bounds(field, "Properties", ", {} of them")
    if kind == "string":
        return f"string{s}" + _bounds(field, "Length", " of {} characters")
    return f"{kind}{s}" + _bounds(field, "imum", ", {}")


def _bounds(field: Schema, suffix: str, words: str) -> str:
    low, high = field.get(f"min{suffix}"), field.get(f"max{suffix}")
    return "" if high is None else words.format(f"at most {high}" if low is None else f"{low} to {high}")


def _linked(text: str) -> str:
    """Pages as links, options and variables as code."""
    text = re.sub(r"docs/([a-z-]+)\.md", lambda found: f"[{found[1].replace('-', ' ')}]({found[1]}.md)", text)
    return re.sub(r"(?<![`\w-])(--[a-z][a-z-]+|DOCC_[A-Z_]+)", r"`\1`", text)


def _code(value: object) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
