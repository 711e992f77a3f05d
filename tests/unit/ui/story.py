"""Facts of two rollouts at fixed times, told in several tests: one goes right, one comes back."""

from __future__ import annotations

from docc.model import facts
from docc.model.facts import Fact

T0 = 1_700_000_000.0
Told = list[tuple[float, Fact]]
RATIO = "sum(rate(http_requests_total{deployment='shop-v2',code='500'}[1m])) / sum(rate(http_requests_total[1m]))"


def check(
    value: float | None, verdict: str = "OK", weight: int = 50, reason: str = "", series: str = "", basis: str = ""
) -> facts.CheckSeen:
    return facts.CheckSeen("HTTPErrorRate", verdict, value, ">", 0.05, reason, weight, RATIO, series, basis)


GOOD: Told = [
    (T0, facts.Began(2, 1, "deploy")),
    (T0 + 0.1, facts.Created("Deployment", "shop-v2")),
    (T0 + 0.2, facts.Created("Service", "shop-v2")),
    (
        T0 + 0.3,
        facts.Waiting("v2: 0/2 pods ready: container web of pod shop-v2-x1 runs, its readiness probe does not pass"),
    ),
    (T0 + 4.0, facts.Weighted(2, 1, 50, 1, 2)),
    (T0 + 9.0, check(None, "NO-DATA", reason='no series for http_requests_total{deployment="shop-v2"}')),
    (T0 + 14.0, check(0.004)),
    (T0 + 19.0, check(0.0041)),
    (T0 + 24.0, check(0.0, reason="no matching errors", basis="about 1204 requests")),
    (T0 + 29.0, check(0.002)),
    (T0 + 34.0, check(0.003)),
    (T0 + 34.1, facts.Scaled(2, 4, "more traffic to come")),
    (T0 + 64.0, facts.Weighted(2, 1, 100, 2, 2)),
    (T0 + 70.0, check(0.003, weight=100)),
    (T0 + 124.0, facts.Promoted(2, 1)),
    (T0 + 124.1, facts.FrontMoved("shop", 2)),
    (T0 + 124.2, facts.Waiting("v1 drains, and stays warm for a rollback")),
    (T0 + 154.0, facts.Settled(2, 1, T0 + 754.0)),
]

BAD: Told = [
    (T0, facts.Began(2, 1, "deploy")),
    (T0 + 4.0, facts.Weighted(2, 1, 10, 1, 10)),
    (T0 + 8.0, check(0.31, "FAIL", 10, "the threshold is crossed", '{pod="shop-v2-x1"}', "about 29 requests")),
    (T0 + 8.2, facts.Reverted(2, 1, "HTTPErrorRate is 0.31 > 0.05 at 10 %, in about 29 requests", 4.2)),
    (
        T0 + 8.2,
        facts.Evidence("container web, last lines before the crash", "boot\n\x1b[31mpanic: no db\x1b[0m\n::error::x"),
    ),
    (T0 + 38.2, facts.LetGo(2)),
    (T0 + 38.2, facts.Settled(1, None, None)),
    (T0 + 38.3, facts.Deleted("Service", "shop-v2")),
    (T0 + 38.4, facts.Scaled(2, 0, "no traffic any more")),
]

EDITS = (
    facts.Edit(
        "HTTPRoute shop",
        "weights of rules[0]",
        "shop-v1 80, shop-v2 20",
        "shop-v1 50, shop-v2 50",
        "kubectl-edit",
        T0 - 3,
    ),
)
EVERY_OTHER: Told = [
    (T0, facts.Began(1, None, "first")),
    (T0, facts.Began(2, 1, "retry")),
    (T0, facts.Began(2, 1, "resume")),
    (T0, facts.Began(1, 2, "rollback")),
    (T0, facts.Replanned(3, 4)),
    (T0, facts.Weighted(1, None, 100, 1, 1)),
    (T0, facts.Requested("promote", "alice@laptop", "looks good")),
    (T0, facts.Requested("pause", "bob@desk")),
    (T0, facts.Left(2)),
    (T0, facts.Left(2, T0 + 3600)),
    (T0, facts.Updated("Deployment", "shop-v1", "scale 2 to 3")),
    (T0, facts.HeadersRouted(2, "the header x-b: 1", "curl -H 'x-b: 1' http://shop.test/")),
    (T0, facts.ApprovalAwaited(2)),
    (T0, check(float("inf"), "FAIL", 10)),
    (T0, check(None, "ERROR", 10, "bad_data: 1:5: parse error:\nunexpected end of input")),
    (T0, facts.Promoted(1, None)),
    (T0, facts.Reverted(2, None, "image acme/shop:2 cannot be pulled: not found.", 0.0)),
    (T0, facts.Parked(2, 1, "parked by SIGTERM")),
    (T0, facts.Parked(None, 1, "parked by SIGTERM")),
    (T0, facts.StableLost(1, 2, "HTTPErrorRate is 0.31 > 0.05 at 10 %")),
    (T0, facts.StableSilent(1, 2, 10.0)),
    (T0, facts.StableSilent(1, 2, 0.0)),
    (T0, facts.Settled(None, None, None)),
    (T0, facts.Cooled(1)),
    (T0, facts.LeftUndone("ConfigMap docc-shop", "exceeded quota: configmaps")),
    (T0, facts.Meddled(EDITS, "docc holds, and judges on")),
    (T0, facts.Meddled((facts.Edit("HTTPRoute shop", "", "there", "gone"),), "docc holds, and judges on")),
    (T0, facts.TakenBack("HTTPRoute shop")),
    (T0, facts.PutBack(EDITS, "its weights")),
    (T0, facts.Standing("shifting", 1, 2, 20)),
    (T0, facts.Standing("preparing", 1, 2, 0)),
    (T0, facts.Standing("succeeded", 2, None, 0)),
    (T0, facts.Driven("ci@run/8812")),
    (T0, facts.Driven("")),
]  # fmt: skip
