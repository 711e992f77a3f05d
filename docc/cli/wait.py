"""docc wait"""

from __future__ import annotations

from docc.cli import options, wiring


def wait(
    app: options.App,
    timeout: options.Patience = None,
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Stream = "text",
) -> None:
    """Wait until the rollout that is under way has ended, and exit with what `docc deploy` would have."""
    from docc.adapters.signals import Signals
    from docc.cli.beginning import refuse_unpermitted, refuse_unreadable, without_record
    from docc.cli.ending import conclude
    from docc.cli.onlooking import Onlooker
    from docc.cli.telling import Telling
    from docc.engine import waiting
    from docc.engine.ports import Ports
    from docc.ui.console import Console

    options.one_of(output, ("text", "json", "jsonl"))
    limit = options.seconds(timeout)
    console, place = Console(), wiring.place(kubeconfig, context, namespace)
    telling = Telling(console, place, app, output)
    refuse_unpermitted("wait", place)
    seen = refuse_unreadable(app, place)
    if seen.record is None:
        raise without_record(app, place, seen)
    # Signals are not heeded: an onlooker has nothing to put back.
    ports = Ports(place.cluster, None, place.clock, Signals(place.clock.ring), telling)
    onlooker = Onlooker(app, place, telling)
    with telling:
        telling.show(onlooker.steps)
        outcome = waiting.wait(ports, app, limit, judge=onlooker.judge)
    onlooker.close()
    conclude(console, place, app, outcome, telling, output=output)
