"""docc deploy"""

from __future__ import annotations

import contextlib
import shlex
import sys
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
    from docc.model.manifest import GatewayName, Manifest
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
    prometheus_url: options.Prometheus = None,
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Output = "text",
) -> None:
    """Roll a manifest out, step by step, and take it back if it fails."""
    from docc.adapters import prometheus
    from docc.adapters.signals import Signals
    from docc.cli.beginning import refuse_unpermitted, refuse_unreadable
    from docc.cli.ending import conclude
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
    seen = refuse_unreadable(app, place)
    plan, sampling = prepare(found, place.target.namespace, seen, gateway)
    lines = Lines(console)
    flags = {"-n": namespace, "--context": context, "--kubeconfig": kubeconfig, "--prometheus-url": prometheus_url}
    again = typed_again(manifest, image or [], flags)
    with Signals(place.clock.ring) as signals, contextlib.ExitStack() as ending:
        if metrics is not None:
            ending.callback(metrics.close)
        ports = Ports(place.cluster, metrics, place.clock, signals, lines)
        plan = preflight(ports, metrics, plan, sampling, seen, ignore=baseline == "ignore")
        for row in plan_lines(found, plan, seen):
            console.err(row)
        if dry_run:
            console.out(f"{app}: nothing was touched (--dry-run)")
            return
        confirm(yes)
        outcome = drive(ports, plan, sampling, limit)
        conclude(console, place, app, outcome, lines, source=again, output=output)


def drive(ports: Ports, plan: Plan, sampling: Sampling, limit: float | None) -> Outcome:
    """Under the Lease, to the end. Raises LockedError if somebody else holds it; DoccError if nothing was written yet."""
    from docc.engine.driver import Driver
    from docc.engine.lease import Lease

    me = wiring.my_name()
    lease = Lease(ports, plan.app, me, plan.namespace)
    lease.acquire()
    try:
        return Driver(ports, plan.app, me, plan, sampling, lease, limit).run()
    finally:
        lease.release()


def typed_again(manifest: str, images: Sequence[str], flags: Mapping[str, str | None]) -> str:
    """What to type behind `docc deploy` to do the same once more. A URL with a password in it is left to the reader."""
    words = [manifest, *(word for image in images for word in ("--image", image))]
    words += [word for flag, value in flags.items() if value and "@" not in value for word in (flag, value)]
    return shlex.join(words)


def prepare(manifest: Manifest, namespace: str, seen: Seen, gateway: GatewayName | None) -> tuple[Plan, Sampling]:
    """The plan and its conditions, from a manifest and what is there."""
    from docc.core.expression import WINDOW_SECONDS_MIN, longest_range, parse
    from docc.core.intent import candidate_number
    from docc.core.plan import Limits, Plan
    from docc.core.steps import compile_steps
    from docc.engine.sampling import Sampling
    from docc.spec.render import render

    strategy, application = manifest.strategy, manifest.application
    window = max(strategy.canary.interval if strategy.canary else 60.0, WINDOW_SECONDS_MIN)
    conditions = tuple(
        (condition.name, parse(condition.expression, outcome_labels=strategy.outcome_labels))
        for condition in strategy.failure_conditions
    )
    reach = max((longest_range(condition, window) for _, condition in conditions), default=0.0)
    candidate = candidate_number(seen, manifest.spec_hash)
    plan = Plan(
        app=application.name,
        namespace=namespace,
        candidate=candidate,
        spec_hash=manifest.spec_hash,
        scale=application.scale,
        steps=compile_steps(strategy, longest_range=reach),
        rendered=render(manifest, namespace, candidate, gateway),
        limits=Limits(strategy.progress_deadline, strategy.no_data_limit, reach, strategy.drain, strategy.keep_warm),
        judged=bool(conditions),
        port=application.http_port or 0,
    )
    return plan, Sampling(conditions, strategy.poll, window)


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


def confirm(yes: bool) -> None:
    """Asks only a person: in a pipe or a CI job a deploy that was asked for is done."""
    if yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    if not typer.confirm("Go on?", default=True, err=True):
        from docc.model.errors import UsageError

        raise UsageError("not confirmed", state="nothing was touched")
