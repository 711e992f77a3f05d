"""What the planner may answer: at most one effect, what is being waited for, when to look again, or how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from docc.model.errors import ExitCode
from docc.model.facts import Fact

Object = dict[str, Any]
"""A Kubernetes object as on the wire."""
Operation = dict[str, Any]
"""One JSON Patch operation (RFC 6902)."""


@dataclass(frozen=True, slots=True)
class Ref:
    """Names one object of the application's namespace."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Create:
    ref: Ref
    body: Object


@dataclass(frozen=True, slots=True)
class Patch:
    """A JSON Patch; its `test` operations are what makes it safe to send twice, or late."""

    ref: Ref
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    """uid and resource_version were read together: the object is deleted only if nobody touched it since."""

    ref: Ref
    uid: str
    resource_version: str


Effect = Create | Patch | Delete


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a drive ended. result: promoted, unchanged, reverted, returned, parked, superseded, refused,
    abandoned (before the candidate got traffic), disputed (others changed what docc wrote) or stuck."""

    result: str
    exit_code: ExitCode
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """effect: carried out now, and then `facts` are true. wake_at: unix seconds of the next look, unless the world changes
    earlier. waiting: what for, in words, told when it changes. spare: the rollout does not depend on the effect; if it is
    refused, whoever comes next may do it."""

    effect: Effect | None = None
    facts: tuple[Fact, ...] = ()
    wake_at: float | None = None
    waiting: str = ""
    outcome: Outcome | None = None
    spare: bool = False
