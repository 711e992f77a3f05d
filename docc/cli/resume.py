"""docc resume"""

from __future__ import annotations

import time

from docc.cli import options, wiring


def resume(
    app: options.App,
    yes: options.Yes = False,
    wait: options.Wait = None,
    reason: options.Reason = "",
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
    """Go on with a rollout that was paused or parked, or whose driver is gone: from any machine, without the manifest."""
    from docc.cli.asking import ask
    from docc.cli.beginning import refuse_contested, refuse_unpermitted, refuse_unreadable, without_record
    from docc.cli.driving import Choices, go_on
    from docc.cli.ending import conclude
    from docc.cli.telling import Telling
    from docc.core.permissions import PREFLIGHT
    from docc.ui.console import Console

    options.one_of(output, ("text", "json", "jsonl"))
    began = time.monotonic()
    until, limit, patience = options.until(wait), options.seconds(timeout), options.seconds(lock_wait) or 0.0
    console, place = Console(), wiring.place(kubeconfig, context, namespace, wide=True)
    telling = Telling(console, place, app, output)
    lacking = refuse_unpermitted("resume", place, PREFLIGHT)
    seen = refuse_unreadable(app, place)
    outcome = None
    if seen.record is None:
        raise without_record(app, place, seen)
    if seen.record.paused:
        outcome = ask(place, telling, app, "resume", reason)
        seen = refuse_unreadable(app, place)
    if outcome is None:
        refuse_contested(app, place, seen, console, force=force_conflicts)
        chosen = Choices(yes, False, "", limit, patience, take_over, force_conflicts, began, until)
        outcome = go_on(place, telling, app, seen, chosen, lacking, prometheus_url)
    conclude(console, place, app, outcome, telling, output=output)
