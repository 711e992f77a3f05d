"""One row per command: its name, where it is, its line in `docc --help`, which lists them in this order.

A module is imported only when its command is named: what is not asked for costs no time at start-up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib import import_module

import typer

COMMANDS: Mapping[str, tuple[str, str, str]] = {
    "validate": ("docc.cli.validate", "validate", "Check a manifest: every mistake at once, with its line."),
    "render": ("docc.cli.render", "render", "Print the Kubernetes objects of a manifest."),
    "deploy": ("docc.cli.deploy", "deploy", "Roll out step by step, watched, reverted if it fails."),
    "status": ("docc.cli.status", "status", "Who serves, what is under way, what to type next."),
    "rollback": ("docc.cli.rollback", "rollback", "All traffic back: in one write, or when pods are up."),
    "abort": ("docc.cli.abort", "abort", "Give up the rollout that is under way."),
    "promote": ("docc.cli.promote", "promote", "Let a rollout that waits for it go on."),
    "pause": ("docc.cli.pause", "pause", "Hold a rollout at its present weight."),
    "resume": ("docc.cli.resume", "resume", "Go on with what was paused, or whose driver is gone."),
    "wait": ("docc.cli.wait", "wait", "Wait until a rollout has ended."),
    "history": ("docc.cli.history", "history", "What was rolled out, by whom, and what became of it."),
    "list": ("docc.cli.list_", "list_apps", "The applications that docc has deployed."),
    "gc": ("docc.cli.gc", "gc", "Take down what nobody needs any more."),
    "delete": ("docc.cli.delete", "delete", "Delete an application, its traffic first."),
    "unlock": ("docc.cli.unlock", "unlock", "Take the lock off a driver that is gone."),
    "rbac": ("docc.cli.rbac", "rbac", "Print the smallest Role that docc works with."),
    "version": ("docc.cli.version", "version", "Print the version, and the cluster's with -o json."),
    "demo": ("docc.cli.demo", "demo", "Watch a canary go right, and another come back; or A/B."),
    "sandbox": ("docc.cli.sandbox", "app", "A local world to try docc in. No root."),
}


def named(argv: Sequence[str]) -> Collection[str]:
    """The commands that this command line runs: none for `docc --help`, one else."""
    first = next((word for word in argv if not word.startswith("-")), "")
    return (first,) if first in COMMANDS else ()


def register(app: typer.Typer, whole: Collection[str]) -> None:
    """whole: the commands to import; of the others just the name and the line are known."""
    for name, (module, attribute, line) in COMMANDS.items():
        if name not in whole:
            app.command(name, short_help=line)(_unnamed)
            continue
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, short_help=line)
        else:
            from docc.cli.examples import help_of

            app.command(name, help=help_of(name, found), short_help=line)(found)


def _unnamed() -> None:
    raise AssertionError("a command that was not on the command line was run")
