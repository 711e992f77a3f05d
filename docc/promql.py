"""The only door to the PromQL parser library, for conditions (core/expression.py) and for the sandbox's queries alike.

The library is native code with two faults: a number that is no possible duration (`offset Inf`, `[1e30]`) makes it panic and
print a trace, or give a tree whose durations Python cannot hold; and it moves a time after @ that is out of its range. What
would lead there is found in the text and refused before the library sees it. Knows tokens, and nothing of what they mean.
"""

from __future__ import annotations

import math
import re
from typing import Any

import promql_parser

DURATION_SECONDS_MAX = 2**63 / 1e9
"""Prometheus' own limit: nanoseconds in 64 bits, some 292 years."""
TIME_SECONDS_MAX = 2**63 / 1e3
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_TOKEN = re.compile(
    r"""
      (?P<string> "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*` )
    | (?P<blank> \s+ | \#[^\n]* )
    | (?P<number> 0[xX][0-9a-fA-F]+ | (?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)? ) (?![A-Za-z_0-9.])
    | (?P<duration> (?:[0-9]+(?:ms|[smhdwy]))+ ) (?![A-Za-z_0-9.])
    | (?P<word> [A-Za-z_][A-Za-z0-9_]* )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_LEAD = {"[": "duration", ":": "duration", "offset": "duration", "@": "time"}


def parse(text: str) -> Any:
    """The tree. Raises ValueError, and nothing else, for what is no PromQL."""
    if wrong := _impossible(text):
        raise ValueError(wrong)
    try:
        return promql_parser.parse(text)
    except OverflowError as error:
        raise ValueError(str(error)) from error
    except BaseException as error:
        # A panic that is not known here: its exception is no Exception, and has no name that can be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"the parser gave it up: {error}") from error


def _impossible(text: str) -> str:
    """What is wrong with the first number that stands for a duration or a time; "" if nothing is."""
    kind, sign = "", ""
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "blank":
            continue
        found = token.group().lower()
        if kind and found in "+-":
            sign = found
            continue
        if kind and (value := _seconds(token.lastgroup or "", found)) is not None:
            limit, least = (TIME_SECONDS_MAX, 0.0) if kind == "time" else (DURATION_SECONDS_MAX, -DURATION_SECONDS_MAX)
            value = -value if sign == "-" else value
            if not least <= value <= limit:
                return f"{kind} out of range: {sign}{token.group()}"
        kind, sign = _LEAD.get(found, ""), ""
    return ""


def _seconds(group: str, found: str) -> float | None:
    """None: it is neither a number nor a duration."""
    if group == "duration":
        return sum(float(amount) * _UNITS[unit] for amount, unit in re.findall(r"([0-9]+)(ms|[smhdwy])", found))
    if group == "number":
        return float(found) if not found.startswith("0x") else float(int(found, 16)) if len(found) < 200 else math.inf
    return float(found) if found in ("inf", "nan") else None
