"""Acceptance: the API server, istiod and Prometheus go away in the midst of a canary and come again. Users notice nothing:
what nobody can see or say meanwhile, nobody decides. On a cluster of its own, since all of it is disturbed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.acceptance.app import RATE, App
from tests.cluster.acceptance.clients import through
from tests.cluster.acceptance.traffic import Traffic
from tests.cluster.acceptance.watching import watching
from tests.cluster.conftest import Figure
from tests.cluster.rig import layout
from tests.cluster.rig.cluster import Cluster

API_AWAY_SECONDS = 5.0
"""Then it begins; it needs some more until it answers, and until it knows who may what."""
GOES_ON_SECONDS_MAX = 20.0
"""From its first answer: the patience between two attempts, one that is refused with 403, a step, two scrapes."""
ISTIOD_AWAY_SECONDS = 45.0
"""Longer than the drain and the end of the former pods together."""
PROMETHEUS_AWAY_SECONDS = 30.0
PODS_READY_SECONDS_MAX = 90
"""The cluster's own controllers ask ever more seldom, up to every 30 s, while the API server is away, and again for a minute or
two after it: a pod needs three of them to be made, placed and put among the endpoints."""


@pytest.fixture(scope="module")
def cluster(own_cluster: Cluster) -> Cluster:
    return own_cluster


@pytest.fixture
def app(app: App) -> App:
    app.strategy["progress_deadline"] = PODS_READY_SECONDS_MAX
    return app


@pytest.mark.parametrize(("image", "code", "steps"), [("demo:v2", 0, [50, 100]), ("demo:v2-err30", 10, [50, 0])])
def test_a_canary_goes_on_or_back_as_soon_as_the_api_server_is_there_again(
    app: App, figure: Figure, image: str, code: int, steps: list[int]
) -> None:
    """Nobody can move traffic meanwhile. The bad version is judged all the same, and its end waits to be written; and then for
    istiod, whose own watches come back within a minute: its pods stay as long."""
    app.strategy["canary"] = {"increment": 50, "interval": 4}
    app.serves()
    with users(app) as seen:
        driver = app.start(image)
        app.until_weight(2, 50)
        app.until(lambda: len(app.cluster.fetch(app.host, 5)) > 1)
        began = time.time()
        app.cluster.restart("kube-apiserver", API_AWAY_SECONDS)
        back = time.time()
        ended = app.ended(driver)
    assert ended.code == code, ended
    assert seen.steps(2) == steps, ended
    moved = next(sight.at for sight in seen.sights if sight.at > began and sight.weights["shop-v2"] == steps[-1])
    assert moved - back < GOES_ON_SECONDS_MAX, ended
    other = {100: "v1", 0: "v2"}[steps[-1]]
    last = max(row["sent"] for row in seen.rows if row["version"] == other)
    figure(
        f"{image}, API away {back - began:.1f} s: {steps[-1]} % {moved - back:+.1f} s after its first answer, the last request "
        f"of {other} {last - moved:+.1f} s after that; {len(seen.rows)} requests, 0 lost"
    )


@pytest.mark.parametrize(("image", "code", "serves"), [("demo:v2", 0, "v2"), ("demo:v2-err30", 10, "v1")])
def test_while_istiod_is_away_nobody_loses_the_pods_that_envoy_still_asks(
    app: App, figure: Figure, image: str, code: int, serves: str
) -> None:
    """What docc writes meanwhile is obeyed when istiod is back and Envoy has found it, for which it takes up to 30 s: until
    then who had traffic has it, and needs its pods."""
    app.strategy |= {"canary": {"increment": 50, "interval": 12}, "drain": 30, "keep_warm": 0}
    app.serves()
    other = {"v1": "v2", "v2": "v1"}[serves]
    with users(app) as seen:
        driver = app.start(image)
        app.until_weight(2, 50)
        app.until(lambda: len(app.cluster.fetch(app.host, 5)) > 1)
        began = time.time()
        app.cluster.restart("istiod", ISTIOD_AWAY_SECONDS)
        back = time.time()
        ended = app.ended(driver)
        app.until(lambda: {version for _, version in app.cluster.fetch(app.host, 20)} == {serves})
    assert ended.code == code and "has not taken up" in ended.err, ended
    last = max(row["sent"] for row in seen.rows if row["version"] == other)
    written = next(sight.at for sight in seen.sights if sight.at > began and sight.weights[f"shop-{other}"] == 0)
    figure(
        f"istiod away {back - began:.1f} s: {other} was given 0 after {written - began:.1f} s, its last request came after "
        f"{last - began:.1f} s; {len(seen.rows)} requests, 0 lost"
    )


@contextmanager
def users(app: App) -> Iterator[Traffic]:
    """As App.traffic, but for whose answers they are: what a route says need not have come to Envoy."""
    with (
        app.nobody_elses_fields_change(),
        watching(app.cluster, app.namespace, app.name) as sights,
        through(app.cluster.session.gateway, app.host, RATE, app.folder / "users.load") as asking,
    ):
        seen = Traffic(sights)
        yield seen
    seen.rows = asking.rows
    lost = [row for row in seen.rows if not row["version"]]
    assert not lost, f"{len(lost)} of {len(seen.rows)} lost, the first: {lost[:3]}"


@pytest.mark.parametrize(("limit", "code", "steps"), [(90, 0, [50, 100]), (10, 10, [50, 0])])
def test_while_prometheus_is_away_a_canary_holds_as_long_as_it_may(
    app: App, figure: Figure, limit: int, code: int, steps: list[int]
) -> None:
    app.strategy |= {"canary": {"increment": 50, "interval": 4}, "no_data_limit": limit}
    app.serves()
    with app.traffic() as seen:
        driver = app.start("demo:v2")
        app.until_weight(2, 50)
        began = time.time()
        scale_prometheus(app.cluster, 0)
        if code == 0:
            time.sleep(PROMETHEUS_AWAY_SECONDS)
            assert app.weights == {"v1": 50, "v2": 50}
            scale_prometheus(app.cluster, 1)
        ended = app.ended(driver)
        scale_prometheus(app.cluster, 1)
    assert ended.code == code and seen.steps(2) == steps, ended
    assert code == 0 or "never promotes without evidence" in ended.err, ended
    held = (
        seen.since_weight(2, 100) - began
        if code == 0
        else next(sight.at for sight in seen.sights if sight.at > began and sight.weights["shop-v2"] == 0) - began
    )
    figure(f"no_data_limit {limit} s: held {held:.1f} s, then {steps[-1]} %")


def scale_prometheus(cluster: Cluster, replicas: int) -> None:
    where = (layout.MONITORING, layout.PROMETHEUS_NAME)
    cluster.admin.patch("deployments", *where, {"spec": {"replicas": replicas}})
    cluster.until(lambda: cluster.ready(*where))
