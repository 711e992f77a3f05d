"""What the live picture is made of: gathered from the facts and looks of a rollout as they come, taken as one value.

Whoever drives hands over facts and objects and goes on at once; whoever paints asks for the value when the terminal is ready
for it, in another thread. So nothing here is changed in place: each piece is replaced as a whole. What it looks like
is ui/live.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from docc.core.observation import see
from docc.core.steps import Step, digest
from docc.engine.lease import micro_time
from docc.model import facts
from docc.model.errors import Unreachable
from docc.model.facts import CheckSeen, Fact
from docc.model.moves import Object
from docc.model.record import Record
from docc.model.world import Objects, Seen
from docc.ui.status import StatusView, lines, status_view

SAMPLES_MAX = 100
"""Of each condition: more than any terminal has columns for."""


@dataclass(frozen=True, slots=True)
class Scene:
    """title: the first line. steps: those that the record's step counts in, () where they are not known. checks: the
    condition's samples, oldest first. waiting: what the driver waits for, as far as it says so. held: it was told to by
    whoever sits here. driving: the rollout is this process's own. asks: Ctrl-C asks them."""

    title: str
    view: StatusView
    record: Record
    steps: tuple[Step, ...]
    checks: Mapping[str, tuple[CheckSeen, ...]]
    waiting: str
    held: bool
    driving: bool
    asks: bool
    now: float


class Gathering:
    """engine.ports.Sink. at: what makes a command find the application. driver: this process, if it drives itself. steps: of
    the rollout that is seen. held: whether the one who sits here wants no more weight."""

    def __init__(
        self,
        place: tuple[str, str, str],
        driver: str,
        steps: Callable[[Seen], tuple[Step, ...]],
        held: Callable[[], bool] = lambda: False,
        *,
        asks: bool = False,
    ) -> None:
        self._app, self._namespace, self._at = place
        self._me, self._driver, self._steps, self._held = driver, driver, steps, held
        self._asks = asks
        self._objects: Objects | None = None
        self._seen: tuple[Objects | None, Seen | None] = (None, None)
        self._checks: Mapping[str, tuple[CheckSeen, ...]] = {}
        self._waiting: tuple[str, bool] = ("", False)

    def looked(self, objects: Objects) -> None:
        self._objects = objects

    def emit(self, at: float, fact: Fact) -> None:
        match fact:
            case CheckSeen():
                self._checks = {**self._checks, fact.name: (*self._checks.get(fact.name, ()), fact)[-SAMPLES_MAX:]}
                return  # what is waited for is waited for still
            case facts.Waiting():
                self._waiting = (fact.why, self._held())
                return
            case facts.Driven():
                self._driver = fact.driver
            case facts.Began():
                self._checks = {}
            case _:
                pass
        self._waiting = ("", False)

    def scene(self, now: float) -> Scene | None:
        """None while nothing is known that could be shown."""
        seen = self._newest()
        if seen is None or seen.record is None:
            return None
        lease = (
            None if seen.record.phase.at_rest else self._lease(now)
        )  # whoever drove has gone, or has nothing to drive
        where = (self._app, self._namespace, seen, lease, now, self._at)
        view = status_view(*where)
        assert view is not None
        held, (why, told_held) = self._held(), self._waiting
        return Scene(
            title=next(lines(*where)),
            view=view,
            record=seen.record,
            steps=steps if digest(steps := self._steps(seen)) == seen.record.plan else (),
            checks=self._checks,
            waiting=why if told_held == held else "",  # who was let go on does not wait for that any more
            held=held,
            driving=bool(self._me),
            asks=self._asks,
            now=now,
        )

    def _newest(self) -> Seen | None:
        objects, (seen_in, seen) = self._objects, self._seen
        if objects is not None and objects is not seen_in:
            try:
                seen = see(self._app, objects)
            except Unreachable:
                return seen
            self._seen = (objects, seen)
        return seen

    def _lease(self, now: float) -> Object | None:
        """As it would read: an onlooker is told who drives, and a driver knows."""
        return {"spec": {"holderIdentity": self._driver, "renewTime": micro_time(now)}} if self._driver else None
