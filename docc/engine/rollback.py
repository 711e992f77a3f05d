"""`docc rollback` and `docc abort`: one write at once, without the Lease; then, with the Lease, what is left to be done: a cold
revision is brought up and gets the traffic, the one that was left drains, all is tidied up."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from docc.core import planner
from docc.core.history import note
from docc.core.invariants import check
from docc.core.observation import see
from docc.core.plan import Plan
from docc.core.view import Checks, View
from docc.engine.driver import FAILURES_TOLD, UNTOUCHED, Driver, drive, pause_after, perform, words
from docc.engine.lease import Lease
from docc.engine.ports import Ports
from docc.engine.sampling import Sampling
from docc.model.errors import Conflict, DoccError, ExitCode, LockedError, LookAgain, Unreachable
from docc.model.facts import Waiting
from docc.model.moves import Move, Outcome
from docc.model.world import Seen

TRIES_MAX = 20
TRY_SECONDS = 30.0
"""How long a write is tried before somebody must be told that it could not be had."""
UNKNOWN = "a write was sent, and whether it arrived is not known"
UNJUDGED = Sampling((), 5.0, 30.0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """plan None: what is under way is finished, nothing is begun."""

    app: str
    namespace: str
    plan: Plan | None = None
    timeout: float | None = None
    began: float = 0.0


def turn_back(ports: Ports, app: str, namespace: str, me: str, reason: str, target: int | None) -> Outcome:
    """Out of a rollout, or to the warm previous revision; target is which. The outcome is "refused" when there is neither,
    "superseded" when somebody has led the traffic elsewhere since; DoccError when the cluster cannot be used."""
    outcome = _written(ports, app, namespace, me, lambda view: planner.turn_back(view, reason, target))
    return _where_it_led(ports, app, outcome, target) if outcome.result == "returned" else outcome


def _where_it_led(ports: Ports, app: str, outcome: Outcome, target: int | None) -> Outcome:
    """What was finished under the Lease may be what somebody else has typed since: then that holds."""
    with contextlib.suppress(DoccError):
        record = see(app, ports.cluster.observe(app)).record
        if record is not None and record.stable != target:
            why = f"v{record.stable} serves, by a later decision" + (f": {record.reason}" if record.reason else "")
            return Outcome("superseded", ExitCode.LOCKED, why)
    return outcome


def give_up(ports: Ports, app: str, namespace: str, me: str, reason: str) -> Outcome:
    """Out of a rollout, a parked one too; "refused" when none is under way."""
    return _written(ports, app, namespace, me, lambda view: planner.give_up(view, "abort", reason))


def bring_back(ports: Ports, plan: Plan, me: str, timeout: float | None) -> Outcome:
    """To a cold revision: traffic leaves a rollout that is under way at once, then the revision's pods come up, then it gets
    everything. Raises LockedError if somebody else drives the application."""
    began = ports.clock.now()
    gone = write_once(ports, plan.app, me, lambda view: planner.give_up(view, plan.verb, plan.reason))
    if gone is not None and (gone.result in ("stopped", "superseded") or gone.exit_code is ExitCode.FAILED_NOT_CLEAN):
        return gone
    wanted = Wanted(plan.app, plan.namespace, plan, timeout, began)
    try:
        return _driven(ports, me, wanted, moved=gone is None)
    except DoccError as error:
        if gone is not None:
            raise
        return _abandoned(ports, plan.app, error)


def _abandoned(ports: Ports, app: str, error: DoccError) -> Outcome:
    """The traffic was moved back, and others may have moved it since."""
    with contextlib.suppress(DoccError):
        if _is_back(see(app, ports.cluster.observe(app))):
            return Outcome("abandoned", ExitCode.FAILED_SAFE, words(error))
    driven = isinstance(error, LockedError)  # whoever has the lock sees to it
    return Outcome("superseded", ExitCode.LOCKED if driven else ExitCode.FAILED_NOT_CLEAN, words(error))


def _is_back(seen: Seen) -> bool:
    """All traffic is on the stable revision."""
    served = {number for number, weight in seen.routed.weights.items() if weight}
    return seen.record is not None and served == {seen.record.stable} and not seen.routed.above


def finish(ports: Ports, app: str, namespace: str, me: str) -> Outcome:
    """Drains and tidies up what is at rest, or about to be. Raises LockedError if somebody else drives the application."""
    return _driven(ports, me, Wanted(app, namespace))


def _driven(ports: Ports, me: str, wanted: Wanted, *, moved: bool = False) -> Outcome:
    """moved: this process has just moved the traffic."""
    lease, acted = Lease(ports, wanted.app, me, wanted.namespace), ports.clock.now() if moved else 0.0
    attempt = 0
    while True:
        attempt += 1
        try:
            driver = Driver(
                ports, wanted.app, me, wanted.plan, UNJUDGED, lease,
                timeout=wanted.timeout, spent=ports.clock.now() - wanted.began, moved=moved, acted=acted,
            )  # fmt: skip
            return drive(driver)
        except LookAgain:  # once the traffic has moved, what follows from it is not given up at the first silence
            if not moved or attempt == TRIES_MAX or ports.stop.asked() is not None:
                raise
            ports.clock.sleep_until(ports.clock.now() + 1)


def tidy(ports: Ports, app: str, namespace: str, me: str) -> Outcome:
    """`docc gc`: the same, for an application on which there may be nothing to do: then nothing is written."""
    seen = see(app, ports.cluster.observe(app))
    if seen.record is not None and seen.record.phase.undecided:
        return Outcome("unchanged", ExitCode.DONE, "a rollout is under way")
    move = planner.advance(View(app, me, None, seen, Checks(), ports.clock.now()))
    return move.outcome or finish(ports, app, namespace, me)


def _written(ports: Ports, app: str, namespace: str, me: str, decide: Callable[[View], Move]) -> Outcome:
    outcome = write_once(ports, app, me, decide)
    if outcome is not None:
        return outcome
    try:
        outcome = _driven(ports, me, Wanted(app, namespace), moved=True)
        if outcome.result == "stopped":
            return replace(outcome, reason="the traffic is back; what is left to be done, docc gc does")
        overruled = outcome.result == "superseded" and outcome.exit_code is ExitCode.FAILED_SAFE
        return Outcome("returned", ExitCode.DONE, outcome.reason) if overruled else outcome
    except LockedError as error:
        # The driver that was overruled is still there: it will see to the rest, or whoever comes next.
        ports.sink.emit(ports.clock.now(), Waiting(f"the traffic is back; {error.what}, so the rest is left to it"))
        return Outcome("returned", ExitCode.DONE, "")
    except DoccError as error:
        return Outcome(
            "stuck", ExitCode.FAILED_NOT_CLEAN, f"the traffic is back, but the rest is undone: {words(error)}"
        )


def write_once(ports: Ports, app: str, me: str, decide: Callable[[View], Move]) -> Outcome | None:
    """The one write, decided anew after each failure, for half a minute; None when it is done. Raises DoccError only while
    certainly nothing was written."""
    attempt = _Attempt(ports, app, me, decide)
    limit, failures = ports.clock.now() + TRY_SECONDS, 0
    while True:
        try:
            return attempt.make()
        except LookAgain as error:
            if (signal := ports.stop.asked()) is not None:
                return attempt.stopped(signal)
            if ports.clock.now() >= limit:
                return attempt.given_up(error)
            if failures == FAILURES_TOLD:
                ports.sink.emit(ports.clock.now(), Waiting(words(error)))
            ports.clock.sleep_until(ports.clock.now() + pause_after(failures))
            failures += 1
        except DoccError as error:
            return attempt.given_up(error)


@dataclass(slots=True)
class _Attempt:
    """sent: a write is on its way, or was, and its answer is missing: it may have arrived, or may yet. before: what that was
    decided on."""

    ports: Ports
    app: str
    me: str
    decide: Callable[[View], Move]
    sent: bool = False
    before: View | None = None

    def make(self) -> Outcome | None:
        """Raises LookAgain if it came to nothing."""
        clock = self.ports.clock
        seen = see(self.app, self.ports.cluster.observe(self.app))
        if seen.record is not None and seen.record.by == self.me:
            _note(self.ports, self.before)
            return None
        view = View(self.app, self.me, None, seen, Checks(), clock.now())
        move = self.decide(view)
        check(view, move)
        if move.effect is None:
            return self._overtaken(view, move.outcome) if self.sent else move.outcome
        self.before = view
        try:
            perform(self.ports, move.effect)
        except Unreachable:
            self.sent = True
            raise
        for fact in move.facts:
            self.ports.sink.emit(clock.now(), fact)
        _note(self.ports, view)
        return None

    def stopped(self, signal: str) -> Outcome:
        if self.sent:
            return Outcome("stuck", ExitCode.FAILED_NOT_CLEAN, f"stopped by {signal}; {UNKNOWN}")
        code = ExitCode.TERMINATED if signal == "SIGTERM" else ExitCode.INTERRUPTED
        return Outcome("stopped", code, f"by {signal}, before anything could be written; nothing was touched")

    def given_up(self, error: DoccError) -> Outcome:
        if self.sent:
            return Outcome("stuck", ExitCode.FAILED_NOT_CLEAN, f"{words(error)}; {UNKNOWN}")
        if isinstance(error, Conflict):
            why = f"others wrote first, {TRY_SECONDS:.0f} s long: {words(error)}"
            return Outcome("stuck", ExitCode.FAILED_NOT_CLEAN, why)
        error.state = error.state or "nothing was touched"
        raise error

    def _overtaken(self, view: View, outcome: Outcome | None) -> Outcome | None:
        """By somebody who wrote since: 2 to 7 would say that this command touched nothing."""
        if outcome is None or outcome.exit_code not in UNTOUCHED:
            return outcome
        code = ExitCode.FAILED_SAFE if _is_back(view.seen) else ExitCode.FAILED_NOT_CLEAN
        return Outcome("superseded", code, f"{outcome.reason}; the answer to its own write was lost")


def _note(ports: Ports, before: View | None) -> None:
    """What was at rest before the write, if nobody had noted it yet: now there is time, and nobody else knows it any more.
    Tried once: what else is to be done for the traffic does not wait for it."""
    with contextlib.suppress(DoccError):
        if before is not None and (move := note(before)) is not None and move.effect is not None:
            perform(ports, move.effect)
