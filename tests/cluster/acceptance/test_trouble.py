"""Acceptance: versions that do not come up, die, or cannot be judged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from docc.sandbox.accounts import LATE_SECONDS
from tests.cluster.acceptance.app import App
from tests.cluster.acceptance.test_ab import ON_TRIAL, TESTING, assert_nothing_is_left, on_trial, seconds
from tests.cluster.acceptance.traffic import HEARD_SECONDS_MAX, Traffic
from tests.cluster.conftest import Figure

Object = dict[str, Any]
TOLD_SECONDS_MAX = 15.0
"""On an idle machine it is 5 to 8."""
MOVED_SECONDS_MAX = 3.0
"""From the end of all pods to the write that takes the traffic away from them. On an idle machine it is 0.2 to 0.4."""
FIXED_SECONDS_MAX = 5.0
"""From the fix being available to its having all traffic."""
OF_ITS_OWN = "http_requests_total{namespace='$namespace',revision='$revision'}"
SUCCESSES = (
    "sum(rate(http_requests_total{namespace='$namespace',revision='$revision',code='200'}[4s])) / "
    "sum(rate(http_requests_total{namespace='$namespace',revision='$revision'}[4s]))"
)


@pytest.mark.parametrize(
    ("image", "words", "deadline"),
    [
        ("demo:v2-missing", "not found", 30),
        ("demo:v2-crash", "panics: it was told to crash", 30),
        ("demo:v2-neverready", "statuscode: 503", 12),
    ],
)
def test_case_04_an_image_that_never_gets_ready_gets_no_traffic_and_is_told_by_its_cause(
    app: App, figure: Figure, image: str, words: str, deadline: int
) -> None:
    """What waiting cannot mend does not wait for its deadline."""
    app.serves()
    app.strategy["progress_deadline"] = deadline
    with app.traffic() as seen:
        began = time.monotonic()
        ended = app.deploy(image)
        took = time.monotonic() - began
    assert ended.code == 10 and words in ended.err, ended
    assert seen.writes(2) == [] and set(seen.account.answers) == {"v1"}
    assert "had no traffic" in ended.err and app.record["stable"] == 1
    assert deadline < TOLD_SECONDS_MAX or took < TOLD_SECONDS_MAX, ended
    figure(f"told after {took:.1f} s of {deadline}")


def test_case_18_a_broken_stable_version_does_not_keep_the_fix_from_going_out(app: App, figure: Figure) -> None:
    """Nobody is served by stable, so there is nothing to protect: the fix takes all as soon as it can."""
    app.serves()
    (container,) = app.deployment(1)["spec"]["template"]["spec"]["containers"]
    template = {"spec": {"containers": [{**container, "env": [{"name": "CRASH", "value": "1"}]}]}}
    broken = {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}, "template": template}}
    replaced = ("deployments/shop-v1/spec/strategy", "deployments/shop-v1/spec/template")
    with app.traffic(changed=replaced) as seen:
        seen.excused = lambda row: (
            not row["version"] and broke < row["done"] and row["sent"] < seen.since_weight(2, 100) + LATE_SECONDS
        )
        broke = time.time()
        app.cluster.admin.patch("deployments", app.namespace, "shop-v1", broken)
        app.until(lambda: {"CrashLoopBackOff"} == {_waits(pod) for pod in app.pods(1)})
        ended = app.deploy("demo:v2")
        assert ended.code == 0, ended
        app.until(lambda: app.cluster.fetch(app.host) == {(200, "v2"): 1})
    assert [step["weight"] for step in ended.document["weights"]] == [100] and seen.steps(2) == [100]
    assert seen.account.answers["v2"] > 0
    (available,) = (c for c in app.deployment(2)["status"]["conditions"] if c["type"] == "Available")
    assert available["status"] == "True"
    waited = seen.since_weight(2, 100) - seconds(available["lastTransitionTime"])
    assert waited < FIXED_SECONDS_MAX, ended
    figure(f"served again {seen.since_weight(2, 100) - broke:.1f} s after stable broke, {waited:.1f} after v2 could")


def _waits(pod: Object) -> str:
    """Why its container does, "" if it does not."""
    (status,) = pod["status"].get("containerStatuses") or [{}]
    return str(status.get("state", {}).get("waiting", {}).get("reason", ""))


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
    with app.traffic() as seen:
        seen.excused = lambda row: (
            not row["version"] and began < row["done"] and row["sent"] < moved_from(2, seen, began) + LATE_SECONDS
        )
        driver = app.start("demo:v2")
        app.until_weight(2, 50)
        began = time.time()
        vanish(app, 2, how)
        ended = app.ended(driver)
    reasons = ["v2 lost its last ready endpoint at 50 %", "somebody scaled v2 to 0 at 50 %"]  # what is seen first
    assert ended.code == 10 and any(reason in ended.err for reason in reasons), ended
    assert seen.writes(2) == [50, 0, 0] and app.weights == {"v1": 100}
    lost, took = sum(seen.excused(row) for row in seen.rows), moved_from(2, seen, began) - began
    assert took < MOVED_SECONDS_MAX, ended
    figure(f"pods {how}: weight 0 after {took:.2f} s, {lost} requests lost")


def vanish(app: App, revision: int, how: str) -> None:
    """All its pods; a Deployment that is paused makes no others."""
    if how == "scaled to 0":
        app.cluster.admin.patch("deployments", app.namespace, f"shop-v{revision}", {"spec": {"replicas": 0}})
        return
    names = [pod["metadata"]["name"] for pod in app.pods(revision)]
    app.cluster.admin.patch("deployments", app.namespace, f"shop-v{revision}", {"spec": {"paused": True}})
    for name in names:
        app.cluster.admin.delete("pods", app.namespace, name, grace_seconds=0)


def moved_from(revision: int, seen: Traffic, since: float) -> float:
    """When the revision lost its traffic."""
    return next(sight.at for sight in seen.sights if sight.at > since and sight.weights[f"shop-v{revision}"] == 0)


def test_case_21_when_all_pods_on_trial_vanish_their_users_are_led_back_at_once(app: App, figure: Figure) -> None:
    """It has no weight, so nobody else notices anything."""
    app.strategy |= {"ab_testing": TESTING, "failure_conditions": []}
    app.serves()
    with app.traffic(header=ON_TRIAL) as seen:
        seen.excused = lambda row: (
            row["header"]
            and not row["version"]
            and began < row["done"]
            and row["sent"] < over(seen, began) + LATE_SECONDS
        )
        driver, heard = app.start("demo:v2", "--wait=done"), on_trial(app)
        time.sleep(heard + 2 - time.time())
        began = time.time()
        vanish(app, 2, "deleted")
        ended = app.ended(driver)
        free = time.time() + HEARD_SECONDS_MAX
        time.sleep(HEARD_SECONDS_MAX + 2)
    assert ended.code == 10 and "v2 lost its last ready endpoint" in ended.err, ended
    assert seen.steps(2) == [] and seen.answers_between(0, free).keys() == {"v1"}
    assert seen.answers_between(heard, began, tried=True).keys() == {"v2"}
    assert seen.answers_between(free, time.time(), tried=True).keys() == {"v1"}
    assert_nothing_is_left(app)
    lost, took = sum(seen.excused(row) for row in seen.tried), over(seen, began) - began
    assert took < MOVED_SECONDS_MAX, ended
    figure(f"pods on trial deleted: their header rule gone after {took:.2f} s, {lost} requests lost")


def over(seen: Traffic, since: float) -> float:
    """When no header leads anywhere any more."""
    rules = ((sight.at, sight.route["spec"]["rules"]) for sight in seen.sights if sight.at > since)
    return next(
        at for at, found in rules if not any(match.get("headers") for rule in found for match in rule["matches"])
    )


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


@contextmanager
def passers_by(app: App) -> Iterator[Traffic]:
    """Users of somebody else's route, which leads to the front Service, past docc's weights: nobody asks the candidate."""
    host = f"old.{app.host}"
    backend = {"name": app.name, "port": 8080}
    spec = {"parentRefs": app.route["spec"]["parentRefs"], "hostnames": [host], "rules": [{"backendRefs": [backend]}]}
    body = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "old"},
        "spec": spec,
    }
    app.cluster.admin.create("httproutes", app.namespace, body)
    app.until(lambda: set(app.cluster.fetch(host, 3)) == {(200, "v1")})
    with app.traffic(door=(app.cluster.session.gateway, host)) as seen:
        seen.led = False
        yield seen
    assert set(seen.account.answers) == {"v1"}


def test_case_22_without_traffic_there_is_no_evidence(app: App) -> None:
    app.strategy["no_data_limit"] = 4
    app.serves()
    with passers_by(app) as seen:
        ended = app.deploy("demo:v2")
    assert ended.code == 10 and "NO-DATA" in ended.err and "docc never promotes without evidence" in ended.err, ended
    assert seen.steps(2) == [50, 0]


def test_case_22_not_a_number_is_no_pass(app: App) -> None:
    """The candidate has answered, so it has series; nobody has asked it since, and the quotient is 0/0. Prometheus that goes
    away in mid-rollout: test_restarts.py."""
    app.strategy |= {
        "canary": {"increment": 50, "interval": 12}, "no_data_limit": 6,
        "failure_conditions": [{"name": "Successes", "expression": f"{SUCCESSES} < 0.95"}],
    }  # fmt: skip
    asked = SUCCESSES.replace("$namespace", app.namespace).replace("$revision", "v2")
    app.serves()
    with passers_by(app) as seen:
        driver = app.start("demo:v2")
        app.until_weight(2, 50)
        app.until(lambda: (200, "v2") in app.cluster.fetch(app.host))
        app.until(lambda: [each["value"][1] for each in app.cluster.query(asked)] == ["NaN"])
        ended = app.ended(driver)
    assert ended.code == 10 and "docc never promotes without evidence" in ended.err, ended
    assert "live series, but no requests in the range" in ended.err and seen.steps(2) == [50, 0], ended


def test_case_22_a_prometheus_that_does_not_answer_is_told_before_anything_is_touched(app: App) -> None:
    app.serves()
    before = app.route
    with app.traffic() as seen:
        ended = app.deploy("demo:v2", "--prometheus-url", "http://127.0.0.1:9")
    assert ended.code == 5 and "127.0.0.1:9" in ended.err and "nothing was touched" in ended.err, ended
    assert app.route["metadata"]["generation"] == before["metadata"]["generation"] and len(app.pods(2)) == 0
    assert seen.writes(1) == [] and set(seen.account.answers) == {"v1"}


def test_case_27_a_deadline_that_passes_keeps_the_old_weight(app: App) -> None:
    app.serves()
    app.strategy["progress_deadline"] = 5
    with app.traffic() as seen:
        ended = app.deploy("demo:v2-late60")
    assert ended.code == 10 and "(waited 5 s)" in ended.err and "pods ready" in ended.err, ended
    assert seen.steps(2) == [] and set(seen.account.answers) == {"v1"}
