"""GitHub's runner as a reader of a job's output, as far as commands go; written from what its parser accepts.

A command is "::name key=value,...::data" at the beginning of a line, after white space, or the older "##[name ...]data"
anywhere in it. The comparison of .NET ignores characters that have no width, so they are left out before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

COMMANDS = {
    "set-env", "add-path", "set-output", "save-state", "add-mask", "add-matcher", "remove-matcher", "debug", "notice",
    "warning", "error", "group", "endgroup", "echo", "stop-commands",
}  # fmt: skip
# Unicode's Default_Ignorable_Code_Point
IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_DATA = (("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))
_PROPERTY = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))


@dataclass
class Command:
    name: str
    data: str
    properties: dict[str, str] = field(default_factory=dict)


def commands(output: str) -> list[Command]:
    return [found for row in re.split(r"\r\n|\r|\n", output) for found in _commands(row)]


def _commands(row: str) -> Iterator[Command]:
    bare = IGNORABLE.sub("", row)
    new = re.match(r"\s*::([^ :]+)(?: (.*?))?::(.*)", bare, re.DOTALL)
    if new and new[1] in COMMANDS:
        pairs = [pair.split("=", 1) for pair in (new[2] or "").strip().split(",") if "=" in pair]
        yield Command(new[1], _plain(new[3], _DATA), {key: _plain(value, _PROPERTY) for key, value in pairs})
        return
    old = re.search(r"##\[([^\] ]+)[^\]]*\](.*)", bare, re.DOTALL)
    if old and old[1] in COMMANDS:
        yield Command(old[1], old[2])


def _plain(text: str, mappings: tuple[tuple[str, str], ...]) -> str:
    for escaped, plain in mappings:
        text = text.replace(escaped, plain)
    return text
