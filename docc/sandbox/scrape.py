"""Asks every target for its metrics once per interval and keeps the answers, with Prometheus' rules for labels and staleness.

Knows neither pods nor PromQL: the targets, with the labels that they get, are the caller's. Of the series that Prometheus adds
itself only `up` is written. All targets are scraped at the same moment, so that one interval is the longest delay of news.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from docc.sandbox.exposition import Exposed, ExpositionError, parsed
from docc.sandbox.tsdb import STALE, Labels, Tsdb, labels_of

INTERVAL_SECONDS = 1.0
_TIMEOUT_SECONDS_MAX = 0.5
_BODY_BYTES_MAX = 1 << 20
_HEADERS = {"Accept": "text/plain;version=0.0.4"}


@dataclass(frozen=True, slots=True)
class Target:
    """labels: win over a scraped label of the same name. `job` and `instance` (host:port) have defaults."""

    url: str
    labels: Labels

    @classmethod
    def of(cls, url: str, labels: Mapping[str, str]) -> Target:
        return cls(url, labels_of({"job": "sandbox", "instance": urlsplit(url).netloc, **labels}))


class ScrapeFailed(Exception):
    """The target did not answer in time, or not with metrics."""


Targets = Callable[[], Iterable[tuple[str, Mapping[str, str]]]]
"""The (url, labels) pairs of this moment."""


async def scrape_forever(
    tsdb: Tsdb, targets: Targets, interval: float = INTERVAL_SECONDS, *, now: Callable[[], float]
) -> None:
    """Runs until cancelled. now: seconds since the epoch; a sample's time is when its scrape began, not when it ended.

    A scrape ends after min(interval, 0.5 s): a target that hangs is down, and holds up no other one's next scrape.
    """
    loop = asyncio.get_running_loop()
    limit = aiohttp.ClientTimeout(total=min(interval, _TIMEOUT_SECONDS_MAX))
    async with aiohttp.ClientSession(timeout=limit, headers=_HEADERS, trust_env=False) as session:
        scraper = Scraper(tsdb, session)
        tick = loop.time()
        while True:
            await scraper.round([Target.of(url, labels) for url, labels in targets()], int(now() * 1000))
            # Ticks keep their phase; those that a suspended machine has slept through are left out.
            tick += interval * max(1, -(-(loop.time() - tick) // interval))
            await asyncio.sleep(tick - loop.time())


class Scraper:
    """Remembers, per target, which series it had in the last round: those that are gone get a staleness marker."""

    def __init__(self, tsdb: Tsdb, session: aiohttp.ClientSession) -> None:
        self._tsdb = tsdb
        self._session = session
        self._known: dict[Target, set[Labels]] = {}

    async def round(self, targets: Iterable[Target], time_ms: int) -> None:
        """Scrapes each target once. Never raises for what a target does: its `up` is 0 then, and its series go stale."""
        current = list(dict.fromkeys(targets))
        for gone in self._known.keys() - set(current):
            self._end(self._known.pop(gone) | {_up(gone)}, time_ms)
        await asyncio.gather(*(self._scrape(target, time_ms) for target in current))
        self._tsdb.forget(time_ms)

    async def _scrape(self, target: Target, time_ms: int) -> None:
        try:
            exposed = await self._asked(target.url)
        except ScrapeFailed:
            exposed, healthy = [], 0.0
        else:
            healthy = 1.0
        seen: set[Labels] = set()
        for sample in exposed:
            labels = with_target_labels(sample.labels, target.labels)
            self._tsdb.append(labels, time_ms if sample.time_ms is None else sample.time_ms, sample.value)
            if sample.time_ms is None:  # as in Prometheus, series with timestamps of their own never go stale
                seen.add(labels)
        self._end(self._known.get(target, set()) - seen, time_ms)
        self._known[target] = seen
        self._tsdb.append(_up(target), time_ms, healthy)

    async def _asked(self, url: str) -> list[Exposed]:
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status != 200:
                    raise ScrapeFailed(f"{url} answered {response.status}")
                body = await response.content.read(_BODY_BYTES_MAX + 1)
                while len(body) <= _BODY_BYTES_MAX and (more := await response.content.read(_BODY_BYTES_MAX)):
                    body += more
                if len(body) > _BODY_BYTES_MAX:
                    raise ScrapeFailed(f"{url} answered with more than {_BODY_BYTES_MAX} bytes")
                return parsed(body.decode())
        except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError, ExpositionError) as error:
            raise ScrapeFailed(f"{url}: {error}") from error

    def _end(self, series: Iterable[Labels], time_ms: int) -> None:
        for labels in series:
            self._tsdb.append(labels, time_ms, STALE)


def with_target_labels(scraped: Mapping[str, str], target: Labels) -> Labels:
    """honor_labels false: a scraped label that a target label displaces lives on with the prefix `exported_`."""
    result = {name: value for name, value in scraped.items() if value}
    displaced = sorted((name for name, _ in target if name in result), key=len)
    result.update(target)
    for name in displaced:
        exported = f"exported_{name}"
        while exported in result:
            exported = f"exported_{exported}"
        result[exported] = scraped[name]
    return labels_of(result)


def _up(target: Target) -> Labels:
    return labels_of({"__name__": "up", **dict(target.labels)})
