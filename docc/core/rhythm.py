"""When a look at Prometheus is worth most: just after a scrape, so that what it brought is seen at once. Pure.

The beat is learned from the newest samples' own times, which docc asks for anyway. Several pods have a beat each, and what is
learned of all together is none: then looks come more often than without, and never later.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

FOUND_SECONDS = 0.1
"""From a sample's time, the beginning of its scrape, until queries find it."""
PERIOD_SECONDS_MIN = 0.05
"""Nobody scrapes faster, so two pods whose scrapes lie closer together are no beat, and no look follows upon another sooner."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Of one condition. newest: its newest sample, unix seconds by Prometheus' clock; 0 before the first. period: seconds
    between the last two that looks have found; infinite before the second."""

    newest: float = 0.0
    period: float = math.inf

    def heard(self, newest: float | None) -> Rhythm:
        if newest is None or not self.newest < newest < math.inf:
            return self
        return Rhythm(newest, newest - self.newest if self.newest else math.inf)

    def wait(self, asked_at: float, poll: float) -> float:
        """Seconds from a look (asked_at: when it was answered, by Prometheus' clock) to the next one: to the last scrape that
        poll seconds reach, else poll."""
        age = asked_at - self.newest
        if not PERIOD_SECONDS_MIN <= self.period < math.inf or age < 0:
            return poll
        found = math.floor((poll - FOUND_SECONDS + age) / self.period) * self.period + FOUND_SECONDS - age
        return max(found, PERIOD_SECONDS_MIN) if 0 < found <= poll else poll
