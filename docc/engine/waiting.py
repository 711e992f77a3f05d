"""`docc wait`, `docc status --watch`: look on until a rollout has come to rest. Nothing is written, no Lease is held; it wakes
when something changes."""

from __future__ import annotations

from collections.abc import Callable

from docc.core.observation import see
from docc.engine.lease import DURATION_SECONDS, driver_of
from docc.engine.ports import Ports
from docc.model.errors import ExitCode, LookAgain
from docc.model.facts import Driven, Standing
from docc.model.moves import Outcome
from docc.model.record import Phase, Record
from docc.model.world import Seen


def wait(
    ports: Ports,
    app: str,
    timeout: float | None,
    *,
    alone: bool = False,
    judge: Callable[[Seen], float] = lambda seen: float("inf"),
) -> Outcome:
    """How the rollout ended, or why it is not worth waiting any longer: nobody drives it, or `timeout` seconds are over. An
    application that is at rest tells how its last one ended. alone: goes on while nobody drives it; somebody may yet.
    judge: called with each look; it returns when it wants the next one, unix seconds."""
    clock = ports.clock
    limit = clock.now() + timeout if timeout is not None else float("inf")
    look_at, told, told_driver = clock.now(), None, None
    while True:
        seen = _look(ports, app)
        record = seen.record if seen is not None else None
        if seen is not None and record is None:
            return Outcome("refused", ExitCode.NOT_FOUND, "it has no record of a rollout")
        now, judge_at = clock.now(), float("inf")
        if seen is not None and record is not None:
            standing = Standing(record.phase.value, record.stable, record.candidate, record.weight)
            if standing != told:
                told = standing
                ports.sink.emit(now, standing)
            if record.phase.at_rest:
                return ended(record)
            judge_at = judge(seen)
            if now >= look_at:
                look_at = now + DURATION_SECONDS
                driver = _driver(ports, app)
                if driver is not None and driver != told_driver:
                    told_driver = driver
                    ports.sink.emit(clock.now(), Driven(driver))
                if driver == "" and not alone:
                    return _unwatched(app, record)
        if now >= limit:
            return Outcome("under way", ExitCode.IN_PROGRESS, f"it has not ended in {timeout:.0f} s")
        clock.sleep_until(min(look_at, limit, judge_at) if record is not None else now + 1)


def ended(record: Record) -> Outcome:
    """How the rollout of a record at rest, or past its decision, ended."""
    if record.phase in (Phase.SUCCEEDED, Phase.PROMOTING):
        return Outcome("promoted", ExitCode.DONE, record.reason)
    return Outcome("parked" if record.phase is Phase.PARKED else "reverted", ExitCode.FAILED_SAFE, record.reason)


def _unwatched(app: str, record: Record) -> Outcome:
    if record.phase is Phase.STUCK:
        return Outcome("stuck", ExitCode.FAILED_NOT_CLEAN, record.reason)
    if not record.phase.undecided:  # the traffic is where it will stay; the rest is for whoever comes next
        return ended(record)
    why = f"nobody drives it any more: docc resume {app}, or docc abort {app}"
    return Outcome("under way", ExitCode.IN_PROGRESS, why)


def _look(ports: Ports, app: str) -> Seen | None:
    """None while the cluster does not answer: an onlooker has time."""
    try:
        return see(app, ports.cluster.observe(app))
    except LookAgain:
        return None


def _driver(ports: Ports, app: str) -> str | None:
    """Its name, "" for nobody who is alive, None if that is not known now."""
    try:
        return driver_of(ports, app)
    except LookAgain:
        return None
