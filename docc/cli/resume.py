"""docc resume"""

from __future__ import annotations

from docc.cli import options, wiring


def resume(
    app: options.App,
    yes: options.Yes = False,
    timeout: options.Timeout = None,
    force_conflicts: options.ForceConflicts = False,
    prometheus_url: options.Prometheus = None,
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Output = "text",
) -> None:
    """Go on with a rollout whose driver is gone, or that was parked: from any machine, without the manifest's file."""
    from docc.adapters import prometheus
    from docc.adapters.signals import Signals
    from docc.cli.beginning import refuse_contested, refuse_unpermitted, refuse_unreadable
    from docc.cli.deploy import drive, preflight
    from docc.cli.ending import conclude
    from docc.cli.planning import recorded, unfinished
    from docc.engine.ports import Ports
    from docc.ui.console import Console
    from docc.ui.lines import Lines
    from docc.ui.plan import plan_lines

    options.one_of(output, ("text", "json"))
    limit = options.seconds(timeout)
    console, place = Console(), wiring.place(kubeconfig, context, namespace)
    console.err(place.heading(app))
    refuse_unpermitted("resume", place)
    seen = refuse_unreadable(app, place)
    refuse_contested(app, place, seen, console, force=force_conflicts)
    where = place.target.namespace
    manifest, plan, sampling = recorded(app, where, seen, unfinished(app, where, seen))
    metrics = prometheus.choose(prometheus_url, manifest.strategy.prometheus, place.cluster.connection)
    lines = Lines(console)
    with Signals(place.clock.ring) as signals:
        ports = Ports(place.cluster, metrics, place.clock, signals, lines)
        plan = preflight(ports, metrics, plan, sampling, seen, ignore=False)
        for row in plan_lines(manifest, plan, seen):
            console.err(row)
        options.confirm(yes)
        outcome = drive(ports, plan, sampling, limit, forced=force_conflicts)
        conclude(console, place, app, outcome, lines, output=output)
