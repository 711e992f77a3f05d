"""The plan that is shown before anything happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from docc.cli.planning import planned
from docc.model.manifest import GatewayName
from docc.model.record import Phase, Record
from docc.model.world import Revision, Routed, Seen
from docc.spec.build import read
from docc.ui.plan import plan_lines
from tests.unit.ui.story import T0

RATIO = "sum(rate(errors_total{deployment='$canary'}[1m])) / sum(rate(requests_total{deployment='$canary'}[1m])) > 0.05"
OVER_ALL = "sum(rate(http_requests_total{code='500'}[1m])) / sum(rate(http_requests_total[1m])) > 0.05"
CANARY: dict[str, Any] = {
    "canary": {"increment": 30, "interval": 60},
    "failure_conditions": [{"name": "Ratio", "expression": RATIO}, {"name": "OverAll", "expression": OVER_ALL}],
}
GATEWAY = GatewayName("public", "infra")
NOTHING = Seen(Routed("HTTPRoute"))


def live(spec_hash: str = "other") -> Seen:
    record = Record(1, Phase.SUCCEEDED, "ci#1", T0, T0, stable=1)
    revision = Revision(1, exists=True, spec_hash=spec_hash, replicas=3, available=3, ready=3)
    return Seen(Routed("HTTPRoute", exists=True, record=record, weights={1: 100}), {1: revision})


def plan_text(
    strategy: dict[str, Any],
    seen: Seen,
    *,
    excused: tuple[str, ...] = (),
    gateway: GatewayName | None = GATEWAY,
    **more: Any,
) -> str:
    web = {"image": "acme/shop:2", "ports": [{"port": 8080}]}
    application = {"name": "shop", "scale": 3, "containers": {"web": web}, **more}
    body = {"application": application, "deployment_strategy": strategy}
    manifest = read(json.dumps(body).encode(), "manifest.json")
    if seen is not NOTHING and seen.revision(1).spec_hash == "same":
        seen = live(manifest.spec_hash)
    plan, _ = planned(manifest, "web", seen, gateway)
    return "\n".join(plan_lines(manifest, replace(plan, excused=excused), seen))


def test_plans(golden: Callable[[str, str], None]) -> None:
    plans = {
        "first": plan_text(CANARY, NOTHING),
        "canary": plan_text(CANARY, live()),
        "canary, one excused": plan_text(CANARY, live(), excused=("Ratio",)),
        "all at once": plan_text({}, live()),
        "mesh": plan_text(CANARY, live(), mesh=True, hosts=["shop.example.com"], paths=["/a", "/b"]),
        "mesh alone": plan_text({}, live(), mesh=True, gateway=None),
        "no route": plan_text({}, live(), gateway=None),
        "in place": plan_text(CANARY, live("same")),
    }
    golden("plan.txt", "\n".join(f"--- {name}\n{text}\n" for name, text in plans.items()))
