"""Acceptance: a canary that goes right, one that comes back, and what users see meanwhile. Numbers as in docs/testing.md."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from docc.sandbox.accounts import LATE_SECONDS
from tests.cluster.acceptance.app import App
from tests.cluster.acceptance.traffic import SHARE_COUNT_MIN, SHARE_ERRORS_MAX, counted
from tests.cluster.conftest import Figure
from tests.cluster.rig.cluster import Cluster


def test_case_01_a_first_deploy_serves_at_once_and_nothing_is_judged(app: App, cluster: Cluster) -> None:
    """Who asks too early is told by Envoy that it knows no such host, and nothing else; whoever is led to v1 is answered."""
    with app.traffic() as seen:
        seen.excused = lambda row: row["status"] == 404 and row["sent"] < seen.since_weight(1, 100) + LATE_SECONDS
        ended = app.deploy("demo:v1")
        assert ended.code == 0, ended
        app.others_come()
    assert ended.document["result"] == "promoted" and ended.document["checks"] == []
    assert set(seen.account.answers) == {"v1"} and set(seen.account.bad) == set()
    assert [step["weight"] for step in ended.document["weights"]] == [100]
    assert app.weights == {"v1": 100} and app.front_selects() == "v1" and app.record["phase"] == "succeeded"
    assert {condition["status"] for condition in _conditions(app)} == {"True"}
    assert app.deployment(1)["status"]["readyReplicas"] == 2
    app.until(lambda: cluster.fetch(app.host, 1) == Counter({(200, "v1"): 1}))


def _conditions(app: App) -> list[dict[str, str]]:
    app.until(lambda: app.route["status"]["parents"])
    return [condition for parent in app.route["status"]["parents"] for condition in parent["conditions"]]


def test_case_02_a_healthy_image_takes_every_step_in_one_write_each(app: App, figure: Figure) -> None:
    app.strategy["canary"] = {"increment": 20, "interval": 2}
    app.serves()
    before = len(app.audited())
    with app.traffic() as seen:
        ended = app.deploy("demo:v2")
    assert ended.code == 0, ended
    asked = counted(app.audited()[before:])
    figure(f"API requests: {dict(asked)}")
    assert asked["patch"] > 5 and asked.total() - asked["renew"] <= 30
    assert seen.writes(2) == [20, 40, 60, 80, 100]
    assert all(sum(sight.weights.values()) == 100 for sight in seen.sights)
    record = app.record
    assert (record["phase"], record["stable"], record["previous"]) == ("succeeded", 2, 1)
    assert app.front_selects() == "v2"
    assert app.weights == {"v1": 0, "v2": 100} and len(app.pods(1)) == 2  # the former version stays warm
    assert seen.account.answers["v1"] > 0 and seen.account.answers["v2"] > 0


def test_case_03_a_breach_takes_all_traffic_back_in_one_write(app: App, figure: Figure) -> None:
    app.serves()
    with app.traffic() as seen:
        ended = app.deploy("demo:v2-err30")
        app.until(lambda: app.pods(2) == [])
    assert ended.code == 10, ended
    assert seen.writes(2) == [50, 0, 0] and app.weights == {"v1": 100}  # the last one takes its name out
    (check,) = ended.document["checks"]
    assert check["verdict"] == "FAIL" and check["value"] > 0.05 and check["weight"] == 50
    assert "Errors is 0." in ended.err and "> 0.05 at 50 %" in ended.err and "v1 serves 100 %" in ended.err
    let_go = next(
        sight.at for sight in seen.sights if "shop-v2" not in sight.weights and sight.record["phase"] == "reverted"
    )
    back = next(sight.at for sight in seen.sights if sight.record["phase"] == "reverting")
    assert let_go - back >= app.strategy["drain"] - 0.5  # its last requests ended in peace; both were heard of late
    assert 0 < seen.account.answers["v2"] < 500 and seen.exposed("v2") < 10
    exposed = seen.exposed("v2")
    figure(f"bad version: {seen.account.answers['v2']} requests, {seen.account.bad['v2']} errors, {exposed:.2f} s")


@pytest.mark.parametrize("pod", ["with a preStop hook", "without one"])
def test_case_05_through_canary_promotion_and_rollback_no_request_is_lost(app: App, cluster: Cluster, pod: str) -> None:
    app.strategy["canary"] = {"increment": 50, "interval": 2}
    app.serves()
    if pod == "without one":
        _drop_hooks(app, 1)
    with app.traffic() as seen:
        good = app.deploy("demo:v2")
        assert good.code == 0, good
        if pod == "without one":
            _drop_hooks(app, 2)
        back = app.docc("rollback", "shop")
        assert back.code == 0 and "v1 serves 100 %" in back.err, back
        driver = app.start("demo:v3-err50")
        if pod == "without one":
            app.until(lambda: app.pods(3))
            _drop_hooks(app, 3, at_once=True)  # before they have users
        without = time.time()
        bad = app.ended(driver)
        assert bad.code == 10, bad
        last = app.deploy("demo:v4")
        assert last.code == 0, last
        app.until(lambda: app.pods(2) == app.pods(3) == [])  # v2's went without a hook, if they had none
    kept = sum(1 for row in seen.rows if not row["new"])
    assert seen.account.failed == 0 and 0.4 < kept / seen.account.requests < 0.6, "half on kept connections"
    assert all(seen.account.answers[version] > 20 for version in ("v1", "v2", "v3", "v4"))
    assert app.front_selects() == "v4"
    assert seen.since_weight(3, 50) > without, "v3 had users before its hook was gone"
    hooked = {f"v{revision}" for revision in (1, 2, 3) if _hooks(app.deployment(revision)["spec"]["template"])}
    assert hooked == ({"v1", "v2", "v3"} if pod == "with a preStop hook" else set())


def _drop_hooks(app: App, revision: int, *, at_once: bool = False) -> None:
    """Takes the preStop hook out of a Deployment, as somebody would who knows better; its pods are replaced, one after
    the other or all at once."""
    where = (app.namespace, f"{app.name}-v{revision}")
    containers = [{**c, "lifecycle": None} for c in app.deployment(revision)["spec"]["template"]["spec"]["containers"]]
    recreate = {"type": "Recreate", "rollingUpdate": None}
    spec = {"template": {"spec": {"containers": containers}}, **({"strategy": recreate} if at_once else {})}
    app.cluster.admin.patch("deployments", *where, {"spec": spec})
    app.until(lambda: _staying(app, revision) and not any(map(_hooks, _staying(app, revision))))
    app.until(lambda: app.deployment(revision)["status"].get("readyReplicas") == len(_staying(app, revision)))


def _staying(app: App, revision: int) -> list[dict[str, Any]]:
    return [pod for pod in app.pods(revision) if "deletionTimestamp" not in pod["metadata"]]


def _hooks(pod: dict[str, Any]) -> bool:
    return any(container.get("lifecycle") for container in pod["spec"]["containers"])


def test_case_06_a_step_of_20_percent_is_20_percent_of_the_requests(app: App, figure: Figure) -> None:
    app.strategy["canary"] = {"increment": 20, "interval": 24}
    app.strategy["failure_conditions"] = []
    app.serves()
    with app.traffic() as seen:
        driver = app.start("demo:v2")
        app.until_weight(2, 40)
        driver.terminate()
        assert app.ended(driver).code == 143
    (share,) = (share for share in seen.shares() if (share.version, share.weight) == ("v2", 20))
    assert share.count >= SHARE_COUNT_MIN and abs(share.errors) <= SHARE_ERRORS_MAX, share
    figure(str(share))
