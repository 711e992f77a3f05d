"""Commands as typed, in processes of their own; what needs no cluster here, rollouts in tests/sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from docc.cli.examples import EXAMPLES
from docc.cli.main import application
from docc.sandbox import session
from tests.adapters.kubeconfig import entries, write
from tests.adapters.server import Exchange, serve

GOOD = {"application": {"name": "shop", "containers": {"web": {"image": "a:1", "ports": [{"port": 80}]}}}}
PORT = {"port": 5432, "app_protocol": "tcp"}
TCP = {
    "application": {"name": "db", "scale": 1, "containers": {"x": {"image": "pg:1", "ports": [PORT]}}},
    "deployment_strategy": {"drain": 0},
}  # fmt: skip


def docc(*words: str, stdin: str = "", home: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k not in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST")}
    env["HOME"] = str(home or "/nonexistent")
    command = [sys.executable, "-m", "docc", *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, env=env)


def test_help_leads_with_examples_and_needs_nothing() -> None:
    told = docc("--help")
    assert told.returncode == 0 and told.stdout.index("Examples:") < told.stdout.index("Commands:")
    assert "\x1b" not in told.stdout and max(map(len, told.stdout.splitlines())) <= 80


@pytest.mark.parametrize("path", EXAMPLES)
def test_help_of_a_command_leads_with_examples_too(path: str) -> None:
    """As it is printed: what someone copies from it is one line, in 80 columns."""
    told = CliRunner().invoke(application("docc"), [*path.split(), "--help"], prog_name="docc", terminal_width=80)
    assert told.exit_code == 0 and told.stdout.index("Examples:") < told.stdout.index("Options:")
    assert all(f"    {line}\n" in told.stdout for line, _ in EXAMPLES[path])
    assert max(map(len, told.stdout.splitlines())) <= 80


def test_help_of_a_group_leads_with_the_examples_of_its_commands() -> None:
    told = docc("sandbox", "--help").stdout
    assert told.index("Examples:") < told.index("Options:") < told.index("Commands:")
    for path in ("sandbox up", "sandbox status", "sandbox down"):
        assert all(f"    {line}\n" in told for line, _ in EXAMPLES[path])
    assert max(map(len, told.splitlines())) <= 80


def test_a_valid_manifest_from_standard_input() -> None:
    assert docc("validate", "-", stdin=json.dumps(GOOD)).returncode == 0


@pytest.mark.parametrize(
    ("source", "said"),
    [("/dev/zero", "longer than 131072 bytes"), ("/", "cannot be read"), ("utf-16", "UTF-8"), ("-", "131072 bytes")],
)
def test_what_is_no_manifest_is_refused_in_a_sentence(tmp_path: Path, source: str, said: str) -> None:
    """Also what has no end: under a memory limit that a whole read of it would break."""
    if source == "utf-16":
        (tmp_path / source).write_bytes('{"application": "\u00e9"}'.encode("utf-16"))
        source = str(tmp_path / source)
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
    limited += "from docc.cli.main import main\nsys.exit(main(sys.argv))"
    command = [sys.executable, "-c", limited, "validate", source]
    with Path("/dev/zero").open("rb") as endless:
        done = subprocess.run(command, stdin=endless, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_mistakes_stand_on_stderr_and_as_one_document_on_stdout() -> None:
    told = docc("validate", "-", "-o", "json", stdin='{"application": {"name": "X_", "containers": {}}}')
    assert told.returncode == 2 and "stdin:1:26:" in told.stderr and "Traceback" not in told.stderr
    assert len(json.loads(told.stdout)["error"]["problems"]) == 2


def test_a_wrong_command_line_is_told_to_programs_as_to_people() -> None:
    told = docc("deploy", "--nosuch", "-o=json")
    assert told.returncode == 2 and "No such option: --nosuch" in told.stderr
    assert json.loads(told.stdout)["error"]["why"] == "No such option: --nosuch"


def test_a_manifest_may_be_named_as_for_kubectl_but_only_one(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps(GOOD), encoding="utf-8")
    path = str(tmp_path / "m.json")
    assert (
        docc("validate", "-f", path).stdout
        == docc("-f", path, "validate").stdout
        == f"{path}: shop is a valid manifest\n"
    )
    assert json.loads(docc("render", "-f", path).stdout)["kind"] == "List"
    for words, says in (((), "no manifest is named"), (("-f", path, "-"), "two manifests are named")):
        told = docc("validate", *words)
        assert told.returncode == 2 and says in told.stderr and "nothing was touched" in told.stderr
    assert "no manifest is named" in docc("deploy").stderr


def test_documents_are_yaml_for_who_wants_it() -> None:
    def read(told: subprocess.CompletedProcess[str]) -> Any:
        return YAML(typ="safe", pure=True).load(told.stdout)

    as_json = json.loads(docc("render", "-", stdin=json.dumps(GOOD)).stdout)
    assert read(docc("render", "-", "-o", "yaml", stdin=json.dumps(GOOD))) == as_json
    assert read(docc("validate", "-", "-o=yaml", stdin=json.dumps(GOOD)))["valid"] is True
    assert len(read(docc("validate", "-", "-o", "yaml", stdin="{}"))["error"]["problems"]) == 1


def test_render_prints_objects() -> None:
    made = json.loads(docc("render", "-", stdin=json.dumps(GOOD)).stdout)
    assert [item["kind"] for item in made["items"]] == ["Deployment", "Service", "Service", "HTTPRoute"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("deploy", "/nonexistent.json"), 2), (("validate", "-", "-o", "xml"), 2), (("status", "shop"), 4), (("nosuch",), 2),
        (("sandbox", "status", "--name", "none"), 6), (("version",), 0), (("--version",), 0),
    ],
)  # fmt: skip
def test_exit_codes_without_a_cluster(words: tuple[str, ...], code: int, tmp_path: Path) -> None:
    told = docc(*words, home=tmp_path)
    assert told.returncode == code, told.stderr
    assert "Traceback" not in told.stderr


def test_what_to_type_next_names_the_same_sandbox(tmp_path: Path) -> None:
    none = docc("sandbox", "status", "--name", "aud", home=tmp_path)
    assert none.returncode == 6 and "fix:   docc sandbox up --name aud\n" in none.stderr, none.stderr
    try:
        told = docc("sandbox", "up", "--name", "aud", home=tmp_path)
        assert 'eval "$(docc sandbox status -o env --name aud)"' in told.stderr, told.stderr
    finally:
        assert docc("sandbox", "down", "--name", "aud", home=tmp_path).returncode == 0


def test_an_application_without_a_route_rolls_and_turns_back(tmp_path: Path) -> None:
    world = session.up(tmp_path / "s")
    try:
        at = ("--kubeconfig", world.kubeconfig)
        for image in ("pg:1", "pg:2"):
            done = docc("deploy", "-", "--image", image, *at, stdin=json.dumps(TCP))
            assert done.returncode == 0, done.stderr
        back = docc("rollback", "db", *at)
        assert back.returncode == 0 and "v1 serves 100 %; v2 stays warm" in back.stderr, back.stderr
        assert "db" in docc("list", *at).stdout
        for verb in ("status", "history", "wait", "rollback", "abort", "promote", "pause", "resume"):
            none = docc(verb, "bd", *at)
            assert none.returncode == 6 and 'no app "bd" in namespace default' in none.stderr, none.stderr
            assert f"fix:   docc list -A --kubeconfig {world.kubeconfig}" in none.stderr, none.stderr
        assert 'no app "dbs" in namespace default, did you mean "db"?' in docc("status", "dbs", *at).stderr
        canary = {**TCP, "deployment_strategy": {"canary": {"increment": 5, "interval": 1}}}
        assert docc("deploy", "-", *at, stdin=json.dumps(canary)).returncode == 2
    finally:
        session.down(tmp_path / "s")


def test_a_busy_api_server_is_asked_again_when_it_wants_to_be(tmp_path: Path) -> None:
    """Once with a wait that is bearable, then with one that is not."""
    waits = iter(["1"])

    def answer(exchange: Exchange) -> None:
        exchange.reply(429, "too many requests", {"Retry-After": next(waits, "3600")})

    with serve(answer) as server:
        told = docc("status", "shop", "--kubeconfig", write(tmp_path, entries(server.url)))
        assert told.returncode == 5 and "answered 429" in told.stderr and "nothing was touched" in told.stderr
        assert len(server.asked) == 2 and "waiting for" not in told.stderr


@pytest.mark.parametrize("words", [("status", "shop"), ("list",), ("list", "-A"), ("rollback", "shop")], ids=" ".join)
def test_who_waits_for_a_silent_server_is_told_so(words: tuple[str, ...], tmp_path: Path) -> None:
    with serve(Exchange.hang) as server:
        at = ("--kubeconfig", write(tmp_path, entries(server.url)), "--request-timeout", "2s")
        told = docc(*words, *at)
    assert told.returncode == 5 and told.stdout == ""
    assert f"  waiting for {server.url} (context" in told.stderr
    assert told.stderr.index("waiting for") < told.stderr.index("error:")
