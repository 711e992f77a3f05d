"""The Lease docc-APP says who drives. It is renewed by the driver's loop itself, never by a thread: a driver that hangs
loses it. It keeps two drivers from working against each other; what keeps a late write from doing harm is the epoch.

Fields as in coordination.k8s.io/v1, so that `kubectl get lease` reads well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from docc.core.names import history_name
from docc.engine.ports import Ports
from docc.model.errors import Conflict, Gone, LockedError, LookAgain
from docc.model.facts import Waiting
from docc.model.moves import Create, Object, Operation, Patch, Ref

DURATION_SECONDS = 15
_LOOK_SECONDS = 1.0


class LeaseLost(Exception):
    """Somebody else holds the Lease now; holder is who."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


@dataclass(slots=True)
class Lease:
    """me: this driver's unique name. renewed: unix seconds of the last renewal."""

    ports: Ports
    app: str
    me: str
    namespace: str
    renewed: float = field(default=0.0)

    @property
    def ref(self) -> Ref:
        return Ref("Lease", history_name(self.app))

    @property
    def due(self) -> float:
        return self.renewed + DURATION_SECONDS / 3

    def acquire(self) -> None:
        """Takes the Lease. Raises LockedError if its holder is alive: one who renews it while we watch. A holder who stands
        still for one full duration, by our own clock, is gone."""
        clock, seen, since = self.ports.clock, "", self.ports.clock.now()
        while True:
            found = self.ports.cluster.read(self.ref)
            if found is not None and holder_of(found) not in ("", self.me):
                mark = f"{holder_of(found)} {found['spec'].get('renewTime')}"
                if seen and mark != seen:
                    raise _locked(self.app, found, clock.now())
                if not seen:
                    seen, since = mark, clock.now()
                    why = f"{shown(holder_of(found))} holds the lock; watching for {DURATION_SECONDS} s whether it is alive"
                    self.ports.sink.emit(clock.now(), Waiting(why))
                if clock.now() < since + float(found["spec"].get("leaseDurationSeconds") or DURATION_SECONDS):
                    clock.sleep_until(clock.now() + _LOOK_SECONDS)
                    continue
            try:
                self._take(found, clock.now())
                return
            except Conflict:
                continue

    def _take(self, found: Object | None, now: float) -> None:
        spec = {
            "holderIdentity": self.me,
            "leaseDurationSeconds": DURATION_SECONDS,
            "acquireTime": micro_time(now),
            "renewTime": micro_time(now),
            "leaseTransitions": int((found or {}).get("spec", {}).get("leaseTransitions") or 0) + (1 if found else 0),
        }
        if found is None:
            labels = {"app.kubernetes.io/managed-by": "docc", "docc.dev/app": self.app}
            meta = {"name": self.ref.name, "namespace": self.namespace, "labels": labels}
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}
            self.ports.cluster.create(Create(self.ref, body))
        else:
            version = found["metadata"]["resourceVersion"]
            test: Operation = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
            self.ports.cluster.patch(Patch(self.ref, (test, {"op": "add", "path": "/spec", "value": spec})))
        self.renewed = now

    def keep(self) -> None:
        """Renews when a third of the duration is over. Raises LeaseLost; an unreachable server is not a loss yet."""
        now = self.ports.clock.now()
        if now < self.due:
            return
        try:
            self._write({"op": "add", "path": "/spec/renewTime", "value": micro_time(now)})
            self.renewed = now
        except Conflict:
            found = self.ports.cluster.read(self.ref)
            if found is not None and holder_of(found) not in ("", self.me):
                raise LeaseLost(holder_of(found)) from None
            if found is not None and not holder_of(found):  # whoever had it meanwhile has given it back
                self._take(found, now)
        except Gone:  # somebody deleted it; if somebody else has made a new one by now, that is found out next time
            self._take(None, now)
        except LookAgain:
            self.renewed = now - DURATION_SECONDS / 3 + _LOOK_SECONDS

    def release(self) -> None:
        """Gives the Lease back, if it is still ours and the server answers; it runs out by itself otherwise."""
        try:
            self._write({"op": "add", "path": "/spec/holderIdentity", "value": ""})
        except LookAgain:
            return

    def _write(self, operation: Operation) -> None:
        test: Operation = {"op": "test", "path": "/spec/holderIdentity", "value": self.me}
        self.ports.cluster.patch(Patch(self.ref, (test, operation)))


def driver_of(ports: Ports, app: str) -> str:
    """Who drives the application, for people; "" if nobody alive does."""
    lease = ports.cluster.read(Ref("Lease", history_name(app)))
    return shown(holder_of(lease)) if lease is not None and is_alive(lease, ports.clock.now()) else ""


def unlock(ports: Ports, app: str) -> str:
    """Takes the lock off a driver that is gone. Returns who had it, "" if nobody had. Raises LockedError if it is alive."""
    found = ports.cluster.read(Ref("Lease", history_name(app)))
    if found is None or not holder_of(found):
        return ""
    if is_alive(found, ports.clock.now()):
        raise _locked(app, found, ports.clock.now())
    test: Operation = {"op": "test", "path": "/spec/renewTime", "value": found["spec"].get("renewTime")}
    free: Operation = {"op": "add", "path": "/spec/holderIdentity", "value": ""}
    ports.cluster.patch(Patch(Ref("Lease", history_name(app)), (test, free)))
    return shown(holder_of(found))


def is_alive(lease: Object, now: float) -> bool:
    """It has a holder, who renewed it less than one duration ago."""
    age = age_of(lease, now)
    return bool(holder_of(lease)) and age is not None and age < DURATION_SECONDS


def holder_of(lease: Object) -> str:
    return str(lease.get("spec", {}).get("holderIdentity") or "")


def shown(holder: str) -> str:
    """A holder's name without what only makes it unique."""
    return holder.split("#")[0] or "nobody"


def age_of(lease: Object, now: float) -> float | None:
    """Seconds since the last renewal."""
    renewed = lease.get("spec", {}).get("renewTime")
    return None if not renewed else now - datetime.fromisoformat(str(renewed).replace("Z", "+00:00")).timestamp()


def micro_time(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _locked(app: str, lease: Object, now: float) -> LockedError:
    age = age_of(lease, now)
    return LockedError(
        f"{app} is being deployed by {shown(holder_of(lease))}",
        where=f"Lease {lease['metadata']['namespace']}/{lease['metadata']['name']}",
        why=f"it was renewed {max(0.0, age or 0.0):.0f} s ago, while this command watched",
        state="nothing was touched",
        fix=f"docc status {app}; try again when that deploy has ended",
    )
