"""The only loop: observe, advance, act. It knows ports and the planner; it decides nothing about traffic itself.

There is no retry code: what fails for a passing reason is looked at again, at once the first time, then ever more slowly.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from docc.core import dispute, planner
from docc.core.history import note
from docc.core.invariants import check
from docc.core.observation import see
from docc.core.plan import Plan
from docc.core.steps import awaits
from docc.core.view import Checks, Until, View
from docc.engine import evidence
from docc.engine.endurance import Endurance
from docc.engine.lease import Lease, LeaseLost, Stopped, shown
from docc.engine.memory import Memory
from docc.engine.ports import HOLD, ROLL_BACK, Ports
from docc.engine.sampling import Sampling, told
from docc.model.errors import CredentialsError, DoccError, ExitCode, LoginLost, LookAgain, Unreachable
from docc.model.facts import LeftUndone, PutBack, Replanned, Requested, Reverted, Scaled, Updated, Waiting
from docc.model.moves import Create, Delete, Effect, Move, Outcome, Patch, Ref
from docc.model.record import Phase
from docc.model.world import Home, Seen

NEVER = float("inf")
UNTOUCHED = (ExitCode.UNUSABLE, ExitCode.NOT_FOUND, ExitCode.LOCKED)
BACKOFF_SECONDS_MAX = 2.0
BUSY_SECONDS_MAX, BUSY_EXPOSED_SECONDS_MAX = 10.0, 1.0
"""How long a server that asks for it is left alone: at most, and while the next write may be one that saves users."""
HEARTBEAT_SECONDS = 30.0
FAILURES_TOLD = 3  # a conflict or a dropped connection that the next look mends is nobody's news
PARK_SECONDS_MAX = 3.0


@dataclass(slots=True)
class Driver:
    """Drives one application until its plan is fulfilled, refused, or taken over. timeout: seconds, for all of it, of which
    the command had taken `spent` before. forced: docc's weights win over anybody else's (--force-conflicts). moved: this run
    has touched production traffic. acted: when its last write was answered that may have moved traffic. replan: the plan from
    what is there, for a manifest; None: it names its revision itself."""

    ports: Ports
    app: str
    me: str
    plan: Plan | None
    sampling: Sampling
    lease: Lease | None = None
    timeout: float | None = None
    forced: bool = False
    replan: Callable[[Seen], Plan] | None = None
    moved: bool = False
    acted: float = 0.0
    spent: float = 0.0
    until: Until = "done"
    _limit: float = NEVER
    _checks: Checks = field(default=Checks())
    _decides_at: float = NEVER  # when the planner looks next whether time is over: on the latest evidence
    _held: bool = False
    _written: tuple[float | None, int] = (None, 0)  # when it last wrote, and the route's generation then
    _unread_at: float = 0.0
    _waiting: tuple[str, float] = ("", 0.0)  # the reason, and when it was told
    _broken: str = ""
    _untidy: bool = False
    _failures: int = 0
    _endurance: Endurance = field(default_factory=Endurance)
    _parking: bool = False
    _updated: bool = False
    _seen: Seen | None = None  # None: what is there is in doubt
    _stable: int | None = None  # who served when this began
    _memory: Memory = field(default_factory=Memory)

    def run(self) -> Outcome:
        """Raises DoccError only while this driver has not written the record yet."""
        self.count()
        while True:
            if self.timeout is not None and self.ports.clock.now() >= self._limit and not self._broken:
                waited = f"; it was waiting for: {self._waiting[0]}" if self._waiting[0] else ""
                self._broken = f"--timeout of {self.timeout:.0f} s is over{waited}"
            try:
                if (signal := self._signal()) is not None:
                    return self._park(signal)
                move, seen = self._tick()
            except LeaseLost as lost:
                return self._overtaken(lost.holder)
            except DoccError as error:
                if (outcome := self._failed(error)) is not None:
                    return outcome
                continue
            self._failures, self._endurance = 0, Endurance()
            if move.outcome is not None:
                updated = self._updated and move.outcome.result == "unchanged"
                outcome = self._memory.ended(move.outcome)
                return self._midway(replace(outcome, result="updated") if updated else outcome)
            if move.effect is None:
                self._wait(move, seen)

    def _failed(self, error: DoccError) -> Outcome | None:
        """The end, or None: to be looked at again. Raises the error if this driver has not written yet."""
        over = self._endurance.over(error, self.ports.clock.now())
        if isinstance(error, LoginLost) and over:
            return self._give_up(error)
        if isinstance(error, LookAgain) or (isinstance(error, CredentialsError) and self._held and not over):
            if self._failures >= FAILURES_TOLD:
                self._tell_waiting(words(error))
            self._back_off(error)
            return None
        if not self._held or self._broken:
            return self._give_up(error)
        self._broken = words(error)
        return None

    def count(self) -> float:
        """From now on, unless it is counted already. Returns the seconds that are left."""
        now = self.ports.clock.now()
        if self.timeout is not None and self._limit == NEVER:
            self._limit = now + self.timeout - self.spent
        return max(0.0, self._limit - now)

    def plan_anew(self) -> None:
        """Before the first write: what has been deployed since the plan was made may have taken its revision's number."""
        if self.plan is None or self.replan is None:
            return
        before, now = self.plan, self.replan(self._look())
        self.plan = replace(now, excused=before.excused)
        if now.candidate != before.candidate:
            self.ports.sink.emit(self.ports.clock.now(), Replanned(before.candidate, now.candidate))

    def _signal(self) -> str | None:
        """What asks for the park; a rollback that a person asks for is a reason like any other."""
        asked = self.ports.stop.asked()
        if asked == ROLL_BACK and not self._broken:
            self._broken = f"rolled back by {shown(self.me)} at the terminal"
        return None if asked in (HOLD, ROLL_BACK) else asked

    def _tick(self) -> tuple[Move, Seen]:
        if self.lease is not None:
            self._keep(self.lease)
            if self.lease.lapsed:
                self._memory.forget()
                look_anew(self)
                self.lease.lapsed = False
        seen = self._look()
        self._sample(seen)
        view = self._view(seen)
        self._tell_others(view)
        move = planner.advance(view)
        check(view, move)
        if move.effect is not None:
            self._act(move, seen)
        return move, seen

    def _keep(self, lease: Lease) -> None:
        """A Lease that is refused ends the rollout; taking traffic back needs none."""
        try:
            lease.keep()
        except DoccError as error:
            if isinstance(error, LookAgain) or not self._broken:
                raise
            lease.put_off()

    def _look(self) -> Seen:
        self._seen = None
        plan, objects = self.plan, self.ports.cluster.observe(self.app)
        routed, home = (plan.routed, plan.home or Home(self.app)) if plan else (None, None)
        seen = self._memory.believed(self.app, self.me, see(self.app, objects, routed=routed, home=home))
        self._seen = seen
        if seen.record is not None and seen.record.by == self.me:
            self._held, phase = True, seen.record.phase
            self.moved = self.moved or seen.record.exposed is not None or phase is Phase.PROMOTING
            if phase not in (Phase.PROMOTING, Phase.SUCCEEDED):
                self._stable = seen.record.stable
        return seen

    def _view(self, seen: Seen) -> View:
        now, memory, on_hold = self.ports.clock.now(), self._memory, self.ports.stop.asked() == HOLD
        steps = self.plan.steps if self.plan is not None else ()
        waits = on_hold or (seen.record is not None and (seen.record.paused or awaits(steps, seen.record)))
        freed = memory.freed(now, waits=waits)
        if self._written[0] != self.acted:
            self._written = (self.acted, seen.routed.generation)
        view = View(
            self.app, self.me, self.plan, seen, self._checks, now, self._held, self._broken, self._untidy,
            on_hold=on_hold, acted=self.acted, lost=memory.lost, forced=self.forced, freed=freed,
            written=self._written[1], until=self.until,
        )  # fmt: skip
        if view.unread:
            self._unread_at = now
        return replace(view, dispute=memory.followed(view), unread_at=self._unread_at, deserted=memory.deserted(view))

    def _tell_others(self, view: View) -> None:
        """Once for each change of theirs, and for each thing that they ask for."""
        for asked in self._memory.asked(view.seen.record, self.me):
            self.ports.sink.emit(view.now, Requested(asked.verb, asked.who, asked.reason))
        if (fact := self._memory.news(view)) is not None:
            self.ports.sink.emit(view.now, fact)

    def _sample(self, seen: Seen) -> None:
        record, metrics, plan = seen.record, self.ports.metrics, self.plan
        if record is None or metrics is None or plan is None or not self.sampling.wanted(plan, record, self.me):
            return
        now = self.ports.clock.now()
        decides = self._checks.asked_at < self._decides_at <= now
        if now < self.sampling.due(self._checks, record) and not decides:
            return
        checks = self.sampling.ask(metrics, plan, record.stable, record.since, now, self._checks)
        if self._signal() is not None:  # that has cut the questions short: silence is not Prometheus' fault
            return
        self._checks = checks
        for result in self._checks.results:
            self.ports.sink.emit(now, told(result, self._view(seen).weight, record.excused))

    def _act(self, move: Move, seen: Seen) -> None:
        assert move.effect is not None
        self._memory.sent(self.app, move.effect)
        try:
            perform(self.ports, move.effect)
        except Unreachable:  # it may have arrived all the same
            raise
        except LookAgain:
            self._memory.refused(self.app, move.effect)
            raise
        except DoccError as error:
            self._memory.refused(self.app, move.effect)
            if not move.spare:
                raise
            self._untidy = True
            self.ports.sink.emit(self.ports.clock.now(), LeftUndone(str(move.effect.ref), words(error)))
            return
        self._memory.arrived(self.app, move.effect)
        self._waiting = ("", 0.0)
        now = self.ports.clock.now()
        self.acted = self.acted if any(map(dispute.is_of_a_lost_record, move.facts)) else now
        for fact in move.facts:
            self.ports.sink.emit(now, fact)
            self._updated |= isinstance(fact, Updated) or (isinstance(fact, Scaled) and fact.replicas > 0)
            if isinstance(fact, PutBack) and seen.record is not None:  # without a record it begins, and answers nobody
                self._memory.put_back(now)
            if isinstance(fact, Reverted):  # traffic is safe: now there is time to ask why
                for found in evidence.gather(self.ports, seen.revision(fact.candidate)):
                    self.ports.sink.emit(now, found)

    def _wait(self, move: Move, seen: Seen) -> None:
        now = self.ports.clock.now()
        self._tell_waiting(move.waiting)
        self._decides_at = NEVER if move.wake_at is None else move.wake_at
        instants = [now + HEARTBEAT_SECONDS]
        if move.wake_at is not None:
            instants.append(move.wake_at)
        if self.lease is not None:
            instants.append(self.lease.due)
        if not self._broken:
            instants.append(self._limit)
        record = seen.record
        if record is not None and self.sampling.wanted(self.plan, record, self.me) and self.ports.metrics is not None:
            instants.append(self.sampling.due(self._checks, record))
        self.ports.clock.sleep_until(max(min(instants), now))

    def _tell_waiting(self, why: str) -> None:
        """What it waits for, when that changes, and again each half minute: a long hold must not look like a hang."""
        now, (told, at) = self.ports.clock.now(), self._waiting
        if why == told and now < at + HEARTBEAT_SECONDS:
            return
        self._waiting = (why, now)
        if why:
            self.ports.sink.emit(now, Waiting(why))

    def _back_off(self, error: DoccError) -> None:
        """As long as a busy server asks for, within limits, whatever happens in between."""
        delay = pause_after(self._failures)
        self._failures += 1
        clock = self.ports.clock
        asked = clock.now() + (min(error.wait, self._patience()) if isinstance(error, Unreachable) else 0.0)
        if delay:
            clock.sleep_until(clock.now() + delay)
        while clock.now() < asked and (self._parking or self.ports.stop.asked() in (None, HOLD)):
            clock.sleep_until(asked)

    def _patience(self) -> float:
        return BUSY_SECONDS_MAX if self._unexposed() and not self._parking else BUSY_EXPOSED_SECONDS_MAX

    def _unexposed(self) -> bool:
        """The candidate certainly has no traffic, neither by weight nor by header; in doubt it has."""
        seen = self._seen
        return seen is not None and (seen.record is None or self._view(seen).weight == 0 and not seen.routed.above)

    def _give_up(self, error: DoccError) -> Outcome:
        """A failure that cannot be recovered from: before the first write it is the caller's, afterwards it is 11; or 10, if
        the candidate has certainly no traffic."""
        if not self._held:
            raise error
        record = self._seen.record if self._seen else None
        if record is None or record.phase is Phase.PROMOTING or not self._unexposed():
            return Outcome("stuck", ExitCode.FAILED_NOT_CLEAN, words(error))
        return Outcome("abandoned", ExitCode.FAILED_SAFE, words(error))

    def _overtaken(self, holder: str) -> Outcome:
        """The Lease is somebody else's: what this driver wanted may have come true all the same."""
        why, outcome = f"{shown(holder)} took the lock over", None
        with contextlib.suppress(DoccError):
            self._untidy = True
            self._memory.forget()
            outcome = planner.advance(self._view(self._look())).outcome
        return self._midway(outcome or Outcome("superseded", ExitCode.LOCKED, why))

    def _midway(self, outcome: Outcome) -> Outcome:
        """2 to 7 promise that no traffic was touched: the same cause, met later, is 10 where all is on stable, else 11. Where
        somebody else drives now, nobody is to be called: it stays 7."""
        if not self.moved or outcome.exit_code not in UNTOUCHED:
            return outcome
        routed = self._seen.routed if self._seen else None
        served = {number for number, weight in routed.weights.items() if weight} if routed else None
        stable = (
            self._stable if self.plan is not None else self._seen and self._seen.record and self._seen.record.stable
        )
        clean = routed is not None and served == {stable} and not routed.above
        if clean or outcome.result != "superseded":
            return replace(outcome, exit_code=ExitCode.FAILED_SAFE if clean else ExitCode.FAILED_NOT_CLEAN)
        return outcome

    def _park(self, signal: str) -> Outcome:
        """One write, tried until it is done or the time for it is over."""
        limit, self._parking = self.ports.clock.now() + PARK_SECONDS_MAX, True
        while True:
            try:
                seen = self._look()
                move = planner.park(self._view(seen), signal)
                if move.outcome is not None:
                    self._note(seen)
                    return move.outcome
                self._act(move, seen)
            except DoccError as error:
                last = isinstance(error, Unreachable) and error.last
                if last or self.ports.clock.now() >= limit or not isinstance(error, LookAgain):
                    why = f"stopped by {signal}, and the traffic could not be put back: {words(error)}"
                    return Outcome("stuck", ExitCode.FAILED_NOT_CLEAN, why)
                self._back_off(error)

    def _note(self, seen: Seen) -> None:
        """Tried once: whoever comes next adds what is missing."""
        with contextlib.suppress(DoccError):
            if seen.record is not None and seen.record.by == self.me and (move := note(self._view(seen))) is not None:
                self._act(move, seen)


def drive(
    driver: Driver,
    patience: float = 0.0,
    confirmed: Callable[[str], bool] | None = None,
    begun: Callable[[], None] = lambda: None,
) -> Outcome:
    """Under the Lease (its `acquire` says what patience and confirmed mean), to the end. begun: called once it is held. Raises
    LockedError if somebody else holds it; DoccError if nothing was written yet."""
    lease = driver.lease
    if lease is None:
        return driver.run()
    try:
        lease.acquire(min(patience, driver.count()), confirmed)
    except Stopped as stopped:
        return stopped.outcome
    try:
        begun()
        if lease.waited:
            look_anew(driver)
        driver.plan_anew()
        return driver.run()
    finally:
        lease.release()


def look_anew(driver: Driver) -> None:
    """Others had the Lease until a moment ago, and what watches tell of their last writes comes in any order: a front Service
    that is older than the route looks like somebody else's edit. Raises DoccError."""
    driver.ports.cluster.read(Ref("Service", driver.app))


def pause_after(failures: int) -> float:
    """Seconds until the next look: the first time none (a revert must not wait), then 50 ms, 100 ms, ... up to two seconds."""
    return 0.0 if failures == 0 else min(0.05 * 2 ** min(failures - 1, 9), BACKOFF_SECONDS_MAX)


def words(error: DoccError) -> str:
    return f"{error.what} ({error.why})" if error.why else error.what


def perform(ports: Ports, effect: Effect) -> None:
    match effect:
        case Create():
            ports.cluster.create(effect)
        case Patch():
            ports.cluster.patch(effect)
        case Delete():
            ports.cluster.delete(effect)
