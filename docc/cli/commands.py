"""One row per command: its name, its module, what is called there. `docc --help` lists the table in this order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

import typer

COMMANDS: Mapping[str, tuple[str, str]] = {
    "validate": ("docc.cli.validate", "validate"),
    "render": ("docc.cli.render", "render"),
    "deploy": ("docc.cli.deploy", "deploy"),
    "status": ("docc.cli.status", "status"),
    "rollback": ("docc.cli.rollback", "rollback"),
    "list": ("docc.cli.list_", "list_apps"),
    "rbac": ("docc.cli.rbac", "rbac"),
    "version": ("docc.cli.version", "version"),
    "demo": ("docc.cli.demo", "demo"),
    "sandbox": ("docc.cli.sandbox", "app"),
}


def named(argv: Sequence[str]) -> tuple[str, ...]:
    """The commands that this command line can need: the one that its first word names, else all of them."""
    first = next((word for word in argv if not word.startswith("-")), "")
    return (first,) if first in COMMANDS else tuple(COMMANDS)


def register(app: typer.Typer, names: Sequence[str]) -> None:
    """Imports the modules of these commands only."""
    for name in names:
        module, attribute = COMMANDS[name]
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
