"""Text that others wrote (images, logs, labels, servers' words) in every form that docc has: it moves no terminal, commands no
CI system, and carries no secret out."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.adapters.kube_errors import clean
from docc.cli.main import _tell_bug
from docc.core.verdict import Answer
from docc.engine.lease import micro_time
from docc.model.errors import DoccError, ExitCode, ManifestError, Problem
from docc.model.facts import Fact
from docc.model.moves import Outcome
from docc.model.record import Phase
from docc.model.secrets import MASK, is_secret, masked
from docc.model.world import Revision, Trouble
from docc.ui import ci, events, final, github, problems, status
from docc.ui.console import Console, neutral
from docc.ui.lines import Lines
from docc.ui.tables import App, table
from docc.ui.words import quoted
from tests.unit.ui.runner import commands
from tests.unit.ui.story import T0
from tests.unit.ui.test_final import ENDINGS
from tests.unit.ui.test_status import record, seen

PLANTED = "Hunter2Hunter2"
QUOTES = (
    f"GET https://ops:{PLANTED}@prom.example.com:9090/api: refused", f"proxy://{PLANTED}@host", f"postgres://u:{PLANTED}@db/x",
    f"Authorization: Bearer {PLANTED}", f'{{"authorization": "Basic {PLANTED}=="}}', f"curl -H 'authorization: {PLANTED}'",
    f"using bearer {PLANTED}", f"DB_PASSWORD={PLANTED} LOG=info", f'"apiKey": "{PLANTED}"', f"?access_token={PLANTED}&x=1",
    f"DB_PASS={PLANTED} x", f"AWS_SECRET_ACCESS_KEY={PLANTED}", f"password: {PLANTED}, user: x", f"ENCRYPTION_KEY: '{PLANTED}'",
    f"Server=db;Uid=shop;Pwd={PLANTED};", f"api token: {PLANTED}",
    f"jwt eyJhbGciOiJSUzI1NiJ9.{PLANTED}.{PLANTED} rejected",
)  # fmt: skip
PIECES = [
    "\n::error::x", "\r::add-mask::y", "::set-env name=A::b", "##[error]z", "##vso[task.x]", "\x1b[31m", "\x1b]0;t\x07",
    "\x1b[0Ksection_start:1:a\r\x1b[0Kb", "\u200b::error::c", ":\u00ad:error::d", "#\u2060#[error]e", "\u2028::error::", "\n",
    "\r\n", "\t", " ", "\x9b2J", "\u202e", "\ud800", "\x85::error::f", "```", "|", "<b>", *(f" {quote} " for quote in QUOTES),
]  # fmt: skip
HOSTILE = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=6).map("".join)


def harmless(output: str, *, own: tuple[str, ...] = ()) -> None:
    """own: the names of the workflow commands that docc itself gives there."""
    assert tuple(found.name for found in commands(output)) == own
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]", output)
    assert not re.search(r"##\w*\[", output)
    assert PLANTED not in output and "47114711" not in output


def with_text(kind: type[Any], text: str) -> Any:
    """A fact whose every text is this one, those of what it holds too."""
    hints = get_type_hints(kind)
    plain = {str: text, int: 1, float: 0.5, bool: True}
    values: dict[str, Any] = {}
    for each in fields(kind):
        hint = hints[each.name]
        if hint in plain or type(None) in get_args(hint):
            values[each.name] = plain.get(hint)
        elif get_origin(hint) is tuple and is_dataclass(get_args(hint)[0]):
            values[each.name] = (with_text(get_args(hint)[0], text),)
    return kind(**values)


FACTS = [kind for kind in get_args(Fact)]


@given(HOSTILE, st.sampled_from(FACTS))
def test_as_a_line_and_as_an_event(text: str, kind: type[Fact]) -> None:
    fact = with_text(kind, text)
    out, err = io.StringIO(), io.StringIO()
    console = Console(out=out, err=err)
    for sink in (Lines(console), events.Events(console), ci.Phases(console, ci.GitHubMarks())):
        sink.emit(T0, fact)
    groups = [each.name for each in commands(err.getvalue()) if each.name in ("group", "endgroup")]
    harmless(err.getvalue(), own=tuple(groups))
    harmless(out.getvalue())
    assert out.getvalue().count("\n") == 1 and json.loads(out.getvalue())["event"] == events.name(kind)


@given(HOSTILE)
def test_at_the_end(text: str) -> None:
    told = [(T0, with_text(kind, text)) for kind in FACTS]
    outcome = Outcome("reverted", ExitCode.FAILED_SAFE, text)
    for name in ("reverted", "stuck"):
        ending = replace(ENDINGS[name], outcome=outcome, facts=told, source=text)
        harmless(final.text(ending))
        harmless(document(final.document(ending)))
        harmless(github.summary(ending))
        harmless(github.outputs(final.document(ending)))
        harmless("\n".join(github.of_ending(ending)), own=("error",))


def document(value: Any) -> str:
    out = io.StringIO()
    Console(out=out).document(value)
    return out.getvalue()


@given(HOSTILE)
def test_in_an_error(text: str) -> None:
    plain = DoccError(text, where=text, why=text, fix=text, state=text)
    source = "".join(letter for letter in text if letter not in "\n\r")
    wrong = ManifestError(text, problems=(Problem(1, 3, text, text, text),), text=source)
    for error in (plain, wrong):
        harmless(problems.text(error))
        harmless(problems.text(error, 60))
        harmless(document(problems.document(error)))
        harmless(github.refusal(error))
        harmless("\n".join(github.of_error(error)), own=("error",) * (1 if error is plain else 2))


@given(HOSTILE)
def test_in_a_status_and_a_list(text: str) -> None:
    found = record(Phase.STUCK, stable=1, candidate=2, weight=30, reason=text, excused=(text,))
    revisions = [Revision(number, exists=True, replicas=2, trouble=Trouble(text)) for number in (1, 2)]
    view = seen(found, {1: 70, 2: 30}, *revisions, accepted=False)
    lease = {"spec": {"holderIdentity": text, "renewTime": micro_time(T0), "leaseDurationSeconds": 15}}
    harmless("\n".join(status.lines("shop", "web", view, lease, T0)))
    harmless(document(status.document("shop", "web", view, lease, T0)))
    harmless(table([App(text, text, text, text, 1.0)], with_namespace=True))


@pytest.mark.parametrize("quote", QUOTES)
def test_a_secret_is_masked_and_the_rest_of_its_line_is_not(quote: str) -> None:
    shown = masked(quote)
    assert MASK in shown and PLANTED not in shown and masked(shown) == shown
    assert quote.split(PLANTED)[0].split("eyJ")[0].split("://")[0] in shown


@pytest.mark.parametrize(
    "plain",
    [
        "unexpected token: )", 'secret "shop-db" not found', "http://prom.example.com:9090/api/v1/query", "token expired",
        "user@example.com", "the token of CI", 'a{password!="x"} > 0', "PWD=/srv", "bypass: on",
        "no token: connection refused", "secret: not found", "std::vector", "acme/shop@sha256:1234", "bearer of news",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(plain: str) -> None:
    assert masked(plain) == plain and neutral(plain) == plain


@given(HOSTILE)
def test_masked_text_stays_as_it_is(text: str) -> None:
    assert masked(masked(text)) == masked(text)
    assert neutral(neutral(text)) == neutral(text)


def test_names_of_settings_tell_secrets() -> None:
    assert all(map(is_secret, ("DB_PASSWORD", "api_key", "STRIPE_APIKEY", "SESSION_SECRET", "TOKEN")))
    assert all(
        map(is_secret, ("AWS_SECRET_ACCESS_KEY", "SECRET_KEY_BASE", "SECRET_KEY", "DB_PASS", "PASS", "MYSQL_PWD"))
    )
    assert is_secret("ENCRYPTION_KEY")
    assert not any(map(is_secret, ("LOG_LEVEL", "TOKENIZER", "PORT", "SECRET_NAME", "PWD", "BYPASS", "CACHE_KEY")))
    assert not any(map(is_secret, ("AWS_ACCESS_KEY_ID", "COMPASS", "MONKEY", "PARTITION_KEY")))


MANIFEST = {
    "application": {
        "name": "shop",
        "containers": {"web": {"image": "a:1", "env": {"DB_PASSWORD": PLANTED}, "ports": [{"port": 80}]}},
    }
}


def broken(change: Callable[[dict[str, Any]], Any]) -> str:
    found = json.loads(json.dumps(MANIFEST))
    change(found["application"]["containers"]["web"])
    return json.dumps(found)


@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize(
    "text",
    [
        broken(lambda web: web.update(imagee="x")), broken(lambda web: web["env"].update(DB_PASSWORD=f"{PLANTED}\x01")),
        broken(lambda web: web["env"].update(DB_PASSWORD=[PLANTED])),
        broken(lambda web: web["env"].update(DB_PASSWORD=47114711)), broken(lambda web: None)[:-1],
    ],
    ids=["beside", "control", "type", "number", "syntax"],
)  # fmt: skip
def test_a_mistake_beside_a_secret_does_not_show_it(text: str, output: str) -> None:
    command = [sys.executable, "-m", "docc", "validate", "-", "-o", output]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    harmless(done.stdout + done.stderr)


def test_a_bugs_traceback_is_neutralised_too(capfd: pytest.CaptureFixture[str]) -> None:
    error = ValueError(f"\n::error::x\x1b[31m https://u:{PLANTED}@h")
    assert _tell_bug(error, ["status", "-o", "json"]) == 1
    out, err = capfd.readouterr()
    assert "ValueError" in err and json.loads(out)["error"]["exit_code"] == 1
    harmless(out)
    harmless(err)


def test_what_is_cut_was_masked_before() -> None:
    for length in range(350, 420):
        row = f"{'x' * length} https://ops:{PLANTED}@host"
        (shown,) = quoted(row)
        assert not any(PLANTED[:end] in shown for end in range(4, len(PLANTED)))
        assert PLANTED[:4] not in clean(f"{'x' * (length + 100)} https://ops:{PLANTED}@host")


def test_an_answer_that_quotes_a_secret_is_told_without_it() -> None:
    assert PLANTED not in neutral(Answer(error=f"http://ops:{PLANTED}@prom did not answer").error)
