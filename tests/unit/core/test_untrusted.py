"""Objects, records and answers as no server gives them: docc ends in a documented error, or goes on; it never crashes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.adapters.prometheus import read_answer
from docc.core import planner
from docc.core.history import history
from docc.core.observation import see
from docc.core.view import Checks, View
from docc.model.errors import DoccError
from docc.model.record import ANNOTATION, Record, RecordError
from docc.model.world import Objects
from docc.ui.status import document, lines
from tests.sim.scenes import lost, parked, plain_warm, warm

APP = "shop"
JUNK: tuple[Any, ...] = (None, 0, -1, 1e300, True, "", "x", [], [None], {}, {"x": None}, [[]], {"name": 7}, "\udc80")
Steps = tuple[str | int, ...]
POD: Any = {
    "metadata": {"name": "shop-v2-a", "labels": {"docc.dev/revision": "v2"}},
    "status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False"}, {"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [{
            "name": "web", "image": "shop:2", "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-01T00:00:00Z"}},
        }],
    },
}  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@cache
def world(scene: str) -> Objects:
    """As the sandbox's simulation has it: in mid-rollout, at rest, parked, and without a route."""
    found = {"lost": lost, "warm": warm, "parked": parked, "plain": plain_warm}[scene]().snapshot()
    return _with(found, "pods", {"shop-v2-a": POD})


def paths(value: Any, before: Steps = ()) -> Iterator[Steps]:
    yield before
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(inner, (*before, key))


def replaced(value: Any, at: Steps, junk: Any) -> Any:
    if not at:
        return copy.deepcopy(junk)
    made = copy.copy(value)
    made[at[0]] = replaced(value[at[0]], at[1:], junk)
    return made


def used(objects: Objects) -> None:
    """All that docc does with what it sees, as far as nobody's answer is needed."""
    seen = see(APP, objects)
    list(lines(APP, "web", seen, None, 2e9))
    json.dumps(document(APP, "web", seen, None, 2e9))
    history(seen)
    if seen.record is not None:
        planner.advance(View(APP, seen.record.by, None, seen, Checks(), 2e9, held=True))
        planner.give_up(View(APP, "me#1", None, seen, Checks(), 2e9), "abort", "why")


@pytest.mark.parametrize("scene", ["lost", "warm", "parked", "plain"])
@pytest.mark.parametrize("part", [each.name for each in fields(Objects)])
def test_an_object_with_anything_in_any_place_is_used_or_refused(scene: str, part: str) -> None:
    """Each place of each object, each kind of junk. The envelope (metadata.name, labels) is the adapter's to look at."""
    objects = world(scene)
    found = getattr(objects, part)
    tried = 0
    for name, body in found.items() if part not in ("route", "history") else ((None, found),):
        for at in paths(body):
            if not at or at[0] == "metadata" and len(at) < 3:
                continue
            for junk in JUNK:
                broken = replaced(body, at, junk)
                whole = broken if name is None else {**found, name: broken}
                tried += 1
                try:
                    used(_with(objects, part, whole))
                except DoccError:
                    pass
                except Exception as error:
                    raise AssertionError(f"{part} {at} = {junk!r}: {type(error).__name__}: {error}") from error
    assert tried > 100 or not found, tried


def _with(objects: Objects, part: str, value: Any) -> Objects:
    return Objects(
        **{each.name: value if each.name == part else getattr(objects, each.name) for each in fields(Objects)}
    )


@given(st.sampled_from([each.name for each in fields(Record)]), ANYTHING)
def test_a_record_with_anything_in_it_is_read_or_refused(name: str, value: Any) -> None:
    route = world("lost").route
    assert route is not None
    values = {**json.loads(route["metadata"]["annotations"][ANNOTATION]), name: value}
    text = json.dumps(values)
    try:
        Record.from_text(text).to_text()
    except RecordError:
        return
    meta = {**route["metadata"], "annotations": {**route["metadata"]["annotations"], ANNOTATION: text}}
    used(_with(world("lost"), "route", {**route, "metadata": meta}))


@given(st.text() | ANYTHING.map(json.dumps))
def test_a_text_that_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(RecordError):
        Record.from_text(text)


@given(
    st.integers(100, 599),
    st.binary(max_size=200)
    | ANYTHING.map(lambda value: json.dumps(value).encode())
    | st.tuples(ANYTHING, ANYTHING).map(
        lambda pair: json.dumps(
            {"status": "success", "data": {"resultType": "vector", "result": [{"metric": pair[0], "value": pair[1]}]}}
        ).encode()
    )
    | ANYTHING.map(lambda value: json.dumps({"status": "success", "data": value}).encode()),
)
def test_an_answer_of_prometheus_is_series_or_a_sentence(status: int, body: bytes) -> None:
    answer = read_answer("prometheus", status, body)
    assert answer.error or status == 200
    assert len(answer.error) < 1000 and all(isinstance(series.value, float) for series in answer.series)
