"""`docc list` and `docc history` as tables: no blanks inside a cell but the last, within 80 columns as a rule. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from docc.core.cooling import warm
from docc.core.history import Entry
from docc.core.home import SHARED_PREFIX
from docc.model.moves import Object
from docc.model.record import ANNOTATION, Record, RecordError, to_rfc3339
from docc.model.world import Seen
from docc.ui.console import neutral
from docc.ui.unrecorded import UNRECORDED, served
from docc.ui.words import one_line, requested


@dataclass(frozen=True, slots=True)
class App:
    """by, reason: of the last rollout. phase_age: how long it has been in its phase. Seconds."""

    namespace: str
    name: str
    phase: str
    serving: str
    age: float
    phase_age: float | None = None
    by: str = ""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def apps(carriers: Sequence[Object], now: float) -> list[App]:
    """One App for each record; a route of others may carry several. And one for each application that serves without any."""
    found = []
    for body, name, text in ((one, *record) for one in carriers for record in _records(one)):
        meta = body["metadata"]
        try:
            record = Record.from_text(text)
            phase, who = record.phase.value, record.by.split("#")[0]
            last = round(max(0.0, now - record.since)), who, record.reason
            serving = ",".join(f"v{revision}:{weight}%" for revision, weight in record.serving.items()) or "-"
        except RecordError:
            phase, serving, last = "unreadable", "-", None
        found.append(App(meta["namespace"], name, phase, serving, _age_of(body, now), *(last or ())))
    known = {(app.namespace, app.name) for app in found}
    for (namespace, name), (serving, body) in served(carriers).items():
        if (namespace, name) not in known:
            found.append(App(namespace, name, UNRECORDED, serving, _age_of(body, now)))
    return sorted(found, key=lambda app: (app.namespace, app.name))


def _age_of(body: Object, now: float) -> int:
    born = datetime.fromisoformat(body["metadata"]["creationTimestamp"].replace("Z", "+00:00")).timestamp()
    return round(max(0.0, now - born))


def _records(body: Object) -> Iterator[tuple[str, str]]:
    """(application, its record)."""
    for key, text in (body["metadata"].get("annotations") or {}).items():
        if key == ANNOTATION:
            yield body["metadata"]["name"], text
        elif key.startswith(SHARED_PREFIX):
            yield key.removeprefix(SHARED_PREFIX), text


def table(rows: Sequence[App], *, with_namespace: bool, wide: bool = False) -> str:
    """wide: also who rolled out last, how long ago its phase began, and why it is in it."""
    head = ["NAMESPACE"] * with_namespace + ["NAME", "PHASE", "SERVING", "AGE", *["PHASE-AGE", "BY", "REASON"] * wide]
    body = [
        [app.namespace] * with_namespace
        + [app.name, app.phase, app.serving, age(app.age)]
        + ["-" if app.phase_age is None else age(app.phase_age), one_line(app.by) or "-", one_line(app.reason)] * wide
        for app in rows
    ]
    return neutral(_aligned([head, *body]))


def history(entries: Sequence[Entry], seen: Seen, now: float, *, wide: bool) -> str:
    """Oldest first, and below each what people asked for while it ran. IS: what the revision is now. An entry that is not kept
    yet has no number. wide: also the images."""
    head = ["#", "VERB", "REVISION", "INSTEAD-OF", "OUTCOME", "IS", "AGE", "WHO", *["IMAGES"] * wide, "REASON"]
    body = [
        [
            str(entry.number or "-"), entry.verb, _name(entry.revision), _name(entry.before), entry.outcome,
            _standing(entry, seen), age(max(0.0, now - entry.ended)), entry.who, *[_images(entry)] * wide, entry.reason,
        ]
        for entry in entries
    ]  # fmt: skip
    first, *rows = _aligned([head, *([one_line(cell) for cell in row] for row in body)]).split("\n")
    asked = [[f"   {requested(each)}" for each in entry.asked] for entry in entries]
    return neutral(
        "\n".join([first, *(line for row, below in zip(rows, asked, strict=True) for line in (row, *below))])
    )


def entry(one: Entry, seen: Seen) -> dict[str, Any]:
    """An entry for `-o json`; instants in RFC 3339."""
    return {
        **asdict(one),
        "number": one.number or None,
        "revision": None if one.revision is None else _name(one.revision),
        "before": None if one.before is None else _name(one.before),
        "started": to_rfc3339(one.started),
        "ended": to_rfc3339(one.ended),
        "standing": _standing(one, seen),
    }


def _standing(one: Entry, seen: Seen) -> str:
    """What there is of the revision now: stable, warm (a rollback in one write), cold (its pods come up first), or gone."""
    if seen.record is not None and one.revision == seen.record.stable:
        return "stable"
    if one.revision is not None and one.revision == warm(seen):
        return "warm"
    found = seen.revision(one.revision)
    return "cold" if found.exists and found.manifest else "gone"


def _images(entry: Entry) -> str:
    return ",".join(entry.images.values()) or "-"


def _name(revision: int | None) -> str:
    return "-" if revision is None else f"v{revision}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(c.ljust(width) for c, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def age(seconds: float) -> str:
    """As kubectl shows it: 45s, 12m, 5h, 3d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size or (seconds >= size and unit == "m"):
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"
