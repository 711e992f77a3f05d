"""`docc list` as a table: first column NAME, last AGE, no blanks inside a cell, within 80 columns as a rule. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from docc.model.moves import Object
from docc.model.record import ANNOTATION, Record, RecordError
from docc.ui.console import neutral


@dataclass(frozen=True, slots=True)
class App:
    namespace: str
    name: str
    phase: str
    serving: str
    age: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def apps(carriers: Sequence[Object], now: float) -> list[App]:
    """One App for each object that carries a record."""
    found = []
    for body in carriers:
        meta = body["metadata"]
        text = (meta.get("annotations") or {}).get(ANNOTATION)
        if text is None:
            continue
        try:
            record = Record.from_text(text)
            phase = record.phase.value
            serving = ",".join(f"v{revision}:{weight}%" for revision, weight in record.serving.items()) or "-"
        except RecordError:
            phase, serving = "unreadable", "-"
        born = datetime.fromisoformat(meta["creationTimestamp"].replace("Z", "+00:00")).timestamp()
        found.append(App(meta["namespace"], meta["name"], phase, serving, round(max(0.0, now - born))))
    return sorted(found, key=lambda app: (app.namespace, app.name))


def table(rows: Sequence[App], *, with_namespace: bool) -> str:
    head = ["NAMESPACE"] * with_namespace + ["NAME", "PHASE", "SERVING", "AGE"]
    body = [[app.namespace] * with_namespace + [app.name, app.phase, app.serving, age(app.age)] for app in rows]
    widths = [max(len(row[column]) for row in [head, *body]) for column in range(len(head))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *body]]
    return neutral("\n".join(row.rstrip() for row in shown))


def age(seconds: float) -> str:
    """As kubectl shows it: 45s, 12m, 5h, 3d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size or (seconds >= size and unit == "m"):
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"
