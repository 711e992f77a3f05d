"""Acceptance: the manifests of the talk that docc comes from, as its slides show them. What a slide leaves open is left open:
no host, no readiness, the namespace `default`, and a condition that sees every application of the cluster, whose errors it
remembers for five minutes; so they are played on a cluster of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.acceptance.app import App
from tests.cluster.acceptance.traffic import SHARE_COUNT_MIN
from tests.cluster.conftest import Figure
from tests.cluster.rig.cluster import Cluster

SLIDE = """{
  "application": {
    "name": "uber-cool-app",
    "namespace": "default",
    "scale": 3,
    "containers": {
      "dev": { "image": "nginx:1.23", "ports": [ { "port": 80, "protocol": "TCP" } ] }
    }
  },
  "maintainer": "appdev@digitalocean.com"
}
"""
CANARY = '"deployment_strategy": { "canary": { "increment": 5, "interval": 120 } }'
AB_TESTING = '"deployment_strategy": { "ab_testing": { "enable_headers": true, "pause_before_rollout": true } }'
_CONDITION = (
    "sum(rate(http_requests_total{app='demo_app',code='500'}[5m])) / "
    "sum(rate(http_requests_total{app='demo_app'}[5m])) > 0.05"
)
CONDITIONS = f""""deployment_strategy": {{ "failure_conditions": [ {{
    "name": "HTTPErrorRate",
    "expression": "{_CONDITION}" }} ] }}"""


@pytest.fixture(scope="module")
def cluster(own_cluster: Cluster) -> Cluster:
    return own_cluster


@pytest.fixture
def namespace() -> str:
    return "default"


@pytest.fixture
def talk(cluster: Cluster, namespace: str, tmp_path: Path) -> App:
    return App(cluster, namespace, tmp_path, "uber-cool-app")


def at_the_top(fragment: str) -> str:
    return _put(SLIDE, '"maintainer"', fragment)


def inside(fragment: str) -> str:
    return _put(SLIDE, '"name"', fragment)


def _put(slide: str, before: str, fragment: str) -> str:
    head, mark, tail = slide.partition(before)
    return f"{head}{fragment},\n  {mark}{tail}"


def file(talk: App, text: str) -> str:
    path = talk.folder / "manifest.json"
    path.write_text(text, encoding="utf-8")
    return str(path)


def deploys(talk: App, text: str, *more: str) -> tuple[str, ...]:
    return ("deploy", file(talk, text), "-o", "json", *more)


def image(tag: str) -> tuple[str, str]:
    return ("--image", f"nginx:{tag}")


@pytest.mark.timeout(500)
def test_the_slides_work_one_after_another_and_in_both_places_of_the_strategy(talk: App, figure: Figure) -> None:
    talk.versions |= {"v1": "1.23", "v2": "1.24", "v3": "1.25", "v4": "1.26", "v5": "1.27", "v6": "1.28"}
    first = talk.docc(*deploys(talk, SLIDE))
    assert first.code == 0 and talk.weights == {"v1": 100} and len(talk.pods(1)) == 3, first
    assert talk.deployment(1)["metadata"]["annotations"]["docc.dev/maintainer"] == "appdev@digitalocean.com"
    talk.others_come()
    with talk.traffic() as seen:
        a_normal_rollout(talk)
        automatic_rollback(talk)
        a_canary(talk)
        an_ab_test_waits_for_its_promotion_and_then_takes_all(talk)
    answers = seen.account.answers
    assert answers["1.23"] > 50 and answers["1.25"] > 1000 and answers["1.26"] > 20
    (held,) = (share for share in seen.shares() if (share.version, share.weight) == ("1.27", 5))
    assert held.count >= SHARE_COUNT_MIN
    figure(f"canary at {held}; bad version: {answers['1.26']} requests, {seen.exposed('1.26'):.1f} s")


def a_normal_rollout(talk: App) -> None:
    ended = talk.docc(*deploys(talk, SLIDE.replace("nginx:1.23", "nginx:1.24")))
    assert ended.code == 0 and ended.document["result"] == "promoted", ended
    assert talk.weights == {"v1": 0, "v2": 100} and talk.front_selects() == "v2"


def automatic_rollback(talk: App) -> None:
    """All traffic at once, since the slide says nothing else, and then five minutes of evidence: its range is as long."""
    begun_at_the_top_goes_on_inside(talk, CONDITIONS, "1.25", 3, 100)
    bad = talk.docc(*deploys(talk, inside(CONDITIONS), *image("1.26-err")))
    assert bad.code == 10 and "HTTPErrorRate is 0." in bad.err and "> 0.05 at 100 %" in bad.err, bad
    assert talk.weights["v2"] == 100 and talk.record["stable"] == 2


def a_canary(talk: App) -> None:
    """Its 20 steps take 40 minutes: it is held at the first one long enough to be measured."""
    began = time.monotonic()
    begun_at_the_top_goes_on_inside(talk, CANARY, "1.27", 5, 5, lambda: time.monotonic() - began > 30)


def begun_at_the_top_goes_on_inside(
    talk: App, fragment: str, tag: str, revision: int, weight: int, enough: Callable[[], bool] = lambda: True
) -> None:
    """Whoever goes on does so without a step back or forth: it is the same strategy. Then it is parked."""
    driver = talk.begin(*deploys(talk, at_the_top(fragment), *image(tag)))
    talk.until_weight(revision, weight)
    driver.kill()
    talk.ended(driver)
    written, epoch = talk.route["metadata"]["generation"], talk.record["epoch"]
    driver = talk.begin(*deploys(talk, inside(fragment), *image(tag)))
    talk.until(lambda: talk.record["epoch"] > epoch and enough())
    assert talk.weights[f"v{revision}"] == weight and talk.route["metadata"]["generation"] == written
    driver.terminate()
    parked = talk.ended(driver)
    assert parked.code == 143 and f"taking over the rollout of v{revision}" in parked.err, parked


def an_ab_test_waits_for_its_promotion_and_then_takes_all(talk: App) -> None:
    """Its driver leaves it so, since nobody sits there. Who sends the header is on B, all others stay where they are."""
    for place in (at_the_top, inside):
        assert talk.docc("validate", file(talk, place(AB_TESTING))).code == 0
    left = talk.docc(*deploys(talk, at_the_top(AB_TESTING), *image("1.28")))
    assert left.code == 0 and left.document["result"] == "paused" and talk.record["phase"] == "awaiting", left
    assert talk.cluster.fetch(talk.host, 20, **{"x-docc-release": "canary"}) == {(200, "1.28"): 20}
    assert talk.cluster.fetch(talk.host, 20) == {(200, "1.24"): 20}
    promoted = talk.docc("promote", talk.name)
    assert promoted.code == 0 and talk.weights["v6"] == 100 and talk.record["stable"] == 6, promoted
    assert not any(match.get("headers") for rule in talk.route["spec"]["rules"] for match in rule.get("matches", []))
