"""The history of an application: one entry for each rollout that came to rest, a data key per number in
the ConfigMap docc-APP.

Entries are only added, never changed: a JSON Patch tests that the number is free, and whoever finds a rollout at rest without
its entry adds it, so that none is lost with a driver that died. The last ENTRIES_MAX are kept. The ConfigMap owns nothing:
without it docc knows less to tell, and nothing else happens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from docc.core.names import history_name, labels
from docc.core.view import View
from docc.model.moves import Create, Move, Operation, Patch, Ref
from docc.model.record import Asked, Phase, Record, asked_from, from_rfc3339, to_rfc3339
from docc.model.world import Noted, Seen

ENTRIES_MAX = 100
_OUTCOMES = {Phase.SUCCEEDED: "promoted", Phase.REVERTED: "reverted", Phase.PARKED: "parked"}


@dataclass(frozen=True, slots=True)
class Entry:
    """number: 0 while it is not kept yet. revision was to serve, in the place of `before`; outcome says what became of it:
    promoted, reverted or parked. started, ended: unix seconds. images: of `revision`, by container. asked:
    what people asked for while it ran."""

    number: int
    verb: str
    outcome: str
    revision: int | None
    before: int | None
    who: str
    started: float
    ended: float
    reason: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    asked: tuple[Asked, ...] = ()


def history(seen: Seen) -> tuple[Entry, ...]:
    """All that is kept and can be read, oldest first; last, unnumbered, what has come to rest since."""
    found = [entry for number, text in sorted(seen.noted.entries.items()) if (entry := _read(number, text)) is not None]
    latest = _entry(seen)
    if latest is not None and not _is_noted(seen.noted, latest):
        found.append(latest)
    return tuple(found)


def note(view: View) -> Move | None:
    """The write that adds the entry of the rollout that is at rest; None when it is there, or cannot be."""
    entry, noted = _entry(view.seen), view.seen.noted
    if entry is None or noted.foreign or _is_noted(noted, entry):
        return None
    number = max(noted.entries, default=0) + 1
    ref, text = Ref("ConfigMap", history_name(view.app)), _written(entry)
    if not noted.exists:
        meta = {"name": ref.name, "labels": labels(view.app)}
        return Move(Create(ref, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"1": text}}))
    if not noted.has_data:
        return Move(
            Patch(ref, (_same(noted), _absent("/data"), {"op": "add", "path": "/data", "value": {str(number): text}}))
        )
    path = f"/data/{number}"
    surplus = sorted(noted.entries)[: max(0, len(noted.entries) + 1 - ENTRIES_MAX)]
    removed: tuple[Operation, ...] = tuple({"op": "remove", "path": f"/data/{old}"} for old in surplus)
    return Move(Patch(ref, (_same(noted), _absent(path), {"op": "add", "path": path, "value": text}, *removed)))


def _same(noted: Noted) -> Operation:
    """Who was asleep while all was deleted, and deployed again, tells the new history nothing of the old one."""
    return {"op": "test", "path": "/metadata/uid", "value": noted.uid}


def _absent(path: str) -> Operation:
    return {"op": "test", "path": path, "value": None}


def _entry(seen: Seen) -> Entry | None:
    """What the record at rest tells; None while a rollout is under way, or before the first."""
    record = seen.record
    if record is None or record.phase not in _OUTCOMES:
        return None
    revision, before = _what(record)
    return Entry(
        number=0,
        verb=record.verb,
        outcome=_OUTCOMES[record.phase],
        revision=revision,
        before=before,
        who=record.by.split("#")[0],
        started=record.started,
        ended=record.since,
        reason=record.reason,
        images=dict(seen.revision(revision).images),
        asked=record.asked,
    )


def _what(record: Record) -> tuple[int | None, int | None]:
    if record.phase is Phase.SUCCEEDED:
        return record.stable, record.previous
    return record.candidate, record.stable


def _is_noted(noted: Noted, entry: Entry) -> bool:
    """An instant names an entry: no application comes to rest twice in a millisecond."""
    mark = to_rfc3339(entry.ended)
    return any(_values(text).get("ended") == mark for text in noted.entries.values())


def _written(entry: Entry) -> str:
    values: dict[str, Any] = {
        "verb": entry.verb,
        "outcome": entry.outcome,
        "revision": entry.revision,
        "before": entry.before,
        "who": entry.who,
        "started": to_rfc3339(entry.started),
        "ended": to_rfc3339(entry.ended),
        "reason": entry.reason,
        "images": dict(entry.images),
        **({"asked": [each.told() for each in entry.asked]} if entry.asked else {}),
    }
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _values(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _read(number: int, text: str) -> Entry | None:
    """None for what nobody can read: somebody else's key, or a damaged one."""
    values = _values(text)
    revision, before, images = values.get("revision"), values.get("before"), values.get("images")
    try:
        return Entry(
            number=number,
            verb=str(values["verb"]),
            outcome=str(values["outcome"]),
            revision=revision if type(revision) is int else None,
            before=before if type(before) is int else None,
            who=str(values.get("who", "")),
            started=from_rfc3339(str(values["started"])),
            ended=from_rfc3339(str(values["ended"])),
            reason=str(values.get("reason", "")),
            images={str(k): str(v) for k, v in images.items()} if isinstance(images, dict) else {},
            asked=asked_from(values.get("asked", [])),
        )
    except (KeyError, ValueError, OverflowError, TypeError, AttributeError):
        return None
