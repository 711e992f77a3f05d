"""Stable has no ready endpoint in mid-rollout: what its pods say of themselves tells whether there is anything to wait for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from docc.core import planner
from docc.core.route import shares
from docc.core.view import Checks, View
from docc.model.moves import Patch
from docc.model.record import Phase, Record
from docc.model.world import Revision, Trouble
from tests.unit.core.around import live, plan_for

CRASHES = Trouble("container web of pod shop-v1-a crashes again and again", fatal=True, crashed=True)
STARTS = Trouble("container web of pod shop-v1-a is not ready: connection refused")


@pytest.mark.parametrize(
    ("trouble", "away", "all_at_once"),
    [(None, 0.0, False), (None, 9.0, False), (None, 10.0, True), (STARTS, 0.0, False), (CRASHES, 0.0, True)],
    ids=["gone just now", "not long enough", "long enough", "its pods start", "its pods crash again and again"],
)
def test_the_candidate_takes_all_when_stable_stays_away_or_says_that_it_will(
    trouble: Trouble | None, away: float, all_at_once: bool
) -> None:
    now, found = 2e9, live()
    plan = plan_for(found)
    record = Record(2, Phase.SHIFTING, "me#1", now - 20, now - 40, stable=1, candidate=2, weight=50, step=0,
                    plan=plan.digest, exposed=now - 20)  # fmt: skip
    backends = [{"name": f"shop-v{number}", "port": 8080, "weight": 50} for number in (1, 2)]
    (rule,) = found.routed.body["spec"]["rules"]
    body = {**found.routed.body, "spec": {"rules": [{**rule, "backendRefs": backends}]}}
    up = Revision(
        2,
        exists=True,
        has_service=True,
        spec_hash=plan.spec_hash,
        manifest=plan.manifest,
        replicas=3,
        ready=3,
        available=3,
        service_born=now - 40,
    )
    down = replace(found.revision(1), ready=0, available=0, trouble=trouble)
    routed = replace(found.routed, record=record, weights={1: 50, 2: 50}, body=body)
    front = replace(found.front, exists=True, selects=1)
    seen = replace(found, routed=routed, revisions={1: down, 2: up}, front=front)
    view = View("shop", "me#1", plan, seen, Checks(), now, held=True, deserted=now - away)
    move = planner.advance(view)
    weights = [shares(_weights(move.effect))] if isinstance(move.effect, Patch) else []
    assert weights == ([{2: 100}] if all_at_once else []), move


def _weights(patch: Patch) -> dict[int, int]:
    rules = next(each["value"] for each in patch.operations if each["path"].startswith("/spec/rules"))
    return {int(each["name"].rsplit("v", 1)[1]): each["weight"] for each in rules[0]["backendRefs"]}
