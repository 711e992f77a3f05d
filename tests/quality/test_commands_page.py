"""docs/commands.md: its examples can be typed, its exit codes and variables are those of the code."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from docc.cli.examples import EXAMPLES
from docs import commands
from tests.quality.command_lines import CLOSED, parse

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
LEAVES = {" ".join(path) for path, command in commands.tree() if path and not hasattr(command, "commands")}
READERS = [path for part in ("cli", "adapters", "ui") for path in (ROOT / "docc" / part).glob("*.py")]
ON_AN_APP = (
    "status",
    "rollback",
    "abort",
    "promote",
    "pause",
    "resume",
    "wait",
    "history",
    "gc",
    "delete --yes",
    "unlock",
)


def test_every_command_has_examples_and_exit_codes() -> None:
    assert set(EXAMPLES) == set(commands.EXITS) == LEAVES
    assert all(f"### docc {name}\n" in PAGE for name in LEAVES)


@pytest.mark.parametrize("line", [line for examples in EXAMPLES.values() for line, _ in examples])
def test_an_example_can_be_typed(line: str) -> None:
    parse(line)


def test_an_example_that_cannot_be_typed_would_be_found() -> None:
    for wrong in ("docc rollback", "docc deploy m.json --imagee x", "docc nosuch", "docc render m.json --revision 0"):
        with pytest.raises(AssertionError):
            parse(wrong)


def ends(path: str, words: str, home: Path) -> int:
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_STATE_HOME": str(home)}
    command = [sys.executable, "-m", "docc", *path.split(), *shlex.split(words)]
    return subprocess.run(command, cwd=ROOT, env=env, input="{}", capture_output=True, text=True, timeout=60).returncode


@pytest.mark.parametrize(
    ("path", "words", "code"),
    [
        ("validate", "-", 2), ("render", "-", 2), ("deploy", "-", 2),
        *((path, "--nosuch", 2) for path in sorted(LEAVES)),
        *((path, "shop", 4) for path in ON_AN_APP), ("list", "", 4), ("gc", "-A", 4),
        *((path, "shop --kubeconfig closed", 5) for path in ON_AN_APP), ("list", "--kubeconfig closed", 5),
        ("version", "", 0), ("sandbox down", "", 0), ("sandbox status", "", 6),
    ],
)  # fmt: skip
def test_a_command_ends_with_a_code_that_is_told(path: str, words: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "closed").write_text(CLOSED, encoding="utf-8")
    assert ends(path, words.replace("closed", str(tmp_path / "closed")), tmp_path) == code
    told = re.search(
        rf"### docc {path.partition(' -')[0]}\n.*?\[Exit codes\]\(exit-codes\.md\): ([0-9, ]+)\.", PAGE, re.DOTALL
    )
    assert told is not None and str(code) in told[1].split(", ")


@pytest.mark.parametrize("path", READERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_variable_that_docc_reads_is_told(path: Path) -> None:
    for name in re.findall(r'environ(?:\.get\(|\[)"(\w+)"', path.read_text(encoding="utf-8")):
        assert re.search(rf"`{name}\b", PAGE), name


def test_every_variable_that_is_told_is_read() -> None:
    read = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docc").rglob("*.py"))
    told = re.findall(r"`([A-Z_]{4,})[`=]", PAGE)
    assert len(set(told)) >= 8 and all(f'"{name}"' in read for name in told if name != "MANIFEST")
