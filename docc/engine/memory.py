"""What a driver remembers between two looks, so that it notices other people's hands: the record as it wrote it last, and how
long somebody has been changing what is docc's. What the cluster knows is not remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from docc.core import dispute
from docc.core.home import SHARED_PREFIX
from docc.core.meddling import of_record
from docc.core.route import record_path
from docc.core.view import Dispute, View
from docc.model.facts import Edit, Fact, Meddled, TakenBack
from docc.model.moves import Create, Effect, Outcome, Patch
from docc.model.record import ANNOTATION, Asked, Record, writer_of
from docc.model.world import Routed, Seen


@dataclass(slots=True)
class Memory:
    """lost: how the record in the cluster differs from this driver's own, which is believed instead; () if it does not."""

    lost: tuple[Edit, ...] = ()
    _known: Record | None = None  # as last seen
    _sent: tuple[Record, ...] = ()  # since, and not refused: each may have arrived, or will, though its answer did not
    _answered: bool = False  # the last of them has arrived
    _dispute: Dispute | None = None
    _told: tuple[Edit, ...] = field(default=())
    _asked: tuple[Asked, ...] | None = None  # None: not looked yet
    _deserted: float | None = None
    _waits: bool = False
    _freed: float = 0.0

    def sent(self, app: str, effect: Effect) -> None:
        """A write is on its way."""
        text = _record_in(app, effect)
        if text is not None:
            self._sent, self._answered = (*self._sent, Record.from_text(text)), False

    def arrived(self, app: str, effect: Effect) -> None:
        if _record_in(app, effect) is not None:  # what differs no more after it, nobody else has taken back
            self._sent, self._answered, self._told = self._sent[-1:], True, ()

    def refused(self, app: str, effect: Effect) -> None:
        if _record_in(app, effect) is not None:
            self._sent = self._sent[:-1]

    def forget(self) -> None:
        """Others may have driven meanwhile: a record that is not there any more may be gone by right (docc delete)."""
        self._known, self._sent = None, ()

    def put_back(self, now: float) -> None:
        """docc has just written its own again."""
        self._dispute, self._told = replace(self._dispute or Dispute(now, now), put_back=now), ()

    def ended(self, outcome: Outcome) -> Outcome:
        """Who has put weights back at rest has not found all as it should be."""
        if outcome.result == "unchanged" and self._dispute is not None and self._dispute.put_back is not None:
            return replace(outcome, result="returned", reason="docc's weights are in force again")
        return outcome

    def believed(self, app: str, me: str, seen: Seen) -> Seen:
        """What was seen, with this driver's own record where the cluster's is gone or somebody else's words."""
        self.lost, live = (), seen.record
        if live is not None and (live.by != me or self._known is None or self._is_own(live)):
            if live != self._known:  # what was sent before was guarded by another record, and comes too late
                self._sent = ()
            self._known = live if live.by == me else None
            return seen
        if self._known is None or writer_of(seen.routed.record_text) not in ("", me) or _is_over(self._known, seen):
            return seen
        self.lost = (of_record(app, seen.routed),)
        return replace(seen, routed=replace(seen.routed, record=self._own(self._known, me, seen.routed)))

    def followed(self, view: View) -> Dispute | None:
        self._dispute = dispute.followed(self._dispute, view.edits, view.now)
        return self._dispute

    def deserted(self, view: View) -> float | None:
        """Since when stable has answered nobody, as far as this driver has seen."""
        gone = view.seen.record is not None and view.record.stable is not None and not view.can_return
        self._deserted = (self._deserted or view.now) if gone else None
        return self._deserted

    def freed(self, now: float, *, waits: bool) -> float:
        """When it last waited for people. waits: it does, since somebody at the terminal holds it, or it is to be approved."""
        self._freed = now if waits or self._waits else self._freed
        self._waits = waits
        return self._freed

    def news(self, view: View) -> Fact | None:
        """What is to be told of others' changes: each once."""
        found = () if view.seen.record is None or view.seen.record.by != view.me else (*view.lost, *view.edits)
        if found == self._told:
            return None
        told, self._told = self._told, found
        return Meddled(found, dispute.intention(view)) if found else TakenBack(told[0].where)

    def asked(self, record: Record | None, me: str) -> tuple[Asked, ...]:
        """What has been asked of this driver since it looked last."""
        if record is None or record.by != me:
            return ()
        before, self._asked = self._asked, record.asked
        return tuple(each for each in record.asked if before is not None and each not in before)

    def _own(self, known: Record, me: str, routed: Routed) -> Record:
        """The last that is certain; where an answer is missing, the traffic tells whether the write has arrived."""
        sent = [each for each in reversed(self._sent) if each.by == me]
        if sent and self._answered:
            return sent[0]
        serving = {revision: weight for revision, weight in routed.weights.items() if weight}
        return next((each for each in sent if each.serving == serving != known.serving), known)

    def _is_own(self, live: Record) -> bool:
        """`request` is how others speak to the driver; a higher epoch is docc's own doing, too."""
        if self._known is not None and live.epoch > self._known.epoch:
            return True
        owns = self._sent if self._known is None else (self._known, *self._sent)
        return any(replace(live, request=own.request, asked=own.asked) == own for own in owns)


def _is_over(known: Record, seen: Seen) -> bool:
    """What carried the record is gone, and nothing is left to be driven: it was at rest, or the stable revision is gone too."""
    lasting = known.stable if known.stable is not None else known.candidate
    return not seen.routed.exists and (known.phase.at_rest or not seen.revision(lasting).exists)


def _record_in(app: str, effect: Effect) -> str | None:
    """The record that a write carries; None if it carries none."""
    names = (ANNOTATION, f"{SHARED_PREFIX}{app}")
    if isinstance(effect, Create):
        found = effect.body["metadata"].get("annotations") or {}
        return next((str(found[name]) for name in names if name in found), None)
    for operation in effect.operations if isinstance(effect, Patch) else ():
        for name in names if operation["op"] == "add" else ():
            if operation["path"] == record_path(name):
                return str(operation["value"])
            if operation["path"] == "/metadata/annotations" and name in operation["value"]:
                return str(operation["value"][name])
    return None
