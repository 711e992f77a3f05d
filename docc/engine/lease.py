"""The Lease docc-APP says who drives. It is renewed by the driver's loop itself, never by a thread: a driver that hangs
loses it. It keeps two drivers from working against each other; what keeps a late write from doing harm is the epoch.

Fields as in coordination.k8s.io/v1, so that `kubectl get lease` reads well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from docc.core.names import history_name
from docc.core.observation import see
from docc.engine.ports import HOLD, ROLL_BACK, Ports
from docc.model.errors import Conflict, DoccError, ExitCode, Gone, LockedError, LookAgain, Unreachable
from docc.model.facts import Waiting
from docc.model.moves import Create, Object, Operation, Outcome, Patch, Ref

DURATION_SECONDS, DURATION_SECONDS_MAX = 15, 3600
_LOOK_SECONDS = 1.0


class LeaseLost(Exception):
    """Somebody else holds the Lease now; holder is who."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class Stopped(Exception):
    """A signal came while the Lease was waited for; nothing was touched."""

    def __init__(self, signal: str) -> None:
        super().__init__(signal)
        code = ExitCode.INTERRUPTED if signal == "SIGINT" else ExitCode.TERMINATED
        self.outcome = Outcome("stopped", code, f"by {signal}, before it had the lock; nothing was touched")


@dataclass(slots=True)
class Lease:
    """me: this driver's unique name. renewed: unix seconds of the last renewal. waited: somebody else had it a
    moment ago. lapsed: it was not ours for a while, and others may have had it."""

    ports: Ports
    app: str
    me: str
    namespace: str
    renewed: float = field(default=0.0)
    waited: bool = field(default=False)
    lapsed: bool = False

    @property
    def ref(self) -> Ref:
        return Ref("Lease", history_name(self.app))

    @property
    def due(self) -> float:
        return self.renewed + DURATION_SECONDS / 3

    def acquire(self, patience: float = 0.0, confirmed: Callable[[str], bool] | None = None) -> None:
        """Takes the Lease; without a look, if it was given back. A holder who stands still for one full duration, by our own
        clock, is gone. One who renews it is alive: then `patience` seconds are waited for the end of it, or, if `confirmed`
        says yes to the holder's name, it is taken over at once. Raises LockedError; Stopped when a signal broke it off."""
        try:
            self._acquire(patience, confirmed)
        except LookAgain as error:
            if (signal := self.ports.stop.asked()) not in (None, HOLD, ROLL_BACK):
                raise Stopped(signal) from error
            raise

    def _acquire(self, patience: float, confirmed: Callable[[str], bool] | None) -> None:
        clock, seen, since, alive, taking = self.ports.clock, "", self.ports.clock.now(), False, False
        began = since
        with contextlib.suppress(Conflict):
            self._take_free(began)
            return
        while True:
            found = self.ports.cluster.read(self.ref)
            if found is not None and holder_of(found) not in ("", self.me) and not taking:
                mark = f"{holder_of(found)} {spec_of(found).get('renewTime')}"
                if mark != seen:
                    alive, seen, since = bool(seen), mark, clock.now()
                    self._tell_holder(found, alive, patience)
                if confirmed is not None and alive:
                    taking, confirmed = confirmed(shown(holder_of(found))), None
                    continue
                if alive and clock.now() >= began + patience:
                    raise locked(self.ports, self.app, found, waited=patience)
                if clock.now() < since + _duration(found):
                    self.waited = True
                    pause(self.ports)
                    continue
            try:
                self._take(found, clock.now())
                return
            except Conflict:
                continue

    def _tell_holder(self, lease: Object, alive: bool, patience: float) -> None:
        holder = shown(holder_of(lease))
        why = f"{holder} holds the lock; watching for {DURATION_SECONDS} s whether it is alive"
        if alive:
            why = f"{holder} drives it, and is alive" + (f"; waiting up to {patience:.0f} s" if patience else "")
        self.ports.sink.emit(self.ports.clock.now(), Waiting(why))

    def _take_free(self, now: float) -> None:
        """Raises Conflict if it names somebody."""
        try:
            self._write({"op": "add", "path": "/spec", "value": self._spec(now)}, holder="")
            self.renewed = now
        except Gone:
            self._take(None, now)

    def _take(self, found: Object | None, now: float) -> None:
        spec = self._spec(now)
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

    def _spec(self, now: float) -> Object:
        return {
            "holderIdentity": self.me,
            "leaseDurationSeconds": DURATION_SECONDS,
            "acquireTime": micro_time(now),
            "renewTime": micro_time(now),
        }

    def keep(self) -> None:
        """Renews when a third of the duration is over. Raises LeaseLost; an unreachable server is not a loss yet. What is
        refused is not asked for again at once: who must stay without it, stays on to take traffic back."""
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
                self.lapsed = True
                self._take(found, now)
        except Gone:  # somebody deleted it; if somebody else has made a new one by now, that is found out next time
            self.lapsed = True
            self._take(None, now)
        except LookAgain as error:
            self.put_off(max(error.wait if isinstance(error, Unreachable) else 0.0, _LOOK_SECONDS))

    def put_off(self, seconds: float = DURATION_SECONDS / 3) -> None:
        """The next renewal, after one that came to nothing; by a third of the duration at most."""
        third = DURATION_SECONDS / 3
        self.renewed = self.ports.clock.now() - third + min(seconds, third)

    def release(self) -> None:
        """Gives the Lease back, if it is still ours and the server takes it; it runs out by itself otherwise. Never raises
        DoccError: how the command ended, it ended before."""
        try:
            self._write({"op": "add", "path": "/spec/holderIdentity", "value": ""})
        except DoccError:
            return

    def _write(self, operation: Operation, holder: str | None = None) -> None:
        """holder: who must be named in it; None: this driver."""
        test: Operation = {"op": "test", "path": "/spec/holderIdentity", "value": self.me if holder is None else holder}
        self.ports.cluster.patch(Patch(self.ref, (test, operation)))


def driver_of(ports: Ports, app: str) -> str:
    """Who drives the application, for people; "" if nobody alive does."""
    lease = ports.cluster.read(Ref("Lease", history_name(app)))
    return shown(holder_of(lease)) if lease is not None and is_alive(lease, ports.clock.now()) else ""


def watcher_of(ports: Ports, app: str) -> str:
    """The same by watching: a driver that was killed a moment ago does not renew its Lease again. Takes one duration at most,
    and less if it is alive. Raises Stopped."""
    first = ports.cluster.read(Ref("Lease", history_name(app)))
    found, until = first, ports.clock.now() + DURATION_SECONDS
    while found is not None and is_alive(found, ports.clock.now()) and ports.clock.now() < until:
        if first is not None and spec_of(found).get("renewTime") != spec_of(first).get("renewTime"):
            return shown(holder_of(found))
        if found is first:
            why = f"{shown(holder_of(found))} holds the lock; watching for {DURATION_SECONDS} s whether it is alive"
            ports.sink.emit(ports.clock.now(), Waiting(why))
        pause(ports)
        found = ports.cluster.read(Ref("Lease", history_name(app)))
    return ""


def pause(ports: Ports) -> None:
    """Until the next look: changes of the application's objects wake nobody more often than that. Raises Stopped."""
    until = ports.clock.now() + _LOOK_SECONDS
    while ports.clock.now() < until:
        if (signal := ports.stop.asked()) not in (None, HOLD, ROLL_BACK):
            raise Stopped(signal)
        ports.clock.sleep_until(until)


def unlock(ports: Ports, app: str) -> str:
    """Takes the lock off a driver that is gone. Returns who had it, "" if nobody had. Raises LockedError if it is alive."""
    found = ports.cluster.read(Ref("Lease", history_name(app)))
    if found is None or not holder_of(found):
        return ""
    if is_alive(found, ports.clock.now()):
        raise locked(ports, app, found)
    test: Operation = {"op": "test", "path": "/spec/renewTime", "value": spec_of(found).get("renewTime")}
    free: Operation = {"op": "add", "path": "/spec/holderIdentity", "value": ""}
    ports.cluster.patch(Patch(Ref("Lease", history_name(app)), (test, free)))
    return shown(holder_of(found))


def is_alive(lease: Object, now: float) -> bool:
    """It has a holder, who renewed it less than one duration ago."""
    age = age_of(lease, now)
    return bool(holder_of(lease)) and age is not None and age < DURATION_SECONDS


def holder_of(lease: Object) -> str:
    return str(spec_of(lease).get("holderIdentity") or "")


def spec_of(lease: Object) -> Object:
    """Empty where it is no object: such a Lease is nobody's."""
    spec = lease.get("spec")
    return spec if isinstance(spec, dict) else {}


def _duration(lease: Object) -> float:
    """As long as its holder says, within reason."""
    seconds = spec_of(lease).get("leaseDurationSeconds")
    return float(seconds) if type(seconds) is int and 0 < seconds <= DURATION_SECONDS_MAX else DURATION_SECONDS


def shown(holder: str) -> str:
    """A holder's name without what only makes it unique."""
    return holder.split("#")[0] or "nobody"


def age_of(lease: Object, now: float, since: str = "renewTime") -> float | None:
    """Seconds since the last renewal, or since another of its instants; None without one that can be read."""
    try:
        return now - datetime.fromisoformat(str(spec_of(lease).get(since)).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None


def micro_time(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def locked(ports: Ports, app: str, lease: Object, *, waited: float = 0.0) -> LockedError:
    """Who has it, from where, since when, and what they are at."""
    now = ports.clock.now()
    age, held = (max(0.0, age_of(lease, now, since) or 0.0) for since in ("renewTime", "acquireTime"))
    after = f", {waited:.0f} s long" if waited else ""
    return LockedError(
        f"{app} is being deployed by {shown(holder_of(lease))}{_doing(ports, app)}",
        where=f"Lease {lease['metadata']['namespace']}/{lease['metadata']['name']}",
        why=f"it has held the lock for {held:.0f} s, and renewed it {age:.0f} s ago, while this command watched{after}",
        state="nothing was touched",
        fix=f"docc status {app} -n {lease['metadata']['namespace']}; --lock-wait 15m waits for its end, docc abort {app} ends "
        "it, --take-over goes on in its place",
    )


def _doing(ports: Ports, app: str) -> str:
    try:
        record = see(app, ports.cluster.observe(app)).record
    except DoccError:
        return ""
    if record is None or record.candidate is None:
        return ""
    return f" (v{record.candidate}, {record.phase.value}, {record.weight} %)"
