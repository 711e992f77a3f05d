"""What the evaluator refuses, and that it never fails in another way. What it answers: test_promql_recorded.py."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docc.sandbox.promql import BadQuery, QueryError, Unspoken, evaluate
from docc.sandbox.promql.rates import increase, irate, rate
from docc.sandbox.promql.regexes import compiled
from docc.sandbox.tsdb import Tsdb, labels_of

AT = 1_700_000_000_000


@pytest.fixture(scope="module")
def tsdb() -> Tsdb:
    made = Tsdb()
    for n in range(4):
        for step in range(10):
            made.append(
                labels_of({"__name__": "a", "x": str(n), "y": str(n % 2)}), AT - 60_000 + step * 6_000, float(step * n)
            )
        made.append(labels_of({"__name__": "b", "x": str(n)}), AT, math.nan if n == 3 else float(n))
    return made


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("a[5m]", "range vector as the result"),
        ("a[5m:1m]", "subqueries"),
        ("rate(a[5m:1m])", "rate() of anything but"),
        ("sum_over_time(a[5m])", "sum_over_time()"),
        ("max_over_time(rate(a[1m])[5m:])", "max_over_time()"),
        ("histogram_avg(a)", "histogram_avg()"),
        ("label_replace(a, 'b', '$1', 'x', '(.*)')", "label_replace()"),
        ("absent_over_time(a[5m:1m])", "absent_over_time()"),
        ("delta(a[5m])", "delta()"),
        ("round(a)", "round()"),
        ("topk(3, a)", "topk"),
        ("quantile(0.9, a)", "quantile"),
        ("stddev(a)", "stddev"),
        ("count_values('x', a)", "count_values"),
        ("a @ 100", "@ modifier"),
        ("rate(a[5m] @ end())", "@ modifier"),
        ("a atan2 b", "atan2"),
        ("'text'", "strings"),
        ("a{x='1' or x='2'}", "`or` between label matchers"),
        ("a + fill(0) b", "fill"),
        ("timestamp(+a)", "unary plus"),
        ("a{x=~'(?i)A'}", "regular expression"),
        ("a{x=~'[[:alpha:]]'}", "regular expression"),
        ("a{x=~'\\\\bx'}", "regular expression"),
        ("a{x=~'(a+)+'}", "nested"),
        ("a{x=~'(a{3,}b)*'}", "nested"),
        ("-" * 300 + "a", "nested more than"),
        ("a" * 5000, "more than 4096 characters"),
    ],
)
def test_what_the_evaluator_does_not_know_it_refuses_by_name(tsdb: Tsdb, query: str, named: str) -> None:
    with pytest.raises(Unspoken, match="the sandbox does not speak") as refused:
        evaluate(query, AT, tsdb)
    assert named in str(refused.value)


@pytest.mark.parametrize(
    "query", ["sum(", "a offset Inf", "a offset NaN"], ids=["syntax", "parser panics", "panics too"]
)
def test_what_is_not_promql_is_bad_data(tsdb: Tsdb, query: str) -> None:
    with pytest.raises(BadQuery, match="parse error"):
        evaluate(query, AT, tsdb)


_WORDS = """
    a b sum max avg by without ( ) ( ) { } [ ] , x y = != =~ !~ '1' '.*' '(' '[z' 5m 1m 0 1 -3 NaN Inf + - * / % ^ > < >= ==
    bool and or unless on ignoring group_left group_right rate increase irate timestamp vector scalar time abs clamp offset
    @ : # ` \\
"""
_OPERATORS = ("+", "-", "*", "/", "%", "^", ">", "<", "==", "!=", ">=", "<=", "and", "or", "unless")
TOKENS = st.sampled_from(_WORDS.split())


@settings(max_examples=400)
@given(st.one_of(st.lists(TOKENS, max_size=14).map(" ".join), st.text(max_size=40)))
def test_any_text_gives_a_value_or_a_query_error(query: str) -> None:
    store = Tsdb()
    store.append(labels_of({"__name__": "a", "x": "1"}), AT, 1.0)
    try:
        value = evaluate(query, AT, store)
    except QueryError as error:
        assert error.status in (400, 422)
        assert str(error)
    else:
        assert isinstance(value, float | list)


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    """Vectors, well-typed, over the metrics a and b."""
    if depth == 0:
        return draw(
            st.sampled_from(
                ("a", "b", "a{y='1'}", "a{x=~'1|3'}", "vector(0)", "rate(a[1m])", "nothing", "a offset 30s")
            )
        )
    inner, other = draw(expressions(depth=depth - 1)), draw(expressions(depth=depth - 1))
    op = draw(st.sampled_from(_OPERATORS))
    matching = draw(st.sampled_from(("", "on (x)", "on ()", "ignoring (y)", "ignoring (x)")))
    number = draw(st.sampled_from(("0", "-1.5", "NaN", "Inf", "1e308", "scalar(b)", "time()")))
    kinds = [f"({inner} {op} {matching} {other})", f"sum by (y) ({inner})", f"max without (x) ({inner})", f"-{inner}"]
    if op not in ("and", "or", "unless"):
        kinds += [f"({inner} {op} {number})", f"({number} {op} {inner})"]
    kinds += [f"timestamp({inner})", f"clamp({inner}, {number}, 3)", f"avg({inner})", f"count({inner})"]
    return draw(st.sampled_from(kinds))


@settings(max_examples=300)
@given(query=expressions())
def test_a_well_typed_expression_gives_distinct_series_or_a_query_error(tsdb: Tsdb, query: str) -> None:
    try:
        value = evaluate(query, AT, tsdb)
    except QueryError as error:
        assert not isinstance(error, Unspoken | BadQuery), query
    else:
        assert isinstance(value, list)
        assert len({sample.labels for sample in value}) == len(value)


COUNTERS = st.lists(st.tuples(st.integers(1, 40_000), st.integers(0, 1000)), min_size=2, max_size=20)


def reference_increase(points: list[tuple[int, float]], start_ms: int, end_ms: int) -> Fraction:
    """In exact fractions, from the documented rule: stretch the growth over the part of the window that the series covers."""
    values = [Fraction(value) for _, value in points]
    grown = sum((b - a if b >= a else b for a, b in zip(values, values[1:], strict=False)), Fraction(0))
    covered = Fraction(points[-1][0] - points[0][0])
    usual = covered / (len(points) - 1)
    reach = [Fraction(points[0][0] - start_ms), Fraction(end_ms - points[-1][0])]
    left, right = (gap if gap < usual * Fraction(11, 10) else usual / 2 for gap in reach)
    if grown > 0:
        left = min(left, covered * values[0] / grown)
    return grown * (covered + left + right) / covered


@given(steps=COUNTERS, before=st.integers(1, 60_000), after=st.integers(0, 60_000))
def test_rate_and_increase_equal_the_rule_in_exact_arithmetic(
    steps: list[tuple[int, int]], before: int, after: int
) -> None:
    time, points = 0, []
    for gap, value in steps:
        time += gap
        points.append((time, float(value)))
    start, end = points[0][0] - before, points[-1][0] + after
    usual = Fraction(points[-1][0] - points[0][0], len(points) - 1) * Fraction(11, 10)
    if usual in (before, after):
        return  # on the edge itself, 1.1 as a float decides, in Prometheus too
    expected = reference_increase(points, start, end)
    assert increase(points, start, end) == pytest.approx(float(expected), rel=1e-9)
    assert rate(points, start, end) == pytest.approx(float(expected / Fraction(end - start, 1000)), rel=1e-9)


@pytest.mark.parametrize("function", [rate, increase, irate])
def test_one_sample_says_nothing_about_growth(function: object) -> None:
    assert callable(function)
    assert function([], 0, 1000) is None
    assert function([(500, 7.0)], 0, 1000) is None


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("5..", ["500", "5\n0"], ["50", "5000", ""]),
        ("^a$", ["a"], ["a\n"]),
        (r"a\.b", ["a.b"], ["axb"]),
        (r"\s", [" ", "\t"], ["\v", "\u00a0"]),
        (r"\w+", ["a_1"], ["é"]),
        ("a{2,3}", ["aa", "aaa"], ["a", "aaaa"]),
        ("[a-c]|x+?", ["b", "xx"], ["d", "bx"]),
        ("", [""], ["a"]),
    ],
)
def test_regular_expressions_mean_what_re2_means(pattern: str, yes: list[str], no: list[str]) -> None:
    matcher = compiled(pattern)
    assert [text for text in yes + no if matcher.fullmatch(text)] == yes
