"""Acceptance: `mesh: true`. Clients behind an Envoy that istiod programs as a sidecar see the weights for http://APP.NAMESPACE;
clients outside the mesh use the front Service; neither loses a request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.acceptance.app import App
from tests.cluster.acceptance.clients import Clients, of_service, through
from tests.cluster.acceptance.traffic import FEW_COUNT_MIN, SHARE_COUNT_MIN, SHARE_ERRORS_MAX
from tests.cluster.conftest import Figure
from tests.cluster.rig import layout
from tests.cluster.rig.cluster import Cluster

RATE = 50


@pytest.fixture
def meshed(app: App) -> App:
    """It listens on port 80: without a port in the URL that is the one which clients mean."""
    container = app.application["containers"]["web"]
    app.application |= {"mesh": True, "containers": {"web": {**container, "ports": [{"port": 80}]}}}
    app.strategy["canary"] = {"increment": 50, "interval": 3}
    return app


def mesh_door(app: App) -> tuple[str, str]:
    return layout.MESH_PROXY, f"{app.name}.{app.namespace}"


@contextmanager
def front_clients(app: App, rate: int = RATE) -> Iterator[Clients]:
    """Clients outside the mesh, all the while: none of their requests is lost."""
    with of_service(app.cluster, app.namespace, app.name, rate, app.folder / "front.load") as clients:
        yield clients
    failed = [row for row in clients.rows if row["status"] != 200 or not row["version"]]
    assert not failed, f"{len(failed)} of {clients.count} failed, the first: {failed[:3]}"


def answers(clients: Clients) -> Counter[str]:
    return Counter(row["version"] for row in clients.rows)


def parents(app: App) -> list[tuple[str, str]]:
    return [(parent["kind"], parent["name"]) for parent in app.route["spec"]["parentRefs"]]


def test_promotion_rollback_and_revert_lose_nothing_at_any_of_three_doors(meshed: App, figure: Figure) -> None:
    """The Gateway, the mesh, and the front Service for those outside."""
    app = meshed
    app.serves()
    with app.traffic(RATE) as outside, app.traffic(RATE, mesh_door(app)) as inside, front_clients(app) as front:
        good = app.deploy("demo:v2")
        assert good.code == 0, good
        app.until(lambda: app.front_selects() == "v2")
        back = app.docc("rollback", app.name)
        assert back.code == 0 and app.front_selects() == "v1", back
        bad = app.deploy("demo:v3-err50")
        assert bad.code == 10, bad
        last = app.deploy("demo:v4")
        assert last.code == 0, last
        app.until(lambda: app.pods(2) == app.pods(3) == [])  # also those that clients have kept connections to
    assert parents(app) == [("Gateway", layout.GATEWAY_NAME), ("Service", app.name)]
    for seen in (outside, inside):
        assert seen.account.failed == 0 and all(seen.account.answers[version] > 20 for version in ("v1", "v2", "v3"))
    assert answers(front).keys() == {"v1", "v2", "v4"} and answers(front)["v2"] > 20
    figure(f"{len(outside.rows)} requests outside, {len(inside.rows)} in the mesh, {front.count} at the front Service")


def test_in_a_first_deploy_no_client_in_the_mesh_loses_a_request_once_one_is_answered(meshed: App) -> None:
    app = meshed
    with through(*mesh_door(app), RATE, app.folder / "first.load") as users:
        ended = app.deploy("demo:v1")
        assert ended.code == 0 and "wait     the route" not in ended.err, ended
        # docc waits for the Gateway's Envoy; when istiod has told this one is no promise of docc's.
        app.until(lambda: answers(users)["v1"] > 2 * RATE)
    first = next(row["sent"] for row in users.rows if row["version"])
    assert not [row for row in users.rows if row["sent"] > first and row["version"] != "v1"]


def test_without_a_gateway_the_mesh_alone_carries_the_weights(meshed: App, figure: Figure) -> None:
    app = meshed
    app.cluster.admin.patch("namespaces", "", app.namespace, {"metadata": {"labels": {layout.NOT_ADMITTED: "true"}}})
    app.strategy |= {"canary": {"increment": 50, "interval": 24}, "failure_conditions": []}
    app.serves()
    assert parents(app) == [("Service", app.name)]
    with app.traffic(100, mesh_door(app)) as seen, front_clients(app, 20) as front:
        ended = app.deploy("demo:v2")
        assert ended.code == 0, ended
        back = app.docc("rollback", app.name)
        assert back.code == 0, back
    (share,) = (share for share in seen.shares() if share.version == "v2")
    assert share.weight == 50 and share.count >= SHARE_COUNT_MIN and abs(share.errors) <= SHARE_ERRORS_MAX, share
    assert answers(front)["v2"] > 0
    figure(str(share))


def test_beside_the_gateway_the_mesh_too_gets_just_the_share(meshed: App, figure: Figure) -> None:
    app = meshed
    app.strategy |= {"canary": {"increment": 20, "interval": 24}, "failure_conditions": []}
    app.serves()
    assert parents(app) == [("Gateway", layout.GATEWAY_NAME), ("Service", app.name)]
    with app.traffic(20) as outside, app.traffic(100, mesh_door(app)) as inside:
        driver = app.start("demo:v2")
        app.until_weight(2, 40)
        driver.terminate()
        assert app.ended(driver).code == 143
    (few,), (share,) = (
        [share for share in seen.shares() if (share.version, share.weight) == ("v2", 20)] for seen in (outside, inside)
    )
    assert few.count >= FEW_COUNT_MIN, few  # and held to the weight by traffic() itself
    assert share.count >= SHARE_COUNT_MIN and abs(share.errors) <= SHARE_ERRORS_MAX, share
    figure(f"in the mesh {share}")


def test_the_mesh_is_switched_on_and_off_in_place(meshed: App) -> None:
    app = meshed
    app.application["mesh"] = False
    app.serves()
    gateway, service = ("Gateway", layout.GATEWAY_NAME), ("Service", app.name)
    with app.traffic(RATE) as outside, app.traffic(RATE, mesh_door(app)) as inside:
        app.application["mesh"] = True
        on = app.deploy("demo:v1")
        assert on.code == 0 and on.document["weights"] == [] and parents(app) == [gateway, service], on
        rolled = app.deploy("demo:v2")
        assert rolled.code == 0, rolled
        app.application["mesh"] = False
        off = app.deploy("demo:v2")
        assert off.code == 0 and parents(app) == [gateway], off
    assert outside.steps(2) == [50, 100]
    # While the candidate had half of the traffic and the front Service selected v1, only the route could have led there.
    half, whole = inside.since_weight(2, 50), inside.since_weight(2, 100)
    assert inside.answers_between(half + 0.5, whole)["v2"] > 20


def test_somebody_elses_service_of_the_name_gets_no_weights_before_it(meshed: App, cluster: Cluster) -> None:
    app = meshed
    cluster.deploy(app.namespace, app.name, "other:theirs")
    theirs = cluster.admin.get("services", app.namespace, app.name)
    ended = app.deploy("demo:v1")
    assert ended.code == 7 and "docc did not make it" in ended.err and "nothing was touched" in ended.err, ended
    assert cluster.admin.list("httproutes", app.namespace) == []
    assert cluster.admin.get("services", app.namespace, app.name)["spec"] == theirs["spec"]
    host = f"{app.name}.{app.namespace}"
    cluster.until(lambda: cluster.fetch_in_mesh(host, 5) == {(200, "theirs"): 5})
