"""Options that mean the same in every command, and may stand before the command or behind it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from docc.cli.completion import applications

if TYPE_CHECKING:
    from docc.core.view import Until

T = TypeVar("T")
Manifest = Annotated[
    str | None, typer.Argument(metavar="MANIFEST", help='The manifest, or "-" for standard input.', show_default=False)
]
Filename = Annotated[
    str | None, typer.Option("--filename", "-f", metavar="MANIFEST", help="The same, for fingers that know kubectl.")
]
App = Annotated[str, typer.Argument(metavar="APP", help="The application's name.", autocompletion=applications)]
Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Where the application runs (DOCC_NAMESPACE).")
]
Kubeconfig = Annotated[str | None, typer.Option("--kubeconfig", help="Which kubeconfig (KUBECONFIG).")]
Context = Annotated[str | None, typer.Option("--context", envvar="DOCC_CONTEXT", help="Which of its contexts.")]
Images = Annotated[
    list[str] | None, typer.Option("--image", metavar="[CONTAINER=]REF", help="Another image than the manifest's.")
]
Output = Annotated[str, typer.Option("--output", "-o", help="text, or json: one document on standard output.")]
Document = Annotated[str, typer.Option("--output", "-o", help="text, json or yaml: one document on standard output.")]
Stream = Annotated[
    str,
    typer.Option("--output", "-o", help="text, json: one document on standard output, or jsonl: each event on a line."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ForceConflicts = Annotated[
    bool,
    typer.Option("--force-conflicts", help="Where others have changed docc's weights, docc writes its own again."),
]
Reason = Annotated[str, typer.Option("--reason", help="Kept in the record and the history, for those who ask later.")]
Timeout = Annotated[str | None, typer.Option("--timeout", help='For all of it, e.g. "30m"; then traffic goes back.')]
Patience = Annotated[
    str | None, typer.Option("--timeout", help='How long to wait, e.g. "30m"; else as long as it takes.')
]
Wait = Annotated[
    str | None,
    typer.Option(
        "--wait",
        metavar="ready|paused|done",
        help="What to stay for: that the new version is up, before anybody meets it; the pause for docc promote; or the end "
        "(default at a terminal; elsewhere the pause).",
    ),
]
LockWait = Annotated[
    str | None,
    typer.Option("--lock-wait", help='How long to wait for the driver that is at it, e.g. "15m"; else not at all.'),
]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Go on in the place of a driver that is alive; asks, or needs --yes.")
]
Prometheus = Annotated[
    str | None, typer.Option("--prometheus-url", help="Where conditions are asked (DOCC_PROMETHEUS_URL).")
]

_NO_COLOR, _NO_LIVE = "--no-color", "--no-live"
_ANYWHERE = {"--as": "DOCC_AS", "--as-group": "DOCC_AS_GROUPS", "--request-timeout": "DOCC_REQUEST_TIMEOUT"}
_DRY_RUN = {"--dry-run": "--dry-run=client"}
WITH_VALUE = {
    "-n", "--namespace", "--context", "--kubeconfig", "-o", "--output", "-f", "--filename", "--image", "--reason", "--timeout",
    "--wait", "--lock-wait", "--to", "--baseline", "--prometheus-url", "--prometheus-service", "--revision", "--name",
    "--as", "--as-group", "--request-timeout",
}  # fmt: skip
"""Of all commands: which word before the command is one's value, and which is the command, no parser knows that early."""
_OWN = ("--version", "--install-completion", "--show-completion")
_GROUPS = ("sandbox",)


def arranged(argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """(the command line with options that stand before the command moved behind it, and "-n=web" as "-n web"; the environment
    in the place of options that every command has). A bare --dry-run is the client's: its value would otherwise be whatever
    comes next."""
    end = argv.index("--") if "--" in argv else len(argv)
    typed, meant = list(argv[:end]), dict[str, str]()
    words: list[str] = []
    while typed:
        word = typed.pop(0)
        flag, equals, value = word.partition("=")
        if word == _NO_COLOR:
            meant["NO_COLOR"] = "1"
        elif word == _NO_LIVE:
            meant["DOCC_NO_LIVE"] = "1"
        elif flag in _ANYWHERE and (equals or typed):
            name, value = _ANYWHERE[flag], value if equals else typed.pop(0)
            meant[name] = f"{meant[name]},{value}" if flag == "--as-group" and name in meant else value
        elif flag in WITH_VALUE and equals and not flag.startswith("--"):
            words += [flag, value]
        elif word in WITH_VALUE and typed:
            words += [word, typed.pop(0)]
        else:
            words.append(_DRY_RUN.get(word, word))
    return [*_moved(words), *argv[end:]], meant


def _moved(words: list[str]) -> list[str]:
    """The same with the command first, or with a group and its command; as they are if there is none, or if docc itself is
    asked."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        if words[at] in _OWN:
            return words
        at += 2 if words[at] in WITH_VALUE else 1
    if at >= len(words):
        return words
    end = at + 1 + (words[at] in _GROUPS and not "".join(words[at + 1 : at + 2]).startswith("-"))
    return [*words[at:end], *words[:at], *words[end:]]


def everywhere_given() -> tuple[str, tuple[str, ...], float | None]:
    """User and groups to act as, and the seconds that a request may take. Raises UsageError."""
    groups = os.environ.get("DOCC_AS_GROUPS", "").split(",")
    limit = seconds(os.environ.get("DOCC_REQUEST_TIMEOUT") or None)
    return os.environ.get("DOCC_AS", ""), tuple(filter(None, groups)), limit


def _version(wanted: bool) -> None:
    if wanted:
        from docc.cli.version import client

        typer.echo(client())
        raise typer.Exit(0)


def everywhere(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    no_color: Annotated[
        bool, typer.Option(_NO_COLOR, help="No colour, also on a terminal (NO_COLOR); behind any command, too.")
    ] = False,
    no_live: Annotated[
        bool, typer.Option(_NO_LIVE, help="Lines only, no live picture (DOCC_NO_LIVE); behind any command, too.")
    ] = False,
    acting_as: Annotated[str, typer.Option("--as", metavar="USER", help="Act as this user (DOCC_AS).")] = "",
    as_group: Annotated[
        list[str] | None, typer.Option("--as-group", metavar="GROUP", help="And in this group (DOCC_AS_GROUPS).")
    ] = None,
    request_timeout: Annotated[
        str | None,
        typer.Option("--request-timeout", help='Longest silence of the API server, e.g. "30s" (DOCC_REQUEST_TIMEOUT).'),
    ] = None,
) -> None:
    """What stands before any command. All but --version is taken out before (arranged), and is here to be listed."""


def wants(output: str, argv: Sequence[str]) -> bool:
    """Whether -o json, or jsonl, stands on the command line, for what is told before it is parsed (argv as arranged)."""
    pairs = zip(argv, argv[1:], strict=False)
    return any(flag in ("-o", "--output") and value == output for flag, value in pairs) or bool(
        {f"-o{output}", f"--output={output}"} & set(argv)
    )


def seconds(text: str | None) -> float | None:
    """A Go duration ("90s", "1m30s") as seconds. Raises UsageError."""
    if text is None:
        return None
    import durationpy

    from docc.model.errors import UsageError

    try:
        found = float(durationpy.from_str(text).total_seconds())
    except (durationpy.DurationError, ValueError) as error:
        raise UsageError(
            f'"{text}" is not a duration', state="nothing was touched", fix='write "90s", "30m" or "1h"'
        ) from error
    if found <= 0:
        raise UsageError(f'"{text}" is no time at all', state="nothing was touched")
    return found


def revision(text: str | None) -> int | None:
    """The N of "vN", or of "N". Raises UsageError."""
    if text is None:
        return None
    number = text.removeprefix("v")
    if number.isascii() and number.isdigit() and 0 < int(number[:10]) < 10**9:
        return int(number)
    from docc.model.errors import UsageError

    raise UsageError(
        f'"{text}" is no revision', state="nothing was touched", fix='write "v3", as docc history shows them'
    )


def answered(question: Callable[[], T]) -> T:
    """A person's answer. Raises StoppedError for Ctrl-C."""
    try:
        return question()
    except (typer.Abort, KeyboardInterrupt):
        from docc.model.errors import StoppedError

        typer.echo(err=True)  # the question's own line is not over yet
        raise StoppedError from None


def can_ask() -> bool:
    """A person sits there."""
    import sys

    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(yes: bool, question: str = "Go on?") -> None:
    """Asks only a person: in a pipe or a CI job what was asked for is done. Raises UsageError for a no, StoppedError."""
    if yes or not can_ask():
        return
    if not answered(lambda: typer.confirm(question, default=True, err=True)):
        from docc.model.errors import UsageError

        raise UsageError("not confirmed", state="nothing was touched")


def the_manifest(argument: str | None, filename: str | None) -> str:
    """Where the manifest is, whichever way it was named. Raises UsageError."""
    found = [each for each in (argument, filename) if each is not None]
    if len(found) == 1:
        return found[0]
    from docc.model.errors import UsageError

    what = f"two manifests are named, {found[0]} and {found[1]}" if found else "no manifest is named"
    raise UsageError(
        what, state="nothing was touched", fix='name one, for example manifest.json, or "-" for standard input'
    )


def one_of(value: str, allowed: tuple[str, ...], option: str = "-o ") -> str:
    """Raises UsageError for a value, such as an output format, that the option does not have."""
    if value not in allowed:
        from docc.model.errors import UsageError

        raise UsageError(
            f"{option}{value} is not known here; it is one of {', '.join(filter(None, allowed))}",
            state="nothing was touched",
        )
    return value


def until(wait: str | None) -> Until:
    """What a command that drives stays for. Raises UsageError."""
    if wait is None:
        return "done" if can_ask() else "paused"
    one_of(wait, ("ready", "paused", "done"), "--wait=")
    return "ready" if wait == "ready" else "paused" if wait == "paused" else "done"
