"""What can go wrong, by whose fault, and the exit code of each. Knows nothing of terminals: ui/problems.py words it.

    DoccError
    ├── ManifestError        2  the manifest, or an option of the command line, is wrong
    ├── CredentialsError     4  the cluster refuses who we are, or what we may do
    ├── UnusableError        5  cluster, Gateway, CRD or Prometheus cannot be used
    ├── NotFoundError        6  no such app or revision; nothing to act on
    ├── LockedError          7  somebody else drives this app, or owns an object of the wanted name
    ├── StoppedError       130  Ctrl-C before anything was touched, at a question for example
    ├── PreflightError     4-7  all that stands in a deploy's way, with the gravest cause's code
    └── LookAgain            -  transient: the driver observes once more; it never ends a command by itself
        ├── Conflict            a guard in our write failed (409, or 422 without causes)
        ├── Unreachable         no answer, or a 5xx: whether the write happened is unknown
        └── LoginLost           a login that was taken before is refused (401), or cannot be renewed: nothing was written

Codes 2 to 7 promise that this run touched no production traffic. A rollout that fails midway is not an exception but an
Outcome (model/moves.py) with code 10 or 11; with 7 if somebody else has taken over, who sees to the traffic now. Any other
exception is a bug of docc's: exit 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """docs/exit-codes.md is generated from this table."""

    DONE = 0
    BUG = 1
    USAGE = 2
    UNCHANGED = 3
    CREDENTIALS = 4
    UNUSABLE = 5
    NOT_FOUND = 6
    LOCKED = 7
    IN_PROGRESS = 8
    FAILED_SAFE = 10
    FAILED_NOT_CLEAN = 11
    INTERRUPTED = 130
    TERMINATED = 143


class DoccError(Exception):
    """A failure that a user can cause or meet.

    what: one sentence, without a full stop at its end. where: the object or file it is about. why: evidence, such as a
    server's own words. state: how things stand now ("nothing was changed"). fix: what to do next, a command if possible.
    """

    exit_code: ExitCode = ExitCode.BUG

    def __init__(self, what: str, *, where: str = "", why: str = "", state: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.why, self.state, self.fix = what, where, why, state, fix


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault in a manifest: line and column count from 1, in characters; source is the file as the user named it."""

    line: int
    column: int
    message: str
    source: str = "manifest.json"
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}: {self.message}"


class ManifestError(DoccError):
    """All problems of a manifest at once, in the file's order. text: the manifest itself, for excerpts; "" if it is no text."""

    exit_code = ExitCode.USAGE

    def __init__(self, what: str, *, problems: tuple[Problem, ...] = (), fix: str = "", text: str = "") -> None:
        super().__init__(what, state="nothing was touched", fix=fix)
        self.problems = problems
        self.text = text


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing in a deploy's way, found before anything was touched; the texts as DoccError's. exit_code: that of a deploy
    which is refused because of it. None: it is only told."""

    what: str
    where: str = ""
    why: str = ""
    fix: str = ""
    exit_code: ExitCode | None = None


class PreflightError(DoccError):
    """Everything that stands in the way, at once; a single obstacle reads as any error. exit_code: of the gravest cause."""

    def __init__(self, obstacles: tuple[Obstacle, ...], exit_code: ExitCode) -> None:
        one = (
            obstacles[0]
            if len(obstacles) == 1
            else Obstacle(f"{len(obstacles)} things stand in the way of this deploy")
        )
        super().__init__(one.what, where=one.where, why=one.why, state="nothing was touched", fix=one.fix)
        self.obstacles, self.exit_code = obstacles, exit_code


class UsageError(DoccError):
    """An option or argument that cannot be meant so."""

    exit_code = ExitCode.USAGE


class StoppedError(DoccError):
    """A person has thought better of it before anything was touched."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self) -> None:
        super().__init__("interrupted", state="nothing was touched")


class CredentialsError(DoccError):
    exit_code = ExitCode.CREDENTIALS


class UnusableError(DoccError):
    exit_code = ExitCode.UNUSABLE


class UnknownKind(UnusableError):
    """The API server does not serve this kind of object: what defines it is not installed, or not in this version."""


class NotFoundError(DoccError):
    exit_code = ExitCode.NOT_FOUND


class LockedError(DoccError):
    exit_code = ExitCode.LOCKED


class LookAgain(DoccError):
    """Nothing is known to be wrong: observe once more and decide anew."""

    exit_code = ExitCode.UNUSABLE


class Conflict(LookAgain):
    """Somebody wrote first: a `test` of ours failed, a resourceVersion or uid is old, or the object exists already."""


class Unreachable(LookAgain):
    """The answer never came, or the server was too busy to give one. Whether the write was carried out is unknown. wait:
    seconds after which the server wants to be asked again; 0 if it did not say. last: docc was told to end, and the time for
    it is over: there is none for another try."""

    wait: float = 0.0
    last: bool = False


class LoginLost(LookAgain):
    """It may come back (a token expired, a vault is sealed for a minute), so it is no CredentialsError yet. The request was
    not carried out."""

    exit_code = ExitCode.CREDENTIALS


class Gone(LookAgain):
    """The object is not there (404 on an object, not on a kind): somebody has deleted it."""

    exit_code = ExitCode.NOT_FOUND


class Refused(DoccError):
    """The API server refuses the object itself (422 with causes, 400, 403 by admission): never retried."""

    exit_code = ExitCode.UNUSABLE
