"""One look at an application: golden texts of each state a person may find it in, and the document."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from docc.core.trial import DEFAULT_HEADER, NOTHING, Above, rules_above
from docc.engine.lease import micro_time
from docc.model.moves import Object
from docc.model.record import PAUSE, Asked, Phase, Record
from docc.model.world import Revision, Routed, Seen, Trouble
from docc.ui import status
from tests.unit.ui.story import T0

Golden = Callable[[str, str], None]
NOW = T0 + 95.0


def lease(age: float, holder: str = "ci@run/8812#4711") -> Object:
    return {"spec": {"holderIdentity": holder, "renewTime": micro_time(NOW - age), "leaseDurationSeconds": 15}}


def record(phase: Phase, **fields: Any) -> Record:
    values: dict[str, Any] = {"epoch": 4, "by": "ci@run/8812#4711", "since": T0, "started": T0 - 60, **fields}
    return Record(phase=phase, **values)


def pods(number: int, ready: int = 2, replicas: int = 2, trouble: str = "") -> Revision:
    why = Trouble(trouble) if trouble else None
    return Revision(number, exists=True, replicas=replicas, available=ready, ready=ready, trouble=why)


def seen(
    found: Record,
    weights: dict[int, int],
    *revisions: Revision,
    retry: Object | None = None,
    above: Above = NOTHING,
    **routed: Any,
) -> Seen:
    backends = [{"name": f"shop-v{number}", "weight": weight} for number, weight in weights.items()]
    own: Object = {"backendRefs": backends, **({"retry": retry} if retry else {})}
    rules = rules_above("shop", [own], above, found.candidate, {2: {"name": "shop-v2"}}) if above else []
    route = {
        "spec": {"rules": [*rules, own], "hostnames": ["shop.test"]},
        "metadata": {"managedFields": MANAGED},
    }
    fields = {"accepted": True, "body": route, "above": bool(above), **routed}
    body = Routed("HTTPRoute", exists=True, record=found, weights=weights, **fields)
    return Seen(body, {revision.number: revision for revision in revisions})


MANAGED = [{"manager": "kubectl-edit", "time": "2023-11-14T22:14:00Z", "fieldsV1": {"f:spec": {"f:rules": {}}}}]
PULL = "image acme/shop:2 cannot be pulled (pod shop-v2-x1, ImagePullBackOff):\nnot found"
RESTING = record(Phase.SUCCEEDED, stable=2, previous=1, cool_after=T0 + 600)
SHIFTING = record(Phase.SHIFTING, stable=1, candidate=2, weight=30)
REASON = "HTTPErrorRate is 0.31 > 0.05 at 30 %"
KEPT = json.dumps({
    "application": {"name": "shop"},
    "deployment_strategy": {"failure_conditions": [
        {"name": "HTTPErrorRate", "expression": "sum(rate(errors_total[5m])) / sum(rate(all_total[5m])) > 0.05"},
        {"name": "Latency", "expression": "p99 > 2"},
    ]},
})  # fmt: skip
STATES: dict[str, tuple[Seen, Object | None]] = {
    "preparing": (
        seen(record(Phase.PREPARING, stable=1, candidate=2), {1: 100}, pods(1), pods(2, 0, 1, PULL)), lease(2)
    ),
    "shifting": (seen(SHIFTING, {1: 70, 2: 30}, pods(1), replace(pods(2), manifest=KEPT)), lease(2)),
    "driver-lost": (seen(SHIFTING, {1: 70, 2: 30}, pods(1), pods(2)), lease(40)),
    "driver-never": (seen(SHIFTING, {1: 70, 2: 30}, pods(1), pods(2)), None),
    "awaiting": (seen(record(Phase.AWAITING, stable=1, candidate=2), {1: 100, 2: 0}, pods(1), pods(2)), lease(1)),
    "awaiting-limited": (
        seen(
            record(
                Phase.AWAITING, stable=1, candidate=2, asked=(Asked("full", "ada@desk", T0 + 20, "it is liked"),),
                expires=T0 + 9000,
            ), {1: 100, 2: 0}, pods(1), pods(2),
        ),
        lease(1),
    ),
    "left-waiting": (
        seen(
            record(Phase.AWAITING, stable=1, candidate=2, left=True, request=""), {1: 100, 2: 0}, pods(1), pods(2),
            above=Above(((DEFAULT_HEADER,),)),
        ),
        lease(40),
    ),
    "left-too-long": (
        seen(
            record(Phase.AWAITING, stable=1, candidate=2, left=True, expires=T0 + 5), {1: 100, 2: 0}, pods(1), pods(2),
            above=Above(((DEFAULT_HEADER,),)),
        ),
        lease(40),
    ),
    "paused": (
        seen(
            record(
                Phase.SHIFTING, stable=1, candidate=2, weight=30, request=PAUSE,
                asked=(Asked(PAUSE, "ada@desk", T0 + 20, "support asked for it"),),
            ), {1: 70, 2: 30}, pods(1), pods(2),
        ),
        lease(2),
    ),
    "excused": (
        seen(record(Phase.BAKING, stable=1, candidate=2, weight=100, excused=("Latency",)), {1: 0, 2: 100}, pods(1), pods(2)),
        lease(1),
    ),
    "others-edited": (seen(SHIFTING, {1: 50, 2: 50}, pods(1), pods(2)), lease(2)),
    "others-at-rest": (seen(RESTING, {1: 100, 2: 0}, pods(1, 0, 0), pods(2)), None),
    "resting-warm": (seen(RESTING, {1: 0, 2: 100}, pods(1), pods(2)), lease(0, holder="")),
    "resting-overdue": (
        seen(record(Phase.SUCCEEDED, stable=2, previous=1, cool_after=T0 + 1), {1: 0, 2: 100}, pods(1), pods(2)), None
    ),
    "resting-cold": (seen(record(Phase.SUCCEEDED, stable=2), {2: 100}, pods(1, 0, 0), pods(2)), None),
    "reverting": (
        seen(record(Phase.REVERTING, stable=1, candidate=2, reason=REASON), {1: 100, 2: 0}, pods(1), pods(2)), lease(3)
    ),
    "reverted-going": (
        seen(record(Phase.REVERTED, stable=1, candidate=2, reason=REASON), {1: 100}, pods(1), pods(2, 2, 0)), None
    ),
    "reverted": (seen(record(Phase.REVERTED, stable=1, candidate=2, reason=REASON), {1: 100}, pods(1), pods(2, 0, 0)), None),
    "parked": (
        seen(record(Phase.PARKED, stable=1, candidate=2, reason="parked by SIGTERM"), {1: 100, 2: 0}, pods(1), pods(2)), None
    ),
    "retried": (seen(SHIFTING, {1: 70, 2: 30}, pods(1), pods(2), retry={"attempts": 2, "codes": [503]}), lease(2)),
    "stuck": (
        seen(record(Phase.STUCK, stable=1, candidate=2, weight=30, reason=REASON), {1: 70, 2: 30}, pods(1, 0), pods(2)),
        lease(3),
    ),
    "route-refused": (
        seen(SHIFTING, {1: 70, 2: 30}, pods(1), pods(2), accepted=False, refusal="public: NotAllowedByListeners: web"),
        lease(3),
    ),
}  # fmt: skip


def shown(name: str) -> list[str]:
    found, held = STATES[name]
    return list(status.lines("shop", "web", found, held, NOW))


def test_texts_of_all_states(golden: Golden) -> None:
    golden("status.txt", "".join(f"--- {name}\n" + "\n".join(shown(name)) + "\n\n" for name in STATES))


@pytest.mark.parametrize("name", STATES)
def test_text_fits_eighty_columns_and_says_who_serves(name: str) -> None:
    rows = shown(name)
    assert all(len(row) <= 80 for row in rows if "cannot be pulled" not in row and "kubectl" not in row)
    assert any(f" {percent} %" in row for row in rows[1:] for percent in (100, 70, 50))


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_words(phase: Phase) -> None:
    found = seen(record(phase, stable=1, candidate=2), {1: 100, 2: 0}, pods(1), pods(2))
    assert next(status.lines("shop", "web", found, None, NOW)).startswith("shop in web: ")


@pytest.mark.parametrize(
    ("name", "watched"), [("shifting", True), ("driver-lost", False), ("driver-never", False), ("reverted", True)]
)
def test_only_a_fresh_lease_means_that_somebody_watches(name: str, watched: bool) -> None:
    found, held = STATES[name]
    document = status.document("shop", "web", found, held, NOW)
    assert document["watched"] is watched
    assert ("nobody watches" in "\n".join(shown(name))) is not watched


@pytest.mark.parametrize(
    ("age", "request_", "title", "row"),
    [(1, "", True, False), (40, "", False, True), (1, "promote", False, False)],
    ids=["somebody drives it", "nobody drives it", "promoted"],
)
def test_a_wait_for_approval_tells_its_end_and_that_it_parks_only_where_a_driver_does_that(
    age: float, request_: str, title: bool, row: bool
) -> None:
    waiting = record(Phase.AWAITING, stable=1, candidate=2, request=request_, expires=NOW + 600)
    found = seen(waiting, {1: 100, 2: 0}, pods(1), pods(2))
    first, *others = status.lines("shop", "web", found, lease(age), NOW)
    assert ("parked in 10 min" in first) is title
    assert any("it may be approved (pause_timeout)" in line for line in others) is row


def test_document(golden: Golden) -> None:
    found, held = STATES["preparing"]
    document = status.document("shop", "web", found, held, NOW)
    golden("status.json", json.dumps(document, indent=2, allow_nan=False) + "\n")


def test_application_without_a_record_has_no_status() -> None:
    assert list(status.lines("shop", "web", Seen(Routed("HTTPRoute")), None, NOW)) == []
    assert status.document("shop", "web", Seen(Routed("HTTPRoute")), None, NOW) == {}
