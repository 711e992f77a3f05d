"""Facts: what has happened, told after it is true. ui/ words them; tests and reports read them.

A closed union: a new fact is one class here, one line in `Fact`, and the type checker then names each place to extend.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Began:
    """candidate and stable: revision numbers. mode: first, deploy, retry, resume, rollback."""

    candidate: int
    stable: int | None
    mode: str


@dataclass(frozen=True, slots=True)
class Replanned:
    """While this command waited, somebody else's version took the number: revision numbers."""

    planned: int
    candidate: int


@dataclass(frozen=True, slots=True)
class Created:
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Deleted:
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Scaled:
    revision: int
    replicas: int
    why: str


@dataclass(frozen=True, slots=True)
class Updated:
    """Changed in place, without a rollout."""

    kind: str
    name: str
    what: str


@dataclass(frozen=True, slots=True)
class Weighted:
    """The candidate now gets `weight` percent; step counts from 1 of `steps` weights."""

    candidate: int
    stable: int | None
    weight: int
    step: int
    steps: int


@dataclass(frozen=True, slots=True)
class HeadersRouted:
    """Who is on trial goes to the candidate. header: who that is, in words. curl: a command that is, "" if none can be told."""

    candidate: int
    header: str
    curl: str = ""


@dataclass(frozen=True, slots=True)
class ApprovalAwaited:
    candidate: int


@dataclass(frozen=True, slots=True)
class Requested:
    """Somebody asks for something in mid-rollout: promote, full, pause or resume."""

    verb: str
    who: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """The driver leaves the rollout where it is, as it was told to. Nobody watches from here on. until: when its time to be
    approved is over, unix seconds; None: never. Nothing of docc's runs then by itself."""

    candidate: int
    until: float | None = None


@dataclass(frozen=True, slots=True)
class CheckSeen:
    """One condition as last judged: verdict OK, FAIL, NO-DATA or ERROR; value None where there is no number; basis: how many
    requests it rests on, in words; ignored: it failed before the rollout, and --baseline=ignore leaves it out."""

    name: str
    verdict: str
    value: float | None
    operator: str
    threshold: float
    reason: str
    weight: int
    query: str
    series: str = ""
    basis: str = ""
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    why: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What an onlooker sees of somebody else's rollout: its phase, and the candidate's percent of traffic."""

    phase: str
    stable: int | None
    candidate: int | None
    weight: int


@dataclass(frozen=True, slots=True)
class Driven:
    """Who drives, as an onlooker sees it; "" for nobody who is alive."""

    driver: str


@dataclass(frozen=True, slots=True)
class Promoted:
    revision: int
    previous: int | None


@dataclass(frozen=True, slots=True)
class FrontMoved:
    service: str
    revision: int


@dataclass(frozen=True, slots=True)
class Reverted:
    """All traffic is on stable again. exposed: seconds in which the candidate had traffic; None if nobody
    knows: it was parked since, or others' hands had given it some."""

    candidate: int
    stable: int | None
    reason: str
    exposed: float | None


@dataclass(frozen=True, slots=True)
class Parked:
    candidate: int | None
    stable: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class LetGo:
    """The revision left the route."""

    revision: int


@dataclass(frozen=True, slots=True)
class Settled:
    """At rest. warm: the revision that a rollback reaches in one write, until `cool_after` (unix seconds)."""

    stable: int | None
    warm: int | None
    cool_after: float | None


@dataclass(frozen=True, slots=True)
class Cooled:
    """The revision has left the route: its time to stay warm is over, and its pods go."""

    revision: int


@dataclass(frozen=True, slots=True)
class LeftUndone:
    """Tidying up, or the history: it was refused, the rollout does not depend on it, and the next docc tries again."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class StableLost:
    """A revert is due and impossible: stable has no ready endpoint."""

    stable: int | None
    candidate: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class StableSilent:
    """Stable has had no ready endpoint for so many seconds: the candidate takes all."""

    stable: int
    candidate: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody else has changed of what docc wrote. where: the object. field: "" for the object itself. manager: who, as
    the API server knows it, "" if it does not; at: when they last wrote it, unix seconds."""

    where: str
    field: str
    ours: str
    theirs: str
    manager: str = ""
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Meddled:
    """Somebody else's hand is in it. then: what docc does about it."""

    edits: tuple[Edit, ...]
    then: str


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What others had changed is as docc wrote it again, by their own hand."""

    where: str


@dataclass(frozen=True, slots=True)
class PutBack:
    """docc wrote its own again. what: its weights, its selector, its record; its rules, where their record was lost."""

    edits: tuple[Edit, ...]
    what: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What tells why: a container's last log lines, the answers that a probe got. text may have several lines."""

    source: str
    text: str


Fact = (
    Began
    | Replanned
    | Created
    | Deleted
    | Scaled
    | Updated
    | Weighted
    | HeadersRouted
    | ApprovalAwaited
    | Requested
    | Left
    | CheckSeen
    | Waiting
    | Standing
    | Driven
    | Promoted
    | FrontMoved
    | Reverted
    | Parked
    | LetGo
    | Cooled
    | LeftUndone
    | Settled
    | StableLost
    | StableSilent
    | Meddled
    | TakenBack
    | PutBack
    | Evidence
)
