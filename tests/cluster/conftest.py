"""The test cluster as fixtures: one for all tests, a namespace for each. What a machine lacks fails, it does not skip."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from tests.cluster.rig import session
from tests.cluster.rig.cluster import Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The developer's own if it is up, and then left so; else one that ends with the tests, however they end."""
    folder = session.default_folder()
    theirs = session.status(folder)
    lifeline, held = os.pipe()
    try:
        running = theirs or session.up(folder, lifeline=lifeline)
        with session.inside(running):
            found = Cluster(running)
            try:
                yield found
            finally:
                found.close()
    finally:
        if theirs is None:
            session.down(folder)
        os.close(held)
        os.close(lifeline)


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh one; its pods are gone after the test."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
    name = cluster.make_namespace(words[:30].strip("-"))
    try:
        yield name
    finally:
        cluster.delete_namespace(name)
