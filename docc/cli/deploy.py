"""docc deploy"""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from docc.cli import options, wiring

if TYPE_CHECKING:
    from docc.adapters.prometheus import PrometheusMetrics
    from docc.core.plan import Plan
    from docc.engine.sampling import Sampling
    from docc.model.manifest import Manifest
    from docc.model.world import Seen

Baseline = Annotated[
    str,
    typer.Option("--baseline", help="A condition that fails already: wait for it to clear, or ignore it this time."),
]
ErrorUnchanged = Annotated[bool, typer.Option("--error-unchanged", help="End with 3 if nothing is to be done.")]
ForceNew = Annotated[
    bool,
    typer.Option("--force-new", help="A new revision, with all its steps, also of a manifest that serves already."),
]
Preview = Annotated[
    bool,
    typer.Option(
        "--preview",
        help="The new version comes up at 0 %, for requests with the header x-docc-preview, and waits for docc promote.",
    ),
]
DryRun = Annotated[
    str,
    typer.Option(
        "--dry-run",
        metavar="[=client|=server]",
        help="Show the plan, touch nothing; =server also asks the API server whether it would take what will be created.",
    ),
]


def deploy(
    manifest: options.Manifest = None,
    filename: options.Filename = None,
    image: options.Images = None,
    yes: options.Yes = False,
    dry_run: DryRun = "",
    error_unchanged: ErrorUnchanged = False,
    force_new: ForceNew = False,
    preview: Preview = False,
    wait: options.Wait = None,
    timeout: options.Timeout = None,
    baseline: Baseline = "wait",
    lock_wait: options.LockWait = None,
    take_over: options.TakeOver = False,
    force_conflicts: options.ForceConflicts = False,
    prometheus_url: options.Prometheus = None,
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Stream = "text",
) -> None:
    """Roll a manifest out, step by step, and take it back if it fails."""
    from dataclasses import replace

    from docc.adapters import prometheus
    from docc.cli.beginning import (
        refuse_contested,
        refuse_moved,
        refuse_previewless,
        refuse_unpermitted,
        refuse_unreadable,
    )  # fmt: skip
    from docc.cli.driving import Choices, drive
    from docc.cli.ending import conclude
    from docc.cli.planning import home_in, planned
    from docc.cli.preflight import Preflight
    from docc.cli.telling import Telling
    from docc.core.intent import another_number
    from docc.core.permissions import PREFLIGHT
    from docc.model.errors import ExitCode
    from docc.ui.console import Console

    options.one_of(output, ("text", "json", "jsonl"))
    options.one_of(baseline, ("wait", "ignore"))
    options.one_of(dry_run, ("", "client", "server"), "--dry-run=")
    began, until = time.monotonic(), options.until(wait)
    limit, patience = options.seconds(timeout), options.seconds(lock_wait) or 0.0
    source = options.the_manifest(manifest, filename)
    found = wiring.read_manifest(source, image, preview=preview)
    app, console = found.application.name, Console()
    place = wiring.place(kubeconfig, context, namespace, found.application.namespace, wide=True)
    telling = Telling(console, place, app, output)
    metrics = _begun(prometheus.choose(prometheus_url, found.strategy.prometheus, place.cluster.connection), found)
    lacking, home = refuse_unpermitted("deploy", place, PREFLIGHT), home_in(found)
    seen = refuse_unreadable(app, place, home)
    refuse_moved(app, place, home)
    refuse_previewless(app, place, seen, asked=preview)
    refuse_contested(app, place, seen, console, force=force_conflicts)
    checks = Preflight(place, found, seen, lacking)
    gateway = checks.gateway()

    def plan_from(now: Seen) -> tuple[Plan, Sampling]:
        number = another_number(now, found.spec_hash) if force_new else None
        return planned(found, place.target.namespace, now, gateway, number)

    flags = {"-n": namespace, "--context": context, "--kubeconfig": kubeconfig, "--prometheus-url": prometheus_url}
    again = None if source == "-" else typed_again(source, image or [], flags, force_new=force_new, preview=preview)
    chosen = Choices(yes, baseline == "ignore", dry_run, limit, patience, take_over, force_conflicts, began, until)
    outcome = drive(checks, plan_from(seen), metrics, telling, chosen, lambda now: plan_from(now)[0])
    if error_unchanged and outcome.result == "unchanged":
        outcome = replace(outcome, exit_code=ExitCode.UNCHANGED)
    conclude(console, place, app, outcome, telling, source=again, output=output)


def _begun(metrics: PrometheusMetrics | None, found: Manifest) -> PrometheusMetrics | None:
    """It is asked whether it answers while all else is looked at."""
    if metrics is not None and found.strategy.failure_conditions:
        metrics.begin()
    return metrics


def typed_again(manifest: str, images: Sequence[str], flags: Mapping[str, str | None], **switches: bool) -> str:
    """What to type behind `docc deploy` to do the same once more. switches: options without a value. A URL with a
    password in it is left to the reader."""
    words = [manifest, *(word for image in images for word in ("--image", image))]
    words += [word for flag, value in flags.items() if value and "@" not in value for word in (flag, value)]
    words += [f"--{name.replace('_', '-')}" for name, given in switches.items() if given]
    return shlex.join(words)
