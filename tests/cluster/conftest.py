"""The test cluster as fixtures: one for all tests, a namespace for each; and what tests measure, told at the end. What a
machine lacks fails, it does not skip.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.rig import session
from tests.cluster.rig.cluster import Cluster

Figure = Callable[[str], None]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The one that is up; else one for this run, unless it is only a part of it: no worker knows when the others are done."""
    folder = session.default_folder()
    if "PYTEST_XDIST_WORKER" in os.environ and session.status(folder) is None:
        raise session.Unusable("several workers need a cluster that is up: python -m tests.cluster up (or test)")
    with _entered(folder) as found:
        yield found


@contextmanager
def _entered(folder: Path) -> Iterator[Cluster]:
    with session.borrowed(folder) as running, session.inside(running):
        found = Cluster(running)
        try:
            yield found
        finally:
            found.close()


@pytest.fixture(scope="module")
def own_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """For a file of tests that nobody may disturb, or that disturb everybody: `cluster = own_cluster` there."""
    with _entered(tmp_path_factory.mktemp("own") / "cluster") as found:
        yield found


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh one; its pods are gone after the test."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
    cluster.forget_logs()
    name = cluster.make_namespace(words[:30].strip("-"))
    try:
        yield name
    finally:
        cluster.delete_namespace(name)


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Keeps a sentence for the end; with the test's report, since that comes from another process with several workers."""
    return lambda text: request.node.user_properties.append(("figure", f"{request.node.name}: {text}"))


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Callable[[str, int], None]:
    """Keeps a number for the end, which tells the sum over all tests."""
    return lambda what, count: request.node.user_properties.append(("tally", (what, count)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    kept = [each for report in reports for each in report.user_properties]
    texts, sums = [text for name, text in kept if name == "figure"], Counter[str]()
    for what, count in (value for name, value in kept if name == "tally"):
        sums[what] += count
    if texts or sums:
        terminalreporter.section("figures")
    for text in texts:
        terminalreporter.line(text)
    if sums:
        terminalreporter.line(", ".join(f"{what}: {count}" for what, count in sums.items()))
