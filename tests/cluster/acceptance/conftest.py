"""An application in a namespace of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.acceptance.app import App
from tests.cluster.rig.cluster import Cluster


@pytest.fixture
def app(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[App]:
    made = App(cluster, namespace, tmp_path)
    yield made
    made.close()
