r"""The text exposition format 0.0.4, as strict as Prometheus reads it: one bad line and the whole scrape is worth nothing.

Pure: text in, samples out. HELP and TYPE lines are comments here, because no answer depends on them. Source:
https://prometheus.io/docs/instrumenting/exposition_formats/ ; numbers are those of Go's strconv.ParseFloat but for its hex
floats and underscores, which no exporter writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\\n]|\\.)*)"[ \t]*(,?)')
_CLOSE = re.compile(r"[ \t]*\}")
_REST = re.compile(r"[ \t]*(\S+)(?:[ \t]+(-?\d+))?[ \t]*")
_NUMBER = re.compile(r"[+-]?(?:inf|infinity|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)|nan", re.IGNORECASE)
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


class ExpositionError(ValueError):
    """What is wrong with which line."""


@dataclass(frozen=True, slots=True)
class Exposed:
    """labels: with the metric's name as `__name__`. time_ms: the exporter's own timestamp, which hardly any writes."""

    labels: dict[str, str]
    value: float
    time_ms: int | None = None


def parsed(text: str) -> list[Exposed]:
    """Raises ExpositionError."""
    return list(_samples(text))


def _samples(text: str) -> Iterator[Exposed]:
    if text and not text.endswith("\n"):
        raise ExpositionError("the last line has no line feed: the answer is cut off")
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip(" \t")
        if stripped and not stripped.startswith("#"):
            try:
                yield _sample(stripped)
            except ValueError as error:
                raise ExpositionError(f"line {number}: {error}: {line[:120]!r}") from error


def _sample(line: str) -> Exposed:
    name = _NAME.match(line)
    if name is None:
        raise ValueError("no metric name")
    labels, at = {"__name__": name.group()}, name.end()
    blank = re.compile(r"[ \t]*").match(line, at)
    if blank is not None and line[blank.end() : blank.end() + 1] == "{":
        at = _labels(line, blank.end() + 1, labels)
    elif line[at : at + 1] not in (" ", "\t"):
        raise ValueError("no blank after the metric name")
    rest = _REST.fullmatch(line, at)
    if rest is None or _NUMBER.fullmatch(rest.group(1)) is None:
        raise ValueError("no value, or more than a value and a timestamp")
    return Exposed(labels, float(rest.group(1)), None if rest.group(2) is None else int(rest.group(2)))


def _labels(line: str, at: int, labels: dict[str, str]) -> int:
    """Reads on behind the opening brace into `labels`; the position behind the closing one."""
    more = True
    while (close := _CLOSE.match(line, at)) is None:
        pair = _LABEL.match(line, at)
        if pair is None or not more:
            raise ValueError("malformed labels")
        name, value, comma = pair.groups()
        if name in labels:
            raise ValueError(f"the label {name} stands twice")
        labels[name] = re.sub(r"\\.", lambda escape: _ESCAPES.get(escape.group(), escape.group()), value)
        at, more = pair.end(), bool(comma)
    return close.end()
