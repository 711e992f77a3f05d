"""What the planner looks at in one tick, and the few questions that all its parts ask of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from docc.core.meddling import edits, of_front
from docc.core.plan import Plan
from docc.core.rhythm import Rhythm
from docc.core.route import shares
from docc.core.steps import above_at
from docc.core.trial import NOTHING, Above
from docc.core.verdict import Check, Verdict
from docc.model.facts import Edit
from docc.model.record import Record
from docc.model.world import Revision, Seen


@dataclass(frozen=True, slots=True)
class Checks:
    """The conditions as judged at `asked_at` (unix seconds), while the record's weight was written at `since`. again_at: when
    the next look is due. rhythms: of each selector's samples, by the question for the newest one."""

    asked_at: float = 0.0
    since: float = 0.0
    results: tuple[Check, ...] = ()
    again_at: float = 0.0
    rhythms: Mapping[str, Rhythm] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dispute:
    """What a driver remembers of others' changes. since: its first sight of them. seen: until when they may have stood, that
    is the first look that did not find them. put_back: docc's last answer. Unix seconds. standing: the last look found them."""

    since: float
    seen: float
    put_back: float | None = None
    standing: bool = True


Until = Literal["done", "paused", "ready"]


@dataclass(frozen=True, slots=True)
class View:
    """me: this driver's unique name. held: it has seen its own name in the record before. plan None: no manifest is at
    hand, so what is under way is finished and nothing is begun. broken: why this driver cannot go on (a timeout, a
    refused object). untidy: what can wait is left to others. on_hold: no weight grows, because the one who watches
    says so. freed: when it last waited for people, so or for their approval: before, no limit runs. acted: when this
    driver's last write was answered that may have moved traffic. lost: its own record, as it remembers it, is not what
    the cluster has.
    forced: docc's weights win over anybody's (--force-conflicts). dispute: what is remembered of others' changes.
    written: the route's generation when this driver had written last, or first looked. unread_at: when its controllers
    had not read that yet. until: what the driver stays for: the end, the approval, or that the candidate could take
    requests. deserted: since when, by this driver's looks, stable has had no ready endpoint; None: it has one."""

    app: str
    me: str
    plan: Plan | None
    seen: Seen
    checks: Checks
    now: float
    held: bool = False
    broken: str = ""
    untidy: bool = False
    on_hold: bool = False
    acted: float = 0.0
    lost: tuple[Edit, ...] = ()
    forced: bool = False
    dispute: Dispute | None = None
    freed: float = 0.0
    written: int = 0
    unread_at: float = 0.0
    until: Until = "done"
    deserted: float | None = None

    @property
    def unread(self) -> str:
        """The parent whose controller has not read what was written last, so that the data plane still does what the route
        said before; "" for none that would tell."""
        read = self.seen.routed.read
        return read[1] if read is not None and read[0] < self.written else ""

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What others have changed of what docc wrote last."""
        if self.seen.record is None:
            return ()
        stepped = self.plan is not None and self.plan.digest == self.record.plan and self.record.phase.running
        return edits(self.app, self.seen, self.record, above=bool(self.above) if stepped else None)

    @property
    def front_edits(self) -> tuple[Edit, ...]:
        """Those of them that are of the front Service beside a route."""
        return () if self.seen.record is None else of_front(self.app, self.seen, self.record)

    @property
    def above(self) -> Above:
        """What belongs above the weighted rule at the record's step."""
        return self.above_after(self.record.step, self.record)

    def above_after(self, step: int, record: Record) -> Above:
        plan = self.plan
        return above_at(plan.steps, step, record, sticky=plan.sticky) if plan else NOTHING

    @property
    def record(self) -> Record:
        if self.seen.record is None:
            raise LookupError("no record")
        return self.seen.record

    @property
    def stable(self) -> Revision:
        return self.seen.revision(self.record.stable)

    @property
    def candidate(self) -> Revision:
        return self.seen.revision(self.record.candidate)

    @property
    def weight(self) -> int:
        """Percent of traffic that the candidate really has."""
        return shares(self.seen.routed.weights).get(self.record.candidate or 0, 0)

    @property
    def can_return(self) -> bool:
        """There is a stable revision that can answer."""
        return self.record.stable is not None and self.stable.ready > 0

    def failing(self) -> Check | None:
        """The first condition that fires; a FAIL counts at any time."""
        return next((c for c in self._judged() if c.verdict is Verdict.FAIL), None)

    def erring(self) -> Check | None:
        """The first condition that cannot be judged."""
        return next((c for c in self._judged() if c.verdict is Verdict.ERROR), None)

    def unsure(self) -> str:
        """Why the conditions do not let the rollout go on; "" when each is OK with samples newer than the weight."""
        if self.plan is None or not self.plan.judged:
            return ""
        if self.checks.since != self.record.since or self.checks.asked_at < self.record.since:
            return "the conditions have not been judged at this weight yet"
        for check in self._judged():
            if check.verdict is not Verdict.OK:
                return f"{check.name}: {check.verdict.value}: {check.reason}"
            if not check.fresh:
                return f"{check.name}: {check.doubt}"
        return ""

    def _judged(self) -> tuple[Check, ...]:
        if self.plan is None or not self.plan.judged:
            return ()
        return tuple(c for c in self.checks.results if c.name not in self.record.excused)


def pods_needed(scale: int, weight: int) -> int:
    """The pods that must be ready before a revision gets `weight` percent."""
    return max(1, math.ceil(scale * weight / 100)) if weight > 0 else 0
