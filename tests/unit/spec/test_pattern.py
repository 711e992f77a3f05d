"""Regular expressions for Envoy: what `docc validate` lets pass, RE2 takes."""

from __future__ import annotations

import pytest
import re2
from hypothesis import example, given
from hypothesis import strategies as st

from docc.spec.pattern import irregular

QUIET = re2.Options()
QUIET.log_errors = False
PIECES = [
    "a", ".", "|", "(", ")", "(?:", "(?P<n>", "(?<m>", "(?i)", "(?s-i:", "(?u)", "(?x)", "(?R:", "*", "+", "?", "{2}", "{3,}",
    "{1,900}", "{1001}", "[a-z]", "[^b]", "[]a]", "[a--b]", "[a&&b]", "[[a]b]", "[[:alpha:]]", r"\d", r"\W", r"\b", r"\.",
    r"\u0061", r"\pL", r"\p{Lu}", r"\p{Greek}", r"\p{scx=Greek}", r"\x{41}", r"\x41", r"\)", "é", "^", "$", r"\A", r"\z",
    r"\Z", r"\Q", r"\1", "]", "{", "}", ",", "&", '"',
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join))
@example("(a{100}){20}")
@example("x)|(y")
@example("((a{10}){10}b){11}")
def test_what_is_let_pass_re2_takes(pattern: str) -> None:
    if not irregular(pattern):
        re2.compile(pattern, QUIET)


@pytest.mark.parametrize(
    "pattern",
    ["blue-[0-9]+", "(?i)blue|green", "[0-9a-f]{32}-[0-9]{1000}", "(a{10}b{90}){10}", "a+?b*?", r"[\w.]+@[^@]+\.test",
     r"\(\?x\)", "(a|(b))+", r"[)(]", r"\p{Lu}\pL", r"(?P<team>blue)", '"quoted"'],
)  # fmt: skip
def test_what_people_write_is_let_pass(pattern: str) -> None:
    assert irregular(pattern) == ""
    re2.compile(pattern, QUIET)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("x)|(y", "has not opened"), ("a{1001}", "1001 repetitions"), ("(a{100}){20}", "2000 repetitions"),
        ("a**", "repeated already"), ("a{2}{3}", "repeated already"), ("(?u)a", "(?u) is unknown"),
        (r"\u0061", r"\u is unknown"), ("[a--b]", "-- is unknown"), (r"\p{Letter}", "is unknown"), ("(", "regex"),
    ],
)  # fmt: skip
def test_what_re2_does_not_take_is_refused_in_a_sentence(pattern: str, why: str) -> None:
    assert why in irregular(pattern)
