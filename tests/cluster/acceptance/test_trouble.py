"""Acceptance: versions that do not come up, die, or cannot be judged."""

from __future__ import annotations

import time

import pytest

from docc.sandbox.accounts import LATE_SECONDS
from tests.cluster.acceptance.app import RATE, App
from tests.cluster.acceptance.clients import through
from tests.cluster.acceptance.traffic import Traffic
from tests.cluster.acceptance.watching import watching
from tests.cluster.conftest import Figure

OF_ITS_OWN = "http_requests_total{namespace='$namespace',revision='$revision'}"


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("demo:v2-missing", "not found"),
        ("demo:v2-crash", "panics: it was told to crash"),
        ("demo:v2-neverready", "statuscode: 503"),
    ],
)
def test_case_04_an_image_that_never_gets_ready_gets_no_traffic_and_is_told_by_its_cause(
    app: App, image: str, words: str
) -> None:
    app.strategy["progress_deadline"] = 12
    app.serves()
    with app.traffic() as seen:
        ended = app.deploy(image)
    assert ended.code == 10 and words in ended.err, ended
    assert seen.steps(2) == [] and set(seen.account.answers) == {"v1"}
    assert "had no traffic" in ended.err and app.record["stable"] == 1


def test_case_18_a_broken_stable_version_does_not_keep_the_fix_from_going_out(app: App) -> None:
    """Nobody is served by stable, so there is nothing to protect: the fix takes all as soon as it can."""
    app.serves()
    template = {"spec": {"containers": [{**_container(app), "image": "demo:v1-neverready"}]}}
    broken = {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}, "template": template}}
    app.cluster.admin.patch("deployments", app.namespace, "shop-v1", broken)
    app.until(lambda: not app.deployment(1)["status"].get("readyReplicas"))
    ended = app.deploy("demo:v2")
    assert ended.code == 0, ended
    assert [step["weight"] for step in ended.document["weights"]] == [100] and app.weights["v2"] == 100
    app.until(lambda: app.cluster.fetch(app.host) == {(200, "v2"): 1})
    assert app.cluster.fetch(app.host, 50) == {(200, "v2"): 50}


def _container(app: App) -> dict[str, object]:
    (container,) = app.deployment(1)["spec"]["template"]["spec"]["containers"]
    found: dict[str, object] = container
    return found


def test_case_19_bad_after_bad_keeps_who_serves_and_does_not_exit_with_0(app: App) -> None:
    app.serves()
    with app.traffic() as seen:
        first, second = app.deploy("demo:v2-err50"), app.deploy("demo:v3-err60")
    assert (first.code, second.code) == (10, 10), (first, second)
    assert seen.steps(2) == [50, 0] and seen.steps(3) == [50, 0]
    assert app.weights == {"v1": 100} and app.record["stable"] == 1 and app.front_selects() == "v1"


@pytest.mark.parametrize("how", ["deleted", "scaled to 0"])
def test_case_21_when_all_pods_of_the_candidate_vanish_its_weight_goes_first(
    app: App, how: str, figure: Figure
) -> None:
    """Envoy answers 503 for a revision without endpoints, from 130 ms on: what users lose between that and the write that
    moves them, no tool can save; before and after it nobody loses anything."""
    app.strategy["canary"] = {"increment": 50, "interval": 60}
    app.strategy["failure_conditions"] = []
    app.serves()
    door = (app.cluster.session.gateway, app.host)
    with (
        watching(app.cluster, app.namespace, app.name) as sights,
        through(*door, RATE, app.folder / "users.load") as users,
    ):
        driver = app.start("demo:v2")
        app.until_weight(2, 50)
        began = time.time()
        if how == "deleted":
            names = [pod["metadata"]["name"] for pod in app.pods(2)]
            app.cluster.admin.patch("deployments", app.namespace, "shop-v2", {"spec": {"paused": True}})
            for name in names:
                app.cluster.admin.delete("pods", app.namespace, name, grace_seconds=0)
        else:
            app.cluster.admin.patch("deployments", app.namespace, "shop-v2", {"spec": {"replicas": 0}})
        ended = app.ended(driver)
    reasons = ["v2 lost its last ready endpoint at 50 %", "somebody scaled v2 to 0 at 50 %"]  # what is seen first
    assert ended.code == 10 and any(reason in ended.err for reason in reasons), ended
    seen = Traffic(sights, users.rows)
    assert seen.steps(2) == [50, 0] and app.weights == {"v1": 100}
    moved = next(sight.at for sight in sights if sight.at > began and sight.weights["shop-v2"] == 0)
    lost = [row for row in users.rows if not row["version"]]
    assert all(began < row["done"] and row["sent"] < moved + LATE_SECONDS for row in lost), (began, moved, lost)
    figure(f"pods {how}: weight 0 after {moved - began:.2f} s, {len(lost)} requests lost")


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("sum(rate(nobody_exports_this{revision='$revision'}[4s])) > 1", "no series for nobody_exports_this"),
        (f"{OF_ITS_OWN} + on(job) http_requests_total{{namespace='$namespace'}} > 1e9", "found duplicate series"),
    ],
)
def test_case_22_what_cannot_be_judged_holds_and_is_never_a_pass(app: App, expression: str, words: str) -> None:
    """The second one is refused by Prometheus as soon as the candidate has series."""
    app.serves()
    app.strategy |= {"no_data_limit": 5, "failure_conditions": [{"name": "Doubtful", "expression": expression}]}
    with app.traffic() as seen:
        ended = app.deploy("demo:v2")
    assert ended.code == 10 and words in ended.err and "never promotes without evidence" in ended.err, ended
    assert seen.steps(2) == [50, 0]


def test_case_22_without_traffic_there_is_no_evidence(app: App) -> None:
    app.strategy["no_data_limit"] = 4
    app.serves()
    ended = app.deploy("demo:v2")
    assert ended.code == 10 and "NO-DATA" in ended.err and "docc never promotes without evidence" in ended.err, ended


def test_case_22_a_prometheus_that_does_not_answer_is_told_before_anything_is_touched(app: App) -> None:
    app.serves()
    before = app.route
    ended = app.deploy("demo:v2", "--prometheus-url", "http://127.0.0.1:9")
    assert ended.code == 5 and "127.0.0.1:9" in ended.err and "nothing was touched" in ended.err, ended
    assert app.route["metadata"]["generation"] == before["metadata"]["generation"] and len(app.pods(2)) == 0


def test_case_27_a_deadline_that_passes_keeps_the_old_weight(app: App) -> None:
    app.strategy["progress_deadline"] = 5
    app.serves()
    with app.traffic() as seen:
        ended = app.deploy("demo:v2-late60")
    assert ended.code == 10 and "(waited 5 s)" in ended.err and "pods ready" in ended.err, ended
    assert seen.steps(2) == [] and set(seen.account.answers) == {"v1"}
