"""engine.ports.Sink: every fact as one JSON object on a line of standard output, as it happens (`-o jsonl`).

The stream: a version line, then events, then the result or the error, which is the document of `-o json`. Its shape is read
from model/facts.py itself, so that a new fact needs nothing here; schemas/event.json is made from the same (docs/events.py).
What is worth telling is not decided here: programs get everything.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from docc import __version__
from docc.model.facts import Fact
from docc.ui.console import Console
from docc.ui.final import finite

FORMAT = 1
"""Raised when a reader of the former stream could not read this one; new events and new fields do not raise it."""


class Events:
    def __init__(self, console: Console) -> None:
        self._console = console

    def emit(self, at: float, fact: Fact) -> None:
        """Never raises: a reader that has gone, or a fact that cannot be written, must not stop a rollout."""
        with contextlib.suppress(Exception):
            self._console.document(event(at, fact))


def version() -> dict[str, Any]:
    """The first line, before anything is known."""
    return {"docc": __version__, "format": FORMAT}


def target(at: float, app: str, context: str, namespace: str) -> dict[str, Any]:
    """The second line: what the stream is about, and where."""
    return {"at": instant(at), "event": "target", "app": app, "namespace": namespace, "context": context}


def event(at: float, fact: Fact) -> dict[str, Any]:
    return {"at": instant(at), "event": name(type(fact)), **plain(fact)}


def name(kind: type) -> str:
    """ApprovalAwaited -> approval_awaited"""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def instant(at: float) -> str:
    """RFC 3339, in UTC with milliseconds, as in the record."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(value: Any) -> Any:
    """A value as JSON has it; a number that JSON does not have is a string, as in Prometheus' answers ("+Inf")."""
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [plain(each) for each in (sorted(value) if isinstance(value, frozenset) else value)]
    return value
