"""docc status"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from docc.cli import options, wiring

if TYPE_CHECKING:
    from docc.cli.wiring import Place
    from docc.model.world import Seen

Output = Annotated[
    str, typer.Option("--output", "-o", help="text, json or yaml: one document, or name: only that it is there.")
]


def status(
    app: options.App,
    exit_status: Annotated[
        bool, typer.Option("--exit-status", help="Exit with 8 while a rollout is under way.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Look on until it is at rest, then tell that; on a terminal, live.")
    ] = False,
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: Output = "text",
) -> None:
    """Who serves, what is under way, who drives it, what to type next. Changes nothing."""
    from docc.cli.beginning import refuse_unpermitted, refuse_unreadable, without_record
    from docc.core.names import history_name
    from docc.model.errors import ExitCode
    from docc.model.moves import Ref
    from docc.ui.console import Console
    from docc.ui.status import document, lines

    options.one_of(output, ("text", "json", "yaml", "name"))
    place = wiring.place(kubeconfig, context, namespace, watching=watch)
    refuse_unpermitted("status --watch" if watch else "status", place)
    seen = refuse_unreadable(app, place)
    if seen.record is None:
        raise without_record(app, place, seen)
    shown = False
    if watch:
        seen, shown = followed(app, place, output)
    lease = place.cluster.read(Ref("Lease", history_name(app)))
    now = place.clock.now()
    place.cluster.close()
    console = Console()
    if output in ("json", "yaml"):
        console.document(document(app, place.target.namespace, seen, lease, now, place.at), output)
    elif output == "name":
        console.out(app)
    elif not shown or not sys.stdout.isatty():  # on a terminal the last picture says it
        console.out("\n".join(lines(app, place.target.namespace, seen, lease, now, place.at)))
    if exit_status and (seen.record is None or not seen.record.phase.at_rest):
        raise typer.Exit(int(ExitCode.IN_PROGRESS))


def followed(app: str, place: Place, output: str) -> tuple[Seen, bool]:
    """Looks on to the end, whoever drives, and tells what changes. The last look, and whether there is a picture of it. Raises
    NotFoundError if it is deleted meanwhile."""
    from docc.adapters.signals import Signals
    from docc.cli.beginning import refuse_unreadable, without_record
    from docc.cli.onlooking import Onlooker
    from docc.cli.telling import Telling
    from docc.engine import waiting
    from docc.engine.ports import Ports
    from docc.model.errors import ExitCode
    from docc.ui.console import Console

    with Telling(Console(), place, app, output) as telling:
        onlooker = Onlooker(app, place, telling)
        telling.show(onlooker.steps)
        ports = Ports(place.cluster, None, place.clock, Signals(place.clock.ring), telling)
        outcome = waiting.wait(ports, app, None, alone=True, judge=onlooker.judge)
        onlooker.close()
        if outcome.exit_code is ExitCode.NOT_FOUND:
            raise without_record(app, place, refuse_unreadable(app, place), f"{app} was deleted")
        return refuse_unreadable(app, place), telling.shown
