"""Conditions against counters as applications have them: what never happened has no series. The sandbox's evaluator answers as
Prometheus does (tests/sandbox/promql), so what is judged here is what a rollout would see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docc.core.expression import Binding, bind, parse
from docc.core.verdict import Answer, Check, Series, Verdict, judge
from docc.sandbox.promql import evaluate
from docc.sandbox.tsdb import Tsdb, labels_of
from tests.conditions import ALL, FIVES, OK, SHAPES

NOW = 1_700_000_000.0


@dataclass
class World:
    """Counters as Prometheus has scraped them each `every` seconds; a pod's are born with its first request of their code."""

    every: float = 5.0
    tsdb: Tsdb = field(default_factory=Tsdb)

    def count(
        self, deployment: str, code: str, per_second: float, born: float = 120.0, pod: str = "a", first: float = 0.0
    ) -> None:
        """born: seconds before now in which it was first scraped, standing at `first`."""
        labels = labels_of(
            {"__name__": "requests_total", "deployment": deployment, "pod": f"{deployment}-{pod}", "code": code}
        )
        for nth in range(int(born // self.every) + 1):
            age = born - nth * self.every
            self.tsdb.append(labels, round((NOW - age) * 1000), first + (born - age) * per_second)

    def judged(
        self, text: str, *, age: float = 60.0, window: float = 30.0, outcome_labels: tuple[str, ...] = ()
    ) -> Check:
        condition = parse(text, outcome_labels=outcome_labels)
        questions = bind(condition, Binding("shop", "web", "shop-v2", "v2", "shop-v1", window, age))
        asked: Sequence[str] = (*questions.samples, *questions.values)
        return judge("E", questions, {query: self._answer(query) for query in asked}, since=NOW - age)

    def _answer(self, query: str) -> Answer:
        value = evaluate(query, round(NOW * 1000), self.tsdb)
        if isinstance(value, float):
            return Answer((Series((), value),))
        return Answer(tuple(Series(tuple(sample.labels), sample.value) for sample in value))


def version(rates: Mapping[str, float], stable: Mapping[str, float] | None = None, every: float = 5.0) -> World:
    """Each code's requests a second, on each of two pods."""
    world = World(every)
    for deployment, found in (("shop-v2", rates), ("shop-v1", {"200": 9.0} if stable is None else stable)):
        for code, per_second in found.items():
            for pod in "ab":
                world.count(deployment, code, per_second, pod=pod)
    return world


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("code", ["500", "503"])
def test_a_version_that_fails_every_request_is_taken_back(text: str, code: str) -> None:
    assert version({code: 1.0}).judged(text).verdict is Verdict.FAIL


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_a_version_that_fails_no_request_goes_on(text: str) -> None:
    check = version({"200": 1.0}).judged(text)
    assert (check.verdict, check.fresh) == (Verdict.OK, True), check


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_a_version_that_nobody_counts_is_no_good_one(text: str) -> None:
    assert version({}).judged(text).verdict is Verdict.NO_DATA


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_a_range_that_never_holds_two_samples_is_no_evidence(text: str) -> None:
    """[30s], scraped each minute: no rate has ever a value, whatever happens."""
    for rates in ({"200": 1.0}, {"500": 1.0}):
        check = version(rates, every=60).judged(text, age=120)
        assert not (check.verdict is Verdict.OK and check.fresh), check


CODES = st.dictionaries(st.sampled_from(["200", "204", "404", "500", "503", "504"]), st.floats(0.0, 5.0), min_size=1)


@settings(max_examples=60)
@given(st.sampled_from(list(SHAPES.values())), CODES, CODES)
def test_what_never_happened_may_be_left_out(text: str, candidate: dict[str, float], stable: dict[str, float]) -> None:
    """A counter at 0 that is there, and one that is not, are the same to a condition, wherever there is another counter."""
    every = {code: 0.0 for code in ("200", "204", "404", "500", "503", "504")}
    full = version(every | candidate, every | stable).judged(text)
    sparse = version({c: r for c, r in candidate.items() if r > 0} or {"404": 0.0}, stable).judged(text)
    assert sparse.verdict is full.verdict, (sparse, full)


@settings(max_examples=200)
@given(
    st.sampled_from(list(SHAPES.values())),
    st.sampled_from([5.0, 15.0, 30.0, 60.0]),
    st.floats(10.0, 50.0),
    st.floats(0.0, 150.0),
    st.tuples(st.floats(0.0, 60.0), st.floats(0.0, 150.0)),
)
def test_at_no_moment_does_a_version_that_fails_everything_get_more_traffic(
    text: str, every: float, rate: float, age: float, births: tuple[float, float]
) -> None:
    """Whenever its counters were born, and however seldom they are scraped. Many requests, since the rate of a counter that is
    a few seconds old is low in a range of 30."""
    late, other = births
    world = World(every)
    world.count("shop-v1", "200", 9.0)
    world.count("shop-v2", "500", rate, born=max(age - late, 0.0), first=rate * late)
    world.count("shop-v2", "504", 0.0, born=other, pod="b")
    check = world.judged(text, age=age)
    assert not (check.verdict is Verdict.OK and check.fresh), check


EXISTENCE = {
    "absent": f"absent({OK}) > 0",
    "absent, counted": f"count(absent(sum({OK}))) >= 1",
    "unless": f"(sum({FIVES}) unless on () sum(rate(requests_total{{deployment='$stable',code='418'}}[$window]))) > 0.5",
    "and": f"(sum({FIVES}) and on () sum({ALL})) > 0.5",
    "or": f"(sum({FIVES.replace('$canary', '$stable')}) or sum({FIVES})) > 0.5",
}


@pytest.mark.parametrize("text", EXISTENCE.values(), ids=EXISTENCE)
def test_what_is_asked_by_its_being_there_is_not_filled_in(text: str) -> None:
    """With a 0 for what stable never answered, the fallback would not be looked at, and the exception would always hold."""
    assert version({"500": 1.0}).judged(text).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"count({FIVES}) > 9", 1), (f"avg({FIVES}) > 9", 4), (f"min({FIVES}) > 9", 4), (f"max by (code) ({FIVES}) > 9", 4),
        (f"60 * sum({FIVES}) > 999", 240), (f"5 - sum({FIVES}) > 9", 1),
        (f"sum({FIVES}) + 1 > 9", 5), (f"sum({FIVES}) / 2 > 9", 2), (f"avg(sum by (pod) ({FIVES})) > 9", 4),
    ],
)  # fmt: skip
def test_nothing_that_has_a_value_gets_another(text: str, value: float) -> None:
    world = version({"200": 1.0})
    world.count("shop-v2", "500", 4.0)
    assert world.judged(text).value == pytest.approx(value)


def test_a_label_that_docc_does_not_know_as_an_outcome_is_told_by_its_selector() -> None:
    errors = ALL.replace('"}', '",error="true"}')
    text = f"sum({errors}) / sum({ALL}) > 0.05"
    check = version({"200": 1.0}).judged(text)
    hint = "; if a label of it tells the outcome, name it in outcome_labels"
    assert check.doubt == check.reason == f'no series for requests_total{{deployment="shop-v2", error="true"}}{hint}'
    assert version({"200": 1.0}).judged(text, outcome_labels=("error",)).fresh
    nobody = version({}).judged(f"sum({ALL}) > 5")
    assert nobody.reason == 'no series for requests_total{deployment="shop-v2"}'


@pytest.mark.parametrize("text", [f"sum({OK}) < 0.5", f"sum({OK}) == 0", f"sum({OK}) / on () sum({ALL}) < 0.95"])
def test_a_count_of_no_success_waits_for_new_samples_before_it_fires(text: str) -> None:
    """What was counted before the weight change says nothing of it: a good version has answered nobody then."""
    check = version({"404": 1.0}).judged(text, age=3)
    assert (check.verdict, check.reason) == (
        Verdict.NO_DATA,
        "0, but a counter has only one sample yet, and its growth needs two",
    )
    assert version({"404": 1.0}).judged(text, age=20).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("text", "rates", "verdict"),
    [
        (f"{FIVES} / ignoring (code) sum without (code) ({ALL}) > 0.05", {"200": 9.0, "404": 1.0}, Verdict.OK),
        (f"{FIVES} / ignoring (code) sum without (code) ({ALL}) > 0.05", {"200": 9.0, "500": 1.0}, Verdict.FAIL),
        (f"{OK} < 0.5", {"200": 9.0, "404": 1.0}, Verdict.OK),
        (f"{OK} < 0.5", {"404": 9.0}, Verdict.FAIL),
        (f"sum by (code) ({OK}) < 0.5", {"200": 9.0, "404": 1.0}, Verdict.OK),
        (f"sum without (pod) ({OK}) < 0.5", {"200": 9.0, "404": 1.0}, Verdict.OK),
    ],
)
def test_series_that_keep_their_outcome_are_filled_in_once_for_all_outcomes(
    text: str, rates: dict[str, float], verdict: Verdict
) -> None:
    assert version(rates).judged(text).verdict is verdict
