"""What comes next, and when: a table."""

from __future__ import annotations

from typing import Any

import pytest

from docc.core.steps import AwaitApproval, Bake, Hold, MatchHeaders, SetWeight, Step
from docc.core.trial import DEFAULT_HEADER
from docc.model.record import PAUSE, Phase, Record
from docc.ui.outlook import outlook
from tests.unit.ui.story import T0

STEPS: tuple[Step, ...] = (SetWeight(20), Hold(60.0), SetWeight(50), Hold(60.0), SetWeight(100), Bake(90.0))
TRIAL: tuple[Step, ...] = (MatchHeaders(((DEFAULT_HEADER,),)), AwaitApproval(), SetWeight(100))
MANY: tuple[Step, ...] = tuple(
    step for weight in range(10, 100, 10) for step in (SetWeight(weight), Hold(60.0))
) + (SetWeight(100),)  # fmt: skip


def at(phase: Phase, **fields: Any) -> Record:
    values: dict[str, Any] = {"stable": 1, "candidate": 2, "drain": 30.0, **fields}
    return Record(epoch=1, phase=phase, by="me", since=T0, started=T0, **values)


@pytest.mark.parametrize(
    ("record", "steps", "after", "told"),
    [
        (at(Phase.PREPARING), STEPS, 5, "when its pods are ready: 20 %, 50 %, 100 %, 1 min 30 s of bake, promotion"),
        (at(Phase.PREPARING), (), 5, ""),
        (at(Phase.SHIFTING, step=0), STEPS, 5, "50 % in 55 s; then 100 %, 1 min 30 s of bake, promotion"),
        (at(Phase.SHIFTING, step=0), STEPS, 59.9, "50 % in 1 s; then 100 %, 1 min 30 s of bake, promotion"),
        (at(Phase.SHIFTING, step=0), STEPS, 60,
         "50 % as soon as nothing speaks against it; then 100 %, 1 min 30 s of bake, promotion"),
        (at(Phase.SHIFTING, step=2), STEPS, 0, "100 % in 1 min; then 1 min 30 s of bake, promotion"),
        (at(Phase.SHIFTING, step=0), (), 5, ""),
        (at(Phase.BAKING, step=4), STEPS, 30, "promotion in 1 min"),
        (at(Phase.BAKING, step=4), STEPS, 100, "promotion as soon as nothing speaks against it"),
        (at(Phase.SHIFTING, step=0), TRIAL, 5, "approval as soon as nothing speaks against it; then 100 %, promotion"),
        (at(Phase.SHIFTING, step=0), MANY, 5, "20 % in 55 s; then 30 %, 40 %, 50 %, ..., 100 %, promotion"),
        (at(Phase.AWAITING, step=1), TRIAL, 5, ""),
        (at(Phase.SHIFTING, step=0, request=PAUSE), STEPS, 5,
         "50 % when it goes on; then 100 %, 1 min 30 s of bake, promotion"),
        (at(Phase.PROMOTING, candidate=None, previous=1), STEPS, 10, "v1 drains, 20 s left"),
        (at(Phase.PROMOTING, candidate=None, previous=1), STEPS, 31, "tidying up"),
        (at(Phase.PROMOTING, candidate=None), STEPS, 1, "tidying up"),
        (at(Phase.REVERTING), STEPS, 0, "v2 drains, 30 s left"),
        (at(Phase.STUCK), STEPS, 0, ""),
        *((at(phase), STEPS, 0, "") for phase in Phase if phase.at_rest),
    ],
)  # fmt: skip
def test_outlook(record: Record, steps: tuple[Step, ...], after: float, told: str) -> None:
    assert outlook(record, steps, T0 + after) == told


def test_who_holds_it_is_promised_no_time() -> None:
    told = outlook(at(Phase.SHIFTING, step=0), STEPS, T0 + 5, held=True)
    assert told == "50 % when you let it go on; then 100 %, 1 min 30 s of bake, promotion"
