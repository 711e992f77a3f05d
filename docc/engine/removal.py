"""`docc delete`: under the Lease, one object after the other (core/removal.py), and the Lease itself at the end."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from docc.core.home import home_of
from docc.core.names import history_name
from docc.core.observation import see
from docc.core.removal import lock_of, next_removal
from docc.engine.driver import pause_after, perform, words
from docc.engine.lease import Lease, LeaseLost, Stopped, shown
from docc.engine.ports import Ports
from docc.model.errors import DoccError, ExitCode, LockedError, LookAgain, Unreachable
from docc.model.facts import Deleted, Updated
from docc.model.moves import Delete, Effect, Outcome, Ref
from docc.model.record import Record
from docc.model.world import Home, Objects

TRY_SECONDS = 30.0
"""How long one effect is tried."""


def remove(ports: Ports, app: str, namespace: str, me: str, *, keep_workload: bool) -> Outcome:
    """Raises LockedError if somebody drives the application; DoccError only while certainly nothing was written."""
    lease = Lease(ports, app, me, namespace)
    try:
        lease.acquire()
    except Stopped as stopped:
        return stopped.outcome
    try:
        return _Removal(ports, app, lease, keep_workload).run()
    finally:
        lease.release()


def refuse_unfinished(app: str, namespace: str, record: Record | None, at: str = "") -> None:
    """Whoever forgets the record of what is not at rest, leaves it so: traffic divided, or a front Service that leads to the
    version that was just replaced. at: the flags that lead to the same place. Raises LockedError."""
    if record is None or record.phase.at_rest:
        return
    ends = f"docc abort {app}" if record.phase.undecided else f"docc gc {app}"
    raise LockedError(
        f"a rollout of {app} is {'under way' if record.phase.undecided else 'not finished'}",
        where=f"namespace {namespace}",
        why=f"it is {record.phase.value}, and without docc's record nobody would end it",
        state="nothing was touched",
        fix=f"{ends} {at or f'-n {namespace}'}, and then this again",
    )


@dataclass(slots=True)
class _Removal:
    """touched: something is gone, or may be: the answer is missing."""

    ports: Ports
    app: str
    lease: Lease
    keep_workload: bool
    touched: bool = False

    def run(self) -> Outcome:
        """What is gone stays gone, and the same command goes on."""
        home: Home | None = None
        failures, limit = 0, self.ports.clock.now() + TRY_SECONDS
        while True:
            if (signal := self.ports.stop.asked()) is not None:
                return self._stopped(signal)
            try:
                self.lease.keep()
                objects = self.ports.cluster.observe(self.app)
                home = home or home_of(self.app, objects.deployments)  # which go before it does
                if (effect := self._next(objects, home)) is None:
                    return Outcome("forgotten" if self.keep_workload else "deleted", ExitCode.DONE, "")
                self._perform(effect)
                failures, limit = 0, self.ports.clock.now() + TRY_SECONDS
            except LeaseLost as lost:
                why = f"{shown(lost.holder)} took the lock over"
                return self._stuck(why) if self.touched else Outcome("superseded", ExitCode.LOCKED, why)
            except LookAgain as error:
                if self.ports.clock.now() >= limit:
                    return self._given_up(error)
                self.ports.clock.sleep_until(self.ports.clock.now() + pause_after(failures))
                failures += 1
            except DoccError as error:
                return self._given_up(error)

    def _next(self, objects: Objects, home: Home) -> Effect | None:
        if self.keep_workload:  # people may have typed something since the command looked: a rollback needs no Lease
            refuse_unfinished(self.app, self.lease.namespace, see(self.app, objects).record)
        effect = next_removal(self.app, objects, home, keep_workload=self.keep_workload)
        return effect or lock_of(self.app, self.ports.cluster.read(Ref("Lease", history_name(self.app))))

    def _perform(self, effect: Effect) -> None:
        try:
            perform(self.ports, effect)
        except Unreachable:
            self.touched = True
            raise
        self.touched = True
        _tell(self.ports, effect)

    def _stopped(self, signal: str) -> Outcome:
        code = ExitCode.TERMINATED if signal == "SIGTERM" else ExitCode.INTERRUPTED
        gone = "what is gone is gone; the same command goes on" if self.touched else "nothing was touched"
        return Outcome("stopped", code, f"by {signal}; {gone}")

    def _given_up(self, error: DoccError) -> Outcome:
        if self.touched:
            return self._stuck(words(error))
        error.state = error.state or "nothing was touched"
        raise error

    def _stuck(self, why: str) -> Outcome:
        """With what stands, as far as that is known."""
        left = ""
        with contextlib.suppress(DoccError):
            objects = self.ports.cluster.observe(self.app)
            names = [*(("HTTPRoute",) if objects.route else ())]
            names += [*(f"Service {name}" for name in objects.services)]
            names += [*(f"Deployment {name}" for name in objects.deployments)]
            left = f"; left: {', '.join(names) or 'what docc knows of it'}"
        return Outcome("stuck", ExitCode.FAILED_NOT_CLEAN, f"not all of it could be deleted: {why}{left}")


def _tell(ports: Ports, effect: Effect) -> None:
    ref = effect.ref
    fact = (
        Deleted(ref.kind, ref.name)
        if isinstance(effect, Delete)
        else Updated(ref.kind, ref.name, "without docc's record")
    )
    ports.sink.emit(ports.clock.now(), fact)
