"""The recorded contract against the control plane that runs: a changed Kubernetes or Istio is noticed here (tests/contract)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.rig.cluster import Cluster
from tests.contract.api import Api
from tests.contract.catalogue import Case, all_cases, played, recorded
from tests.contract.on_cluster import api_of


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Iterator[Api]:
    client = api_of(cluster.session)
    yield client
    client.close()


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: f"{case.area}.{case.name}")
def test_the_control_plane_answers_as_it_was_recorded(api: Api, case: Case) -> None:
    assert played(case, api) == recorded(case)
