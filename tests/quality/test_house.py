"""The house's own rules, as tests: lint, types, layers, budgets, purity, and that the drawings and tables in docs are true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.quality.command_lines import CLOSED

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "docc").rglob("*.py"))
CLUSTER = sorted((ROOT / "tests" / "cluster").rglob("*.py"))
PURE = [path for path in SOURCES if path.parent.name in ("model", "core", "engine")]
BANNED_IN_PURE = {"time", "random", "os", "subprocess", "threading", "logging", "socket"}
LINES_MAX, FUNCTION_LINES_MAX, COMMAND_LINES_MAX = 400, 60, 80
SUPPRESSIONS_MAX = 3


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=110)


@pytest.mark.parametrize("command", [("ruff", "check", "."), ("ruff", "format", "--check", ".")], ids=" ".join)
def test_ruff_has_nothing_to_say(command: tuple[str, ...]) -> None:
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_are_strict() -> None:
    done = run("mypy")
    assert done.returncode == 0, done.stdout + done.stderr


def test_floors_of_the_house_are_kept() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", [*SOURCES, *CLUSTER], ids=lambda path: str(path.relative_to(ROOT)))
def test_file_and_functions_keep_their_budgets(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES_MAX
    limit = COMMAND_LINES_MAX if path.parent.name == "cli" else FUNCTION_LINES_MAX
    long = [f"{node.name} ({lines(node)})" for node in functions(ast.parse(text)) if lines(node) > limit]
    assert not long, f"too long: {long}"


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT)))
def test_deciding_code_has_no_effects(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [])
        + ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
    }
    assert not imported & BANNED_IN_PURE
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not calls & {"print", "open", "datetime.now", "datetime.utcnow"}


def test_nothing_is_patched_and_every_suppression_has_a_reason() -> None:
    suppressed = []
    for path in [*SOURCES, *(ROOT / "tests").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        assert "unittest" + ".mock" not in text and "monkeypatch" + ".setattr" not in text, path
        for row in text.splitlines():
            if "# no" + "qa" in row or "# type: " + "ignore" in row:
                suppressed.append(f"{path.name}: {row.strip()}")
                assert "  " in row.split("#", 1)[1].strip() or row.count("#") > 1, f"no reason given: {row}"
    assert len(suppressed) <= SUPPRESSIONS_MAX, suppressed


def names_of(requirements: Iterable[str]) -> set[str]:
    return {re.split(r"[<>=;\[ ]", each)[0].lower() for each in requirements}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_imported_is_declared(path: Path) -> None:
    """And does not only happen to be there because another library needs it, as it does not for ever."""
    declared = names_of(PROJECT["dependencies"])
    if "sandbox" in path.parts:
        declared |= names_of(PROJECT["optional-dependencies"]["sandbox"])
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        )
    }  # fmt: skip
    known = packages_distributions()
    foreign = imported - sys.stdlib_module_names - {"docc", "tests"}
    missing = {name for name in foreign if not {each.lower() for each in known.get(name, [])} & declared}
    assert not missing, f"pyproject.toml does not name {missing}"


def test_documents_of_what_clusters_say_go_out_without_secrets() -> None:
    """By Console.document. What is rendered is to be applied as it is, and a sandbox has nobody's secrets."""
    plain = [path.name for path in SOURCES if ".out(json.dumps(" in path.read_text(encoding="utf-8")]
    assert plain == ["render.py", "sandbox.py"]


def loading(*words: str) -> tuple[str, set[str]]:
    """What docc says in a pipe, and the modules that it has loaded when it ends."""
    code = (
        f"import sys\nfrom docc.cli.main import main\ntry:\n    main({['docc', *words]})\n"
        "finally:\n    print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    *said, modules = done.stderr.splitlines()
    return "\n".join([done.stdout, *said]), set(modules.split())


def test_help_loads_nothing_heavy() -> None:
    said, modules = loading("--help")
    heavy = {"kubernetes", "jsonschema", "jinja2", "urllib3", "rich", "promql_parser", "aiohttp", "ruamel"}
    assert not heavy & modules and "docc demo" in said


def test_a_driver_in_a_pipe_loads_nothing_that_it_has_no_use_for(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "closed"
    kubeconfig.write_text(CLOSED, encoding="utf-8")
    said, modules = loading("status", "shop", "--kubeconfig", str(kubeconfig))
    assert "kubernetes" in modules and not {"httpx", "rich", "charset_normalizer.api", "jinja2"} & modules
    assert "does not answer" in said and "arning" not in said


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1
