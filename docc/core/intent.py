"""What `deploy` of a manifest means, given what serves and what is under way: the table of docs/architecture.md."""

from __future__ import annotations

from enum import Enum

from docc.model.world import Seen


class Intent(Enum):
    """Each is one row of the table; the words are what the plan says."""

    FIRST = "first deploy"
    IN_PLACE = "already live: changes in place, without a rollout"
    RESUME = "continues its unfinished rollout"
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
    if same:
        return max(same)
    known = [*seen.revisions, *seen.routed.weights]
    known += [n for n in (record.stable, record.candidate, record.previous) if n is not None] if record else []
    return max(known, default=0) + 1


def intent(seen: Seen, candidate: int) -> Intent:
    """The row of the table that holds."""
    record = seen.record
    if record is None:
        return Intent.ROLL if seen.routed.weights else Intent.FIRST
    if record.phase.undecided:
        if candidate == record.candidate:
            return Intent.RESUME
        return Intent.RETURN if candidate == record.stable else Intent.SUPERSEDE
    if candidate == record.stable:
        return Intent.IN_PLACE
    if record.stable is None:
        return Intent.FIRST
    return Intent.RETRY if candidate == record.candidate else Intent.ROLL
