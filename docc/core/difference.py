"""What differs between two manifests as they are kept (spec/recorded.py), by the names of their fields. Pure.

Values are shown where they are short and plain; what may hold a secret (a command line) is only named, and the values of the
environment are not kept at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

SHOWN_MAX = 8
VALUE_MAX = 60
_UNSHOWN = ("command", "args", "failure_conditions")
_ABSENT = object()


def differences(before: str, after: str) -> dict[str, str]:
    """Path ("canary.increment") -> "20 to 50", "added", "removed", "changed"; {} if one of them cannot be read."""
    try:
        old, new = _fields(before), _fields(after)
    except (ValueError, RecursionError):
        return {}
    return dict(_differing("", old, new))


def in_words(found: Mapping[str, str]) -> str:
    rows = [f"{path} {change}" for path, change in found.items()]
    more = [f"and {len(rows) - SHOWN_MAX} more"] if len(rows) > SHOWN_MAX else []
    return "; ".join([*rows[:SHOWN_MAX], *more])


def _fields(text: str) -> dict[str, Any]:
    """The application's and the strategy's fields side by side: the strategy has two places. Raises ValueError."""
    values = json.loads(text)
    if not isinstance(values, dict) or not isinstance(values.get("application"), dict):
        raise ValueError("it is no manifest")
    application = dict(values.pop("application"))
    strategy = values.pop("deployment_strategy", None), application.pop("deployment_strategy", None)
    fields = {**values, **application}
    for found in strategy:
        fields |= found if isinstance(found, dict) else {}
    return fields


def _differing(path: str, old: Any, new: Any) -> Iterator[tuple[str, str]]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _differing(f"{path}.{key}" if path else key, old.get(key, _ABSENT), new.get(key, _ABSENT))
        return
    yield path, _change(path.rsplit(".", 1)[-1], old, new)


def _change(field: str, old: Any, new: Any) -> str:
    if old is _ABSENT or new is _ABSENT:
        return "added" if old is _ABSENT else "removed"
    texts = [value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in (old, new)]
    if field in _UNSHOWN or any(len(text) > VALUE_MAX for text in texts):
        return "changed"
    return " to ".join(texts)
