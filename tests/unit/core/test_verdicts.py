"""Row by row through the verdict table of docs/failure-conditions.md: a row that is not tested cannot exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from docc.core.expression import Binding, bind, parse
from docc.core.verdict import Answer, Series, Verdict, judge

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
    check = judge("E", questions, answers, since=SINCE)
    assert check.verdict is Verdict(verdict), check
    assert check.fresh is (samples == "fresh")


def test_the_table_begins_with_the_talks_expression_on_a_healthy_app() -> None:
    assert rows()[0][0] == "an app that never answered 500" and rows()[0][4] == "OK" and len(rows()) >= 16


def test_compound_fails_only_if_the_whole_holds_and_else_tells_the_worst_side() -> None:
    questions = bind(parse(f"{A} > 5 and {B} > 1"), BINDING)
    good = {text: Answer((Series((), SINCE + 1),)) for text in questions.texts}
    assert questions.whole is not None
    assert (
        judge("C", questions, {**good, questions.whole: Answer((Series((), 1.0),))}, since=SINCE).verdict
        is Verdict.FAIL
    )
    assert judge("C", questions, {**good, questions.whole: Answer()}, since=SINCE).verdict is not Verdict.NO_DATA
    side = questions.sides[0].value
    broken = {**good, questions.whole: Answer(), side: Answer(error="boom")}
    assert judge("C", questions, broken, since=SINCE).verdict is Verdict.ERROR
