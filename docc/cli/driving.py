"""What deploy and resume do alike once they have a manifest and its plan: preflight, the plan on the screen, the question, the
Lease, the driver."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from docc.cli import options, wiring

if TYPE_CHECKING:
    from docc.adapters.prometheus import PrometheusMetrics
    from docc.cli.preflight import Preflight
    from docc.cli.telling import Telling
    from docc.core.plan import Plan
    from docc.engine.ports import Ports
    from docc.engine.sampling import Sampling
    from docc.model.moves import Outcome


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line says of the drive. ignore: --baseline=ignore. dry_run: "", client or server. timeout, lock_wait:
    seconds. forced: --force-conflicts."""

    yes: bool
    ignore: bool = False
    dry_run: str = ""
    timeout: float | None = None
    lock_wait: float = 0.0
    take_over: bool = False
    forced: bool = False


def drive(
    checks: Preflight,
    planned: tuple[Plan, Sampling],
    metrics: PrometheusMetrics | None,
    telling: Telling,
    chosen: Choices,
) -> Outcome:
    """Raises PreflightError, LockedError; DoccError as long as nothing was written."""
    from docc.adapters.signals import Signals, terminal
    from docc.engine.ports import Ports
    from docc.model.errors import ExitCode
    from docc.model.moves import Outcome

    plan, sampling = planned
    place = checks.place
    hurry = place.cluster.connection.patience.end_within
    with Signals(place.clock.ring, hurry, terminal()) as signals, contextlib.ExitStack() as ending:
        if metrics is not None:
            ending.callback(metrics.close)
        ports = Ports(place.cluster, metrics, place.clock, signals, telling)
        plan = checks.conditions(ports, metrics, plan, sampling, ignore=chosen.ignore)
        _show(telling, checks, plan, rehearse=chosen.dry_run == "server")
        if chosen.dry_run:
            return Outcome("planned", ExitCode.DONE, f"--dry-run={chosen.dry_run}")
        options.confirm(chosen.yes)
        return _locked(ports, plan, sampling, chosen)


def _show(telling: Telling, checks: Preflight, plan: Plan, *, rehearse: bool) -> None:
    from docc.ui.plan import notes, plan_lines

    told = checks.conclude(plan, rehearse=rehearse)
    telling.plan = tuple(plan_lines(checks.manifest, plan, checks.seen))
    telling.notes = tuple(notes(told, checks.unseen))
    for row in (*telling.plan, *telling.notes):
        telling.console.sentence(row)


def _locked(ports: Ports, plan: Plan, sampling: Sampling, chosen: Choices) -> Outcome:
    from docc.engine.driver import Driver
    from docc.engine.driver import drive as under_lease
    from docc.engine.lease import Lease

    me = wiring.my_name()
    lease = Lease(ports, plan.app, me, plan.namespace)
    driver = Driver(ports, plan.app, me, plan, sampling, lease, chosen.timeout, chosen.forced)
    return under_lease(driver, chosen.lock_wait, _asked(chosen) if chosen.take_over else None)


def _asked(chosen: Choices) -> Callable[[str], bool]:
    """Whether a living driver is to be taken over: --yes says so, or a person does. Nobody to ask: no."""

    def confirmed(holder: str) -> bool:
        if chosen.yes:
            return True
        asked = f"{holder} is alive and drives it. Take over? It ends then, and its rollout goes on from here."
        return options.can_ask() and typer.confirm(asked, default=False, err=True)

    return confirmed
