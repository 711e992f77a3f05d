"""docc history"""

from __future__ import annotations

from typing import Annotated

import typer

from docc.cli import options, wiring

Output = Annotated[str, typer.Option("--output", "-o", help="table, wide, json or yaml: one list.")]


def history(
    app: options.App,
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: Output = "table",
) -> None:
    """What was rolled out, by whom, and what became of it; newest last."""
    from docc.cli.beginning import refuse_unpermitted, refuse_unreadable, without_record
    from docc.core.history import history as entries
    from docc.ui import tables
    from docc.ui.console import Console

    options.one_of(output, ("table", "wide", "json", "yaml"))
    console, place = Console(), wiring.place(kubeconfig, context, namespace, watching=False)
    refuse_unpermitted("history", place)
    seen = refuse_unreadable(app, place)
    place.cluster.close()
    found = entries(seen)
    if seen.record is None and not found:
        raise without_record(app, place, seen)
    if output in ("json", "yaml"):
        console.document([tables.entry(one, seen) for one in found], output)
    elif not found:
        console.err(f"{app}: nothing has come to rest yet; docc status {app} {place.at}")
    else:
        console.out(tables.history(found, seen, place.clock.now(), wide=output == "wide"))
