"""Strategies compile to steps; the planner knows steps, not strategies.

A step that writes (SetWeight, MatchHeaders, AwaitApproval) is counted in the record; Hold and Bake lie between two writes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from docc.core.trial import NOTHING, Above, trial_of
from docc.model.manifest import Strategy
from docc.model.record import Record
from docc.model.trial import Trial

BAKE_SECONDS_MIN = 60.0


@dataclass(frozen=True, slots=True)
class SetWeight:
    weight: int


@dataclass(frozen=True, slots=True)
class MatchHeaders:
    """Who is on trial goes to the candidate, whatever its weight."""

    trial: Trial


@dataclass(frozen=True, slots=True)
class Hold:
    seconds: float


@dataclass(frozen=True, slots=True)
class AwaitApproval:
    pass


@dataclass(frozen=True, slots=True)
class Bake:
    """A hold with all traffic on the candidate and stable still at full scale."""

    seconds: float


Step = SetWeight | MatchHeaders | Hold | AwaitApproval | Bake


def compile_steps(strategy: Strategy, *, longest_range: float = 0.0) -> tuple[Step, ...]:
    """The steps of a rollout. longest_range: seconds of the longest range in the failure conditions."""
    steps: list[Step] = []
    if trial := trial_of(strategy.ab_testing):
        steps.append(MatchHeaders(trial))
    if strategy.ab_testing and strategy.ab_testing.pause_before_rollout:
        steps.append(AwaitApproval())
    for weight in weights(strategy):
        steps.append(SetWeight(weight))
        if weight < 100 and strategy.canary:
            steps.append(Hold(strategy.canary.interval))
    bake = bake_seconds(strategy, longest_range)
    return (*steps, Bake(bake)) if bake > 0 else tuple(steps)


def weights(strategy: Strategy) -> tuple[int, ...]:
    """The candidate's weights in order; the last is 100 and may be a shorter step than the others."""
    if strategy.canary is None:
        return (100,)
    return (*range(strategy.canary.increment, 100, strategy.canary.increment), 100)


def bake_seconds(strategy: Strategy, longest_range: float) -> float:
    if strategy.bake is not None:
        return strategy.bake
    if not strategy.failure_conditions:
        return 0.0
    interval = strategy.canary.interval if strategy.canary else 0.0
    return max(interval, longest_range, BAKE_SECONDS_MIN)


def digest(steps: tuple[Step, ...], *, sticky: bool = False) -> str:
    """Names the plan that a record's `step` counts in, so that a changed strategy is noticed on resuming."""
    return hashlib.sha256(repr((steps, sticky)).encode()).hexdigest()[:12]


def resume_after(steps: tuple[Step, ...], weight: int, *, on_trial: bool = False) -> int:
    """The index after which a rollout under a changed strategy goes on: the present weight's hold comes next, then the first
    weight above it. Without any weight it begins with the first step; who is on trial already, stays so meanwhile."""
    if weight == 0:
        return next((at for at, step in enumerate(steps) if isinstance(step, MatchHeaders) and on_trial), -1)
    index = -1
    for at, step in enumerate(steps):
        if isinstance(step, SetWeight) and step.weight > weight:
            break
        if not isinstance(step, Hold | Bake):
            index = at
    return index


def above_at(steps: tuple[Step, ...], at: int, record: Record, *, sticky: bool) -> Above:
    """What stands above the weighted rule after the step with index `at`, with the weights of this record. With all traffic on
    one revision nothing does: a bake is of everybody's requests. Users of stable stay there only when there are weights."""
    weight, candidate, stable = record.weight, record.candidate, record.stable
    if weight == 100 or stable is None or candidate is None or not record.phase.running:
        return NOTHING
    trial = next((step.trial for step in steps[: at + 1] if isinstance(step, MatchHeaders)), ())
    if not sticky or not (trial or weight):
        return Above(trial)
    return Above(trial, (candidate, stable) if weight else (candidate,))


def awaits(steps: tuple[Step, ...], record: Record) -> bool:
    """It is for people to say whether it goes on, and nobody has. A strategy that has changed since may not ask for it any
    more, or ask once more."""
    return record.unapproved and 0 <= record.step < len(steps) and isinstance(steps[record.step], AwaitApproval)


def next_weight(steps: tuple[Step, ...], after: int) -> int | None:
    """The weight of the first SetWeight behind index `after`, None if there is none."""
    return next((step.weight for step in steps[after + 1 :] if isinstance(step, SetWeight)), None)
