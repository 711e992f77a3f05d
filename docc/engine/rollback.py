"""`docc rollback`: one write at once, without the Lease; then, with the Lease, whatever is left to be tidied up."""

from __future__ import annotations

from docc.core import planner
from docc.core.invariants import check
from docc.core.observation import see
from docc.core.view import Checks, View
from docc.engine.driver import Driver, perform, words
from docc.engine.lease import Lease
from docc.engine.ports import Ports
from docc.engine.sampling import Sampling
from docc.model.errors import ExitCode, LockedError, LookAgain, NotFoundError
from docc.model.facts import Waiting
from docc.model.moves import Outcome

TRIES_MAX = 20


def turn_back(ports: Ports, app: str, namespace: str, me: str, reason: str) -> Outcome:
    """Raises NotFoundError when there is nothing to turn back, DoccError when the cluster cannot be used."""
    outcome = _write(ports, app, me, reason)
    if outcome is not None and outcome.exit_code is ExitCode.NOT_FOUND:
        raise NotFoundError(
            f"{app} has nothing to roll back to",
            where=f"namespace {namespace}",
            why=outcome.reason,
            state="nothing was changed",
            fix=f"docc status {app}; docc deploy the manifest of the version that you want",
        )
    if outcome is not None:
        return outcome
    lease = Lease(ports, app, me, namespace)
    try:
        lease.acquire()
    except (
        LockedError
    ) as error:  # the driver that was overruled is still there; it will see to the rest, or the next one
        ports.sink.emit(ports.clock.now(), Waiting(f"the traffic is back; {error.what}, so the rest is left to it"))
        return Outcome("returned", ExitCode.DONE, reason)
    try:
        ended = Driver(ports, app, me, None, Sampling((), 5.0, 30.0), lease).run()
    finally:
        lease.release()
    return ended


def _write(ports: Ports, app: str, me: str, reason: str) -> Outcome | None:
    """The one write, decided anew after each conflict; None when it is done."""
    why = ""
    for attempt in range(TRIES_MAX):
        seen = see(app, ports.cluster.observe(app))
        if seen.record is not None and seen.record.by == me:
            return None
        view = View(app, me, None, seen, Checks(), ports.clock.now())
        move = planner.turn_back(view, reason)
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
