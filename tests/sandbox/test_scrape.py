"""The scraper against real HTTP servers on loopback, the exposition format, and the store of samples."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from docc.sandbox.exposition import ExpositionError, parsed
from docc.sandbox.scrape import Scraper, Target, scrape_forever, with_target_labels
from docc.sandbox.tsdb import Tsdb, labels_of


class Exporter:
    """Answers /metrics with `text`; None: 500. `hang` keeps it from answering."""

    def __init__(self, text: str | None) -> None:
        self.text = text
        self.hang: asyncio.Event | None = None
        self.asked = 0
        self.asked_twice = asyncio.Event()

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        if self.asked >= 2:
            self.asked_twice.set()
        if self.hang is not None:
            await self.hang.wait()
        return web.Response(status=500) if self.text is None else web.Response(text=self.text)


@contextlib.asynccontextmanager
async def serving(exporter: Exporter) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/metrics", exporter.answer)
    async with TestServer(app, host="127.0.0.1") as server:
        yield str(server.make_url("/metrics"))


def run(scenario: Callable[[], Awaitable[None]], seconds: float = 20) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(scenario(), seconds)

    asyncio.run(bounded())


def newest(tsdb: Tsdb, at_ms: int, **labels: str) -> list[float]:
    series = tsdb.select(lambda have: all(have.get(name) == value for name, value in labels.items()))
    samples = (one.latest(at_ms - 300_000, at_ms) for one in series)
    return [sample[1] for sample in samples if sample is not None]


def target(url: str, **labels: str) -> Target:
    return Target.of(url, {"instance": "i", "job": "j", **labels})


def test_samples_get_the_targets_labels_and_the_time_of_the_scrape() -> None:
    async def scenario() -> None:
        tsdb, exporter = Tsdb(), Exporter('hits_total{code="200",job="mine",empty=""} 3\n')
        async with serving(exporter) as url, aiohttp.ClientSession() as session:
            await Scraper(tsdb, session).round([target(url, pod="p")], 5_000)
        assert {series.labels for series in tsdb.select(lambda _: True)} == {
            labels_of(
                {
                    "__name__": "hits_total",
                    "code": "200",
                    "exported_job": "mine",
                    "job": "j",
                    "instance": "i",
                    "pod": "p",
                }
            ),
            labels_of({"__name__": "up", "job": "j", "instance": "i", "pod": "p"}),
        }
        assert {tuple(series.times) for series in tsdb.select(lambda _: True)} == {(5_000,)}
        assert newest(tsdb, 5_000, __name__="up") == [1.0]

    run(scenario)


def test_a_series_that_is_gone_and_all_series_of_a_failed_scrape_go_stale() -> None:
    async def scenario() -> None:
        tsdb, exporter = Tsdb(), Exporter("a 1\nb 2\n")
        async with serving(exporter) as url, aiohttp.ClientSession() as session:
            scraper = Scraper(tsdb, session)
            await scraper.round([target(url)], 1_000)
            exporter.text = "a 1\n"
            await scraper.round([target(url)], 2_000)
            assert (newest(tsdb, 2_000, __name__="a"), newest(tsdb, 2_000, __name__="b")) == ([1.0], [])
            assert newest(tsdb, 1_999, __name__="b") == [2.0]
            for second, broken in enumerate((None, "a 1\nnot a sample\n", "a 1"), start=3):
                exporter.text = broken
                await scraper.round([target(url)], second * 1_000)
                assert newest(tsdb, second * 1_000, __name__="up") == [0.0]
                assert newest(tsdb, second * 1_000, __name__="a") == []
            exporter.text = "a 1\nb 5\n"
            await scraper.round([target(url)], 9_000)
            assert newest(tsdb, 9_000, __name__="b") == [5.0]

    run(scenario)


def test_a_target_that_is_gone_goes_stale_with_its_up() -> None:
    async def scenario() -> None:
        tsdb, exporter = Tsdb(), Exporter("a 1\n")
        async with serving(exporter) as url, aiohttp.ClientSession() as session:
            scraper = Scraper(tsdb, session)
            await scraper.round([target(url, pod="p"), target(url, pod="q")], 1_000)
            await scraper.round([target(url, pod="q")], 2_000)
        assert newest(tsdb, 2_000, pod="p") == []
        assert newest(tsdb, 2_000, pod="q") == [1.0, 1.0]

    run(scenario)


def test_a_hanging_target_is_down_and_holds_up_no_other() -> None:
    async def scenario() -> None:
        tsdb, slow, quick = Tsdb(), Exporter("a 1\n"), Exporter("b 1\n")
        slow.hang = asyncio.Event()
        async with serving(slow) as slow_url, serving(quick) as quick_url:

            def targets() -> list[tuple[str, Mapping[str, str]]]:
                return [(slow_url, {"pod": "slow"}), (quick_url, {"pod": "quick"})]

            loop = asyncio.get_running_loop()
            task = asyncio.create_task(scrape_forever(tsdb, targets, 0.1, now=loop.time))
            await quick.asked_twice.wait()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            slow.hang.set()
        far = int(loop.time() * 1000) + 1
        assert newest(tsdb, far, __name__="up", pod="slow") == [0.0]
        assert newest(tsdb, far, __name__="b", job="sandbox", instance=quick_url.split("/")[2]) == [1.0]

    run(scenario)


def test_an_answer_without_end_is_a_failed_scrape() -> None:
    async def scenario() -> None:
        tsdb, exporter = Tsdb(), Exporter("# a comment that is far too long\n" * 40_000)
        async with serving(exporter) as url, aiohttp.ClientSession() as session:
            await Scraper(tsdb, session).round([target(url)], 1_000)
        assert newest(tsdb, 1_000, __name__="up") == [0.0]

    run(scenario)


def test_displaced_labels_live_on_and_never_collide() -> None:
    scraped = {"__name__": "m", "pod": "a", "exported_pod": "b", "zone": ""}
    assert with_target_labels(scraped, labels_of({"pod": "p", "zone": "z"})) == labels_of(
        {"__name__": "m", "pod": "p", "exported_pod": "b", "exported_exported_pod": "a", "zone": "z"}
    )


@pytest.mark.parametrize(
    ("line", "labels", "value"),
    [
        ("m 1", {}, 1.0),
        ("m\t-2.5e3 ", {}, -2500.0),
        ("  m{} +Inf", {}, math.inf),
        ('m{a="1",b="2",} .5', {"a": "1", "b": "2"}, 0.5),
        ('m { a = "x y" , b="}" } 0', {"a": "x y", "b": "}"}, 0.0),
        (r'm{a="q\"b\\n\n"} 7', {"a": 'q"b\\n\n'}, 7.0),
        ('ns:m_1{é="x"} 1', None, 0.0),
        ("m", None, 0.0),
        ("m one", None, 0.0),
        ("m 1 2 3", None, 0.0),
        ("m 1_000", None, 0.0),
        ('m{a="1" b="2"} 1', None, 0.0),
        ('m{a="1",a="2"} 1', None, 0.0),
        ('m{a="1} 1', None, 0.0),
        ('m{,a="1"} 1', None, 0.0),
        ("m{a=1} 1", None, 0.0),
        ("1m 1", None, 0.0),
        ('m{a="1"', None, 0.0),
    ],
)
def test_the_exposition_format(line: str, labels: dict[str, str] | None, value: float) -> None:
    if labels is None:
        with pytest.raises(ExpositionError, match="line 2"):
            parsed(f"# HELP m text\n{line}\n")
    else:
        (sample,) = parsed(f"# TYPE m counter\n\n{line}\n")
        assert (sample.labels, sample.value, sample.time_ms) == ({"__name__": "m", **labels}, value, None)


def test_an_exporters_own_timestamp_is_kept() -> None:
    async def scenario() -> None:
        tsdb, exporter = Tsdb(), Exporter("a 1 700\n")
        async with serving(exporter) as url, aiohttp.ClientSession() as session:
            scraper = Scraper(tsdb, session)
            await scraper.round([target(url)], 1_000)
            exporter.text = ""
            await scraper.round([target(url)], 2_000)
        (series,) = tsdb.select(lambda labels: labels["__name__"] == "a")
        assert (series.times, series.values) == ([700], [1.0])

    run(scenario)


@given(st.text(max_size=60).map(lambda text: text + "\n"))
def test_any_text_is_samples_or_an_exposition_error(text: str) -> None:
    with contextlib.suppress(ExpositionError):
        assert all(sample.labels["__name__"] for sample in parsed(text))


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,5}", fullmatch=True), st.text(max_size=8)), st.floats(allow_nan=False))
def test_what_is_exposed_is_read_back(labels: dict[str, str], value: float) -> None:
    escaped = {n: v.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"") for n, v in labels.items()}
    pairs = ",".join(f'{name}="{text}"' for name, text in escaped.items())
    (sample,) = parsed(f"m{{{pairs}}} {value!r}\n")
    assert (sample.labels, sample.value) == ({"__name__": "m", **labels}, value)


def test_old_samples_and_dead_series_are_dropped_and_late_ones_refused() -> None:
    tsdb, kept, dead = Tsdb(retention_ms=10_000), labels_of({"__name__": "kept"}), labels_of({"__name__": "dead"})
    tsdb.append(dead, 0, 1.0)
    for second in range(1_000):
        assert tsdb.append(kept, second * 1_000, float(second))
    assert not tsdb.append(kept, 999_000, 5.0)
    assert not tsdb.append(kept, 998_000, 5.0)
    tsdb.forget(999_000)
    (series,) = tsdb.select(lambda _: True)
    assert series.labels == kept
    assert series.times[0] <= 989_000
    assert len(series.times) < 300
