"""The ports: all that a rollout may ask of the outside. adapters/ fits them to libraries, tests/sim to a simulated world.

Cluster has seven operations, Metrics one, Clock two, Stop one, Sink one. An eighth for Cluster needs a paragraph in
docs/architecture.md. Any operation of Cluster may raise CredentialsError, UnusableError, Refused, Conflict, Unreachable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from docc.core.verdict import Answer
from docc.model.facts import Fact
from docc.model.moves import Create, Delete, Object, Patch, Ref
from docc.model.world import Objects


class Cluster(Protocol):
    """One namespace of one cluster."""

    def observe(self, app: str) -> Objects:
        """The application's objects as last seen: the first call lists and starts watches, later ones cost no request.
        Objects that this process has written are seen at least as new as the write's own answer."""

    def create(self, effect: Create) -> Object:
        """Conflict if an object of the name exists."""

    def patch(self, effect: Patch) -> Object:
        """Conflict if a `test` fails (422 without causes) or the server says 409; Gone; Refused (422 with causes)."""

    def delete(self, effect: Delete) -> None:
        """Already gone is success; Conflict if uid or resourceVersion is another."""

    def read(self, ref: Ref) -> Object | None:
        """One object, fresh from the server, or None."""

    def logs(self, pod: str, container: str, previous: bool, lines: int) -> str:
        """The last lines of a container's log, "" if there is none."""

    def events(self, name: str) -> tuple[Object, ...]:
        """core/v1 Events about the object of that name, oldest first."""


class Metrics(Protocol):
    def ask(self, *groups: Sequence[str]) -> Mapping[str, Answer]:
        """Evaluates each PromQL text now, all within one bounded time; a group when the one before it is answered, so that it
        sees every sample that those saw. Failing queries are answers too, never raised."""


class Clock(Protocol):
    def now(self) -> float:
        """Unix seconds by the API server's clock."""

    def sleep_until(self, instant: float) -> None:
        """Returns at the instant, or as soon as the observed world has changed or a stop is asked for."""


HOLD, ROLL_BACK = "hold", "roll back"
"""What a person at the terminal may ask for instead of a stop: no more weight, or all of it back."""


class Stop(Protocol):
    def asked(self) -> str | None:
        """What the driver was asked for last: HOLD, ROLL_BACK, or a signal's name ("SIGTERM"): to end; else None."""


class Sink(Protocol):
    def emit(self, at: float, fact: Fact) -> None:
        """Must not raise; a broken sink never stops a rollout."""


@dataclass(frozen=True, slots=True)
class Ports:
    cluster: Cluster
    metrics: Metrics | None
    clock: Clock
    stop: Stop
    sink: Sink
