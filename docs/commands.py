"""The drawing of docs/commands.md: every command as typer has it, with examples and exit codes. Writes nothing (docs/draw.py).

The tree is read, not its help: a terminal's width, the locale and the home directory have no say. Exit codes are kept here;
tests/quality holds them against commands that are really run, and parses each example.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer

from docc.cli.examples import EXAMPLES
from docc.cli.main import application
from docc.model.errors import ExitCode

# Beside 0, 1 for a bug, and 130 for Ctrl-C, which any command can end with.
_CLUSTER = (ExitCode.USAGE, ExitCode.CREDENTIALS, ExitCode.UNUSABLE)
_DRIVEN = (ExitCode.FAILED_SAFE, ExitCode.FAILED_NOT_CLEAN, ExitCode.INTERRUPTED, ExitCode.TERMINATED)
EXITS: dict[str, tuple[ExitCode, ...]] = {
    "validate": (ExitCode.USAGE,),
    "render": (ExitCode.USAGE,),
    "deploy": (*_CLUSTER, ExitCode.UNCHANGED, ExitCode.LOCKED, *_DRIVEN),
    "status": (*_CLUSTER, ExitCode.NOT_FOUND, ExitCode.LOCKED, ExitCode.IN_PROGRESS),
    "rollback": (*_CLUSTER, ExitCode.NOT_FOUND, ExitCode.LOCKED, *_DRIVEN),
    "abort": (*_CLUSTER, ExitCode.NOT_FOUND, ExitCode.LOCKED, *_DRIVEN),
    "promote": (*_CLUSTER, ExitCode.NOT_FOUND, ExitCode.LOCKED, *_DRIVEN),
    "pause": (
        *_CLUSTER,
        ExitCode.NOT_FOUND,
        ExitCode.LOCKED,
        ExitCode.FAILED_NOT_CLEAN,
        ExitCode.INTERRUPTED,
        ExitCode.TERMINATED,
    ),
    "resume": (*_CLUSTER, ExitCode.NOT_FOUND, ExitCode.LOCKED, *_DRIVEN),
    "wait": (
        *_CLUSTER,
        ExitCode.NOT_FOUND,
        ExitCode.LOCKED,
        ExitCode.IN_PROGRESS,
        ExitCode.FAILED_SAFE,
        ExitCode.FAILED_NOT_CLEAN,
        ExitCode.TERMINATED,
    ),
    "history": (*_CLUSTER, ExitCode.NOT_FOUND, ExitCode.LOCKED),
    "list": _CLUSTER,
    "gc": (*_CLUSTER, ExitCode.NOT_FOUND, ExitCode.LOCKED, *_DRIVEN),
    "delete": (
        *_CLUSTER,
        ExitCode.NOT_FOUND,
        ExitCode.LOCKED,
        ExitCode.FAILED_NOT_CLEAN,
        ExitCode.INTERRUPTED,
        ExitCode.TERMINATED,
    ),
    "unlock": (*_CLUSTER, ExitCode.LOCKED),
    "rbac": (ExitCode.USAGE,),
    "version": (ExitCode.USAGE,),
    "demo": (ExitCode.USAGE, ExitCode.UNUSABLE, ExitCode.TERMINATED),
    "sandbox up": (ExitCode.USAGE, ExitCode.UNUSABLE),
    "sandbox down": (ExitCode.USAGE,),
    "sandbox status": (ExitCode.USAGE, ExitCode.NOT_FOUND),
}


def reference() -> str:
    """A section for each command, in the order of `docc --help`."""
    rows: list[str] = []
    for path, command in tree():
        told = command.help if not path or hasattr(command, "commands") else inspect.getdoc(command.callback)
        rows += [f"### {' '.join(('docc', *path))}", "", *_told(told), ""]
        if path and not hasattr(command, "commands"):
            rows += ["```sh", usage(path, command), "```", "", *_examples(" ".join(path))]
        rows += _arguments(command) + _options(command)
        if path and not hasattr(command, "commands"):
            rows += [_exits(" ".join(path)), ""]
    return "\n".join(rows)


def tree() -> Iterator[tuple[tuple[str, ...], Any]]:
    """docc itself, then every command and group below it, each with its words."""

    def below(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        yield path, command
        for name, inner in getattr(command, "commands", {}).items():
            yield from below((*path, name), inner)

    return below((), typer.main.get_command(application("docc")))


def usage(path: tuple[str, ...], command: Any) -> str:
    arguments = [each.metavar or each.name.upper() for each in command.params if _is_argument(each)]
    return " ".join(["docc", *path, *arguments, "[OPTIONS]"])


def _is_argument(parameter: Any) -> bool:
    return not parameter.opts[0].startswith("-")


def _told(text: str | None) -> list[str]:
    """A docstring as Markdown: its paragraphs, an indented block (after typer's \\b) as it is."""
    paragraphs = inspect.cleandoc(text or "").split("\n\n")
    rows: list[str] = []
    for paragraph in paragraphs:
        lines = paragraph.splitlines()
        if lines[:1] == ["\b"]:
            rows += ["", lines[1], "", "```text", *(line.strip() for line in lines[2:]), "```"]
        else:
            rows += ["", " ".join(lines)]
    return rows[1:]


def _examples(path: str) -> list[str]:
    width = max(len(command) for command, _ in EXAMPLES[path])
    told = [f"{command:<{width}}  # {why}" if why else command for command, why in EXAMPLES[path]]
    return ["For example", "", "```sh", *told, "```", ""]


def _arguments(command: Any) -> list[str]:
    rows = [f"| `{each.metavar}` | {each.help} |" for each in command.params if _is_argument(each)]
    return ["| Argument | Meaning |", "|---|---|", *rows, ""] if rows else []


def _options(command: Any) -> list[str]:
    rows = [_option(each) for each in command.params if not _is_argument(each) and not each.hidden]
    head = ["| Option | Default | Environment | Meaning |", "|---|---|---|---|"]
    return [*head, *rows, ""] if rows else []


def _option(found: Any) -> str:
    names = ", ".join(f"`{name}`" for name in sorted(found.opts, key=len))
    if not found.is_flag:
        names = names.removesuffix("`") + f" {found.metavar or found.name.split('_')[-1].upper()}`"
    if found.multiple:
        names += ", repeatable"
    meaning, variable = _variable(found)
    default = f"`{found.default}`" if found.default not in (None, False, "", []) else ""
    return f"| {names} | {default} | {f'`{variable}`' if variable else ''} | {meaning} |"


def _variable(found: Any) -> tuple[str, str]:
    """The meaning, and the environment variable that typer or docc itself reads, which the help has in brackets."""
    named = re.search(r" \(([A-Z][A-Z_]+)\)", found.help)
    if named is None:
        return found.help, found.envvar or ""
    return found.help.replace(named[0], ""), named[1]


def _exits(path: str) -> str:
    codes = [str(int(code)) for code in (ExitCode.DONE, *sorted(EXITS[path]))]
    return f"[Exit codes](exit-codes.md): {', '.join(codes)}."
