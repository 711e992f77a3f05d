"""The documented expressions on Istio's own metrics, against series as Istio's proxies make them; and docc's pods carry the
labels from which Istio takes the names.

Label names and values as in istio_requests_total: the workload is the Deployment, the canonical service and revision are the
pod's labels service.istio.io/canonical-name and -revision.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

from docc.cli.planning import planned
from docc.core.expression import parse
from docc.core.verdict import Answer, Check, Series, Verdict
from docc.engine.sampling import Sampling
from docc.model.manifest import GatewayName
from docc.model.world import Routed, Seen
from docc.sandbox.promql import evaluate
from docc.sandbox.tsdb import Tsdb, labels_of
from docc.spec.build import read
from tests.documented import expressions

AT = 1_700_000_000
ISTIO = {heading: text for heading, text in expressions().items() if "istio_requests_total" in text}
MANIFEST = {"application": {"name": "shop", "containers": {"web": {"image": "a:1", "ports": [{"port": 8080}]}}}}


class Recorded:
    """engine.ports.Metrics over one minute of counters, a sample each five seconds."""

    def __init__(self) -> None:
        self._tsdb = Tsdb()

    def count(self, workload: str, code: int, per_second: float, **other: str) -> None:
        """What the Gateway's proxy counts, and the same again as the application's sidecar does."""
        app, _, revision = workload.rpartition("-")
        labels = {
            "destination_workload": workload, "destination_workload_namespace": "web", "destination_canonical_service": app,
            "destination_canonical_revision": revision, "destination_service_name": app, "response_code": str(code),
            "source_workload": "public", "request_protocol": "http", "response_flags": "-", **other,
        }  # fmt: skip
        for reporter in ("source", "destination"):
            name = {"__name__": "istio_requests_total", "reporter": reporter, **labels}
            for second in range(0, 61, 5):
                self._tsdb.append(labels_of(name), (AT - 60 + second) * 1000, second * per_second)

    def ask(self, *groups: Sequence[str]) -> Mapping[str, Answer]:
        return {query: self._answer(query) for group in groups for query in group}

    def _answer(self, query: str) -> Answer:
        value = evaluate(query, AT * 1000, self._tsdb)
        if isinstance(value, float):
            return Answer((Series((), value),))
        return Answer(tuple(Series(tuple(dict(sample.labels).items()), sample.value) for sample in value))


def judged(text: str, recorded: Recorded) -> Check:
    plan, _ = planned(read(json.dumps(MANIFEST).encode(), "m.json"), "web", Seen(Routed("HTTPRoute")), GatewayName("g"))
    candidate = plan.__class__(
        plan.app, plan.namespace, 2, plan.spec_hash, plan.scale, plan.steps, plan.rendered, plan.limits, True
    )
    sampling = Sampling((("Errors", parse(text)),), 5, 30)
    (check,) = sampling.ask(recorded, candidate, 1, AT - 50, AT).results
    return check


@pytest.mark.parametrize("heading", ISTIO)
@pytest.mark.parametrize(
    ("candidate", "stable", "verdict"),
    [
        ({200: 10}, {200: 90}, Verdict.OK),
        ({200: 7, 503: 3}, {200: 90}, Verdict.FAIL),
        ({500: 1}, {200: 99}, Verdict.FAIL),
        ({200: 99, 500: 1}, {}, Verdict.OK),
        ({200: 70, 500: 30}, {200: 0}, Verdict.FAIL),
        ({}, {200: 90, 503: 10}, Verdict.NO_DATA),
    ],
)
def test_a_documented_expression_judges_the_candidate_and_nobody_else(
    heading: str, candidate: dict[int, float], stable: dict[int, float], verdict: Verdict
) -> None:
    recorded = Recorded()
    for workload, answers in (("shop-v2", candidate), ("shop-v1", stable)):
        for code, per_second in answers.items():
            recorded.count(workload, code, per_second)
    for other in ("other-v2", "shop-api-v2"):
        recorded.count(other, 500, 50)
    recorded.count("shop-v2", 500, 50, destination_workload_namespace="elsewhere")
    check = judged(ISTIO[heading], recorded)
    assert check.verdict is verdict, check
    if verdict is Verdict.OK:  # where the stable version is asked about and has no series, no step is taken on that
        assert check.fresh is (bool(stable) or "$stable" not in ISTIO[heading])


def test_two_reporters_are_not_counted_twice_and_the_share_is_that_of_the_requests() -> None:
    recorded = Recorded()
    recorded.count("shop-v2", 200, 70)
    recorded.count("shop-v2", 503, 30)
    check = judged(ISTIO["Istio, by workload"], recorded)
    assert check.value == pytest.approx(0.3)


def test_the_rendered_pods_carry_what_istio_names_them_by() -> None:
    plan, _ = planned(read(json.dumps(MANIFEST).encode(), "m.json"), "web", Seen(Routed("HTTPRoute")), GatewayName("g"))
    deployment = plan.rendered.deployment
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["metadata"]["name"] == "shop-v1"  # destination_workload, and $canary
    assert labels["service.istio.io/canonical-name"] == "shop"  # destination_canonical_service, and $app
    assert labels["service.istio.io/canonical-revision"] == "v1"  # destination_canonical_revision, and $revision


def test_every_documented_expression_is_a_condition_about_the_candidate() -> None:
    found = expressions()
    assert len(found) == 8 and len(ISTIO) == 3 and sum("$stable" in text for text in found.values()) == 3
    assert all(parse(text).selects_candidate for text in found.values())
