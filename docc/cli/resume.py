"""docc resume"""

from __future__ import annotations

from docc.cli import options, wiring


def resume(
    app: options.App,
    yes: options.Yes = False,
    timeout: options.Timeout = None,
    prometheus_url: options.Prometheus = None,
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Stream = "text",
) -> None:
    """Go on with a rollout whose driver is gone, or that was parked: from any machine, without the manifest's file."""
    from docc.adapters import prometheus
    from docc.adapters.signals import Signals
    from docc.cli.beginning import refuse_unpermitted, refuse_unreadable
    from docc.cli.deploy import drive, preflight
    from docc.cli.ending import conclude
    from docc.cli.planning import recorded, unfinished
    from docc.cli.telling import Telling
    from docc.engine.ports import Ports
    from docc.ui.console import Console
    from docc.ui.plan import plan_lines

    options.one_of(output, ("text", "json", "jsonl"))
    limit = options.seconds(timeout)
    console, place = Console(), wiring.place(kubeconfig, context, namespace)
    telling = Telling(console, place, app, output)
    refuse_unpermitted("resume", place)
    seen = refuse_unreadable(app, place)
    where = place.target.namespace
    manifest, plan, sampling = recorded(app, where, seen, unfinished(app, where, seen))
    metrics = prometheus.choose(prometheus_url, manifest.strategy.prometheus, place.cluster.connection)
    with Signals(place.clock.ring) as signals:
        ports = Ports(place.cluster, metrics, place.clock, signals, telling)
        plan = preflight(ports, metrics, plan, sampling, seen, ignore=False)
        for row in plan_lines(manifest, plan, seen):
            console.err(row)
        options.confirm(yes)
        outcome = drive(ports, plan, sampling, limit)
        conclude(console, place, app, outcome, telling, output=output)
