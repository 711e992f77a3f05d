"""Answers -> a verdict on one condition. Pure; the table in docs/failure-conditions.md is this file in words.

The safe reading wins: only a number with samples newer than the weight change lets a rollout go on, only a breach reverts
it, and everything else (NO-DATA, ERROR) holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

from docc.core.expression import Questions, Side

SAMPLES_MIN = 2
"""Of a counter, for its growth to be seen: rate and increase take the first sample of a new series for its beginning."""
BORN = 1
"""How many samples a new outcome's counter has whose first requests no rate counts yet: its 0 is silence."""


class Verdict(Enum):
    OK = "OK"
    FAIL = "FAIL"
    NO_DATA = "NO-DATA"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an instant vector (or the scalar, without labels)."""

    labels: tuple[tuple[str, str], ...]
    value: float

    def __str__(self) -> str:
        return "{" + ", ".join(f'{name}="{value}"' for name, value in self.labels) + "}" if self.labels else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Prometheus said to one text: series, or why there are none to be had (error, a sentence). at: when, unix seconds by
    its own clock; 0: not told."""

    series: tuple[Series, ...] = ()
    error: str = ""
    at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Check:
    """A condition as judged once. value: nearest to or farthest beyond the threshold; None: no number. doubt: why an OK lets no
    step be taken; "" where each selector has a sample newer than the weight change, each counter two. basis: how many requests
    the value rests on, in words; "" if that is not known."""

    name: str
    verdict: Verdict
    value: float | None
    operator: str
    threshold: float
    reason: str
    query: str
    series: str = ""
    doubt: str = ""
    basis: str = ""

    @property
    def fresh(self) -> bool:
        return not self.doubt


def breaches(value: float, operator: str, threshold: float) -> bool:
    """NaN never breaches, as in PromQL."""
    match operator:
        case ">":
            return value > threshold
        case ">=":
            return value >= threshold
        case "<":
            return value < threshold
        case "<=":
            return value <= threshold
        case "==":
            return value == threshold
        case _:
            return value != threshold and not math.isnan(value)


def measured(check: Check) -> str:
    """ "0.31 > 0.05": the number and the line that it is held against."""
    value = "no number" if check.value is None else f"{check.value:.4g}"
    return f"{value} {check.operator} {check.threshold:.4g}"


def judge(name: str, questions: Questions, answers: Mapping[str, Answer], *, since: float) -> Check:
    """since: unix seconds of the last weight change."""
    sides = [_judge_side(name, side, answers, since) for side in questions.sides]
    if questions.whole is None:
        return sides[0]
    return _judge_compound(name, questions.whole, sides, answers)


def _judge_compound(name: str, text: str, sides: list[Check], answers: Mapping[str, Answer]) -> Check:
    whole = answers.get(text, Answer(error="it was not answered"))
    doubt = next((side.doubt for side in sides if side.doubt), "")
    lead = sides[0]

    def check(verdict: Verdict, reason: str, side: Check = lead, series: str = "") -> Check:
        basis = side.basis if verdict is Verdict.FAIL else ""
        return Check(name, verdict, side.value, side.operator, side.threshold, reason, text, series, doubt, basis)

    if whole.error:
        return check(Verdict.ERROR, whole.error)
    if whole.series:
        broken = next((side for side in sides if side.verdict is Verdict.FAIL), lead)
        return check(Verdict.FAIL, "the whole expression holds", broken, str(whole.series[0]))
    for verdict in (Verdict.ERROR, Verdict.NO_DATA):
        for side in sides:
            if side.verdict is verdict:
                return check(verdict, side.reason, side)
    return check(Verdict.OK, "the whole expression does not hold")


def _judge_side(name: str, side: Side, answers: Mapping[str, Answer], since: float) -> Check:
    value = answers.get(side.value, Answer(error="it was not answered"))
    evidence = _evidence(side, answers, since)

    def check(verdict: Verdict, reason: str, worst: Series | None = None) -> Check:
        number = worst.value if worst else None
        labels = str(worst) if worst else ""
        rests_on = _basis(side, answers, worst) if worst else ""
        return Check(
            name, verdict, number, side.operator, side.threshold, reason, side.value, labels, evidence.doubt, rests_on
        )

    if value.error:
        return check(Verdict.ERROR, value.error)
    numbers = [series for series in value.series if not math.isnan(series.value)]
    crossed = [series for series in numbers if breaches(series.value, side.operator, side.threshold)]
    for series in crossed:
        if series.value != 0 or evidence.of_zero(side):
            return check(Verdict.FAIL, "the threshold is crossed", series)
    if numbers and not crossed:
        worst = _nearest(numbers, side)
        none_matched = worst.value == 0 and side.share and side.operator in (">", ">=")
        return check(Verdict.OK, evidence.absent or ("no matching errors" if none_matched else ""), worst)
    if evidence.error:
        return check(Verdict.ERROR, evidence.error)
    if crossed:
        return check(Verdict.NO_DATA, f"0, but {evidence.doubt}", crossed[0])
    if evidence.absent or not evidence.live:
        return check(Verdict.NO_DATA, evidence.absent or f"no sample newer than the weight change of {_clock(since)}")
    if side.filters and not value.series and not breaches(0.0, side.operator, side.threshold):
        return check(Verdict.OK, "nothing matched, in live samples")
    return check(Verdict.NO_DATA, f"live series, but {_nothing_in_range(side, answers)}")


@dataclass(frozen=True, slots=True)
class _Evidence:
    """How good the samples of a side are. error, absent: what could not be asked, and what has no series, as sentences. live:
    each selector has a sample newer than the weight change. grown: each counter has two. born: some outcome's has its first."""

    error: str = ""
    absent: str = ""
    live: bool = False
    grown: bool = False
    born: bool = False

    @property
    def doubt(self) -> str:
        if self.error or self.absent:
            return self.error or self.absent
        if not self.live:
            return "no sample newer than the weight change yet"
        return "a counter has only one sample yet, and its growth needs two" if self.born or not self.grown else ""

    def of_zero(self, side: Side) -> bool:
        """Whether a 0 that breaches is one: a share of 0 rests on requests, any other 0 on samples alone."""
        return side.share or not self.doubt


def _evidence(side: Side, answers: Mapping[str, Answer], since: float) -> _Evidence:
    found = {text: answers.get(text, Answer(error="it was not answered")) for text in side.presence}
    for answer in found.values():
        if answer.error:
            return _Evidence(error=answer.error)
    newest = [answer.series[0].value for answer in found.values() if answer.series]
    for text, answer in found.items():
        if not answer.series:
            return _Evidence(
                absent=_absence(text.removeprefix("max(timestamp(").removesuffix("))"), others=bool(newest))
            )
    grown = all(_number(answers.get(asked, Answer())) >= SAMPLES_MIN for asked in side.growth)
    born = any(_newborn(answers.get(asked, Answer(error="it was not answered"))) for asked in side.births)
    return _Evidence(live=min(newest, default=-math.inf) > since, grown=grown, born=born)


def _absence(selector: str, *, others: bool) -> str:
    """others: the condition's other selectors have series, so the metrics are there."""
    hint = "; if a label of it tells the outcome, name it in outcome_labels" if others and "{" in selector else ""
    return f"no series for {selector}{hint}"


def _newborn(answer: Answer) -> bool:
    return bool(answer.error) or _number(answer) == BORN


def _number(answer: Answer) -> float:
    return answer.series[0].value if answer.series else 0.0


def _basis(side: Side, answers: Mapping[str, Answer], worst: Series) -> str:
    """Asked in the same breath as the value, and yet apart from it: only a number above 0 goes with a quotient."""
    if side.basis is None:
        return ""
    counted = answers.get(side.basis.query, Answer()).series
    amount = next((series.value for series in counted if series.labels == worst.labels), 0.0)
    return side.basis.words(amount) if 0 < amount < math.inf else ""


def _nothing_in_range(side: Side, answers: Mapping[str, Answer]) -> str:
    """What a quotient lacks that is empty or 0/0, as far as the divisor tells."""
    counted = answers.get(side.basis.query, Answer(error="it was not answered")) if side.basis else None
    if side.basis is not None and counted is not None and not counted.error:
        if not counted.series:
            return "not two samples in the range yet"
        if all(series.value == 0 for series in counted.series):
            return f"no {side.basis.noun} in the range" if side.basis.noun == "requests" else "nothing in the range"
    return "nothing in the range to judge by: no request, or no second sample yet"


def _nearest(numbers: list[Series], side: Side) -> Series:
    if side.operator in (">", ">="):
        return max(numbers, key=lambda series: series.value)
    if side.operator in ("<", "<="):
        return min(numbers, key=lambda series: series.value)
    return min(numbers, key=lambda series: abs(series.value - side.threshold))


def _clock(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%H:%M:%S UTC")
