"""JSON text -> plain values, refusing what JSON readers usually let pass: duplicate keys, NaN, depth, size, odd encodings.

Positions of errors inside valid JSON are positions.py's; what the values mean is check.py's.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from docc.model.errors import ManifestError, Problem

BYTES_MAX = 1 << 17  # it is kept in an annotation; an object has 256 KiB for all of them
DEPTH_MAX = 32
_COLON = re.compile(r"[ \t\r\n]*:")
_STRING = r'"(?:[^"\\]|\\.)*"'
_COMMA = re.compile(rf"{_STRING}|,(?=[ \t\r\n]*([}}\]]))", re.DOTALL)
_NUMBER = re.compile(rf"{_STRING}|(NaN|-?Infinity|-?\d[\d.eE+-]*)", re.DOTALL)
_WHOLE = 'a manifest is the whole of it: {"application": {...}, "deployment_strategy": {...}}'
_SYNTAX = {
    "Expecting property name enclosed in double quotes": 'expected a name in double quotes, or "}"',
    "Expecting ',' delimiter": "expected a comma or a closing bracket",
    "Expecting value": "expected a value",
    "Expecting ':' delimiter": 'expected ":" after the name',
    "Extra data": "something follows after the end of the manifest",
}
Found = Iterator[tuple[int, str]]
"""(where in the text, what is wrong)"""


def decode(raw: bytes, source: str) -> str:
    """UTF-8 without a byte-order mark. Raises ManifestError."""
    if len(raw) > BYTES_MAX:
        refuse(source, f"the manifest is longer than {BYTES_MAX} bytes")
    if raw.startswith(b"\xef\xbb\xbf"):
        refuse(source, "the file begins with a byte-order mark; save it as UTF-8 without one")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        refuse(source, "the file is not UTF-8 here", *_line_column(before, len(before)))


def values(text: str, source: str) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """(the manifest as plain values, what is wrong with its syntax but keeps nobody from reading on: of a key that stands twice
    the first value counts, a trailing comma is not there). Raises ManifestError where nobody can."""
    if len(text) > BYTES_MAX:
        refuse(source, f"the manifest is longer than {BYTES_MAX} characters")
    if not text.strip():
        refuse(source, 'the manifest is empty; the smallest one names an application: {"application": {...}}')
    _check_depth(text, source)
    told = dict(_trailing_commas(text))
    read = "".join(" " if at in told else letter for at, letter in enumerate(text)) if told else text
    pairs = _Pairs()
    try:
        found = json.loads(read, object_pairs_hook=pairs, parse_constant=_constant, parse_float=_float, parse_int=_int)
    except json.JSONDecodeError as error:
        told |= dict(_duplicates(read))
        told = {
            at: message for at, message in told.items() if at < error.pos
        }  # behind it nothing is what it looks like
        told[error.pos] = _syntax(read, error)
        found = None
    except ValueError:
        told |= dict(_unknown_numbers(read)) | dict(_duplicates(read))
        found = None
    else:
        told |= dict(_duplicates(read)) if pairs.repeated else {}
    problems = tuple(Problem(*_line_column(text, at), message, source) for at, message in sorted(told.items()))
    if isinstance(found, dict):
        return found, problems
    if not problems:
        refuse(source, "a manifest is a JSON object: {...}")
    raise ManifestError("the manifest is not valid", problems=problems)


def refuse(source: str, message: str, line: int = 1, column: int = 1) -> NoReturn:
    raise ManifestError("the manifest is not valid", problems=(Problem(line, column, message, source),))


class _Pairs:
    """Makes objects, and knows afterwards whether a key was repeated in one."""

    def __init__(self) -> None:
        self.repeated = False

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            found.setdefault(key, value)
        self.repeated = self.repeated or len(found) != len(pairs)
        return found


def _constant(word: str) -> NoReturn:
    raise ValueError(word)


def _float(word: str) -> float:
    value = float(word)
    if math.isinf(value):
        raise ValueError(word)
    return value


def _int(word: str) -> int:
    if len(word) > 18:
        raise ValueError(word)
    return int(word)


def _check_depth(text: str, source: str) -> None:
    """Before the parser recurses. Brackets inside strings do not count."""
    depth, inside, escaped = 0, False, False
    for at, letter in enumerate(text):
        if inside:
            inside = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            inside, escaped = True, False
        elif letter in "{[":
            depth += 1
            if depth > DEPTH_MAX:
                refuse(source, f"nested more than {DEPTH_MAX} levels deep", *_line_column(text, at))
        elif letter in "}]":
            depth -= 1


def _trailing_commas(text: str) -> Found:
    for token in _COMMA.finditer(text):
        if closing := token[1]:
            yield token.start(), f'trailing comma before "{closing}"; JSON does not allow one'


def _unknown_numbers(text: str) -> Found:
    for token in _NUMBER.finditer(text):
        if not (word := token[1]):
            continue
        read = _constant if word[-1] in "Ny" else _float if {".", "e", "E"} & set(word) else _int
        try:
            read(word)
        except ValueError:
            yield token.start(), f"{word} is not a number that JSON knows"


def _duplicates(text: str) -> Found:
    """Every repeated key, by a scan of the text as far as it is JSON: what comes behind an object may be broken."""
    stack: list[dict[str, int] | None] = []
    decoder, at = json.JSONDecoder(strict=False), 0
    while at < len(text):
        letter = text[at]
        if letter == '"':
            try:
                word, end = decoder.raw_decode(text, at)
            except json.JSONDecodeError:
                return
            if _COLON.match(text, end) and stack and (keys := stack[-1]) is not None:
                if word in keys:
                    line, column = _line_column(text, keys[word])
                    yield at, f'"{word}" appears twice (first at {line}:{column})'
                keys.setdefault(word, at)
            at = end
            continue
        if letter in "{[":
            stack.append({} if letter == "{" else None)
        elif letter in "}]":
            if not stack:
                return
            stack.pop()
        at += 1


def _syntax(text: str, error: json.JSONDecodeError) -> str:
    here = text[error.pos :]
    if here.startswith(("..", "\u2026")):
        return f"dots stand for what somebody left out; {_WHOLE}"
    if here.startswith(("//", "/*", "#")):
        return "JSON has no comments; take it out"
    if error.msg == "Extra data" and text.lstrip().startswith('"'):
        return f"this is a piece of a manifest; {_WHOLE}"
    return _SYNTAX.get(error.msg, error.msg[:1].lower() + error.msg[1:])


def _line_column(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
