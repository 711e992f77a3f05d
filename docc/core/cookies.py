"""Cookies of a request, asked for by what a route has: one regular expression (RE2) that its whole `cookie` header must match.

All cookies of a request are in that one header, in any order and with others around, parted by ";". So a pattern for one value
is grouped, and kept from going on past the ";" that ends it: "." and negated classes leave ";" out here, and what cannot be
kept from it has no place in such a pattern (`astray`). RE2 has no lookahead, so the orders of several cookies are spelled
out. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import permutations

from docc.model.trial import HeaderMatch

TOGETHER_MAX = 3
"""Of which all are asked for: more have too many orders."""
_BEFORE, _BETWEEN, _AFTER = "(^|.*; *)", "(;.*)?; *", "(;.*|$)"
_ANY = "[^;]"
_TOKEN = re.compile(r"\\.|\[\^?(?:\\.|\[:\^?[a-z]+:\]|[^\]\\])+\]|.", re.DOTALL)
_MEMBER = re.compile(r"(?P<kind>\[:\^?[a-z]+:\])|(?P<low>\\?.)-(?P<high>\\?.)|\\.|.", re.DOTALL)
_HARMLESS = "adfnrstvwbB"
"""Letters that mean something behind a backslash, and never a ";"."""
_HARMLESS_KINDS = ("alnum", "alpha", "blank", "cntrl", "digit", "lower", "space", "upper", "word", "xdigit")


def expression(cookies: Sequence[HeaderMatch]) -> str:
    """What a `cookie` header matches that has all of them."""
    pairs = [f"{re.escape(one.name)}={_grouped(one.value) if one.regex else re.escape(one.value)}" for one in cookies]
    orders = [_BETWEEN.join(order) for order in permutations(pairs)]
    wanted = orders[0] if len(orders) == 1 else f"({'|'.join(orders)})"
    return f"{_BEFORE}{wanted}{_AFTER}"


def exactly(name: str, value: str) -> str:
    """For a value that is a word."""
    return f"{_BEFORE}{name}={value}{_AFTER}"


def begins(name: str, value: str) -> str:
    """With what each expression of `exactly` begins whose value begins so."""
    return f"{_BEFORE}{name}={value}"


def asked_for(text: str) -> tuple[HeaderMatch, ...]:
    """The cookies that an expression of docc's asks for; () where it is none."""
    if not (text.startswith(_BEFORE) and text.endswith(_AFTER)):
        return ()
    inner = text[len(_BEFORE) : -len(_AFTER)]
    match inner.removeprefix("(").split(_BETWEEN):
        case [_]:
            pairs = [inner]
        case [first, twice, _]:  # a b, b a
            pairs = [first, twice[: len(twice) // 2]]
        case [first, second, _, third, *_]:  # a b c, a c b, ...
            pairs = [first, second, third]
        case _:
            return ()
    found = tuple(_read(pair) for pair in pairs)
    return found if expression(found) == text else ()


def _read(pair: str) -> HeaderMatch:
    name, _, value = pair.partition("=")
    name = re.sub(r"\\(.)", r"\1", name)
    if value.startswith("(?:") and value.endswith(")"):
        return HeaderMatch(name, value[3:-1].replace(_ANY, ".").replace("[^;", "[^"), regex=True)
    return HeaderMatch(name, re.sub(r"\\(.)", r"\1", value))


def astray(pattern: str) -> str:
    """Why a pattern without a ";" does not stay within one cookie's value; "" if it does."""
    for token in _tokens(pattern):
        if token in ("^", "$", r"\A", r"\z"):
            return f"{token} stands for an end of the whole header; a cookie's value is matched as a whole anyway"
        if token == "[" or (_may_be_semicolon(token) and token != "." and not token.startswith("[^")):
            return f'{token} could go on past the ";" that ends a cookie\'s value'
    return ""


def _grouped(pattern: str) -> str:
    """In a group of its own, and with no ";" in what stands for any character, or for any but some."""
    parts = [
        _ANY if token == "." else token.replace("[^", "[^;", 1) if token.startswith("[^") else token
        for token in _tokens(pattern)
    ]
    return f"(?:{''.join(parts)})"


def _tokens(pattern: str) -> Iterator[str]:
    """Escapes, classes, and single characters for all the rest."""
    return (match[0] for match in _TOKEN.finditer(pattern))


def _may_be_semicolon(token: str) -> bool:
    if token.startswith("\\"):
        return token[1:].isalnum() and token[1:] not in _HARMLESS
    if len(token) > 2 and token.startswith("["):
        return any(_has_semicolon(member) for member in _MEMBER.finditer(token[1:-1]))
    return token == ";"


def _has_semicolon(member: re.Match[str]) -> bool:
    if member["kind"]:
        return member["kind"][2:-2] not in _HARMLESS_KINDS
    if member["low"]:
        wide = any(_may_be_semicolon(end) for end in (member["low"], member["high"]))
        return wide or member["low"][-1] <= ";" <= member["high"][-1]
    return _may_be_semicolon(member[0])
