"""`docc list`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from docc.core.history import Entry
from docc.core.names import labels, selector
from docc.model.moves import Object
from docc.model.record import ANNOTATION, Asked, Phase, Record
from docc.model.world import Routed, Seen
from docc.ui.tables import age, apps, history, table
from tests.unit.ui.story import T0

Golden = Callable[[str, str], None]


def carrier(name: str, namespace: str, born: float, text: str | None) -> Object:
    created = datetime.fromtimestamp(born, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    annotations = {} if text is None else {ANNOTATION: text}
    return {
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": created, "annotations": annotations}
    }


def text(phase: Phase, stable: int | None, candidate: int | None, weight: int) -> str:
    who, began = "ann@host#1f", T0 - 90
    return Record(
        1, phase, who, began, T0, stable=stable, candidate=candidate, weight=weight, reason="as asked"
    ).to_text()


CARRIERS = [
    carrier("shop", "web", T0 - 200_000, text(Phase.SHIFTING, 1, 2, 30)),
    carrier("a-name-of-48-letters-is-longer-than-most-are-12x", "team-one", T0 - 30, text(Phase.PREPARING, None, 1, 0)),
    carrier("not-docc-s", "web", T0, None),
    carrier("broken", "web", T0 - 7200, "{"),
]


def test_table(golden: Golden) -> None:
    rows = apps(CARRIERS, T0)
    wide = table(rows, with_namespace=False, wide=True)
    both = f"{table(rows, with_namespace=False)}\n\n{table(rows, with_namespace=True)}\n\n{wide}\n"
    assert max(map(len, table(rows, with_namespace=False).splitlines())) <= 80
    golden("list.txt", both)


def test_cells_have_no_blanks() -> None:
    for row in table(apps(CARRIERS, T0), with_namespace=True).splitlines():
        assert len(row.split()) == 5


def test_what_people_asked_for_stands_below_the_rollout_that_it_was_about() -> None:
    asked = (Asked("pause", "ada@desk", T0, "lunch"), Asked("full", "bob@desk", T0 + 60, "it\nis\x1b[2J liked"))
    found = [
        Entry(1, "deploy", "promoted", 2, 1, "ci@run/8", T0 - 60, T0 + 90, asked=asked),
        Entry(2, "rollback", "promoted", 1, 2, "ada@desk", T0 + 100, T0 + 101, "no\nmore"),
    ]
    head, first, *below, second = history(found, Seen(Routed("HTTPRoute")), T0 + 200, wide=False).splitlines()
    assert head.split()[:3] == ["#", "VERB", "REVISION"] and first.split()[:3] == ["1", "deploy", "v2"]
    assert below == [
        "   pause at 22:13:20 UTC, by ada@desk: lunch",
        "   promote --full at 22:14:20 UTC, by bob@desk: it is\\x1b[2J liked",
    ]
    assert second.split()[:3] == ["2", "rollback", "v1"] and second.endswith("no more")


def test_documents_name_what_the_table_shows() -> None:
    assert [app.to_json() for app in apps(CARRIERS, T0)][-1] == {
        "namespace": "web",
        "name": "shop",
        "phase": "shifting",
        "serving": "v1:70%,v2:30%",
        "age": 200_000,
        "phase_age": 90,
        "by": "ann@host",
        "reason": "as asked",
    }


def docc_s(name: str, spec: Object) -> Object:
    body = carrier(name, "web", T0 - 60, None)
    return {**body, "metadata": {**body["metadata"], "labels": labels(name)}, "spec": spec}


def test_who_serves_without_a_record_is_listed_and_by_the_route_if_that_tells() -> None:
    backends = [{"kind": "Service", "name": f"kept-v{n}", "weight": 1} for n in (1, 2)]
    found = [
        docc_s("pruned", {"selector": selector("pruned", 3)}), docc_s("kept", {"selector": selector("kept", 1)}),
        docc_s("kept", {"rules": [{"backendRefs": backends}]}), docc_s("unborn", {"selector": selector("unborn", None)}),
        docc_s("shop", {"selector": selector("shop", 1)}),
    ]  # fmt: skip
    told = {app.name: (app.phase, app.serving) for app in apps([*CARRIERS[:1], *found], T0)}
    assert told == {
        "shop": ("shifting", "v1:70%,v2:30%"),
        "kept": ("unrecorded", "v1:50%,v2:50%"),
        "pruned": ("unrecorded", "v3:front"),
    }


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (7100, "118m"), (7200, "2h"), (172_799, "47h"), (172_800, "2d")],
)
def test_age_as_kubectl_shows_it(seconds: float, shown: str) -> None:
    assert age(seconds) == shown
