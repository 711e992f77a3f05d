"""How long a driver in mid-rollout bears that the API server refuses who asks, though it has taken them before.

Pure: time is an argument. What is done meanwhile, and afterwards, the driver decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from docc.model.errors import CredentialsError, DoccError, LoginLost

SECONDS_MAX: dict[type[DoccError], float] = {LoginLost: 60.0, CredentialsError: 10.0}
"""A lost login keeps a due write from being sent: then somebody else must be told to see to the traffic. A right that is
missing is waited for because an API server that has just begun refuses everybody, until it has read its roles."""


@dataclass(slots=True)
class Endurance:
    """since: unix seconds at which a kind of refusal began."""

    since: dict[type[DoccError], float] = field(default_factory=dict)

    def over(self, error: DoccError, now: float) -> bool:
        """It has lasted too long. False for what is no such refusal."""
        kind = next((kind for kind in SECONDS_MAX if isinstance(error, kind)), None)
        return kind is not None and now >= self.since.setdefault(kind, now) + SECONDS_MAX[kind]
