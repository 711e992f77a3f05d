"""Acceptance: docc is killed where it hurts most, on a real control plane; the same command again ends right, and users notice
nothing. All fifty moments: killing.py. On a cluster of its own, for they need both cores.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.acceptance.killing import in_cluster
from tests.cluster.conftest import Figure
from tests.cluster.rig.cluster import Cluster
from tests.sandbox import killing

MOMENTS = 8
LANES = 2
"""Four drivers that start at once hold istiod up for more than the drain that is asked for here."""


@pytest.fixture(scope="module")
def cluster(own_cluster: Cluster) -> Cluster:
    return own_cluster


def test_a_killed_canary_is_promoted_by_the_same_command_and_no_request_fails(
    cluster: Cluster, tmp_path: Path, figure: Figure
) -> None:
    with in_cluster(cluster, tmp_path) as world:
        played, seen = killing.play(world, tmp_path, killing.bounded(MOMENTS), LANES)
    told = "\n".join([*map(str, played), *(words for each in seen for words in each.told)])
    assert len(played) == MOMENTS and not [each for each in played if each.wrong], told
    assert sum(each.requests for each in seen) > 1000 and not any(each.failed for each in seen), told
    figure(f"killed at {len(played)} moments: 0 of {sum(each.requests for each in seen)} requests failed")
