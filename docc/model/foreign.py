"""What others have around an application that a deploy may run into, as objects on the wire. Adapters fetch it in one round.

A kind that the cluster does not have has no objects. A kind that could not be looked at is named in `unseen`, with the reason:
not knowing is no reason to refuse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from docc.model.moves import Object


@dataclass(frozen=True, slots=True)
class Foreign:
    """found: objects by kind. gateway: the one that the route attaches to, where it had to be looked at. version: the API
    server's gitVersion, "" where nobody asked."""

    found: Mapping[str, Sequence[Object]] = field(default_factory=dict)
    gateway: Object | None = None
    version: str = ""
    unseen: tuple[str, ...] = ()

    def of(self, kind: str) -> Sequence[Object]:
        return self.found.get(kind, ())
