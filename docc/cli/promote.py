"""docc promote"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from docc.cli import options, wiring

Full = Annotated[
    bool,
    typer.Option("--full", help="All traffic as soon as all pods are available, without the steps that are left."),
]


def promote(
    app: options.App,
    full: Full = False,
    reason: options.Reason = "",
    wait: options.Wait = None,
    timeout: options.Timeout = None,
    prometheus_url: options.Prometheus = None,
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Stream = "text",
) -> None:
    """Let a rollout that waits for it go on. Who drives it does so at once; without a driver this command drives it.

    A bake stays: with failure conditions all traffic is watched before the former version goes.
    """
    from docc.cli.asking import ask
    from docc.cli.beginning import refuse_contested, refuse_unpermitted, refuse_unreadable
    from docc.cli.driving import Choices, go_on
    from docc.cli.ending import conclude
    from docc.cli.telling import Telling
    from docc.core.permissions import PREFLIGHT
    from docc.ui.console import Console

    options.one_of(output, ("text", "json", "jsonl"))
    began = time.monotonic()
    until, limit = options.until(wait), options.seconds(timeout)
    console, place = Console(), wiring.place(kubeconfig, context, namespace, wide=True)
    telling = Telling(console, place, app, output)
    lacking = refuse_unpermitted("promote", place, PREFLIGHT)
    refuse_contested(app, place, refuse_unreadable(app, place), console, force=False)
    outcome = ask(place, telling, app, "full" if full else "promote", reason)
    if outcome is None:
        chosen = Choices(True, timeout=limit, began=began, until=until)
        outcome = go_on(place, telling, app, refuse_unreadable(app, place), chosen, lacking, prometheus_url)
    conclude(console, place, app, outcome, telling, output=output)
