"""docc deploy"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from docc.cli import options, wiring
from docc.cli.render import refuse_trial

if TYPE_CHECKING:
    from docc.adapters.prometheus import PrometheusMetrics
    from docc.core.plan import Plan
    from docc.engine.ports import Ports
    from docc.engine.sampling import Sampling
    from docc.model.moves import Outcome
    from docc.model.world import Seen

Baseline = Annotated[
    str,
    typer.Option("--baseline", help="A condition that fails already: wait for it to clear, or ignore it this time."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan, touch nothing.")]


def deploy(
    manifest: options.Manifest,
    image: options.Images = None,
    yes: options.Yes = False,
    dry_run: DryRun = False,
    timeout: options.Timeout = None,
    baseline: Baseline = "wait",
    force_conflicts: options.ForceConflicts = False,
    prometheus_url: options.Prometheus = None,
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Output = "text",
) -> None:
    """Roll a manifest out, step by step, and take it back if it fails."""
    from docc.adapters import prometheus
    from docc.adapters.signals import Signals
    from docc.cli.beginning import refuse_contested, refuse_moved, refuse_unpermitted, refuse_unreadable
    from docc.cli.ending import conclude
    from docc.cli.planning import home_in, planned
    from docc.engine.ports import Ports
    from docc.ui.console import Console
    from docc.ui.lines import Lines
    from docc.ui.plan import plan_lines

    options.one_of(output, ("text", "json"))
    options.one_of(baseline, ("wait", "ignore"))
    limit = options.seconds(timeout)
    found = wiring.read_manifest(manifest, image)
    refuse_trial(found)
    app = found.application.name
    console = Console()
    place = wiring.place(kubeconfig, context, namespace, found.application.namespace)
    console.err(place.heading(app))
    metrics = prometheus.choose(prometheus_url, found.strategy.prometheus, place.cluster.connection)
    refuse_unpermitted("deploy", place)
    gateway = wiring.gateway_for(place, found)
    home = home_in(found)
    seen = refuse_unreadable(app, place, home)
    refuse_moved(app, place, home)
    refuse_contested(app, place, seen, console, force=force_conflicts)
    plan, sampling = planned(found, place.target.namespace, seen, gateway)
    lines = Lines(console)
    flags = {"-n": namespace, "--context": context, "--kubeconfig": kubeconfig, "--prometheus-url": prometheus_url}
    again = typed_again(manifest, image or [], flags)
    with Signals(place.clock.ring) as signals:
        ports = Ports(place.cluster, metrics, place.clock, signals, lines)
        plan = preflight(ports, metrics, plan, sampling, seen, ignore=baseline == "ignore")
        for row in plan_lines(found, plan, seen):
            console.err(row)
        if dry_run:
            console.out(f"{app}: nothing was touched (--dry-run)")
            return
        options.confirm(yes)
        outcome = drive(ports, plan, sampling, limit, forced=force_conflicts)
        conclude(console, place, app, outcome, lines, source=again, output=output)


def drive(ports: Ports, plan: Plan, sampling: Sampling, limit: float | None, *, forced: bool = False) -> Outcome:
    """Under the Lease, to the end. Raises LockedError if somebody else holds it; DoccError if nothing was written yet."""
    from docc.engine.driver import Driver
    from docc.engine.lease import Lease

    me = wiring.my_name()
    lease = Lease(ports, plan.app, me, plan.namespace)
    lease.acquire()
    try:
        return Driver(ports, plan.app, me, plan, sampling, lease, limit, forced).run()
    finally:
        lease.release()


def typed_again(manifest: str, images: Sequence[str], flags: Mapping[str, str | None]) -> str:
    """What to type behind `docc deploy` to do the same once more. A URL with a password in it is left to the reader."""
    words = [manifest, *(word for image in images for word in ("--image", image))]
    words += [word for flag, value in flags.items() if value and "@" not in value for word in (flag, value)]
    return shlex.join(words)


def preflight(
    ports: Ports, metrics: PrometheusMetrics | None, plan: Plan, sampling: Sampling, seen: Seen, *, ignore: bool
) -> Plan:
    """Asks every condition before anything is touched. With `ignore`, those that fail already are excused."""
    from dataclasses import replace

    from docc.core.verdict import Verdict
    from docc.engine import preflight as checks
    from docc.model.errors import UnusableError

    if not sampling.conditions:
        return plan
    if metrics is None:
        raise UnusableError(
            "the manifest has failure_conditions, and no Prometheus is named",
            state="nothing was touched",
            fix="--prometheus-url URL, DOCC_PROMETHEUS_URL, or deployment_strategy.prometheus in the manifest",
        )
    metrics.probe()
    judged = checks.conditions(ports, plan, sampling, seen)
    failing = tuple(check.name for check in judged.results if check.verdict is Verdict.FAIL)
    return replace(plan, excused=failing) if ignore and failing else plan
