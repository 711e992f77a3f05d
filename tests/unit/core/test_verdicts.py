"""Row by row through the verdict table of docs/failure-conditions.md: a row that is not tested cannot exist."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from docc.core.expression import Binding, Questions, bind, parse
from docc.core.verdict import Answer, Check, Series, Verdict, judge
from docc.core.view import Checks, View
from tests.unit.core.around import live, plan_for

DOC = Path(__file__).resolve().parents[3] / "docs" / "failure-conditions.md"
A = "sum(rate(http_requests_total{app='demo_app',code='500'}[5m]))"
B = "sum(rate(http_requests_total{app='demo_app'}[5m]))"
SINCE = 1000.0
BINDING = Binding("shop", "web", "shop-v2", "v2", "shop-v1")


def rows() -> list[tuple[str, ...]]:
    text = DOC.read_text(encoding="utf-8").partition("## The verdict table")[2].partition("\n## ")[0]
    table = [line for line in text.splitlines() if line.startswith("| ")][1:]
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


# What the whole answers, what each side answers, how fresh each side's samples are -> the verdict, whose words, fresh
COMPOUND = [
    ("a series", ("9", "2"), ("fresh", "fresh"), "FAIL", "the whole expression holds", True),
    ("a series", ("9", "0"), ("fresh", "fresh"), "FAIL", "the whole expression holds", True),  # or, unless
    ("a series", ("1", "0"), ("old", "nothing"), "FAIL", "the whole expression holds", False),  # whatever its sides say
    ("a series", ("error", "2"), ("fresh", "fresh"), "FAIL", "the whole expression holds", True),
    ("a series", ("9", "2"), ("old", "old"), "FAIL", "the whole expression holds", False),
    ("nothing", ("1", "0"), ("fresh", "fresh"), "OK", "the whole expression does not hold", True),
    ("nothing", ("9", "0"), ("fresh", "fresh"), "OK", "the whole expression does not hold", True),  # one side of an and
    ("nothing", ("9", "2"), ("fresh", "fresh"), "OK", "the whole expression does not hold", True),  # unless: both hold
    ("nothing", ("1", "0"), ("fresh", "old"), "OK", "the whole expression does not hold", False),  # no step by it
    ("nothing", ("1", "nothing"), ("fresh", "nothing"), "NO-DATA", "no series for", False),
    ("nothing", ("nothing", "0"), ("nothing", "fresh"), "NO-DATA", "no series for", False),
    ("nothing", ("1", "nothing"), ("fresh", "old"), "NO-DATA", "no sample newer", False),
    ("nothing", ("1", "NaN"), ("fresh", "fresh"), "NO-DATA", "live series, but", True),
    ("nothing", ("1", "error"), ("fresh", "fresh"), "ERROR", "HTTP 503", True),
    ("nothing", ("nothing", "error"), ("nothing", "fresh"), "ERROR", "HTTP 503", False),  # the graver one
    ("nothing", ("error", "nothing"), ("fresh", "nothing"), "ERROR", "HTTP 503", False),
    ("nothing", ("1", "nothing"), ("fresh", "error"), "ERROR", "HTTP 503", False),
    ("error", ("9", "2"), ("fresh", "fresh"), "ERROR", "HTTP 503", True),
    ("error", ("1", "nothing"), ("fresh", "nothing"), "ERROR", "HTTP 503", False),
]


@pytest.mark.parametrize("join", ["and", "or", "unless"])
@pytest.mark.parametrize("row", COMPOUND)
def test_compound_is_judged_as_a_whole_and_by_its_worst_side_where_the_whole_is_silent(
    row: tuple[str, tuple[str, str], tuple[str, str], str, str, bool], join: str
) -> None:
    whole, sides, samples, verdict, words, fresh = row
    questions = bind(parse(f"sum(errors) > 5 {join} sum(queue) > 1"), BINDING)
    assert questions.whole is not None and f" {join} " in questions.whole and len(questions.sides) == 2
    answers = {questions.whole: values("1" if whole == "a series" else whole)}
    for side, answered, newest in zip(questions.sides, sides, samples, strict=True):
        answers |= {side.value: values(answered), **{asked: presence(newest) for asked in side.presence}}
    check = judge("C", questions, answers, since=SINCE)
    assert check.verdict is Verdict(verdict) and words in check.reason, check
    assert check.fresh is fresh and check.query == questions.whole


def test_of_a_compound_that_holds_the_side_that_breaches_is_told() -> None:
    questions = bind(parse("sum(errors) > 5 or sum(queue) > 1"), BINDING)
    assert questions.whole is not None
    answers = {
        questions.whole: values("1"),
        questions.sides[0].value: values("1"),
        questions.sides[1].value: values("3"),
    }
    check = judge("C", questions, answers, since=SINCE)
    assert (check.verdict, check.value, check.threshold) == (Verdict.FAIL, 3.0, 1.0)


def test_what_was_not_answered_is_an_error_and_never_ok() -> None:
    for text in ("sum(errors) > 5", "sum(errors) > 5 and sum(queue) > 1"):
        assert judge("C", bind(parse(text), BINDING), {}, since=SINCE).verdict is Verdict.ERROR


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
def test_an_outcome_that_was_just_born_is_no_evidence_of_none(errors: Answer, fresh: bool) -> None:
    """The first scrape of a candidate sees good answers alone, the second one sees 40 errors: `rate` has none of them yet."""
    (side,) = bind(parse(f"{A} / {B} > 0.05"), replace(BINDING, age=12.5)).sides
    every = 'http_requests_total{app="demo_app"}[300s]'
    assert side.births == (f"min(max by (code) (count_over_time({every})))",)
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


def test_why_an_ok_lets_no_step_be_taken_is_told_as_it_is() -> None:
    """An OK of a selector that has no series at all is not one that waits for a newer sample."""
    check = Check("E", Verdict.OK, 0.0, ">", 0.05, "", "q", doubt='no series for errors{error="true"}')
    seen = live()
    assert seen.record is not None
    since = seen.record.since
    view = View("shop", "me", replace(plan_for(), judged=True), seen, Checks(since, since, (check,)), since)
    assert view.unsure() == 'E: no series for errors{error="true"}'
    assert replace(view, checks=Checks(since, since, (replace(check, doubt=""),))).unsure() == ""
