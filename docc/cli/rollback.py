"""docc rollback"""

from __future__ import annotations

from typing import Annotated

import typer

from docc.cli import options, wiring


def rollback(
    app: options.App,
    reason: Annotated[str, typer.Option("--reason", help="Kept in the record, for those who ask later.")] = "",
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Stream = "text",
) -> None:
    """All traffic back, in one write: out of a rollout, or to the warm former version."""
    from docc.adapters.signals import Signals
    from docc.cli.beginning import refuse_unpermitted, refuse_unreadable
    from docc.cli.ending import conclude
    from docc.cli.telling import Telling
    from docc.engine.ports import Ports
    from docc.engine.rollback import turn_back
    from docc.ui.console import Console

    options.one_of(output, ("text", "json", "jsonl"))
    console = Console()
    place = wiring.place(kubeconfig, context, namespace)
    telling = Telling(console, place, app, output)
    refuse_unpermitted("rollback", place)
    refuse_unreadable(app, place)
    me = wiring.my_name()
    with Signals(place.clock.ring) as signals:
        ports = Ports(place.cluster, None, place.clock, signals, telling)
        why = f"rolled back by {me.split('#')[0]}" + (f": {reason}" if reason else "")
        outcome = turn_back(ports, app, place.target.namespace, me, why)
        conclude(console, place, app, outcome, telling, output=output)
