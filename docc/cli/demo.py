"""docc demo: the sandbox that an act is played on. What is played, docc/cli/acts knows."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from docc.cli import options
from docc.model.errors import ExitCode

Act = Annotated[
    str,
    typer.Argument(
        metavar="[ACT]", help="canary, or ab: users with a header try each version first, and people decide."
    ),
]


def demo(act: Act = "canary", output: options.Output = "text") -> None:
    """Watch a canary go right, and another come back, under live traffic: about 40 seconds, no cluster, no root.

    The second act, ab, takes about a minute: users who send a header try each version first. One they like, and somebody
    types docc promote; the other is taken back, and nobody else has met it.
    """
    import tempfile

    from docc.cli.acts import ab, canary
    from docc.cli.acts.stage import Stage
    from docc.sandbox import session as sandbox
    from docc.ui.console import Console

    options.one_of(output, ("text", "json"))
    options.one_of(act, ("canary", "ab"), "docc demo ")
    play, as_promised = (ab.play, ab.as_promised) if act == "ab" else (canary.play, canary.as_promised)
    _end_in_order()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="docc-demo-") as name:
        folder = Path(name)
        console.sentence(
            "A local world: a small Kubernetes API, the real Envoy, metrics. Images run a stand-in app.", "bold"
        )
        running = sandbox.up(folder / "sandbox")
        try:
            summary = play(Stage(console, running, folder))
        finally:
            sandbox.down(folder / "sandbox")
    if output == "json":
        console.document(summary)
    if not as_promised(summary):
        raise typer.Exit(1)


def _end_in_order() -> None:
    """Nothing is left of the sandbox, nor of the load, when the terminal is closed or the demo is told to end."""
    numbers = (signal.SIGTERM, signal.SIGHUP)

    def end(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(ExitCode.TERMINATED)

    for each in numbers:
        signal.signal(each, end)
