"""The data sets whose queries (queries/*.promql) a real Prometheus has answered (*.json). record.py writes the answers.

Each data set has an hour of its own, because the server takes no sample that is an hour older than its newest. Within it,
times are seconds after the hour's start, in the queries' files too: a line `@ 1000 1300` gives the times of the lines below.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_QUERIES = Path(__file__).parent / "queries"
_EPOCH_MS = 1_700_002_800_000
_HOUR_MS = 3_600_000

Point = tuple[int, float | str]
"""(milliseconds since the epoch, value), where the value may be "NaN", "+Inf", "-Inf" or "stale"."""
Relative = tuple[float, float | str]
Labelled = tuple[dict[str, str], list[Relative]]


@dataclass(frozen=True, slots=True)
class DataSet:
    name: str
    about: str
    series: list[tuple[dict[str, str], list[Point]]]
    queries: list[tuple[str, str]]
    """(PromQL, the API's `time` parameter)."""


def _metric(name: str, **labels: str) -> dict[str, str]:
    return {"__name__": name, **labels}


def _requests(code: str, **labels: str) -> dict[str, str]:
    return _metric("http_requests_total", app="demo_app", code=code, **labels)


def _ramp(first: float, last: float, *, step: float = 15, start: float = 0, by: float = 30) -> list[Relative]:
    count = int((last - first) / step) + 1
    return [(first + n * step, start + n * by) for n in range(count)]


def _constant(seconds: float, values: Iterable[tuple[dict[str, str], float | str]]) -> list[Labelled]:
    return [(labels, [(seconds, value)]) for labels, value in values]


def _random_counter(rng: random.Random) -> list[Relative]:
    """Jittered scrapes from some birth to some death, gaps, resets, now and then a staleness marker."""
    time, value, points = 1000 + rng.uniform(0, 200), float(rng.choice((0, 3, 1000))), list[Relative]()
    while time < 1000 + rng.uniform(250, 700):
        points.append((round(time, 3), "stale" if rng.random() < 0.03 else value))
        value = rng.random() if rng.random() < 0.08 else value + rng.choice((0.0, 1.0, rng.expovariate(0.1)))
        time += rng.choice((1.0, 5.0, 5.0, 15.0, 40.0)) + rng.uniform(-0.3, 0.3)
    return points


_EDGES = [(1000.001, 1), (1059.999, 2), (1060, 5), (1300, 6)]
_NUMBERS: dict[str, float | str] = {
    "nan": "NaN",
    "inf": "+Inf",
    "minus_inf": "-Inf",
    "zero": 0.0,
    "minus_zero": -0.0,
    "two": 2.0,
    "minus_three": -3.0,
    "half": 0.5,
    "tiny": 1e-7,
    "huge": 1e300,
    "big": 123456789012345680.0,
}
_MATCHED = [
    (_metric("errors", code="500", method="get"), 24.0),
    (_metric("errors", code="404", method="get"), 30.0),
    (_metric("errors", code="404", method="put"), 3.0),
    (_metric("errors", code="500", method="post"), 6.0),
    (_metric("requests", method="get", zone="east"), 600.0),
    (_metric("requests", method="del", zone="west"), 34.0),
    (_metric("requests", method="post", zone="west"), 120.0),
    (_metric("limits", method="get"), 24.0),
    (_metric("limits", method="post"), 7.0),
    (_metric("twins", method="get", n="1"), 1.0),
    (_metric("twins", method="get", n="2"), 2.0),
]
_LOTS = [(_metric("lots", n=str(n), parity=str(n % 2)), 0.1 * n) for n in range(41)]
_LABELLED: tuple[dict[str, str], ...] = (
    {},
    {"a": "x"},
    {"a": "xy"},
    {"a": "x", "b": "y"},
    {"a": "500"},
    {"a": "503"},
    {"a": "404", "b": "y"},
    {"a": "x.y"},
    {"a": "x\ny"},
    {"a": "é"},
    {"a": "x y"},
    {"a": "X"},
    {"a": 'q"\\'},
)


_BOUNDS = ("0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "+Inf")


def _buckets(counts: Sequence[float | str], bounds: Sequence[str] = _BOUNDS, **labels: str) -> list[Labelled]:
    """A histogram at 1000 s, with cumulative counts."""
    pairs = zip(bounds, counts, strict=True)
    return _constant(1000, [(_metric("h_bucket", le=bound, **labels), count) for bound, count in pairs])


def _histograms() -> list[Labelled]:
    plain = _buckets((10, 40, 90, 95, 99, 100, 100), app="plain")
    spelled = _buckets((5, 5, 7, 20), ("1", "1.0", "2", "Inf"), app="same-bound-twice")
    odd = _buckets((1, 2, 3, 4), ("none", "", "1e1", "+Inf"), app="odd")
    below = _buckets((4, 8, 9, 10), ("-2", "0", "3", "+Inf"), app="below-zero")
    rounded = _buckets((10, 30 + 1e-13, 30, 30 - 1e-13, 31, 40, 40), app="rounded")
    torn = _buckets((10, 30, 20, 50, 40, 60, 55), app="torn")
    none = [*_buckets((0,) * 7, app="empty"), *_buckets((1, 2), ("1", "2"), app="no-infinity")]
    lone = [*_buckets((7,), ("+Inf",), app="only-infinity"), *_buckets((1, "NaN", 3), ("1", "2", "+Inf"), app="nan")]
    gauge = _constant(
        1000, [(_metric("h_count", app="plain"), 100.0), (_metric("q"), 0.5), (_metric("other_bucket", le="1"), 3.0)]
    )
    twin = _constant(
        1000,
        [(_metric("other_bucket", le="+Inf", app="plain"), 9.0), (_metric("other_bucket", le="1", app="plain"), 3.0)],
    )
    rising = [
        (_metric("r_bucket", le=bound, app="r"), _ramp(1000, 1300, by=by))
        for bound, by in (("0.1", 20), ("1", 29), ("+Inf", 30))
    ]
    return [*plain, *spelled, *odd, *below, *rounded, *torn, *none, *lone, *gauge, *twin, *rising]


def _specs() -> Iterator[tuple[str, str, Sequence[Labelled]]]:
    """(name, about, series)."""
    rng = random.Random(3)
    yield (
        "never_a_500",
        "the talk's expression on an app that never answered 500: the numerator is missing",
        [
            (_requests("200", revision="1"), _ramp(1000, 1600)),
            (_requests("404", revision="1"), _ramp(1000, 1600, by=1)),
        ],
    )
    yield (
        "late_born_500",
        "series with code 500 are born at the first 500, in mid-window; one has a single sample",
        [
            (_requests("200", revision="1"), _ramp(1000, 1600)),
            (_requests("200", revision="2"), _ramp(1450, 1600, step=5, by=7)),
            (_requests("500", revision="2"), _ramp(1500, 1600, step=5, start=1, by=3)),
            (_requests("503", revision="2"), [(1600, 4)]),
            (_requests("500", revision="1"), [(1590, 1), (1600, 1)]),
        ],
    )
    still = [(_requests(code, revision="1"), _ramp(1000, 1600, by=0, start=7)) for code in ("200", "500")]
    yield "no_traffic", "0/0: counters that stand still, and no series at all", still
    yield (
        "counter_reset",
        "a restart sets a counter back to 0, also twice within one window, and to a value above 0",
        [
            (_metric("hits_total", pod="a"), [*_ramp(1000, 1150), *_ramp(1165, 1300)]),
            (_metric("hits_total", pod="b"), [*_ramp(1000, 1120), *_ramp(1135, 1180, start=5), *_ramp(1195, 1300)]),
            (_metric("hits_total", pod="c"), [(1280, 50), (1300, 0)]),
        ],
    )
    up = _ramp(1000, 1060, by=0, start=1)
    yield (
        "staleness",
        "staleness markers, a series that comes back, one that vanishes without a marker",
        [
            (_metric("up", job="a"), [*up, (1075, "stale")]),
            (_metric("up", job="b"), [*up, (1075, "stale"), *_ramp(1120, 1180, by=0, start=1)]),
            (_metric("up", job="c"), up),
            (_metric("hits_total", job="a"), [*_ramp(1000, 1120), (1135, "stale"), *_ramp(1150, 1240, start=270)]),
        ],
    )
    yield (
        "edges",
        "lookback and ranges are open on the left: samples at exactly their start do not count; offsets, also negative",
        [(_metric("hits_total", n="even"), _ramp(1000, 1600, step=10)), (_metric("hits_total", n="odd"), list(_EDGES))],
    )
    counters = [(_metric("hits_total", n=str(n)), _random_counter(rng)) for n in range(24)]
    yield "extrapolation", "random counters: jitter, gaps, births, deaths, resets, markers", counters
    numbers = _constant(1000, [(_metric("n", x=name), value) for name, value in _NUMBERS.items()])
    yield "numbers", "NaN, infinities, signed zero, overflow, and how values are written", numbers
    two = _constant(1000, [(_metric("a", x="1"), 7.0), (_metric("a", x="2"), 8.0)])
    yield "scalars", "numbers, time(), scalar(), vector(): precedence, associativity, types", two
    yield (
        "matching",
        "vector matching: on, ignoring, group_left, group_right, and what is refused",
        _constant(1000, _MATCHED),
    )
    yield (
        "aggregation",
        "by and without, with labels that are missing, the name itself, and several metrics at once",
        [*_constant(1000, _MATCHED), *_constant(999, _LOTS)],
    )
    labelled = _constant(1000, [(_metric("m", **labels), float(n)) for n, labels in enumerate(_LABELLED)])
    yield (
        "matchers",
        "label matchers of all four kinds; a missing label is an empty one; anchored expressions",
        labelled,
    )
    yield "refused", "not PromQL, or of a wrong type", _constant(1000, [(_metric("a"), 1.0)])
    yield "grammar", "expressions put together at random, over the data of `matching`", _constant(1000, _MATCHED)
    yield (
        "histograms",
        "histogram_quantile: bounds in any spelling, torn and rounded counts, and histograms that are none",
        _histograms(),
    )
    some: list[Labelled] = [
        *_constant(1000, [(_metric("m", app="a", code="200"), 1.0)]),
        (_metric("gone"), [(1000, 1), (1010, "stale")]),
    ]
    yield "absence", "absent and absent_over_time: which labels they give to what is not there", some
    versions = {("shop-v1", "200"): 90.0, ("shop-v1", "404"): 2.0, ("shop-v2", "500"): 30.0}
    yield (
        "sent",
        "what docc sends for conditions of many shapes about a version that fails everything and one that fails nothing",
        [
            (
                _metric("requests_total", deployment=deployment, pod=f"{deployment}-{pod}", code=code),
                _ramp(1000, 1120, by=by),
            )
            for (deployment, code), by in versions.items()
            for pod in "ab"
        ],
    )


def _at(hour: int, seconds: float) -> int:
    return _EPOCH_MS + hour * _HOUR_MS + round(seconds * 1000)


def _asked(name: str) -> Iterator[tuple[str, float]]:
    times: list[float] = []
    for line in (_QUERIES / f"{name}.promql").read_text(encoding="utf-8").splitlines():
        if line.startswith("@"):
            times = [float(time) for time in line[1:].split()]
        elif line:
            yield from ((line, time) for time in times)


DATA_SETS = [
    DataSet(
        name,
        about,
        [(labels, [(_at(hour, seconds), value) for seconds, value in points]) for labels, points in series],
        [(query, f"{_at(hour, seconds) / 1000:.3f}") for query, seconds in _asked(name)],
    )
    for hour, (name, about, series) in enumerate(_specs())
]
