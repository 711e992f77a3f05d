"""`docc rollback` and `docc abort`: one write at once, without the Lease; then, with the Lease, what is left to be done: a cold
revision is brought up and gets the traffic, the one that was left drains, all is tidied up."""

from __future__ import annotations

from collections.abc import Callable

from docc.core import planner
from docc.core.invariants import check
from docc.core.observation import see
from docc.core.plan import Plan
from docc.core.view import Checks, View
from docc.engine.driver import Driver, drive, perform, words
from docc.engine.lease import Lease
from docc.engine.ports import Ports
from docc.engine.sampling import Sampling
from docc.model.errors import ExitCode, LockedError, LookAgain
from docc.model.facts import Waiting
from docc.model.moves import Move, Outcome

TRIES_MAX = 20
UNJUDGED = Sampling((), 5.0, 30.0)


def turn_back(ports: Ports, app: str, namespace: str, me: str, reason: str) -> Outcome:
    """Out of a rollout, or to the warm previous revision. The outcome is "refused" when there is neither; DoccError when the
    cluster cannot be used."""
    return _written(ports, app, namespace, me, lambda view: planner.turn_back(view, reason))


def give_up(ports: Ports, app: str, namespace: str, me: str, reason: str) -> Outcome:
    """Out of a rollout, a parked one too; "refused" when none is under way."""
    return _written(ports, app, namespace, me, lambda view: planner.give_up(view, "abort", reason))


def bring_back(ports: Ports, plan: Plan, me: str, timeout: float | None) -> Outcome:
    """To a cold revision: traffic leaves a rollout that is under way at once, then the revision's pods come up, then it gets
    everything. Raises LockedError if somebody else drives the application."""
    gone = _write(ports, plan.app, me, lambda view: planner.give_up(view, plan.verb, plan.reason))
    if gone is not None and gone.exit_code is ExitCode.FAILED_NOT_CLEAN:
        return gone
    return drive(Driver(ports, plan.app, me, plan, UNJUDGED, Lease(ports, plan.app, me, plan.namespace), timeout))


def finish(ports: Ports, app: str, namespace: str, me: str) -> Outcome:
    """Drains and tidies up what is at rest, or about to be. Raises LockedError if somebody else drives the application."""
    return drive(Driver(ports, app, me, None, UNJUDGED, Lease(ports, app, me, namespace)))


def tidy(ports: Ports, app: str, namespace: str, me: str) -> Outcome:
    """`docc gc`: the same, for an application on which there may be nothing to do: then nothing is written."""
    seen = see(app, ports.cluster.observe(app))
    move = planner.advance(View(app, me, None, seen, Checks(), ports.clock.now()))
    return move.outcome or finish(ports, app, namespace, me)


def _written(ports: Ports, app: str, namespace: str, me: str, decide: Callable[[View], Move]) -> Outcome:
    outcome = _write(ports, app, me, decide)
    if outcome is not None:
        return outcome
    try:
        return finish(ports, app, namespace, me)
    except LockedError as error:
        # The driver that was overruled is still there: it will see to the rest, or whoever comes next.
        ports.sink.emit(ports.clock.now(), Waiting(f"the traffic is back; {error.what}, so the rest is left to it"))
        return Outcome("returned", ExitCode.DONE, "")


def _write(ports: Ports, app: str, me: str, decide: Callable[[View], Move]) -> Outcome | None:
    """The one write, decided anew after each conflict; None when it is done."""
    why = ""
    for attempt in range(TRIES_MAX):
        seen = see(app, ports.cluster.observe(app))
        if seen.record is not None and seen.record.by == me:
            return None
        view = View(app, me, None, seen, Checks(), ports.clock.now())
        move = decide(view)
        check(view, move)
        if move.effect is None:
            return move.outcome
        try:
            perform(ports, move.effect)
        except LookAgain as error:
            why = words(error)
            if attempt:
                ports.clock.sleep_until(ports.clock.now() + 0.1)
            continue
        for fact in move.facts:
            ports.sink.emit(ports.clock.now(), fact)
        return None
    return Outcome("stuck", ExitCode.FAILED_NOT_CLEAN, f"it could not be written, {TRIES_MAX} times in a row: {why}")
