"""`docc delete`: under the Lease, one object after the other (core/removal.py), and the Lease itself at the end."""

from __future__ import annotations

from docc.core.home import home_of
from docc.core.names import history_name
from docc.core.removal import lock_of, next_removal
from docc.engine.driver import perform, words
from docc.engine.lease import Lease, LeaseLost, Stopped, shown
from docc.engine.ports import Ports
from docc.model.errors import ExitCode, LookAgain
from docc.model.facts import Deleted, Updated
from docc.model.moves import Delete, Effect, Outcome, Ref

TRIES_MAX = 20


def remove(ports: Ports, app: str, namespace: str, me: str, *, keep_workload: bool) -> Outcome:
    """Raises LockedError if somebody drives the application; DoccError when an object is refused: what is gone is gone then,
    and the same command goes on."""
    lease = Lease(ports, app, me, namespace)
    try:
        lease.acquire()
    except Stopped as stopped:
        return stopped.outcome
    home = home_of(app, ports.cluster.observe(app).deployments)  # which go before it does
    why, failures, touched = "", 0, False
    try:
        while failures < TRIES_MAX:
            if ports.stop.asked() is not None:
                return Outcome("stopped", ExitCode.INTERRUPTED, "what is gone is gone; the same command goes on")
            try:
                lease.keep()
                effect = next_removal(app, ports.cluster.observe(app), home, keep_workload=keep_workload)
                effect = effect or lock_of(app, ports.cluster.read(Ref("Lease", history_name(app))))
                if effect is None:
                    return Outcome("forgotten" if keep_workload else "deleted", ExitCode.DONE, "")
                touched = True
                perform(ports, effect)
                _tell(ports, effect)
                failures = 0
            except LeaseLost as lost:
                why = f"{shown(lost.holder)} took the lock over"
                if not touched:
                    return Outcome("superseded", ExitCode.LOCKED, why)
                break
            except LookAgain as error:
                why, failures = words(error), failures + 1
                ports.clock.sleep_until(ports.clock.now() + 0.1)
    finally:
        lease.release()
    return Outcome("stuck", ExitCode.FAILED_NOT_CLEAN, f"not all of it could be deleted: {why}")


def _tell(ports: Ports, effect: Effect) -> None:
    ref = effect.ref
    fact = (
        Deleted(ref.kind, ref.name)
        if isinstance(effect, Delete)
        else Updated(ref.kind, ref.name, "without docc's record")
    )
    ports.sink.emit(ports.clock.now(), fact)
