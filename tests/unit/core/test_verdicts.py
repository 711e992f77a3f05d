"""Row by row through the verdict table of docs/failure-conditions.md: a row that is not tested cannot exist."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from docc.core.expression import Binding, Questions, bind, parse
from docc.core.verdict import Answer, Check, Series, Verdict, judge

DOC = Path(__file__).resolve().parents[3] / "docs" / "failure-conditions.md"
A = "sum(rate(http_requests_total{app='demo_app',code='500'}[5m]))"
B = "sum(rate(http_requests_total{app='demo_app'}[5m]))"
SINCE = 1000.0
BINDING = Binding("shop", "web", "shop-v2", "v2", "shop-v1")


def rows() -> list[tuple[str, ...]]:
    table = [line for line in DOC.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table]


def values(words: str) -> Answer:
    if words == "error":
        return Answer(error="Prometheus answered HTTP 503")
    found = [] if words == "nothing" else words.split()
    return Answer(tuple(Series((("pod", f"p{i}"),), float(word)) for i, word in enumerate(found)))


def presence(words: str) -> Answer:
    instants = {"fresh": SINCE + 5, "old": SINCE - 5}
    if words == "error":
        return Answer(error="Prometheus answered HTTP 503")
    return Answer((Series((), instants[words]),)) if words in instants else Answer()


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_row_of_the_table_holds(row: tuple[str, ...]) -> None:
    _, condition, answered, samples, verdict = row
    text = condition.strip("`").replace("A", A).replace("B", B)
    questions = bind(parse(text), BINDING)
    answers = {side.value: values(answered) for side in questions.sides}
    answers |= {asked: presence(samples) for side in questions.sides for asked in side.presence}
    answers |= {asked: Answer() for side in questions.sides for asked in side.births}
    check = judge("E", questions, answers, since=SINCE)
    assert check.verdict is Verdict(verdict), check
    assert check.fresh is (samples == "fresh")


def test_the_table_begins_with_the_talks_expression_on_a_healthy_app() -> None:
    assert rows()[0][0] == "an app that never answered 500" and rows()[0][4] == "OK" and len(rows()) >= 16


def test_compound_fails_only_if_the_whole_holds_and_else_tells_the_worst_side() -> None:
    questions = bind(parse(f"{A} > 5 and {B} > 1"), BINDING)
    good = {text: Answer((Series((), SINCE + 1),)) for text in (*questions.samples, *questions.values)}
    assert questions.whole is not None
    assert (
        judge("C", questions, {**good, questions.whole: Answer((Series((), 1.0),))}, since=SINCE).verdict
        is Verdict.FAIL
    )
    assert judge("C", questions, {**good, questions.whole: Answer()}, since=SINCE).verdict is not Verdict.NO_DATA
    side = questions.sides[0].value
    broken = {**good, questions.whole: Answer(), side: Answer(error="boom")}
    assert judge("C", questions, broken, since=SINCE).verdict is Verdict.ERROR


def _judged(text: str, answered: dict[str, Answer], samples: str = "fresh") -> Check:
    """Answers by kind of question: "value", "count"."""
    (side,) = (questions := bind(parse(text), BINDING)).sides
    answers = {side.value: answered["value"], **{asked: presence(samples) for asked in side.presence}}
    answers |= {asked: Answer() for asked in side.births}
    if side.basis is not None and "count" in answered:
        answers[side.basis.query] = answered["count"]
    return judge("E", questions, answers, since=SINCE)


def _one(value: float) -> Answer:
    return Answer((Series((), value),))


@pytest.mark.parametrize(("samples", "fresh"), [(None, False), (1.0, False), (2.0, True), (7.0, True)])
def test_a_counters_growth_is_believed_from_the_second_sample_since_the_weight_change(
    samples: float | None, fresh: bool
) -> None:
    """A counter of errors that was born with the candidate's first requests stands at 40 in its first sample: rate knows
    nothing of these 40, and says 0."""
    (side,) = bind(parse(f"{A} / {B} > 0.05"), replace(BINDING, age=12.5)).sides
    every = 'http_requests_total{app="demo_app"}'
    assert side.growth == (f"max(count_over_time({every}[12500ms]))",)
    answers = {side.value: _one(0.0), **{asked: presence("fresh") for asked in side.presence}}
    answers |= {asked: Answer() if samples is None else _one(samples) for asked in side.growth}
    answers |= {asked: Answer() for asked in side.births}
    check = judge("E", Questions((side,), None), answers, since=SINCE)
    assert (check.verdict, check.fresh) == (Verdict.OK, fresh)
    answers[side.value] = _one(0.31)
    assert judge("E", Questions((side,), None), answers, since=SINCE).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("errors", "fresh"),
    [(Answer(), True), (_one(1.0), False), (_one(2.0), True), (Answer(error="boom"), False)],
)
def test_a_counter_of_errors_that_was_just_born_is_no_evidence_of_none(errors: Answer, fresh: bool) -> None:
    """The first scrape of a candidate sees good answers alone, the second one sees 40 errors: `rate` has none of them yet."""
    (side,) = bind(parse(f"{A} / {B} > 0.05"), replace(BINDING, age=12.5)).sides
    assert len(side.births) == 1 and 'code="500"' in side.births[0] and side.births[0].endswith("[300s]))")
    answers = {side.value: _one(0.0), **{asked: presence("fresh") for asked in side.presence}}
    answers |= {asked: _one(2.0) for asked in side.growth}
    answers |= {asked: errors for asked in side.births}
    check = judge("E", Questions((side,), None), answers, since=SINCE)
    assert (check.verdict, check.fresh) == (Verdict.OK, fresh)


def test_a_gauge_needs_one_sample() -> None:
    (side,) = bind(parse("max(queue_length) > 100"), replace(BINDING, age=12.5)).sides
    assert side.growth == side.births == ()


@pytest.mark.parametrize(
    ("text", "query"),
    [
        (f"{A} / {B} > 0.05", "(sum(rate(http_requests_total{app=\"demo_app\"}[300s]))) * 300"),
        (f"100 * ({A} / {B}) > 5", "(sum(rate(http_requests_total{app=\"demo_app\"}[300s]))) * 300"),
        ("sum(increase(a_total[5m])) / sum(increase(b_total[5m])) > 0.05", "sum(increase(b_total[300s]))"),
        ("rate(a_total[$window]) / rate(b_total[$window]) > 0.05", "(rate(b_total[30s])) * 30"),
        ("sum(irate(a_total[5m])) / sum(irate(b_total[5m])) > 0.05", ""),
        ("sum(a) / sum(b) > 0.05", ""),
        ("rate(x_seconds_sum[5m]) / rate(y_seconds_sum[5m]) > 0.05", ""),
        ("rate(x_bucket{le='1'}[5m]) / rate(x_bucket[5m]) > 0.05", ""),
        (f"1 - {A} / {B} < 0.95", ""),
        (f"{A} > 5", ""),
    ],
)  # fmt: skip
def test_a_divisor_is_asked_as_a_count_where_it_is_one(text: str, query: str) -> None:
    (side,) = bind(parse(text), BINDING).sides
    assert (side.basis.query if side.basis else "") == query


def test_no_error_is_told_with_the_requests_that_there_were() -> None:
    check = _judged(f"{A} / {B} > 0.05", {"value": _one(0.0), "count": _one(1203.6)})
    assert (check.verdict, check.reason, check.basis) == (Verdict.OK, "no matching errors", "about 1204 requests")


def test_without_a_count_no_number_is_told() -> None:
    for count in (Answer(), Answer(error="HTTP 503"), _one(float("nan")), _one(0.0)):
        check = _judged(f"{A} / {B} > 0.05", {"value": _one(0.0), "count": count})
        assert (check.verdict, check.reason, check.basis) == (Verdict.OK, "no matching errors", "")
    assert _judged("sum(a) / sum(b) > 0.05", {"value": _one(0.0)}).basis == ""


def test_what_are_no_requests_is_named_by_its_metric() -> None:
    text = "sum(rate(jobs_failed_total[5m])) / sum(rate(jobs_total[5m])) > 0.05"
    assert _judged(text, {"value": _one(0.0), "count": _one(40.0)}).basis == "about 40 of jobs_total"


def test_a_zero_that_is_no_share_says_nothing_of_errors() -> None:
    for text in (f"{A} / {B} - {B} / {A} > 0.05", f"{A} > 5", f"1 - {A} / {B} > 0.5"):
        assert _judged(text, {"value": _one(0.0)}).reason == ""


def test_a_breach_tells_the_requests_of_the_series_that_breaches() -> None:
    text = (
        "sum by (pod) (rate(http_requests_total{code='500'}[5m])) / sum by (pod) (rate(http_requests_total[5m])) > 0.05"
    )
    pods = [(("pod", name),) for name in ("a", "b")]
    value = Answer((Series(pods[0], 0.01), Series(pods[1], 0.3)))
    count = Answer((Series(pods[0], 900.0), Series(pods[1], 10.0)))
    check = _judged(text, {"value": value, "count": count})
    assert (check.verdict, check.series, check.basis) == (Verdict.FAIL, '{pod="b"}', "about 10 requests")


@pytest.mark.parametrize(
    ("value", "count", "reason"),
    [
        (_one(float("nan")), _one(0.0), "no requests in the range"),
        (Answer(), Answer(), "not two samples in the range yet"),
        (Answer(), Answer(error="HTTP 503"), "no request, or no second sample yet"),
    ],
)
def test_silence_of_live_series_is_told_by_its_cause(value: Answer, count: Answer, reason: str) -> None:
    check = _judged(f"{A} / {B} > 0.05", {"value": value, "count": count})
    assert check.verdict is Verdict.NO_DATA and check.reason.endswith(reason)
