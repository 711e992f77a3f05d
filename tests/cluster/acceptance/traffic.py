"""What users saw, beside what the route said meanwhile; and what holds of it in every case, whatever that is about.

Pure. Known to it: the clients' lines, Envoy's log, the route as it was watched. Not docc, nor anything that docc says.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from docc.sandbox import accounts
from tests.cluster.acceptance.watching import Sight

Object = dict[str, Any]
SHARE_COUNT_MIN, SHARE_ERRORS_MAX = 2000, 4.0
FEW_COUNT_MIN, FEW_ERRORS_MAX = 200, 5.0
"""A weight that is held for a few seconds only: there are many of these, and chance is not to fail one in a thousand runs."""
HEARD_SECONDS_MAX = 3.0
"""When an end of a weight has come to Envoy by way of istiod, also on a crowded machine. Until then who had the weight
answers; whoever does not answer is counted as lost at any time."""
EXPOSED_SECONDS_MAX = 15.0
"""Of a version that fails. On an idle machine it is 2 to 5."""
REQUESTS_MAX, REQUESTS_PER_CONFLICT = 40, 3
"""docc's to the API server, for one command, without the Lease's renewals, also where its watches were cut and a failure is
explained (a healthy canary: 30, case 2); and what a conflict may cost more."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a version got of `count` requests while it had `weight` percent."""

    version: str
    weight: int
    count: int
    got: int

    @property
    def share(self) -> float:
        return self.got / self.count

    @property
    def errors(self) -> float:
        """How many standard errors it is off."""
        expected = self.weight / 100
        return (self.share - expected) / math.sqrt(expected * (1 - expected) / self.count)

    def __str__(self) -> str:
        return f"{self.weight} %: {self.share:.4f} of {self.count} ({self.errors:+.1f} standard errors)"


def none(_: Object) -> bool:
    return False


@dataclass(slots=True)
class Traffic:
    """rows: the clients' lines. tried: of those who are on trial by a header, whom no weight leads. sights: the route, as long
    as they asked. All whole once they have ended. versions: what the revisions call themselves, if not by the revision's name.
    excused: those lines that a case answers for itself. led: by the weights."""

    sights: list[Sight]
    rows: list[Object] = field(default_factory=list)
    tried: list[Object] = field(default_factory=list)
    versions: Mapping[str, str] = field(default_factory=dict)
    excused: Callable[[Object], bool] = none
    led: bool = True

    @property
    def weights(self) -> list[tuple[float, str, int]]:
        """For accounts, which forgives a second in which Envoy hears of an end; a beginning we may hear of later than Envoy."""
        return self._weights(HEARD_SECONDS_MAX - accounts.LATE_SECONDS)

    def _weights(self, late: float) -> list[tuple[float, str, int]]:
        """late: how much later than the route says a version may have lost its traffic."""
        return [
            (sight.at - accounts.LATE_SECONDS if weight else sight.at + late, self._called(name), weight)
            for sight in self.sights for name, weight in sight.weights.items()
        ]  # fmt: skip

    @property
    def answered_for(self) -> list[Object]:
        """The lines that are nobody's excuse."""
        return [row for row in self.rows if not self.excused(row)]

    @property
    def account(self) -> accounts.Account:
        return accounts.of_load(self.answered_for, self.weights)

    @property
    def late(self) -> int:
        """Answers of a version whose weight had been 0 for over a second, and that count as good nevertheless."""
        return accounts.of_load(self.answered_for, self._weights(0)).failed - self.account.failed

    def steps(self, revision: int) -> list[int]:
        """The weights that the revision had, one after another, without the 0 that it began with."""
        found = [weight for weight, _ in groupby(_weight(sight, f"v{revision}") for sight in self.sights)]
        return found[1:] if found[:1] == [0] else found

    def writes(self, revision: int) -> list[int]:
        """The revision's weight after each change of the route's spec, whoever made it, but what the first sight had: two
        writes that say the same are two."""
        specs = {sight.route["metadata"]["generation"]: _weight(sight, f"v{revision}") for sight in self.sights}
        assert list(specs) == list(range(min(specs), max(specs) + 1)), f"not all were seen: {list(specs)}"
        return list(specs.values())[1:]

    def since_weight(self, revision: int, weight: int) -> float:
        """When the revision first had this weight."""
        return next(sight.at for sight in self.sights if _weight(sight, f"v{revision}") == weight)

    def weight_at(self, revision: int, at: float) -> int:
        """What the revision had then."""
        return next((_weight(sight, f"v{revision}") for sight in reversed(self.sights) if sight.at <= at), 0)

    def exposed(self, version: str) -> float:
        """Whoever asked for it."""
        return accounts.exposed_seconds([*self.rows, *self.tried], version)

    def answers_between(self, since: float, until: float, *, tried: bool = False) -> Counter[str]:
        return Counter(row["version"] for row in (self.tried if tried else self.rows) if since < row["sent"] < until)

    def _called(self, backend: str) -> str:
        revision = _revision(backend)
        return self.versions.get(revision, revision)

    def shares(self) -> list[Share]:
        """Of each version at each weight, as long as that was held, since Envoy has heard of it."""
        spans = [next(same) for _, same in groupby(self.sights, key=lambda sight: sight.weights) if self.led]
        ends = [span.at for span in spans[1:]] + [math.inf]
        found = []
        for before, span, end in zip([None, *spans], spans, ends, strict=False):
            answers = self.answers_between(self._heard(before, span), end)
            total = answers.total()
            shares = ((self._called(name), weight) for name, weight in span.weights.items() if 0 < weight < 100)
            found += [Share(version, weight, total, answers[version]) for version, weight in shares if total]
        return found

    def _heard(self, before: Sight | None, span: Sight) -> float:
        """When Envoy has surely heard of these weights: when a version that had no traffic answers, though not before the
        others have had a second; where none is new, after the longest that it may take."""
        had = {name for name, weight in (before.weights if before else {}).items() if weight}
        new = {self._called(name) for name, weight in span.weights.items() if weight and name not in had}
        first = (row["sent"] for row in self.rows if row["version"] in new and row["sent"] > span.at)
        latest = span.at + HEARD_SECONDS_MAX
        return max(next(first, latest), span.at + accounts.LATE_SECONDS)


def assert_nobody_lost(seen: Traffic, log: Sequence[Object]) -> None:
    """No request is lost, and Envoy's own log says the same as those who asked."""
    account, excused = seen.account, {row["tag"] for row in (*seen.rows, *seen.tried) if seen.excused(row)}
    bad = [row for row in seen.answered_for if accounts.of_load([row], seen.weights).failed] if account.failed else []
    assert account.failed == 0, f"{len(bad)} of {len(seen.rows)} failed, the first: {bad[:3]}\nweights: {seen.weights}"
    tried = {row["tag"] for row in seen.tried}
    logged = accounts.of_access_log([row for row in log if row["tag"] not in excused | tried], seen.weights)
    assert logged.same_as(account), (logged, account)
    theirs = accounts.of_load([row for row in seen.tried if not seen.excused(row)], ())
    assert theirs.failed == 0, theirs
    logged = accounts.of_access_log([row for row in log if row["tag"] in tried - excused], ())
    assert logged.same_as(theirs), (logged, theirs)


def assert_shares(seen: Traffic) -> None:
    """Where a weight was held so long that chance has little to say, the share is the weight."""
    limits = ((SHARE_COUNT_MIN, SHARE_ERRORS_MAX), (FEW_COUNT_MIN, FEW_ERRORS_MAX))
    off = [s for s in seen.shares() if any(s.count >= count and abs(s.errors) > errors for count, errors in limits)]
    assert not off, [str(share) for share in off]


def assert_soon_over(seen: Traffic) -> None:
    """No version that fails was exposed for long, to anybody."""
    bad = accounts.of_load([*seen.answered_for, *seen.tried], ()).bad
    exposed = {version: seen.exposed(version) for version in bad}
    assert all(seconds < EXPOSED_SECONDS_MAX for seconds in exposed.values()), exposed


def assert_frugal(entries: Sequence[Object], commands: int) -> None:
    """entries: the API server's audit log of that many docc commands."""
    asked = counted(entries)
    conflicts = sum(1 for entry in entries if entry["responseStatus"]["code"] in (409, 422))
    limit = REQUESTS_MAX * commands + REQUESTS_PER_CONFLICT * conflicts
    assert asked.total() - asked["renew"] <= limit, (asked, commands, conflicts)


def counted(entries: Sequence[Object]) -> Counter[str]:
    """By verb; the Lease's renewals by themselves."""
    return Counter(
        "renew" if entry["verb"] == "patch" and entry["objectRef"].get("resource") == "leases" else entry["verb"]
        for entry in entries
    )


def _revision(backend: str) -> str:
    return backend.rsplit("-", 1)[1]


def _weight(sight: Sight, version: str) -> int:
    return next((weight for name, weight in sight.weights.items() if _revision(name) == version), 0)
