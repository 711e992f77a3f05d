from __future__ import annotations

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.core.expression import Binding, ExpressionError, bind, fires_from, longest_range, parse

TALK = (
    "sum(rate(http_requests_total{app='demo_app',code='500'}[5m])) / "
    "sum(rate(http_requests_total{app='demo_app'}[5m])) > 0.05"
)
BINDING = Binding("shop", "web", "shop-v2", "v2", "shop-v1", window=45)


def test_an_empty_dividend_counts_as_zero_in_the_text_that_is_sent() -> None:
    side = bind(parse(TALK), BINDING).sides[0]
    every = 'http_requests_total{app="demo_app"}'
    assert side.value.count(f"sum(rate({every}[300s]))") == 2 and " or 0 * (" in side.value
    assert side.presence == (f"max(timestamp({every}))",)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("up", "no threshold"), ("1 > 0", "selects no metric"), ("sum(x > 1", "not PromQL"), ("x > bool 1", "bool"),
        ("x{a='$canry'} > 1", '"$canary"'), ("x > $window", "range"), ("$app > 1", "quotes"), ("x > y", "number"),
        ("{code='500'} > 1", "name the metric"), ("x offset 5m > 1", "offset"), ("rate(x[5m] @ 10) > 1", "offset"),
        ("x > 1 and up", "no threshold"), ("x > NaN", "NaN"), ("x > Inf", "never fire"), ("-Inf > x", "never fire"),
        ("1+" * 5000 + "x > 1", "longer"),
        ("x{a='$window'} > 1", "only as a range"), ("rate(x[$windw]) > 1", "[$windw] is no range, did you mean [$window]?"),
        ("rate(x[$window offset 5m]) > 1", "only as a range"), ("x{a='$winow'} > 1", "known are"),
        ("a + fill(0) b > 1", "fill"), ("sum(a - on (x) fill_left(0) b) > 1", "fill"), ("a / fill_right(1) b > 1", "fill"),
        ('sum(x{a="1" or b="2"}) > 1', "=~"), ("x - {code='500'} offset 5m > 1", "name the metric"),
    ],
)  # fmt: skip
def test_what_is_no_condition_is_refused_with_a_sentence(text: str, word: str) -> None:
    with pytest.raises(ExpressionError, match=None) as caught:
        parse(text)
    assert word in str(caught.value)


def test_names_are_bound_inside_matchers_only_and_escaped_for_regular_expressions() -> None:
    selector = "x{d='$canary',e=~'$app.*',n='$namespace',s='$stable',r='$revision'}"
    text = f"label_replace(rate({selector}[$window]),'a','$1','b','') > 1"
    sent = bind(parse(text), BINDING).sides[0].value
    for part in ('d="shop-v2"', 'e=~"shop.*"', 'n="web"', 's="shop-v1"', 'r="v2"', "[45s]", '"$1"'):
        assert part in sent


def test_a_condition_over_all_versions_fires_from_the_weight_that_its_threshold_needs() -> None:
    assert fires_from(parse(TALK)) == 6
    assert fires_from(parse(TALK.replace("> 0.05", ">= 0.05"))) == 5
    assert fires_from(parse("rate(x{d='$canary'}[1m]) > 1")) is None


def test_nested_ranges_add_up() -> None:
    assert longest_range(parse("max_over_time(rate(x[5m])[10m:1m]) > 1")) == 900


@st.composite
def values(draw: st.DrawFn, depth: int = 3) -> str:
    if depth == 0 or draw(st.booleans()):
        label = draw(st.sampled_from(["", '{code="500"}', '{a="q\\"x"}', '{a=~"x.*",b!="$canary"}']))
        return draw(st.sampled_from([f"sum(rate(m{label}[5m]))", f"m{label}", f"sum by (a) (m{label})"]))
    left, right = draw(values(depth=depth - 1)), draw(values(depth=depth - 1))
    operator = draw(st.sampled_from(["+", "-", "*", "/"]))
    return draw(
        st.sampled_from([f"({left}) {operator} ({right})", f"1 - ({left})", f"clamp_max({left}, 2)", f"-({left})"])
    )


@given(values(), st.sampled_from([">", "<", ">=", "<="]), st.booleans())
def test_every_text_that_is_sent_is_promql(value: str, operator: str, flipped: bool) -> None:
    text = f"0.5 {operator} {value}" if flipped else f"{value} {operator} 0.5"
    questions = bind(parse(text), BINDING)
    for sent in (*questions.samples, *questions.values):
        promql_parser.parse(sent)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ('x{"a.b"="c", d!="e"} > 1', 'x{"a.b"="c", d!="e"}'),
        ('sum by ("a.b", c) (x) > 1', 'sum by ("a.b", c) (x)'),
        ('a * on ("a.b") group_left ("c d") b > 1', '((a) * on ("a.b") group_left ("c d") (b))'),
        ('{"my.metric", x="1"} > 1', '{__name__="my.metric", x="1"}'),
        ('x{"a\\"b"="c"} > 1', 'x{"a\\"b"="c"}'),
    ],
)
def test_a_name_that_needs_quotes_is_sent_in_quotes(text: str, sent: str) -> None:
    questions = bind(parse(text), BINDING)
    assert questions.sides[0].value == sent
    for each in (*questions.samples, *questions.values):
        promql_parser.parse(each)


def test_a_label_of_outcomes_that_needs_quotes_is_sent_in_quotes() -> None:
    questions = bind(parse('x{"http.status"="500"} > 1', outcome_labels=("http.status",)), BINDING)
    assert questions.sides[0].value.count(', "http.status", ') == 2
    for each in (*questions.samples, *questions.values):
        promql_parser.parse(each)
