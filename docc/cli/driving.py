"""What deploy, resume and promote do alike once they have a manifest and its plan: preflight, the plan on the screen, the
question, the Lease, the driver."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from docc.cli import options, wiring

if TYPE_CHECKING:
    from docc.adapters.prometheus import PrometheusMetrics
    from docc.adapters.signals import Signals
    from docc.cli.preflight import Preflight
    from docc.cli.telling import Telling
    from docc.cli.wiring import Place
    from docc.core.permissions import Permission
    from docc.core.plan import Plan
    from docc.core.view import Until
    from docc.engine.sampling import Sampling
    from docc.model.moves import Outcome
    from docc.model.world import Seen
    from docc.ui.console import Console


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line says of the drive. ignore: --baseline=ignore. dry_run: "", client or server. timeout, lock_wait:
    seconds. began: the command, by time.monotonic. forced: --force-conflicts. until: what it stays for."""

    yes: bool
    ignore: bool = False
    dry_run: str = ""
    timeout: float | None = None
    lock_wait: float = 0.0
    take_over: bool = False
    forced: bool = False
    began: float = 0.0
    until: Until = "done"


def go_on(
    place: Place,
    telling: Telling,
    app: str,
    seen: Seen,
    chosen: Choices,
    lacking: Sequence[Permission],
    url: str | None,
) -> Outcome:
    """The unfinished rollout from the cluster's records alone. lacking: rights that it can do without. url: --prometheus-url.
    Raises as drive() does, and NotFoundError where there is none."""
    from docc.adapters import prometheus
    from docc.cli.planning import as_begun, recorded, unfinished
    from docc.cli.preflight import Preflight

    where = place.target.namespace
    manifest, plan, sampling = recorded(app, where, seen, unfinished(app, where, seen))
    plan, sampling = as_begun(plan, sampling, seen)
    metrics = prometheus.choose(url, manifest.strategy.prometheus, place.cluster.connection)
    return drive(Preflight(place, manifest, seen, tuple(lacking)), (plan, sampling), metrics, telling, chosen)


def drive(
    checks: Preflight,
    planned: tuple[Plan, Sampling],
    metrics: PrometheusMetrics | None,
    telling: Telling,
    chosen: Choices,
    replan: Callable[[Seen], Plan] | None = None,
) -> Outcome:
    """replan: the plan of the same manifest from a later look. Raises PreflightError, LockedError, StoppedError; DoccError as
    long as nothing was written."""
    from docc.adapters.signals import Signals, terminal
    from docc.engine.driver import Driver
    from docc.engine.driver import drive as under_lease
    from docc.engine.lease import Lease
    from docc.engine.ports import HOLD, Ports
    from docc.model.errors import ExitCode
    from docc.model.moves import Outcome

    plan, sampling = planned
    place = checks.place
    signals = Signals(place.clock.ring, place.cluster.connection.patience.end_within)
    ports = Ports(place.cluster, metrics, place.clock, signals, telling)
    with contextlib.ExitStack() as ending:
        if metrics is not None:
            ending.callback(metrics.close)
        plan = checks.conditions(ports, metrics, plan, sampling, ignore=chosen.ignore)
        _show(telling, checks, plan, rehearse=chosen.dry_run == "server")
        wiring.unbound(place)
        if chosen.dry_run:
            return Outcome("planned", ExitCode.DONE, f"--dry-run={chosen.dry_run}")
        options.confirm(chosen.yes)
        with signals, telling:
            confirmed = _asked(chosen, signals, telling.console) if chosen.take_over else None
            me = wiring.my_name()
            lease = Lease(ports, plan.app, me, plan.namespace)
            spent = time.monotonic() - chosen.began
            driver = Driver(
                ports, plan.app, me, plan, sampling, lease, chosen.timeout, chosen.forced, replan, spent=spent,
                until=chosen.until,
            )  # fmt: skip

            def begun() -> None:
                keyboard = terminal()
                telling.show(lambda seen: plan.steps, me, lambda: signals.asked() == HOLD, asks=keyboard is not None)
                signals.converse(keyboard, telling.aside)

            return under_lease(driver, chosen.lock_wait, confirmed, begun)


def _show(telling: Telling, checks: Preflight, plan: Plan, *, rehearse: bool) -> None:
    from docc.ui.plan import notes, plan_lines

    told = checks.conclude(plan, rehearse=rehearse)
    telling.plan = tuple(plan_lines(checks.manifest, plan, checks.seen))
    telling.notes = tuple(notes(told, checks.unseen))
    for row in (*telling.plan, *telling.notes):
        telling.console.sentence(row)


def _asked(chosen: Choices, signals: Signals, console: Console) -> Callable[[str], bool]:
    """Whether a living driver is to be taken over: --yes says so, or a person does. Nobody to ask: no."""

    def confirmed(holder: str) -> bool:
        if chosen.yes:
            return True
        if not options.can_ask():
            return False
        console.sentence(f"{holder} is alive and drives it. It would end, and its rollout would go on from here.")
        with signals.aside():
            return options.answered(lambda: typer.confirm("Take over?", default=False, err=True))

    return confirmed
