"""An application in a namespace of its own, and a door before its API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.acceptance.app import App, Tally
from tests.cluster.acceptance.killing import door_of
from tests.cluster.rig.cluster import Cluster
from tests.sandbox.door import Door


@pytest.fixture
def app(cluster: Cluster, namespace: str, tmp_path: Path, tally: Tally) -> Iterator[App]:
    made = App(cluster, namespace, tmp_path, tally=tally)
    yield made
    made.close()


@pytest.fixture
def door(app: App) -> Iterator[Door]:
    """Between the app's docc and the API server, for those who are begun while `app.kubeconfig` leads there."""
    opened = door_of(app.cluster)
    with opened.serving():
        yield opened
