"""A value for programs, as text: JSON on one line, or YAML as kubectl shows it. Pure.

Either is ASCII, so that no escape reaches a terminal, and holds nothing that a CI system would take for a command; whoever
parses it gets every value as it is.
"""

from __future__ import annotations

import json
import re
from typing import Any

_WIDTH = 1 << 30
"""No string goes on in a next line, whose beginning would be foreign text."""

_PLAIN = re.compile(r"[A-Za-z/]")
_OTHERWISE = ("y", "n", "yes", "no", "on", "off")
"""No words, but numbers and truths, are for readers of YAML 1.1, such as kubectl."""


def written(value: Any, form: str = "json") -> str:
    """form: json, or yaml."""
    return _yaml(value) if form == "yaml" else json.dumps(value).replace("##", "#\\u0023")


def _yaml(value: Any) -> str:
    from io import StringIO

    from ruamel.yaml import YAML
    from ruamel.yaml.representer import SafeRepresenter

    class Quoting(SafeRepresenter):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(representer: SafeRepresenter, found: str) -> Any:
        plain = _PLAIN.match(found) and found.isprintable() and "##" not in found and found.lower() not in _OTHERWISE
        return representer.represent_scalar("tag:yaml.org,2002:str", found, style=None if plain else '"')

    Quoting.add_representer(str, text)
    writer, stream = YAML(typ="safe", pure=True), StringIO()
    writer.Representer = Quoting
    vars(writer).update(
        default_flow_style=False, allow_unicode=False, width=_WIDTH, sort_base_mapping_type_on_output=False
    )
    writer.dump(value, stream)
    return stream.getvalue().replace("##", "#\\x23").rstrip("\n")
