"""docc list"""

from __future__ import annotations

from typing import Annotated

import typer

from docc.cli import options, wiring

Output = Annotated[
    str, typer.Option("--output", "-o", help="table, wide, json or yaml: one list, or name: one name per line.")
]
Everywhere = Annotated[bool, typer.Option("--all-namespaces", "-A", help="In every namespace.")]


def list_apps(
    everywhere: Everywhere = False,
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: Output = "table",
) -> None:
    """The applications that docc has deployed."""
    from docc.cli.beginning import refuse_unpermitted, told_what_for
    from docc.ui.console import Console
    from docc.ui.tables import table

    options.one_of(output, ("table", "wide", "json", "yaml", "name"))
    place = wiring.place(kubeconfig, context, namespace)
    if not everywhere:  # a review is of one namespace
        refuse_unpermitted("list", place)
    with told_what_for(place):
        found = wiring.applications(place, everywhere=everywhere)
    console = Console()
    if output in ("json", "yaml"):
        console.document([app.to_json() for app in found], output)
    elif output == "name":
        console.out("\n".join(app.name for app in found))
    elif not found:
        console.err(f"no apps of docc in {'any namespace' if everywhere else f'namespace {place.target.namespace}'}")
    else:
        console.out(table(found, with_namespace=everywhere, wide=output == "wide"))
