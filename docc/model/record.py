"""The record of a rollout: what the cluster itself cannot tell us, kept as one annotation on the routed object.

It rides on the HTTPRoute (or, for an application that has no route, on its front Service) so that one write changes traffic
and record together. Instants are unix seconds by the API server's clock; in JSON they are RFC 3339 with milliseconds, so
that a person who reads the annotation can use them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from docc.model.secrets import masked

ANNOTATION = "docc.dev/rollout"
FORMAT = 1
SECONDS_MAX = 10 * 366 * 86400
REASON_CHARACTERS_MAX = 2000
"""All annotations of an object share 256 KiB, and history keeps many reasons."""
ASKED_MAX = 10
PROMOTE, FULL, PAUSE = "promote", "full", "pause"
"""Requests: on from an approval; to all traffic without the steps between; stay at this weight."""
_INSTANTS = frozenset({"since", "started", "exposed", "cool_after", "expires"})


class Phase(StrEnum):
    """Where a rollout stands. core/phases.py holds the transitions."""

    PREPARING = "preparing"  # the candidate comes up and has no traffic
    SHIFTING = "shifting"  # the candidate has the weight of its step
    AWAITING = "awaiting"  # as SHIFTING, until `docc promote`
    BAKING = "baking"  # the candidate has all traffic, stable stands by at full scale
    PROMOTING = "promoting"  # the candidate has become stable; the front Service follows, the former stable drains
    SUCCEEDED = "succeeded"  # at rest
    REVERTING = "reverting"  # all traffic is back on stable; the candidate drains
    REVERTED = "reverted"  # at rest
    PARKED = "parked"  # at rest: the driver was stopped, all traffic is on stable
    STUCK = "stuck"  # must revert, but stable has no ready endpoint: traffic stays where users are served

    @property
    def at_rest(self) -> bool:
        return self in (Phase.SUCCEEDED, Phase.REVERTED, Phase.PARKED)

    @property
    def running(self) -> bool:
        """A candidate is on its way, and conditions are judged."""
        return self in (Phase.PREPARING, Phase.SHIFTING, Phase.AWAITING, Phase.BAKING)

    @property
    def undecided(self) -> bool:
        """The candidate has neither become stable nor been taken back."""
        return self.running or self is Phase.STUCK


class RecordError(ValueError):
    """The annotation is not a record that this docc can read: damaged, or written by a newer docc."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody has asked of this rollout while it ran. verb: as typed. at: unix seconds."""

    verb: str
    who: str
    at: float
    reason: str = ""

    def told(self) -> dict[str, str]:
        """For JSON."""
        reason = {"reason": masked(self.reason)[:REASON_CHARACTERS_MAX]} if self.reason else {}
        return {"verb": self.verb, "who": self.who, "at": to_rfc3339(self.at), **reason}


@dataclass(frozen=True, slots=True)
class Record:
    """epoch rises by one with each new writer; `by` names that writer uniquely, so that a lost answer can be recognised.

    weight: percent of traffic that docc last gave to the candidate. step: index of the last step carried out, -1 for none.
    plan: digest of the steps that `step` counts in. excused: conditions that failed before the rollout began and are not
    judged (--baseline=ignore). drain, keep_warm: seconds, so that a verb without the manifest keeps the manifest's word.
    cool_after: until when `previous` is kept warm; None: it is not (any more). verb: what people typed that led here.
    request: what is asked of whoever drives, "" for nothing; "baseline" after one that failed. asked: who has asked for what in
    this rollout, the last ASKED_MAX. left: its driver has left it waiting, as it was told to; nobody watches. expires: until
    when people may approve it (pause_timeout); None: for ever.
    """

    epoch: int
    phase: Phase
    by: str
    since: float
    started: float
    stable: int | None = None
    candidate: int | None = None
    previous: int | None = None
    weight: int = 0
    step: int = -1
    plan: str = ""
    exposed: float | None = None
    cool_after: float | None = None
    verb: str = "deploy"
    request: str = ""
    reason: str = ""
    asked: tuple[Asked, ...] = ()
    left: bool = False
    expires: float | None = None
    excused: tuple[str, ...] = ()
    drain: float = 30.0
    keep_warm: float = 600.0

    @property
    def unapproved(self) -> bool:
        """It is for people to say whether it goes on, and nobody has."""
        return self.phase is Phase.AWAITING and self.request not in (PROMOTE, FULL)

    @property
    def paused(self) -> bool:
        """Somebody has asked for it to stay where it is."""
        return self.request == PAUSE

    @property
    def asker(self) -> str:
        """Who asked for something last."""
        return self.asked[-1].who if self.asked else "somebody"

    @property
    def serving(self) -> dict[int, int]:
        """The weights that this record says are in force, by revision."""
        if self.stable is None:
            return {self.candidate: self.weight} if self.candidate is not None and self.weight else {}
        if self.candidate is None or self.weight == 0:
            return {self.stable: 100}
        shares = {self.stable: 100 - self.weight, self.candidate: self.weight}
        return {revision: weight for revision, weight in shares.items() if weight}

    def becoming(self, phase: Phase, now: float, **changes: Any) -> Record:
        """This record in another phase that begins now. Nothing awaits people there, unless `changes` say so."""
        return replace(self, phase=phase, since=now, **{"expires": None, **changes})

    def may_wait(self, now: float) -> bool:
        """Its driver has left it waiting, as it was told to, and it may wait on: none but users on trial meet the candidate."""
        unmet = self.phase in (Phase.PREPARING, Phase.AWAITING) and self.weight == 0
        return self.left and unmet and (self.expires is None or now < self.expires)

    def to_text(self) -> str:
        """ASCII JSON with <, > and & escaped: the API server must find the very bytes again in a JSON Patch `test`."""
        values: dict[str, Any] = {"v": FORMAT}
        for field in fields(self):
            value = getattr(self, field.name)
            if value == field.default and field.name not in ("weight", "step"):
                continue
            if field.name in _INSTANTS and value is not None:
                value = to_rfc3339(value)
            values[field.name] = value.value if isinstance(value, Phase) else value
        if self.asked:
            values["asked"] = [each.told() for each in self.asked[-ASKED_MAX:]]
        if self.reason:  # people's words, and servers'
            values["reason"] = masked(self.reason)[:REASON_CHARACTERS_MAX]
        text = json.dumps(values, ensure_ascii=True, separators=(",", ":"))
        return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")

    @staticmethod
    def from_text(text: str) -> Record:
        """Raises RecordError."""
        try:
            values = json.loads(text)
            if not isinstance(values, dict):
                raise RecordError("it is not a JSON object")
            if values.pop("v", None) != FORMAT:
                raise RecordError("another version of docc wrote it")
            return _from_values(values)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise RecordError(f"the annotation {ANNOTATION} cannot be read: {error}") from error


def writer_of(text: str | None) -> str:
    """Who wrote a record, also one of another docc's that cannot be read; "" for what no docc has written."""
    try:
        values = json.loads(text or "")
    except (ValueError, RecursionError):
        return ""
    return str(values.get("by") or "") if isinstance(values, dict) and "v" in values else ""


def asked_from(values: Any) -> tuple[Asked, ...]:
    """Raises ValueError, KeyError, TypeError, AttributeError."""
    if not isinstance(values, list):
        raise RecordError(f"asked is {values!r}")
    return tuple(
        Asked(str(each["verb"]), str(each["who"]), from_rfc3339(str(each["at"])), str(each.get("reason", "")))
        for each in values
    )


def _from_values(values: dict[str, Any]) -> Record:
    known = {field.name for field in fields(Record)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise RecordError(f"it has unknown fields: {', '.join(unknown)}")
    for name in _INSTANTS & set(values):
        values[name] = from_rfc3339(values[name])
    values["phase"] = Phase(values["phase"])
    values["asked"] = asked_from(values.get("asked", []))
    if not isinstance(values.get("left", False), bool):
        raise RecordError(f"left is {values['left']!r}")
    if not isinstance(values.get("excused", []), list):
        raise RecordError(f"excused is {values['excused']!r}")
    values["excused"] = tuple(str(name) for name in values.get("excused", ()))
    for name in ("epoch", "stable", "candidate", "previous", "weight", "step"):
        absent = name not in values or (values[name] is None and name in ("stable", "candidate", "previous"))
        if not absent and (type(values[name]) is not int or not -1 <= values[name] < 2**53):
            raise RecordError(f"{name} is {values[name]!r}")
    for name in ("by", "plan", "verb", "request", "reason"):
        if not isinstance(values.get(name, ""), str):
            raise RecordError(f"{name} is {values[name]!r}")
    for name in {"drain", "keep_warm"} & set(values):
        values[name] = float(values[name])
        if not 0 <= values[name] <= SECONDS_MAX:
            raise RecordError(f"{name} is {values[name]!r}")
    if not 0 <= values.get("weight", 0) <= 100:
        raise RecordError(f"weight is {values['weight']!r}")
    return Record(**values)


def to_rfc3339(instant: float) -> str:
    """Unix seconds as "2026-11-23T12:40:44.000Z"."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_rfc3339(text: str) -> float:
    """Unix seconds. Raises ValueError."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
