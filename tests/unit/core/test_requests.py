"""What people may ask of a rollout in which state, and what the record says then."""

from __future__ import annotations

from typing import Any

import pytest

from docc.core import requests
from docc.core.view import Checks, View
from docc.model.errors import ExitCode
from docc.model.moves import Patch
from docc.model.record import Asked, Phase, Record
from docc.model.world import Routed, Seen

NOW = 1e9


def view(phase: Phase, weight: int = 0, **more: Any) -> View:
    record = Record(3, phase, "ci@runner#1", NOW - 60, NOW - 90, stable=1, candidate=2, weight=weight, **more)
    routed = Routed("HTTPRoute", True, record=record, record_text=record.to_text(), has_annotations=True, generation=4)
    return View("shop", "alice@laptop#7", None, Seen(routed), Checks(), NOW)


@pytest.mark.parametrize(
    ("verb", "phase", "weight", "before", "after"),
    [
        ("promote", Phase.AWAITING, 0, "", "promote"), ("promote", Phase.SHIFTING, 20, "pause", ""),
        ("full", Phase.AWAITING, 0, "", "full"), ("full", Phase.SHIFTING, 20, "", "full"),
        ("full", Phase.SHIFTING, 20, "pause", "full"),
        ("full", Phase.AWAITING, 0, "promote", "full"), ("full", Phase.PREPARING, 0, "", "full"),
        ("pause", Phase.PREPARING, 0, "", "pause"), ("pause", Phase.SHIFTING, 20, "", "pause"),
        ("pause", Phase.BAKING, 100, "", "pause"),
        ("resume", Phase.SHIFTING, 20, "pause", ""), ("resume", Phase.AWAITING, 0, "pause", "promote"),
        ("pause", Phase.AWAITING, 0, "promote", "pause"),
    ],
)  # fmt: skip
def test_a_request_stands_in_the_record_with_who_asked(
    verb: str, phase: Phase, weight: int, before: str, after: str
) -> None:
    move = requests.ask(view(phase, weight, request=before), verb, "looks good")
    assert isinstance(move.effect, Patch) and move.outcome is None
    written = Record.from_text(str(move.effect.operations[2]["value"]))
    assert (written.request, written.asked) == (after, (Asked(verb, "alice@laptop", NOW, "looks good"),))
    assert (written.by, written.epoch, written.phase, written.weight) == ("ci@runner#1", 3, phase, weight)
    assert len(move.effect.operations) == 3  # two tests and the record: traffic is not touched


@pytest.mark.parametrize(
    ("verb", "phase", "weight", "before", "why"),
    [
        ("promote", Phase.SHIFTING, 20, "", "waits for nobody"), ("full", Phase.BAKING, 100, "", "all traffic already"),
        ("pause", Phase.AWAITING, 0, "", "waits for docc promote shop"), ("pause", Phase.SHIFTING, 20, "full", "its promotion"),
        ("resume", Phase.SHIFTING, 20, "", "not paused"), ("promote", Phase.SUCCEEDED, 0, "", "v1 serves 100 %"),
        ("full", Phase.REVERTING, 0, "", "no rollout is under way"), ("pause", Phase.PARKED, 0, "", "no rollout is under way"),
        ("promote", Phase.STUCK, 50, "", "v2 has 50 % (stuck)"),
    ],
)  # fmt: skip
def test_with_nothing_to_act_on_the_true_state_is_told(
    verb: str, phase: Phase, weight: int, before: str, why: str
) -> None:
    outcome = requests.ask(view(phase, weight, request=before), verb, "").outcome
    assert outcome is not None and outcome.exit_code is ExitCode.NOT_FOUND and why in outcome.reason


def test_who_asks_second_is_told_who_was_first() -> None:
    asked = (Asked("promote", "bob@desk", NOW - 1),)
    outcome = requests.ask(view(Phase.AWAITING, request="promote", asked=asked), "promote", "").outcome
    assert outcome is not None and outcome.exit_code is ExitCode.DONE and "bob@desk has asked" in outcome.reason


@pytest.mark.parametrize(
    ("first", "reason", "told"),
    [
        (Asked("promote", "bob@desk", NOW - 1, "liked"), "tested",
         'bob@desk has asked for it already: liked; "tested" was not kept'),
        (Asked("promote", "bob@desk", NOW - 1, "liked"), "", "bob@desk has asked for it already: liked"),
        (Asked("promote", "bob@desk", NOW - 1), "tested", 'bob@desk has asked for it already; "tested" was not kept'),
        (Asked("promote", "alice@laptop", NOW - 1, "tested"), "tested", "alice@laptop has asked for it already: tested"),
    ],
    ids=["another reason", "none of one's own", "none of the first", "an answer that was lost"],
)  # fmt: skip
def test_who_is_second_hears_whose_reason_was_kept(first: Asked, reason: str, told: str) -> None:
    outcome = requests.ask(view(Phase.AWAITING, request="promote", asked=(first,)), "promote", reason).outcome
    assert outcome is not None and outcome.reason == told


def test_ten_requests_are_kept() -> None:
    asked = tuple(Asked("pause", f"n{at}", NOW) for at in range(10))
    move = requests.ask(view(Phase.SHIFTING, 20, asked=asked), "pause", "")
    assert isinstance(move.effect, Patch)
    written = Record.from_text(str(move.effect.operations[2]["value"]))
    assert [each.who for each in written.asked] == [f"n{at}" for at in range(1, 10)] + ["alice@laptop"]
