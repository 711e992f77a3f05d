"""Acceptance: A/B. Who is on trial is on B, whatever the weights are, and nobody else is."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime

import httpx

from tests.cluster.acceptance.app import App, Ended
from tests.cluster.acceptance.traffic import HEARD_SECONDS_MAX, Traffic
from tests.cluster.conftest import Figure

ON_TRIAL = ("x-docc-release", "canary")
TESTING = {"enable_headers": True, "pause_before_rollout": True}


def on_trial(app: App) -> float:
    """Since when Envoy has surely heard of it."""
    app.until(lambda: app.record["phase"] == "awaiting")
    return time.time() + HEARD_SECONDS_MAX


def who(seen: Traffic, since: float, until: float) -> tuple[Counter[str], Counter[str]]:
    """Whose answers those on trial had, and the others."""
    return seen.answers_between(since, until, tried=True), seen.answers_between(since, until)


def assert_nothing_is_left(app: App) -> None:
    (rule,) = app.route["spec"]["rules"]
    assert not any(match.get("headers") for match in rule["matches"]), rule
    services = app.cluster.admin.list("services", app.namespace, f"docc.dev/app={app.name}")
    served = {app.name, *(f"{app.name}-{revision}" for revision in app.weights)}
    assert {service["metadata"]["name"] for service in services} == served


def test_cases_7_to_10_header_users_are_on_b_at_every_weight_and_all_others_follow_the_weights(
    app: App, figure: Figure
) -> None:
    """The pause is longer than the pods' deadline, and that is no failure."""
    app.serves()
    app.strategy |= {
        "canary": {"increment": 20, "interval": 8}, "ab_testing": TESTING, "progress_deadline": 15,
    }  # fmt: skip
    with app.traffic(header=ON_TRIAL) as seen:
        driver, began = app.start("demo:v2", "--wait=done"), on_trial(app)
        time.sleep(HEARD_SECONDS_MAX + 16)
        promoted = time.time()
        assert app.docc("promote", "shop", "--reason", "B is liked").code == 0
        ended = app.ended(driver)
        assert ended.code == 0, ended
        over = time.time() + HEARD_SECONDS_MAX
        time.sleep(HEARD_SECONDS_MAX + 2)
    assert seen.steps(2) == [20, 40, 60, 80, 100] and seen.since_weight(2, 20) >= promoted
    paused = who(seen, began, promoted)
    assert paused[0].keys() == {"v2"} and paused[1].keys() == {"v1"}, paused
    rolling = who(seen, promoted, seen.since_weight(2, 100))
    assert rolling[0].keys() == {"v2"} and rolling[1].keys() == {"v1", "v2"}, rolling
    assert all(answers.keys() == {"v2"} for answers in who(seen, over, time.time()))
    assert_nothing_is_left(app)
    figure(f"on trial {paused[0].total()} of {paused[1].total()} others while paused, {rolling[0].total()} at weights")


def test_case_11_promote_full_waits_for_all_pods_and_skips_the_steps(app: App) -> None:
    app.application["scale"] = 4
    app.strategy |= {"canary": {"increment": 25, "interval": 60}, "ab_testing": TESTING}
    app.serves()
    with app.traffic(header=ON_TRIAL) as seen:
        driver, _ = app.start("demo:v2-late3", "--wait=done"), on_trial(app)
        assert len(app.pods(2)) == 1
        assert app.docc("promote", "shop", "--full").code == 0
        ended = app.ended(driver)
        assert ended.code == 0, ended
    assert seen.steps(2) == [100]
    conditions = [condition for pod in app.pods(2) for condition in pod["status"]["conditions"]]
    ready = [seconds(c["lastTransitionTime"]) for c in conditions if c["type"] == "Ready" and c["status"] == "True"]
    assert len(ready) == 4 and max(ready) <= seen.since_weight(2, 100)
    assert_nothing_is_left(app)


def seconds(time_of_kubernetes: str) -> float:
    return datetime.fromisoformat(time_of_kubernetes).timestamp()


def test_case_12_a_breach_while_it_is_paused_takes_it_back_though_nobody_promoted(app: App, figure: Figure) -> None:
    app.strategy["ab_testing"] = TESTING
    app.serves()
    with app.traffic(header=ON_TRIAL) as seen:
        bad: Ended = app.deploy("demo:v2-err60", "--wait=done")
        assert bad.code == 10 and "Errors is 0." in bad.err and "at 0 %" in bad.err, bad
        over = time.time() + HEARD_SECONDS_MAX
        time.sleep(HEARD_SECONDS_MAX + 2)
    assert seen.steps(2) == [] and who(seen, 0, over)[1].keys() == {"v1"}
    assert all(answers.keys() == {"v1"} for answers in who(seen, over, time.time()))
    assert_nothing_is_left(app)
    tried = [row["sent"] for row in seen.tried if row["version"] == "v2"]
    figure(f"{len(tried)} requests on trial had B in {tried[-1] - tried[0]:.1f} s, nobody else")


def test_sticky_users_stay_on_their_version_and_are_free_in_the_same_write_as_the_revert(app: App) -> None:
    app.strategy |= {"canary": {"increment": 50, "interval": 120}, "sticky": True}
    app.serves()
    driver = app.start("demo:v2")
    app.until_weight(2, 50)
    time.sleep(HEARD_SECONDS_MAX)
    users = {version: cookie for version, cookie in (asked(app) for _ in range(40)) if cookie}
    assert users.keys() == {"v1", "v2"}
    for version, cookie in users.items():
        assert {asked(app, f"a=1; {cookie}; b=2")[0] for _ in range(40)} == {version}
    assert app.docc("rollback", "shop").code == 0
    time.sleep(HEARD_SECONDS_MAX)
    free = {asked(app, cookie) for cookie in users.values() for _ in range(10)}
    assert free == {("v1", "")}
    assert app.ended(driver).code == 10
    assert_nothing_is_left(app)


def asked(app: App, cookie: str = "") -> tuple[str, str]:
    """Who answers, and the cookie that it gives."""
    headers = {"Host": app.host, **({"Cookie": cookie} if cookie else {})}
    answer = httpx.get(f"http://{app.cluster.session.gateway}/", headers=headers, trust_env=False)
    return answer.headers["x-version"], answer.headers.get("set-cookie", "").partition(";")[0]
