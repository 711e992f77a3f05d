"""An application in a namespace of its own; and the figures that the cases measure, printed at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.acceptance.app import App
from tests.cluster.rig.cluster import Cluster

Figure = Callable[[str], None]
_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def app(cluster: Cluster, namespace: str, tmp_path: Path) -> App:
    return App(cluster, namespace, tmp_path)


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Keeps a sentence for the summary."""
    kept = request.config.stash.setdefault(_FIGURES, [])
    return lambda text: kept.append(f"{request.node.name}: {text}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if figures := config.stash.get(_FIGURES, []):
        terminalreporter.section("figures")
        for text in figures:
            terminalreporter.line(text)
