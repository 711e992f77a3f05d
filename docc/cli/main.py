"""The command table and the one error boundary. Every command's module is imported only when it is run."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

import typer

from docc.cli import options
from docc.cli.commands import COMMANDS, named, register
from docc.model.errors import DoccError, ExitCode, UsageError

EXAMPLES = """
Deploys containers to Kubernetes so that a bad version hurts almost nobody.

\b
Examples:
  docc demo                       a canary goes right, another comes back
  docc validate manifest.json     every mistake at once; needs no cluster
  docc deploy manifest.json       roll out, watched, reverted if it fails
  docc deploy manifest.json --image acme/shop:1.4.2 --yes
  docc status shop                who serves, what is under way
  docc rollback shop              back to the former version, in one write
"""


_COMPLETING = {"_DOCC_COMPLETE", "_KUBECTL_DOCC_COMPLETE"}


def application(name: str, commands: Collection[str] = tuple(COMMANDS)) -> typer.Typer:
    """name: "docc" or "kubectl docc", as help shows it. commands: those of which more than the
    name is wanted."""
    app = typer.Typer(
        name=name,
        help=EXAMPLES,
        no_args_is_help=True,
        add_completion=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options.everywhere)
    register(app, commands)
    return app


def main(argv: Sequence[str]) -> int:
    """The exit code (docs/exit-codes.md). No traceback for anything that a user can cause."""
    name = "kubectl docc" if argv and argv[0].endswith("kubectl-docc") else "docc"
    words, meant = options.arranged(argv[1:])
    os.environ.update(meant)
    wanted = COMMANDS if _COMPLETING & set(os.environ) else named(words)
    if options.wants("jsonl", words):
        _open_stream()
    try:
        found = application(name, wanted)(args=words, prog_name=name, standalone_mode=True)
        return int(found or 0)
    except SystemExit as ended:  # typer has told a mistake in the command line already, in words
        code = ended.code if isinstance(ended.code, int) else ExitCode.BUG
        if (sentence := getattr(ended.__context__, "format_message", None)) is not None:
            what, fix = "the command line is wrong", f"{name} --help"
            _document(UsageError(what, why=sentence(), state="nothing was touched", fix=fix), words)
        return code
    except DoccError as error:
        return _tell(error, words)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return ExitCode.DONE
    except Exception as error:  # a bug of docc's, whatever it is: its traceback may quote foreign text, too
        return _tell_bug(error, words)


def _open_stream() -> None:
    """The version line comes first whatever happens next, be it a mistake in the command line."""
    from docc.ui.console import Console
    from docc.ui.events import version

    Console().document(version())


def _tell(error: DoccError, argv: list[str]) -> int:
    from docc.ui import ci, problems
    from docc.ui.console import Console

    console = Console()
    ci.refused(console, error)
    console.err(problems.text(error, console.columns), "red")
    _document(error, argv)
    return int(error.exit_code)


def _document(error: DoccError, argv: list[str]) -> None:
    """The same for programs, if they are to get anything."""
    from docc.ui import problems
    from docc.ui.console import Console

    for output, form in (("json", "json"), ("jsonl", "json"), ("yaml", "yaml")):
        if options.wants(output, argv):
            Console().document(problems.document(error), form)


def _tell_bug(error: Exception, argv: list[str]) -> int:
    import traceback

    from docc.ui.console import Console

    Console().err("".join(traceback.format_exception(error)).rstrip())
    _document(DoccError(f"a bug of docc's: {type(error).__name__}", why=str(error)), argv)
    return ExitCode.BUG
