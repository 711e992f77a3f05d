"""One local world for all tests of a module: real processes behind a kubeconfig."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from docc.sandbox import session


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[session.Session]:
    folder = tmp_path_factory.mktemp("sandbox") / "s"
    yield session.up(folder)
    session.down(folder)
