"""Which objects a list or a watch is about: label and field selectors, and the pages of a list. Pure.

Raises StoreError 400 for a selector that the sandbox does not speak, 410 for a page of a list that has changed since.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from docc.sandbox.kinds import Kind
from docc.sandbox.refusals import StoreError, bad

Object = dict[str, Any]
Test = Callable[[Mapping[str, str]], bool]
_META_FIELDS = ("metadata.name", "metadata.namespace")
_EVENT_FIELDS = tuple(f"involvedObject.{name}" for name in ("kind", "namespace", "name", "uid"))
_KEY = r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?"
_VALUE = r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_TERM = re.compile(rf"(?P<absent>!)?(?P<key>{_KEY})(\s*(?P<op>==|=|!=)\s*(?P<value>{_VALUE}))?")
_SET = re.compile(rf"(?P<key>{_KEY})\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)")


def chooser(kind: Kind, namespace: str | None, query: Mapping[str, str]) -> Callable[[Object], bool]:
    """Whether an object of the kind is meant. namespace None: all of them."""
    fields = _fields(kind, query.get("fieldSelector", ""))
    labels = [_term(term) for term in re.findall(r"(?:[^,(]|\([^)]*\)|\()+", query.get("labelSelector", ""))]

    def chosen(body: Object) -> bool:
        meta = body["metadata"]
        if namespace is not None and meta.get("namespace") != namespace:
            return False
        if any(((body.get(part) or {}).get(name, "") == value) != equal for part, name, value, equal in fields):
            return False
        return all(test(meta.get("labels") or {}) for test in labels)

    return chosen


def page(items: Sequence[Object], version: int, query: Mapping[str, str]) -> tuple[Sequence[Object], Object]:
    """The items of this answer, and what its metadata say of the rest. `continue` holds only while nothing has changed."""
    limit, token = _number(query, "limit"), query.get("continue", "")
    start = _start(token, version) if token else 0
    rest = len(items) - start - limit
    if not limit or rest <= 0:
        return items[start:], {}
    more: Object = {"continue": base64.urlsafe_b64encode(json.dumps([version, start + limit]).encode()).decode()}
    if not query.get("labelSelector") and not query.get("fieldSelector"):
        more["remainingItemCount"] = rest
    return items[start : start + limit], more


def _start(token: str, version: int) -> int:
    try:
        of, start = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError, binascii.Error) as error:
        raise bad("continue key is not valid") from error
    if of != version:
        message = (
            "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        )
        raise StoreError(410, "Expired", f"{message}without the continue parameter.")
    if not isinstance(start, int) or start < 0:
        raise bad("continue key is not valid")
    return start


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name) or "0"
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise bad(f"{name}: {text!r} is not a number of items")
    return int(text)


def _fields(kind: Kind, selector: str) -> list[tuple[str, str, str, bool]]:
    """(part, name, value, whether it must be equal)"""
    known = (*_META_FIELDS, *(_EVENT_FIELDS if kind.kind == "Event" else ()))
    found = []
    for pair in filter(None, selector.split(",")):
        term = re.fullmatch(r"([A-Za-z.]+)(==|=|!=)(.*)", pair.strip())
        if term is None or term[1] not in known:
            raise bad(f"field selectors of the sandbox for {kind.plural}: {', '.join(known)}; not {pair}")
        part, name = term[1].split(".")
        found.append((part, name, term[3], term[2] != "!="))
    return found


def _term(text: str) -> Test:
    if among := _SET.fullmatch(text.strip()):
        values = {value.strip() for value in among["values"].split(",")}
        if among["op"] == "in":
            return lambda labels: labels.get(among["key"]) in values
        return lambda labels: labels.get(among["key"]) not in values
    term = _TERM.fullmatch(text.strip())
    if term is None or (term["absent"] and term["op"]):
        raise bad(f"unable to parse label selector: {text.strip()!r}")
    key, op, value = term["key"], term["op"], term["value"]
    if op is None:
        return (lambda labels: key not in labels) if term["absent"] else (lambda labels: key in labels)
    return (lambda labels: labels.get(key) != value) if op == "!=" else (lambda labels: labels.get(key) == value)
