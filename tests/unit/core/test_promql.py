"""The door to the parser library: what makes it panic never reaches it, and it writes nothing to stderr."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docc import promql
from docc.core.expression import ExpressionError
from docc.core.expression import parse as condition

DURATIONS = [
    "Inf",
    "inf",
    "INF",
    "iNf",
    "-Inf",
    "- Inf",
    "+NaN",
    "nan",
    "1e30",
    ".5e30",
    "1.e30",
    "1e400",
    "0x" + "f" * 400,
]
DURATIONS += [
    "9e13",
    "9.3e9",
    "-9.3e9",
    "300y",
    "9999999y",
    "99999999999999999999y",
    "5m99999999999w",
    "# x\nInf",
    "#x\n -\t#y\n Inf",
]
IMPOSSIBLE = [
    *(f"a offset {number}" for number in DURATIONS), *(f"sum(rate(a[5m] OFFSET {number})) > 1" for number in DURATIONS),
    *(f"a[{number}]" for number in DURATIONS), *(f"sum_over_time(a[5m:{number}]) > 1" for number in DURATIONS),
    *(f"a @ {number} > 1" for number in ("inf", "-Inf", "NaN", "1e30", "1e19", "-1", "- 5", "1e400")),
    "a{x='[', y=\"\\\"\"} offset Inf > 1", "a{x=`\\`} offset Inf > 1", "b > 1 and a offset Inf > 1", "(a[5m:]) @ NaN > 1",
]  # fmt: skip


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_a_number_that_is_no_possible_duration_or_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="(duration|time) out of range"):
        promql.parse(text)
    with pytest.raises(ExpressionError, match="it is not PromQL: (duration|time) out of range"):
        condition(text)


@pytest.mark.parametrize(
    "text",
    [
        "a offset 5m", "a offset -5m", "a offset 300", "a[5m]", "a[1h30m]", "a[0.5]", "rate(a[5m:30s] offset 1w)",
        "a @ 1700000000", "a @ start()",
        "a > Inf", "a * 1e30", "offset > 1e30", "sum by (offset) (a) > 1e30", "a{offset='Inf'} > 1",
        "a{x='offset Inf'}", "a # offset Inf", 'a{x="[1e30]"}', "a offset 5m > 1e30", "job:a:rate5m > Inf", "a[290y]",
    ],
)  # fmt: skip
def test_other_numbers_are_none_of_its_business(text: str) -> None:
    assert promql.parse(text) is not None


def test_a_duration_is_what_it_says() -> None:
    assert promql.parse("a[1h30m]").range == timedelta(minutes=90)
    assert promql.parse("a offset -2").offset == timedelta(seconds=-2)


_WORDS = """
    a b sum max topk by without ( ) ( ) { } [ ] [ , x = != =~ '1' '[' "\\" ` 5m 1m 0s 0 1 -3 NaN Inf inf 1e400 1e19 1e30 9e13
    0xff 99999999y 1y1d .5 5. + - * / % ^ > == bool and unless on ignoring group_left rate increase offset offset @ @ start()
    : : # \n job:x é ∞ 1_0 5M
"""
WORDS = [*_WORDS.split(), "# \n"]
TEXTS = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=6).map("".join),
    st.builds(
        "{}{}{}{}{}".format,
        st.sampled_from(["a offset ", "rate(a[", "a[5m:", "a @ ", "a[5m] offset -"]),
        st.sampled_from(WORDS), st.sampled_from(["", "e", "."]),
        st.sampled_from(WORDS), st.sampled_from(["", "])", "]", " > 1"]),
    ),
    st.text(max_size=30),
)  # fmt: skip


@settings(max_examples=1500)
@given(TEXTS)
def test_any_text_is_a_tree_or_a_value_error(text: str) -> None:
    try:
        promql.parse(text)
    except ValueError as error:
        assert str(error) and "gave it up" not in str(error), "the library panicked: a rule is missing"


@pytest.mark.parametrize(
    "text",
    [
        "(" * 2000 + "a > 1" + ")" * 2000,
        "-" * 4000 + "a > 1",
        "a" + "+a" * 2000 + " > 1",
        "sum(" * 800 + "a" + ")" * 800 + " > 1",
    ],
    ids=["parentheses", "signs", "sums", "calls"],
)
def test_an_expression_that_is_nested_too_deep_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="nested more than 100 deep"):
        condition(text)
    assert condition("(" * 90 + "a > 1" + ")" * 90).text


READER = """
import json, sys
from docc import promql
refused = 0
for text in json.load(sys.stdin):
    try:
        promql.parse(text)
    except ValueError:
        refused += 1
print(refused)
"""


def test_nothing_is_printed_to_stderr_by_native_code() -> None:
    done = subprocess.run(
        [sys.executable, "-c", READER], input=json.dumps(IMPOSSIBLE), capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.strip(), done.stderr) == (str(len(IMPOSSIBLE)), "")


def test_docc_validate_says_it_in_one_sentence_and_no_trace(tmp_path: Path) -> None:
    container = {"image": "demo:v1", "ports": [{"port": 80}]}
    strategy = {"canary": {"increment": 50, "interval": 3}}
    for text in ("a offset Inf > 1", "rate(a[1e30]) > 1"):
        manifest = {
            "application": {"name": "shop", "containers": {"web": container}},
            "deployment_strategy": {**strategy, "failure_conditions": [{"name": "E", "expression": text}]},
        }
        path = tmp_path / "manifest.json"
        path.write_text(json.dumps(manifest), encoding="utf-8")
        command = [sys.executable, "-m", "docc", "validate", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and "duration out of range" in done.stderr, done.stderr
        assert "panicked" not in done.stderr and "Traceback" not in done.stderr
