"""What CI systems read: each annotation is one command and says what docc says, whatever is in it; folds begin and end; the
summary is Markdown in which foreign text means nothing."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from docc.model import facts
from docc.model.errors import CredentialsError, ExitCode, ManifestError, Problem
from docc.model.moves import Outcome
from docc.ui import ci, final, github
from docc.ui.console import Console, neutral
from tests.unit.ui.runner import IGNORABLE, commands
from tests.unit.ui.story import BAD, GOOD, T0, Told, check
from tests.unit.ui.terminal import terminal
from tests.unit.ui.test_final import BREACH, ENDINGS, Golden

FOREIGN = st.text(st.characters() | st.sampled_from("\x1b\r\n:#[]|`%,=<>&@\\ \u200b\u00ad\u202e"), max_size=50)


@given(FOREIGN, FOREIGN)
def test_an_annotation_is_one_command_whatever_is_in_it(text: str, title: str) -> None:
    (found,) = commands(github.command("error", text, {"title": f"{title}."}))
    assert found.name == "error" and set(found.properties) <= {"title"}
    assert visible(found.data) == visible(neutral(text))
    assert visible(found.properties["title"]) == visible(neutral(f"{title}."))


@pytest.mark.parametrize(
    ("variables", "pictures"),
    [
        ({}, True), ({"TERM": "dumb"}, False), ({"TERM": ""}, False), ({"DOCC_NO_LIVE": "1"}, False),
        *(({name: "true"}, False) for name in ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD")),
        ({"JENKINS_URL": "https://ci.example"}, False), ({"CI": "false"}, True), ({"CI": ""}, True), ({"NO_COLOR": "1"}, True),
    ],
)  # fmt: skip
def test_only_a_person_s_terminal_takes_pictures(
    variables: dict[str, str], pictures: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ci.SYSTEMS:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with terminal(80) as tty:
        assert ci.takes_pictures(tty.stream) is pictures
    assert not ci.takes_pictures(io.StringIO()) and not ci.takes_pictures(tty.stream), (
        "no terminal, and one that is shut"
    )


def visible(text: str) -> str:
    """Without what the reader ignores, and without the blanks around it."""
    return re.sub(r"\s", "", IGNORABLE.sub("", text))


def test_every_ending_but_a_good_one_is_annotated() -> None:
    for name, ending in ENDINGS.items():
        found = [each for line in github.of_ending(ending) for each in commands(line)]
        level = {ExitCode.DONE: [], ExitCode.TERMINATED: ["warning"]}.get(ending.outcome.exit_code, ["error"])
        assert [each.name for each in found] == level, name
        assert all(each.data == final.text(ending) for each in found)


def test_mistakes_in_a_manifest_stand_at_their_lines() -> None:
    many = tuple(Problem(n, 5, f"wrong, {n}: 100 %", "deploy/m.json", "write it") for n in range(1, 30))
    found = [each for line in github.of_error(ManifestError("not valid", problems=many)) for each in commands(line)]
    assert len(found) == 10  # more would not be shown
    assert found[0].properties == {"file": "deploy/m.json", "line": "1", "col": "5", "title": "docc: the manifest"}
    assert found[0].data == "wrong, 1: 100 %\nfix: write it" and found[-1].data.startswith("not valid")
    piped = ManifestError("not valid", problems=(replace(many[0], source="stdin"),))
    assert "file=" not in "".join(github.of_error(piped))


@pytest.mark.parametrize(("name", "told"), [("good", GOOD), ("bad", BAD)])
@pytest.mark.parametrize("marks", [ci.GitHubMarks(), ci.GitLabMarks()], ids=["github", "gitlab"])
def test_phases_are_folds_that_end_before_what_goes_wrong_is_told(
    golden: Golden, name: str, told: Told, marks: ci.Marks
) -> None:
    err = io.StringIO()
    phases = ci.Phases(Console(err=err), marks)
    for at, fact in told:
        phases.emit(at, fact)
        if isinstance(fact, facts.Reverted | facts.Weighted | facts.Promoted | facts.Began):
            err.write(f"{type(fact).__name__}\n")
    phases.end()
    shown = err.getvalue().replace("\r", "\\r").replace("\x1b", "\\e")
    golden(f"phases-{name}-{'github' if isinstance(marks, ci.GitHubMarks) else 'gitlab'}.txt", shown)


@given(
    st.lists(st.one_of(*(st.from_type(kind) for kind in (facts.Began, facts.Weighted, facts.Promoted, facts.Parked))))
)
def test_every_fold_that_begins_ends(told: list[facts.Fact]) -> None:
    for marks in (ci.GitHubMarks(), ci.GitLabMarks()):
        err = io.StringIO()
        phases = ci.Phases(Console(err=err), marks)
        for fact in told:
            phases.emit(T0, fact)
        phases.end()
        found = re.findall(r"::(group|endgroup)|section_(start|end):\d+:(\w+)", err.getvalue())
        opened = [row for row in found if row[0] == "group" or row[1] == "start"]
        assert found[::2] == opened and len(found) == 2 * len(opened)


@pytest.mark.parametrize("name", ["promoted", "reverted", "parked", "stuck"])
def test_summary_of_an_ending(golden: Golden, name: str) -> None:
    golden(f"summary-{name}.md", github.summary(ENDINGS[name]))


def test_summary_of_an_error(golden: Golden) -> None:
    error = CredentialsError("you may not", where="context prod", why='User "ci" cannot | ever', fix="docc rbac")
    golden("summary-error.md", github.refusal(error))


@given(FOREIGN, FOREIGN)
def test_foreign_text_means_nothing_in_the_summary(reason: str, name: str) -> None:
    def parsed(reason: str, name: str) -> list[Token]:
        told: Told = [(T0, facts.Evidence(name, reason)), (T0, replace(check(0.3, "FAIL"), name=name or "x"))]
        outcome = Outcome("reverted", ExitCode.FAILED_SAFE, reason)
        text = github.summary(replace(ENDINGS["reverted"], outcome=outcome, facts=[*BAD, *told]))
        return MarkdownIt("commonmark").enable("table").parse(text)

    def rows(tokens: list[Token]) -> int:
        return sum(token.type == "tr_open" for token in tokens)

    tokens = parsed(reason, name)
    blocks = {token.type for token in tokens}
    assert blocks <= {f"{part}_{end}" for part in ("heading", "paragraph", "table", "thead", "tbody", "tr", "th", "td")
                      for end in ("open", "close")} | {"inline", "fence"}  # fmt: skip
    inner = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in inner} <= {"text", "code_inline", "softbreak"}
    assert rows(tokens) == rows(parsed("harmless", "harmless"))
    assert sum(token.type == "heading_open" for token in tokens) == 1


@given(FOREIGN, FOREIGN)
def test_outputs_are_four_lines_whatever_is_in_them(reason: str, source: str) -> None:
    outcome = Outcome("reverted", ExitCode.FAILED_SAFE, reason)
    result = final.document(replace(ENDINGS["reverted"], outcome=outcome, source=source))
    rows = github.outputs(result).split("\n")
    assert [row.split("=")[0] for row in rows] == ["result", "revision", "exit_code", "undo", ""]
    assert rows[:3] == ["result=reverted", "revision=v2", "exit_code=10"] and "\r" not in rows[3]


def test_a_github_job_gets_all_of_it_and_another_process_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    err = io.StringIO()
    ci.ended(Console(err=err), ENDINGS["reverted"])
    assert err.getvalue() == "" and ci.marks() is None
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "nosuch" / "output"))  # cannot be written: no reason to fail
    ci.ended(Console(err=err), ENDINGS["reverted"])
    ci.refused(Console(err=err), CredentialsError("you may not"))
    assert [each.name for each in commands(err.getvalue())] == ["error", "error"]
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert BREACH in text and "you may not" in text and "| v2 |" not in text
