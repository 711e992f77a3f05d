"""Scraped samples in memory, as long as a query may look back. Knows neither where samples come from nor PromQL.

A series is named by its labels (the metric's name is the label `__name__`) and holds samples in time order. Where a series
ends, a staleness marker stands: None in the place of a value (Prometheus writes a NaN of one bit pattern; a None cannot be
mistaken for a NaN that an application has really exported).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping

Labels = tuple[tuple[str, str], ...]
"""Sorted by name, no name twice, no empty value: two series are the same exactly if their Labels are equal."""

STALE = None
_TRIM_AT_ONCE = 256


def labels_of(pairs: Mapping[str, str]) -> Labels:
    """A label with an empty value is the same as no label (Prometheus' data model)."""
    return tuple(sorted((name, value) for name, value in pairs.items() if value))


class Series:
    """times: milliseconds since the epoch, strictly rising. values: parallel to times, None for a staleness marker."""

    __slots__ = ("labels", "times", "values")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.times: list[int] = []
        self.values: list[float | None] = []

    def latest(self, after_ms: int, until_ms: int) -> tuple[int, float] | None:
        """(time, value) of the last sample in (after, until]; None without one, and where the series is stale."""
        index = bisect_right(self.times, until_ms) - 1
        if index < 0 or self.times[index] <= after_ms:
            return None
        value = self.values[index]
        return None if value is None else (self.times[index], value)

    def window(self, after_ms: int, until_ms: int) -> list[tuple[int, float]]:
        """All (time, value) in (after, until] without staleness markers."""
        first, end = bisect_right(self.times, after_ms), bisect_right(self.times, until_ms)
        pairs = zip(self.times[first:end], self.values[first:end], strict=True)
        return [(time, value) for time, value in pairs if value is not None]


class Tsdb:
    """retention_ms: samples older than this, measured from the newest of their series, may be gone."""

    def __init__(self, retention_ms: int = 3_600_000) -> None:
        self._retention_ms = retention_ms
        self._series: dict[Labels, Series] = {}

    def append(self, labels: Labels, time_ms: int, value: float | None) -> bool:
        """False, and nothing stored, where the series has a sample at or after `time_ms` (Prometheus: out of order)."""
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = Series(labels)
        if series.times and time_ms <= series.times[-1]:
            return False
        series.times.append(time_ms)
        series.values.append(value)
        if series.times[0] < time_ms - self._retention_ms:
            self._trim(series, time_ms)
        return True

    def select(self, accepts: Callable[[Mapping[str, str]], bool]) -> list[Series]:
        """The series whose labels `accepts` says yes to, in the order of their labels."""
        found = [series for labels, series in self._series.items() if accepts(dict(labels))]
        return sorted(found, key=lambda series: series.labels)

    def forget(self, now_ms: int) -> None:
        """Drops series that have had no sample for the whole retention."""
        dead = [labels for labels, s in self._series.items() if s.times[-1] < now_ms - self._retention_ms]
        for labels in dead:
            del self._series[labels]

    def __len__(self) -> int:
        return len(self._series)

    def _trim(self, series: Series, now_ms: int) -> None:
        # Cutting the head of a list moves all of it: done for many samples at once, or an hour's append would cost O(n).
        old = bisect_left(series.times, now_ms - self._retention_ms)
        if old >= _TRIM_AT_ONCE:
            del series.times[:old]
            del series.values[:old]
