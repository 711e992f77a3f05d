"""What `deploy` of a manifest means, given what serves and what is under way: the table of docs/architecture.md."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from docc.core.cooling import warm
from docc.model.record import Phase
from docc.model.world import Seen


class Intent(Enum):
    """Each is one row of the table; the words are what the plan says."""

    FIRST = "first deploy"
    IN_PLACE = "already live: changes in place, without a rollout"
    RESUME = "continues its unfinished rollout"
    REVERT = "ends its revert, which nobody has ended yet; typed once more, it tries the version again"
    RETRY = "tries the reverted version again"
    RETURN = "fast return: all traffic back to the version that serves the rest"
    SUPERSEDE = "supersedes the rollout under way, which is taken back first"
    ROLL = "rolls out a new version"


def candidate_number(seen: Seen, spec_hash: str) -> int:
    """The revision that has this pod template already (the stable one first, then the one under way), or a new number."""
    record = seen.record
    same = [number for number, revision in seen.revisions.items() if revision.spec_hash == spec_hash]
    for preferred in (record.stable, record.candidate) if record else ():
        if preferred is not None and preferred in same:
            return preferred
    return max(same) if same else next_number(seen)


def another_number(seen: Seen, spec_hash: str) -> int:
    """A new revision although one has this pod template (--force-new); unless that is what is being rolled out, or was last."""
    record = seen.record
    under_way = record.candidate if record else None
    if record is not None and record.phase is Phase.PROMOTING and record.verb == "deploy":
        under_way = record.stable
    if under_way is not None and seen.revision(under_way).spec_hash == spec_hash:
        return under_way
    return next_number(seen)


def next_number(seen: Seen) -> int:
    record = seen.record
    known = [*seen.revisions, *seen.routed.weights]
    known += [n for n in (record.stable, record.candidate, record.previous) if n is not None] if record else []
    return max(known, default=0) + 1


def given_up_first(seen: Seen) -> bool:
    """A rollback begins with giving up what is under way, or was parked on its way."""
    record = seen.record
    return record is not None and (record.phase.undecided or record.phase in (Phase.PARKED, Phase.REVERTING))


class Way(Enum):
    """How `docc rollback` gets there."""

    NOWHERE = "there is no such way"
    STAYS = "it serves already"
    ONE_WRITE = "all traffic in one write"
    COLD = "its pods come up first"


@dataclass(frozen=True, slots=True)
class Back:
    """target: the revision to end on; None: none serves. why: what there is to say of NOWHERE."""

    way: Way
    target: int | None = None
    why: str = ""


def way_back(seen: Seen, wanted: int | None) -> Back:
    """wanted None: out of a rollout to the stable revision, at rest to the previous one."""
    record = seen.record
    if record is None:
        return Back(Way.NOWHERE, why="it has no record of a rollout")
    first = given_up_first(seen)
    target = wanted if wanted is not None else record.stable if first else record.previous
    if first and target == record.stable:
        return Back(Way.ONE_WRITE, target)
    if first and target == record.candidate:
        return Back(Way.NOWHERE, target, f"v{target} is the one that is being rolled out")
    if target is None:
        return Back(Way.NOWHERE, why=f"v{record.stable} is the first that served")
    if target == record.stable:
        return Back(Way.STAYS, target)
    return Back(Way.ONE_WRITE if not first and target == warm(seen) else Way.COLD, target)


def stable_of(seen: Seen) -> int | None:
    """The revision to return to: the record's; where there is no record (any more), the only one that serves. Where the route
    gives nobody anything, or is gone, that is whom docc's own front Service selects: it follows each promotion."""
    if seen.record is not None:
        return seen.record.stable
    serving = [revision for revision, weight in seen.routed.weights.items() if weight > 0]
    if serving:
        return serving[0] if len(serving) == 1 and seen.routed.agrees else None
    return behind_front(seen)


def behind_front(seen: Seen) -> int | None:
    """The revision that the front Service selects, if it can answer, and a route can name it."""
    front, revision = seen.front, seen.revision(seen.front.selects)
    if seen.routed.kind != "HTTPRoute" or front.foreign or front.ready == 0:
        return None
    return front.selects if revision.has_service and revision.ready > 0 else None


def intent(seen: Seen, candidate: int) -> Intent:
    """The row of the table that holds."""
    record = seen.record
    if record is None:
        return Intent.ROLL if seen.routed.weights or stable_of(seen) is not None else Intent.FIRST
    if record.phase.undecided:
        if candidate == record.candidate:
            return Intent.RESUME
        return Intent.RETURN if candidate == record.stable else Intent.SUPERSEDE
    if candidate == record.stable:
        return Intent.IN_PLACE
    if record.stable is None:
        return Intent.FIRST
    if candidate != record.candidate:
        return Intent.ROLL
    return Intent.REVERT if record.phase is Phase.REVERTING else Intent.RETRY
