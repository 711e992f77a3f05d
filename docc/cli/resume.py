"""docc resume"""

from __future__ import annotations

import time

from docc.cli import options, wiring


def resume(
    app: options.App,
    yes: options.Yes = False,
    timeout: options.Timeout = None,
    lock_wait: options.LockWait = None,
    take_over: options.TakeOver = False,
    force_conflicts: options.ForceConflicts = False,
    prometheus_url: options.Prometheus = None,
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Stream = "text",
) -> None:
    """Go on with a rollout whose driver is gone, or that was parked: from any machine, without the manifest's file."""
    from docc.adapters import prometheus
    from docc.cli.beginning import refuse_contested, refuse_unpermitted, refuse_unreadable
    from docc.cli.driving import Choices, drive
    from docc.cli.ending import conclude
    from docc.cli.planning import recorded, unfinished
    from docc.cli.preflight import Preflight
    from docc.cli.telling import Telling
    from docc.core.permissions import PREFLIGHT
    from docc.ui.console import Console

    options.one_of(output, ("text", "json", "jsonl"))
    began = time.monotonic()
    limit, wait = options.seconds(timeout), options.seconds(lock_wait) or 0.0
    console, place = Console(), wiring.place(kubeconfig, context, namespace, wide=True)
    telling = Telling(console, place, app, output)
    lacking = refuse_unpermitted("resume", place, PREFLIGHT)
    seen = refuse_unreadable(app, place)
    refuse_contested(app, place, seen, console, force=force_conflicts)
    where = place.target.namespace
    manifest, plan, sampling = recorded(app, where, seen, unfinished(app, where, seen))
    metrics = prometheus.choose(prometheus_url, manifest.strategy.prometheus, place.cluster.connection)
    checks = Preflight(place, manifest, seen, lacking)
    chosen = Choices(yes, timeout=limit, lock_wait=wait, take_over=take_over, forced=force_conflicts, began=began)
    outcome = drive(checks, (plan, sampling), metrics, telling, chosen)
    conclude(console, place, app, outcome, telling, output=output)
