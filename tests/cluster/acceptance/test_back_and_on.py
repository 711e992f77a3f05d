"""Acceptance: rollbacks, retries, take-overs, one rollout after another."""

from __future__ import annotations

import math
import signal

import pytest

from tests.cluster.acceptance.app import App
from tests.cluster.acceptance.watching import watching_pods
from tests.cluster.conftest import Figure

GOOD_STEPS = [50, 100]


def test_case_13_rollback_at_rest_goes_to_the_warm_version_and_never_to_nobody(app: App) -> None:
    app.serves()
    first = app.docc("rollback", "shop")
    assert first.code == 6 and "nothing was touched" in first.err, first
    with app.traffic() as seen:
        assert app.deploy("demo:v2").code == 0
        back = app.docc("rollback", "shop")
        assert back.code == 0 and "v1 serves 100 %" in back.err, back
    assert seen.steps(1)[-1] == 100 and app.front_selects() == "v1"
    assert all(app.deployment(revision)["spec"]["replicas"] == 2 for revision in (1, 2))


def test_case_14_rollback_right_after_promotion_is_one_route_write(app: App) -> None:
    app.serves()
    with app.traffic() as seen:
        assert app.deploy("demo:v2").code == 0
        back = app.docc("rollback", "shop")
        assert back.code == 0, back
        app.until(lambda: app.record["phase"] == "succeeded" and app.record["stable"] == 1)
    assert seen.writes(1) == [50, 0, 100]


def test_case_15_after_a_fail_the_same_command_tries_again(app: App) -> None:
    """What v2 leans on is not there any more, and the condition says so; when it is back, nothing has to be edited."""
    app.cluster.deploy(app.namespace, "ledger", "ledger:1", replicas=2)
    up = "sum(up{namespace='$namespace',deployment='ledger'})"
    app.strategy |= {
        "canary": {"increment": 50, "interval": 6},
        "failure_conditions": [{"name": "Ledgers", "expression": f"{up} < 2"}],
    }
    seen_by_prometheus = up.replace("$namespace", app.namespace)
    app.serves()
    app.until(lambda: app.cluster.query(f"{seen_by_prometheus} == 2"))
    with app.traffic() as seen:
        driver = app.start("demo:v2")
        app.until_weight(2, 50)
        app.cluster.admin.patch("deployments", app.namespace, "ledger", {"spec": {"replicas": 1}})
        bad = app.ended(driver)
        assert bad.code == 10 and "Ledgers is 1 < 2 at 50 %" in bad.err and app.weights == {"v1": 100}, bad
        app.cluster.admin.patch("deployments", app.namespace, "ledger", {"spec": {"replicas": 2}})
        app.until(lambda: app.cluster.query(f"{seen_by_prometheus} == 2"))
        again = app.deploy("demo:v2")
        assert again.code == 0, again
    assert app.weights == {"v1": 0, "v2": 100} and seen.steps(2) == [50, 0, *GOOD_STEPS]


def test_case_15_after_a_park_the_same_command_tries_again(app: App) -> None:
    app.strategy["canary"] = {"increment": 50, "interval": 4}
    app.serves()
    with app.traffic() as seen:
        driver = app.start("demo:v2")
        app.until_weight(2, 50)
        driver.send_signal(signal.SIGTERM)
        parked = app.ended(driver)
        assert parked.code == 143 and "parked" in parked.err, parked
        assert app.weights["v1"] == 100 and app.record["phase"] == "parked"
        again = app.deploy("demo:v2")
        assert again.code == 0, again
    assert app.weights == {"v1": 0, "v2": 100} and seen.steps(2) == [50, 0, *GOOD_STEPS]


def test_case_16_a_newer_version_supersedes_one_that_is_half_way(app: App) -> None:
    app.strategy["canary"] = {"increment": 30, "interval": 4}
    app.serves()
    with app.traffic() as seen:
        app.killed_at(30)
        app.strategy["canary"] = {"increment": 50, "interval": 2}
        third = app.deploy("demo:v3")
        assert third.code == 0, third
    assert seen.steps(2) == [30, 0] and seen.steps(3) == GOOD_STEPS
    began = seen.since_weight(3, 50)
    assert all(sight.weights.get("shop-v2", 0) == 0 for sight in seen.sights if sight.at >= began)
    assert app.deployment(2)["spec"]["replicas"] == 0 and app.record["stable"] == 3


def test_case_17_the_version_that_serves_applied_again_takes_back_what_is_half_way_without_steps(app: App) -> None:
    app.strategy["canary"] = {"increment": 30, "interval": 5}
    app.serves()
    with app.traffic() as seen:
        app.killed_at(30)
        back = app.deploy("demo:v1")
        assert back.code == 0 and "fast return: all traffic back" in back.err, back
    assert seen.steps(2) == [30, 0] and seen.steps(3) == [] and app.weights == {"v1": 100}
    assert app.record["stable"] == 1 and app.front_selects() == "v1"


def test_case_23_a_killed_driver_is_told_and_the_same_deploy_goes_on_where_it_was(app: App) -> None:
    app.strategy["canary"] = {"increment": 30, "interval": 5}
    app.serves()
    with app.traffic() as seen:
        app.killed_at(30)
        app.until(lambda: "nobody watches" in app.docc("status", "shop").out)
        text = app.docc("status", "shop")
        assert "nobody watches" in text.out and "30 %" in text.out, text
        again = app.deploy("demo:v2")
        assert again.code == 0 and "taking over the rollout of v2" in again.err, again
    assert seen.steps(2) == [30, 60, 90, 100]


def test_case_24_a_second_deploy_is_refused_and_told_who_drives(app: App) -> None:
    app.strategy["canary"] = {"increment": 50, "interval": 300}
    app.serves()
    with app.traffic() as seen:
        driver = app.start("demo:v2", CI_JOB_URL="https://ci.example.org/jobs/77")
        app.until_weight(2, 50)
        second = app.deploy("demo:v3")
        assert (
            second.code == 7
            and "is being deployed by https://ci.example.org/jobs/77" in second.err
            and "nothing was touched" in second.err
        ), second
        assert driver.poll() is None and app.weights == {"v1": 50, "v2": 50} and app.pods(3) == []
        driver.terminate()
        assert app.ended(driver).code == 143
    assert seen.steps(2) == [50, 0] and seen.steps(3) == []


def test_case_29_one_deploy_after_another_is_the_same_game_each_time(app: App) -> None:
    app.strategy |= {"canary": {"increment": 50, "interval": 1}, "bake": 1}
    app.serves()
    with app.traffic() as seen:
        for revision in (2, 3, 4):
            ended = app.deploy(f"demo:v{revision}")
            assert ended.code == 0, ended
            assert app.front_selects() == f"v{revision}" and app.record["previous"] == revision - 1
    for revision in (2, 3, 4):
        assert seen.steps(revision)[:2] == GOOD_STEPS
    assert app.weights == {"v3": 0, "v4": 100}
    assert [app.deployment(revision)["spec"]["replicas"] for revision in (1, 2, 3, 4)] == [0, 0, 2, 2]


@pytest.mark.parametrize(("before", "after"), [(2, 4), (4, 2)])
def test_case_31_a_new_scale_in_mid_rollout_leaves_nobody_with_too_few(
    app: App, figure: Figure, before: int, after: int
) -> None:
    """While the candidate has half of the traffic. Whoever serves may get more pods, and loses none."""
    app.application["scale"] = before
    app.strategy["canary"] = {"increment": 50, "interval": 6}
    app.serves()
    with watching_pods(app.cluster, app.namespace) as crews, app.traffic() as seen:
        app.killed_at(50)
        app.application["scale"] = after
        ended = app.deploy("demo:v2")
        assert ended.code == 0, ended
    assert seen.steps(2) == GOOD_STEPS
    assert [app.deployment(revision)["spec"]["replicas"] for revision in (1, 2)] == [max(before, after), after]
    old, new = ([crew for crew in crews if crew.name == f"shop-v{revision}"] for revision in (1, 2))
    assert {before, max(before, after)} <= {crew.available for crew in old}
    too_few = [crew for crew in old if crew.available < before]
    with_weight = [(crew, seen.weight_at(2, crew.at)) for crew in new]
    too_few += [crew for crew, weight in with_weight if crew.available < math.ceil(min(before, after) * weight / 100)]
    assert not too_few, too_few
    least = {weight: min(crew.available for crew, held in with_weight if held == weight) for _, weight in with_weight}
    assert least.keys() >= {0, 50}
    figure(f"v2's fewest pods by weight: {least}")
