"""What README shows works: its manifest, its commands, its picture."""

from __future__ import annotations

import ast
import html
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from docc.cli import demo
from docc.cli.acts import canary, stage
from docc.sandbox import session
from tests.quality.command_lines import parse, words

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MANIFEST = "".join(re.findall(r"```json\n(.*?)```", README, re.DOTALL))
LINES = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines() if line]
COMMANDS = [line for line in LINES if line.startswith("docc ")]


def docc(line: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "docc", *words(line)]
    env = {**{key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}, "PYTHONPATH": str(ROOT), **env}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=100, input="")


def test_its_manifest_is_short() -> None:
    assert len(MANIFEST.splitlines()) == 5 and max(map(len, MANIFEST.splitlines())) <= 120


def test_its_make_targets_are_there() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    wanted = [shlex.split(line, comments=True)[1] for line in LINES if line.startswith("make ")]
    assert wanted and set(wanted) <= set(targets)


def test_its_commands_do_what_they_say(tmp_path: Path) -> None:
    """As typed, one after the other, with README's own manifest. Between deploy and rollback somebody deploys another image,
    all at once: there must be something to go back to."""
    validate, deploy, status, rollback = COMMANDS
    assert [next(iter(words(line))) for line in COMMANDS] == ["validate", "deploy", "status", "rollback"]
    (tmp_path / "manifest.json").write_text(MANIFEST, encoding="utf-8")
    once = {**json.loads(MANIFEST), "deployment_strategy": {"drain": 0}}
    (tmp_path / "once.json").write_text(json.dumps(once), encoding="utf-8")
    world = session.up(tmp_path / "world")
    try:
        at = {"KUBECONFIG": world.kubeconfig, "DOCC_PROMETHEUS_URL": world.prometheus}
        told = [docc(line, tmp_path, **at) for line in (validate, deploy, status)]
        told += [docc("docc deploy once.json --image acme/shop:1.4.3", tmp_path, **at), docc(rollback, tmp_path, **at)]
    finally:
        session.down(tmp_path / "world")
    assert [done.returncode for done in told] == [0] * 5, [done.stderr[-500:] for done in told]
    assert "v1 serves 100 %" in told[1].stderr and "v1" in told[2].stdout
    assert "v1 serves 100 %" in told[4].stderr.splitlines()[-1]


def test_its_command_lines_can_be_typed() -> None:
    for line in COMMANDS:
        parse(line)


def picture() -> str:
    found = re.findall(r"!\[[^]]+\]\(([^)]+\.svg)\)", README)
    assert len(found) == 1
    return (ROOT / str(found[0])).read_text(encoding="utf-8")


def test_its_picture_fetches_nothing() -> None:
    assert re.findall(r"https?://[^\"' )]+", picture()) == ["http://www.w3.org/2000/svg"]
    assert "@font-face" not in picture() and "<script" not in picture()


def test_its_picture_has_the_words_of_today_s_demo() -> None:
    def squeezed(text: str) -> str:
        return re.sub(r"\s", "", html.unescape(text))

    shown = squeezed("".join(re.findall(r"<text[^>]*>(.*?)</text>", picture())))
    sources = [ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")) for module in (demo, canary)]
    calls = [
        node
        for source in sources
        for node in ast.walk(source)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".err", ".sentence"))
    ]
    texts = [call.args[0] for call in calls]
    pieces = [piece for text in texts for piece in (text.values if isinstance(text, ast.JoinedStr) else [text])]
    said = [
        str(piece.value) for piece in pieces if isinstance(piece, ast.Constant) and len(str(piece.value).strip()) >= 8
    ]
    assert len(said) >= 12
    for text in [*said, stage.CONDITION, stage.MANIFEST["deployment_strategy"]["failure_conditions"][0]["name"]]:
        assert squeezed(text) in shown, f"the demo says {text!r}, the picture does not: make picture"
