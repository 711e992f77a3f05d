"""JSON text -> plain values, refusing what JSON readers usually let pass: duplicate keys, NaN, depth, size, odd encodings.

Positions of errors inside valid JSON are positions.py's; what the values mean is check.py's.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from docc.model.errors import ManifestError, Problem

BYTES_MAX = 1 << 17  # it is kept in an annotation; an object has 256 KiB for all of them
DEPTH_MAX = 32
_COLON = re.compile(r"[ \t\r\n]*:")


class _Duplicate(Exception):
    pass


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


def values(text: str, source: str) -> dict[str, Any]:
    """The manifest as plain values. Raises ManifestError with every problem of its syntax that can be told apart."""
    if len(text) > BYTES_MAX:
        refuse(source, f"the manifest is longer than {BYTES_MAX} characters")
    if not text.strip():
        refuse(source, 'the manifest is empty; the smallest one names an application: {"application": {...}}')
    _check_depth(text, source)
    try:
        found = json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float, parse_int=_int)
    except _Duplicate:
        raise ManifestError("the manifest is not valid", problems=_duplicates(text, source)) from None
    except json.JSONDecodeError as error:
        _syntax(text, source, error)
    except ValueError as error:
        word = str(error)
        at = text.find(word)
        refuse(source, f"{word} is not a number that JSON knows", *_line_column(text, max(at, 0)))
    if not isinstance(found, dict):
        refuse(source, "a manifest is a JSON object: {...}")
    return found


def refuse(source: str, message: str, line: int = 1, column: int = 1) -> NoReturn:
    raise ManifestError("the manifest is not valid", problems=(Problem(line, column, message, source),))


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Duplicate
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


def _duplicates(text: str, source: str) -> tuple[Problem, ...]:
    """Every repeated key, by a scan of the text as far as it is JSON: what comes behind an object may be broken."""
    problems: list[Problem] = []
    stack: list[dict[str, tuple[int, int]] | None] = []
    decoder, at = json.JSONDecoder(strict=False), 0
    while at < len(text):
        letter = text[at]
        if letter == '"':
            try:
                word, end = decoder.raw_decode(text, at)
            except json.JSONDecodeError:
                break
            if _COLON.match(text, end) and stack and (keys := stack[-1]) is not None:
                here = _line_column(text, at)
                if word in keys:
                    line, column = keys[word]
                    problems.append(Problem(*here, f'"{word}" appears twice (first at {line}:{column})', source))
                keys.setdefault(word, here)
            at = end
            continue
        if letter in "{[":
            stack.append({} if letter == "{" else None)
        elif letter in "}]":
            if not stack:
                break
            stack.pop()
        at += 1
    return tuple(problems)


def _syntax(text: str, source: str, error: json.JSONDecodeError) -> NoReturn:
    at = error.pos
    before = at - 1 if at >= len(text) or text[at] in "}]" else at
    while before >= 0 and text[before] in " \t\r\n":
        before -= 1
    closing = text[before + 1 :].lstrip()[:1]
    if before >= 0 and text[before] == "," and closing in ("}", "]") and closing:
        refuse(source, f'trailing comma before "{closing}"; JSON does not allow one', *_line_column(text, before))
    words = {
        "Expecting property name enclosed in double quotes": 'expected a name in double quotes, or "}"',
        "Expecting ',' delimiter": "expected a comma or a closing bracket",
        "Expecting value": "expected a value",
        "Expecting ':' delimiter": 'expected ":" after the name',
        "Extra data": "something follows after the end of the manifest",
    }
    message = words.get(error.msg, error.msg[:1].lower() + error.msg[1:])
    refuse(source, message, error.lineno, error.colno)


def _line_column(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
