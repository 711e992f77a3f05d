"""Strategies and the steps that they compile to; where a rollout goes on whose strategy was changed; how long conditions look
back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from docc.cli.planning import planned
from docc.core.steps import (
    AwaitApproval,
    Bake,
    Hold,
    MatchHeaders,
    SetWeight,
    Step,
    bake_seconds,
    compile_steps,
    resume_after,
)
from docc.core.trial import DEFAULT_HEADER
from docc.core.verdict import Answer
from docc.model.manifest import ABTesting, Canary, FailureCondition, Strategy
from docc.spec.build import read
from tests.unit.core.around import GATEWAY, live

HEADERS = MatchHeaders(((DEFAULT_HEADER,),))
JUDGED = (FailureCondition("E", "sum(errors) > 5"),)
BOTH, PAUSE, TRIAL = ABTesting(True, True), ABTesting(False, True), ABTesting(True, False)


def by(increment: int, interval: float, **more: Any) -> Strategy:
    return Strategy(canary=Canary(increment, interval), **more)


def climb(*weights: int, hold: float = 60.0) -> tuple[Step, ...]:
    """Each weight held, the last one, 100, not."""
    return tuple(step for weight in weights for step in (SetWeight(weight), Hold(hold)))[:-1]


@pytest.mark.parametrize(
    ("strategy", "steps"),
    [
        (Strategy(), (SetWeight(100),)),
        (by(50, 60), climb(50, 100)),
        (by(100, 60), (SetWeight(100),)),
        (by(40, 60), climb(40, 80, 100)),
        (by(99, 60), climb(99, 100)),
        (Strategy(failure_conditions=JUDGED), (SetWeight(100), Bake(60))),
        (by(50, 60, failure_conditions=JUDGED), (*climb(50, 100), Bake(60))),
        (by(50, 60, failure_conditions=JUDGED, bake=0.0), climb(50, 100)),
        (by(50, 60, bake=5.0), (*climb(50, 100), Bake(5))),
        (Strategy(ab_testing=TRIAL), (HEADERS, SetWeight(100))),
        (Strategy(ab_testing=PAUSE), (AwaitApproval(), SetWeight(100))),
        (by(50, 60, ab_testing=BOTH), (HEADERS, AwaitApproval(), *climb(50, 100))),
    ],
)
def test_a_strategy_is_these_steps(strategy: Strategy, steps: tuple[Step, ...]) -> None:
    assert compile_steps(strategy) == steps


@pytest.mark.parametrize(
    ("strategy", "longest_range", "seconds"),
    [
        (Strategy(), 300, 0),
        (by(5, 120), 300, 0),
        (Strategy(failure_conditions=JUDGED), 0, 60),
        (Strategy(failure_conditions=JUDGED), 300, 300),
        (by(5, 10, failure_conditions=JUDGED), 30, 60),
        (by(5, 120, failure_conditions=JUDGED), 30, 120),
        (by(5, 120, failure_conditions=JUDGED), 300, 300),
        (by(5, 120, failure_conditions=JUDGED, bake=7.0), 300, 7),
        (by(5, 120, failure_conditions=JUDGED, bake=0.0), 300, 0),
        (Strategy(bake=7.0), 0, 7),
    ],
)
def test_the_bake_is_as_long_as_the_conditions_look_back_unless_it_is_said(
    strategy: Strategy, longest_range: float, seconds: float
) -> None:
    assert bake_seconds(strategy, longest_range) == seconds


class Asked:
    """Metrics that keep what they are asked."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def ask(self, *groups: Sequence[str]) -> Mapping[str, Answer]:
        self.texts += [text for group in groups for text in group]
        return dict.fromkeys(self.texts, Answer())


TWENTIES = (*climb(20, 40, 60, 80, 100), Bake(60))
TESTED = (HEADERS, AwaitApproval(), *climb(50, 100))


@pytest.mark.parametrize(
    ("steps", "weight", "upcoming"),
    [
        (TWENTIES, 0, SetWeight(20)),
        (TWENTIES, 10, SetWeight(20)),
        (TWENTIES, 20, Hold(60)),
        (TWENTIES, 50, Hold(60)),
        (TWENTIES, 99, Hold(60)),
        (TWENTIES, 100, Bake(60)),
        ((SetWeight(100), Bake(60)), 40, SetWeight(100)),
        ((SetWeight(100),), 40, SetWeight(100)),
        ((SetWeight(100),), 100, None),
        (TESTED, 30, SetWeight(50)),
        (TESTED, 50, Hold(60)),
    ],
)
def test_under_a_changed_strategy_a_rollout_holds_where_it_is_before_its_next_weight(
    steps: tuple[Step, ...], weight: int, upcoming: Step | None
) -> None:
    """The evidence of the present weight has been seen by nobody: it is held, and judged, before the next one."""
    after = resume_after(steps, weight)
    assert (steps[after + 1] if after + 1 < len(steps) else None) == upcoming
    above = [step.weight for step in steps[: after + 1] if isinstance(step, SetWeight)]
    assert all(passed <= weight for passed in above)
    later = [step.weight for step in steps[after + 1 :] if isinstance(step, SetWeight)]
    assert all(to_come > weight for to_come in later)


@pytest.mark.parametrize(
    ("strategy", "window"),
    [
        ({}, 60),
        ({"canary": {"increment": 5, "interval": 120}}, 120),
        ({"canary": {"increment": 5, "interval": 45}}, 45),
        ({"canary": {"increment": 5, "interval": 30}}, 30),
        ({"canary": {"increment": 5, "interval": 1}}, 30),
    ],
)
def test_window_is_the_interval_or_a_minute_and_never_under_half_a_minute(strategy: Any, window: int) -> None:
    expression = "sum(rate(errors_total{deployment='$canary'}[$window])) > 5"
    body = {
        "application": {"name": "shop", "containers": {"web": {"image": "shop:2", "ports": [{"port": 80}]}}},
        "deployment_strategy": {**strategy, "failure_conditions": [{"name": "E", "expression": expression}]},
    }
    plan, sampling = planned(read(json.dumps(body).encode(), "m.json"), "web", live(), GATEWAY)
    metrics = Asked()
    sampling.ask(metrics, plan, 1, 0.0, 1000.0)
    assert any(f"[{window}s]" in text for text in metrics.texts) and not any("$" in text for text in metrics.texts)
    assert plan.limits.baseline == window and plan.steps[-1] == Bake(max(60.0, window))
