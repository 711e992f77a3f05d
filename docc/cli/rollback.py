"""docc rollback"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from docc.cli import options, wiring

if TYPE_CHECKING:
    from docc.cli.wiring import Place
    from docc.core.intent import Back
    from docc.core.plan import Plan
    from docc.model.moves import Outcome
    from docc.model.world import Seen
    from docc.ui.console import Console

To = Annotated[str | None, typer.Option("--to", metavar="vN", help="Which revision; else the one that served before.")]


def rollback(
    app: options.App,
    to: To = None,
    reason: options.Reason = "",
    yes: options.Yes = False,
    timeout: options.Timeout = None,
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Stream = "text",
) -> None:
    """All traffic back: out of a rollout, or to the warm former version, in one write; to a cold one when its pods are up."""
    from docc.adapters.signals import Signals
    from docc.cli.beginning import refuse_unpermitted, refuse_unreadable, tell_others
    from docc.cli.ending import conclude
    from docc.cli.telling import Telling
    from docc.core.intent import Way, way_back
    from docc.engine import rollback as engine
    from docc.engine.ports import Ports
    from docc.ui.console import Console

    options.one_of(output, ("text", "json", "jsonl"))
    wanted, limit = options.revision(to), options.seconds(timeout)
    console, place = Console(), wiring.place(kubeconfig, context, namespace)
    telling = Telling(console, place, app, output)
    refuse_unpermitted("rollback", place)
    seen = refuse_unreadable(app, place)
    others = tell_others(app, seen, console)
    me = wiring.my_name()
    why, back = wiring.done_by(me, "rolled back", reason), way_back(seen, wanted)
    refuse_nowhere(app, place, seen, back)
    plan = revived(app, place, seen, back, why)
    if plan is not None:
        announce(console, plan, seen)
        if seen.record is not None and plan.candidate != seen.record.previous:
            options.confirm(yes)
    with Signals(place.clock.ring, place.cluster.connection.patience.end_within) as signals, telling:
        ports = Ports(place.cluster, None, place.clock, signals, telling)
        telling.show(lambda seen: plan.steps if plan is not None else (), me)
        if plan is not None:
            outcome = engine.bring_back(ports, plan, me, limit)
        elif back.way is Way.STAYS:
            outcome = stays(back.target, contested=bool(others))
        else:
            outcome = engine.turn_back(ports, app, place.target.namespace, me, why, back.target)
        conclude(console, place, app, outcome, telling, output=output)


def stays(target: int | None, *, contested: bool) -> Outcome:
    from docc.model.errors import ExitCode
    from docc.model.moves import Outcome

    if contested:
        why = f"v{target} is the one that should serve, and others have changed its traffic; docc deploy --force-conflicts"
        return Outcome("refused", ExitCode.LOCKED, why)
    return Outcome("unchanged", ExitCode.DONE, f"v{target} serves already")


def refuse_nowhere(app: str, place: Place, seen: Seen, back: Back) -> None:
    """Raises NotFoundError."""
    from docc.cli.beginning import UNTOUCHED, without_record
    from docc.core.intent import Way
    from docc.model.errors import NotFoundError

    if back.way is Way.NOWHERE and seen.record is None:
        raise without_record(app, place, seen)
    if back.way is Way.NOWHERE:
        namespace = place.target.namespace
        raise NotFoundError(
            f"{app} has nothing to roll back to"
            if back.target is None
            else f"{app} cannot be rolled back to v{back.target}",
            where=f"namespace {namespace}",
            why=back.why,
            state=UNTOUCHED,
            fix=f"docc status {app} -n {namespace}; docc history {app} -n {namespace}",
        )


def revived(app: str, place: Place, seen: Seen, back: Back, why: str) -> Plan | None:
    """The plan that brings a cold revision back, None if one write will do. Raises NotFoundError, LockedError,
    CredentialsError."""
    from docc.cli.beginning import refuse_unpermitted
    from docc.cli.planning import recorded, straight
    from docc.core.intent import Way

    if back.way is not Way.COLD or back.target is None:
        return None
    _, plan, _ = recorded(app, place.target.namespace, seen, back.target)
    refuse_unpermitted("rollback to a cold revision", place)
    return straight(plan, seen, "rollback", why)


def announce(console: Console, plan: Plan, seen: Seen) -> None:
    """The plan of a cold rollback, before anything happens."""
    from docc.core.intent import stable_of

    stable = stable_of(seen)
    console.sentence(f"plan: {plan.app} back to v{plan.candidate}, which has no pods: {plan.scale} come up first")
    console.sentence("  then it gets all traffic in one write" + (f"; v{stable} serves until then" if stable else ""))
    for container, image in seen.revision(plan.candidate).images.items():
        console.sentence(f"  image {container}: {image}")
    console.sentence("  not restored: what is not in its manifest, such as databases and Secrets")
