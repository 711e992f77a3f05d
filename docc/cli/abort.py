"""docc abort"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from docc.cli import options, wiring

if TYPE_CHECKING:
    from docc.engine.ports import Ports
    from docc.model.moves import Outcome
    from docc.model.world import Seen

IfUnwatched = Annotated[
    bool,
    typer.Option("--if-unwatched", help="Only if no driver is alive; nothing to do is a success. For cron and CI."),
]


def abort(
    app: options.App,
    if_unwatched: IfUnwatched = False,
    reason: options.Reason = "",
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Stream = "text",
) -> None:
    """Give up the rollout that is under way: all traffic to the version that served before, in one write."""
    from docc.adapters.signals import Signals
    from docc.cli.beginning import UNTOUCHED, refuse_unpermitted, refuse_unreadable, tell_others, without_record
    from docc.cli.ending import conclude
    from docc.cli.telling import Telling
    from docc.engine.ports import Ports
    from docc.engine.rollback import give_up
    from docc.model.errors import ExitCode, NotFoundError
    from docc.ui.console import Console

    options.one_of(output, ("text", "json", "jsonl"))
    console, place = Console(), wiring.place(kubeconfig, context, namespace)
    telling = Telling(console, place, app, output)
    refuse_unpermitted("abort", place)
    seen = refuse_unreadable(app, place)
    tell_others(app, seen, console)
    me = wiring.my_name()
    with Signals(place.clock.ring, place.cluster.connection.patience.end_within) as signals:
        ports = Ports(place.cluster, None, place.clock, signals, telling)
        outcome = _left_alone(ports, app, seen) if if_unwatched else None
        if outcome is None:
            unwatched = (
                "aborted, since nobody approved it in time (pause_timeout)," if late(seen) else "aborted, unwatched,"
            )
            why = wiring.done_by(me, unwatched if if_unwatched else "aborted", reason)
            outcome = give_up(ports, app, place.target.namespace, me, why)
        if outcome.exit_code is ExitCode.NOT_FOUND and seen.record is None:
            raise without_record(app, place, seen)
        if outcome.exit_code is ExitCode.NOT_FOUND:
            raise NotFoundError(
                f"{app} has nothing to abort",
                where=f"namespace {place.target.namespace}",
                why=outcome.reason,
                state=UNTOUCHED,
                fix=f"docc status {app} {place.at}; docc rollback goes back to the former version",
            )
        conclude(console, place, app, outcome, telling, output=output)


def late(seen: Seen) -> bool:
    """It was left waiting for people, who have let its time go by."""
    return seen.record is not None and seen.record.left and seen.record.expires is not None


def _left_alone(ports: Ports, app: str, seen: Seen) -> Outcome | None:
    """None if a rollout is under way and nobody watches it, or its time to be approved is over. What is parked takes no
    traffic: it stays, to be resumed."""
    from docc.engine.lease import Stopped, watcher_of
    from docc.model.errors import ExitCode
    from docc.model.moves import Outcome

    if seen.record is None or not seen.record.phase.undecided:
        return Outcome("unchanged", ExitCode.DONE, "no rollout is under way")
    if seen.record.may_wait(ports.clock.now()):
        return Outcome("unchanged", ExitCode.DONE, "its driver has left it waiting, as it was told to")
    try:
        driver = watcher_of(ports, app)
    except Stopped as stopped:
        return stopped.outcome
    return Outcome("unchanged", ExitCode.DONE, f"{driver} watches it") if driver else None
