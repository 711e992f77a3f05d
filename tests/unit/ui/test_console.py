"""Streams: who gets colour, what foreign text may not do, and what happens when nobody reads any more."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.ui.console import Console, coloured, neutral
from tests.unit.ui.terminal import terminal


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], text=True, check=False, timeout=30, stderr=subprocess.PIPE)


def test_results_and_progress_go_to_streams_of_their_own() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out=out, err=err)
    console.out("result")
    console.err("progress", "bold red")
    assert (out.getvalue(), err.getvalue()) == ("result\n", "progress\n")


def test_terminal_gets_colour_and_a_pipe_does_not() -> None:
    with terminal(80) as tty:
        assert coloured(tty.stream)
        Console(err=tty.stream).err("two\nrows", "bold red")
        assert tty.shown() == "\x1b[1;31mtwo\x1b[0m\n\x1b[1;31mrows\x1b[0m\n"
    assert not coloured(io.StringIO())
    assert not coloured(None)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_environment_can_refuse_colour(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with terminal(80) as tty:
        Console(err=tty.stream).err("text", "red")
        assert tty.shown() == "text\n"


def test_empty_no_color_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    with terminal(80) as tty:
        assert coloured(tty.stream)


@pytest.mark.parametrize("name", ["FORCE_COLOR", "GITHUB_ACTIONS", "CI", "CLICOLOR_FORCE", "TTY_COMPATIBLE"])
def test_nothing_forces_colour_into_a_pipe(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    err = io.StringIO()
    Console(err=err).err("text", "bold red")
    assert err.getvalue() == "text\n"


@pytest.mark.parametrize(("columns", "seen"), [(100, 100), (0, 80)])
def test_width_is_the_terminals_or_eighty(columns: int, seen: int) -> None:
    with terminal(columns) as tty:
        assert Console(err=tty.stream).columns == seen
    assert Console(err=io.StringIO()).columns is None


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("100 %\rdone", "100 %\\x0ddone"),
        ("one\r\ntwo\tthree", "one\ntwo\tthree"),
        ("\x9b31m", "\\x9b31m"),
        ("gpj.\u202egnp", "gpj.\\u202egnp"),
        ("a\ud800b", "a\\ud800b"),
        ("::set-output name=x::y", "\\::set-output name=x::y"),
        ("log:\n   ::error::gone", "log:\n   \\::error::gone"),
        ("##[group]x", "#\\#[group]x"),
        ("see ##vso[task.setvariable]", "see #\\#vso[task.setvariable]"),
        ("std::vector, a ## b, grün, 東京, 👩‍🚀", "std::vector, a ## b, grün, 東京, 👩‍🚀"),
    ],
)
def test_foreign_text_is_shown_and_not_obeyed(foreign: str, shown: str) -> None:
    assert neutral(foreign) == shown
    err = io.StringIO()
    Console(err=err).err(foreign)
    assert err.getvalue() == shown + "\n"


@given(st.text(st.characters() | st.sampled_from("\x1b\r\n:#[ \u202e"), max_size=60))
def test_neutral_text_is_harmless_and_stays_as_it_is(text: str) -> None:
    shown = neutral(text)
    assert neutral(shown) == shown
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)
    assert not any(row.lstrip().startswith("::") for row in shown.split("\n"))
    assert not re.search(r"##\w*\[", shown)


def test_documents_are_not_changed() -> None:
    out = io.StringIO()
    Console(out=out).out('{"text": "##[x]"}')
    assert out.getvalue() == '{"text": "##[x]"}\n'


def test_what_a_stream_cannot_spell_is_spelled_out() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Console(out=stream).out("→ café \udcff")
    assert raw.getvalue() == b"\\u2192 caf\\xe9 \\udcff\n"


def test_reader_that_has_gone_ends_nothing() -> None:
    code = (
        "import os, sys\nfrom docc.ui.console import Console\n"
        "read, write = os.pipe()\nos.close(read)\nos.dup2(write, 1)\n"
        "console = Console()\nfor _ in range(3): console.out('x' * 10000)\n"
        "console.err('still here')"
    )
    done = run(code)
    assert (done.returncode, done.stderr) == (0, "still here\n")


def test_closed_streams_are_no_error() -> None:
    code = (
        "import sys\nsys.stderr = sys.stdout = None\nfrom docc.ui.console import Console\n"
        "console = Console()\nconsole.err('x', 'red')\nconsole.out('y')\nassert console.columns is None"
    )
    assert run(code).returncode == 0


def test_plain_text_loads_no_rich() -> None:
    code = (
        "import sys\nfrom docc.model.errors import DoccError\nfrom docc.model.facts import Weighted\n"
        "from docc.ui import console, final, lines, problems, status, tables\n"
        "found = console.Console()\nlines.Lines(found).emit(0.0, Weighted(2, 1, 10, 1, 5))\n"
        "found.err(problems.text(DoccError('no')), 'red')\n"
        "sys.exit(1 if 'rich' in sys.modules else 0)"
    )
    done = run(code)
    assert done.returncode == 0 and "10 % to v2" in done.stderr


def test_a_sentence_is_broken_between_words_on_a_terminal_and_nowhere_else() -> None:
    text = "  " + " ".join(["word"] * 30)
    with terminal(40) as tty:
        Console(err=tty.stream).sentence(text)
        rows = tty.shown().splitlines()
    assert max(map(len, rows)) <= 40 and " ".join(" ".join(rows).split()) == text.strip()
    assert rows[0].startswith("  word") and all(row.startswith("    word") for row in rows[1:])
    err = io.StringIO()
    Console(err=err).sentence(text)
    assert err.getvalue() == text + "\n"


def test_a_secret_is_hidden_before_a_sentence_is_broken() -> None:
    with terminal(40) as tty:
        Console(err=tty.stream).sentence("a long way to go until there is Authorization: Bearer abcdef0123456789abcdef")
        assert "abcdef" not in tty.shown()
