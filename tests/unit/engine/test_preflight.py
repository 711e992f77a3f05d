"""Each condition is asked before anything is touched: what can be judged by it is judged, what never could be is in the way."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from docc.cli.planning import planned
from docc.core.verdict import Answer, Series
from docc.engine.ports import Ports
from docc.engine.preflight import conditions
from docc.model.errors import ExitCode
from docc.model.world import Seen
from docc.spec.build import read
from tests.sim.stage import Process, Stage
from tests.sim.verbs import GC
from tests.sim.world import World
from tests.unit.core.around import GATEWAY, NOTHING, live
from tests.unit.engine.test_other_hands import Unwatched

NOW = 1_000_000.0
ALL, ITS_OWN = "sum(queue_length{app='shop'}) > 5", "sum(queue_length{deployment='$canary'}) > 5"
FILTERED = "count(queue_length{app='shop'} > 100) > 5"
BY_REVISION, BESIDE = "sum(queue{revision='$revision'}) > 5", "sum(queue{deployment='$stable'}) > 5"
DOWN = live(pods=0)


@dataclass
class Told:
    """Metrics that answer the same to every value, and to every question about how fresh it is."""

    value: Answer
    newest: Answer
    asked: list[str] = field(default_factory=list)

    def ask(self, *groups: Sequence[str]) -> Mapping[str, Answer]:
        texts = [text for group in groups for text in group]
        self.asked += texts
        return {text: self.newest if "timestamp(" in text else self.value for text in texts}


def one(value: float) -> Answer:
    return Answer((Series((), value),))


SILENT, REFUSED, FRESH = Answer(), Answer(error="HTTP 422: bad_data: many-to-many matching"), one(NOW)


def asked(seen: Seen, expression: str, metrics: Told | None) -> tuple[list[str], list[ExitCode | None], str, str]:
    """(verdicts, exit codes, why, what to do)."""
    strategy = {"canary": {"increment": 50, "interval": 60}}
    judged = {**strategy, "failure_conditions": [{"name": "E", "expression": expression}]}
    web = {"image": "acme/shop:2", "ports": [{"port": 8080}]}
    body = {"application": {"name": "shop", "containers": {"web": web}}, "deployment_strategy": judged}
    plan, sampling = planned(read(json.dumps(body).encode(), "m.json"), "web", seen, GATEWAY)
    process = Process(Stage(World(Unwatched())), "deploy", GC)
    ports = Ports(process, metrics, process, process, process)
    checks, found = conditions(ports, plan, sampling, seen)
    verdicts, codes = [check.verdict.value for check in checks.results], [obstacle.exit_code for obstacle in found]
    return verdicts, codes, " ".join(obstacle.why for obstacle in found), " ".join(obstacle.fix for obstacle in found)


TABLE = [
    # seen, expression, value, newest sample -> verdict, refused
    pytest.param(live(), ALL, one(1.0), FRESH, "OK", False, id="a number"),
    pytest.param(live(), ALL, one(9.0), FRESH, "FAIL", False, id="fires already: the baseline's business"),
    pytest.param(live(), ALL, REFUSED, FRESH, "ERROR", True, id="refused"),
    pytest.param(live(), ITS_OWN, REFUSED, FRESH, "ERROR", True, id="refused, about the candidate alone"),
    pytest.param(NOTHING, ALL, REFUSED, FRESH, "ERROR", True, id="refused, at a first deploy"),
    pytest.param(live(), ALL, SILENT, REFUSED, "ERROR", True, id="refused where its samples are asked for"),
    pytest.param(live(), ALL, SILENT, SILENT, "NO-DATA", True, id="silent, although stable serves"),
    pytest.param(live(), BESIDE, SILENT, SILENT, "NO-DATA", True, id="silent about stable, which serves"),
    pytest.param(live(), ITS_OWN, SILENT, SILENT, "NO-DATA", False, id="silent about $canary"),
    pytest.param(live(), BY_REVISION, SILENT, SILENT, "NO-DATA", False, id="silent about $revision"),
    pytest.param(NOTHING, ALL, SILENT, SILENT, "NO-DATA", False, id="silent, and nobody serves yet"),
    pytest.param(DOWN, ALL, SILENT, SILENT, "NO-DATA", False, id="silent, and stable is down"),
    pytest.param(live(), ALL, one(float("nan")), FRESH, "NO-DATA", True, id="NaN, although stable serves"),
    pytest.param(live(), ALL, SILENT, FRESH, "NO-DATA", True, id="silent in live samples, although stable serves"),
    pytest.param(live(), FILTERED, SILENT, FRESH, "OK", False, id="nothing passes a filter, in live samples"),
]


@pytest.mark.parametrize(("seen", "expression", "value", "newest", "verdict", "refused"), TABLE)
def test_a_condition_that_nothing_can_be_judged_by_is_in_the_way_before_anything_is_touched(
    seen: Seen, expression: str, value: Answer, newest: Answer, verdict: str, refused: bool
) -> None:
    metrics = Told(value, newest)
    verdicts, codes, why, fix = asked(seen, expression, metrics)
    assert (verdicts, codes) == ([verdict], [ExitCode.UNUSABLE] if refused else [])
    assert not refused or (value.error or newest.error) in why
    assert ("although v1 serves" in why) == (refused and verdict == "NO-DATA")
    assert ("send it requests" in fix) == (refused and verdict == "NO-DATA" and newest is FRESH)
    assert metrics.asked and not any("$" in text for text in metrics.asked)


def test_without_metrics_nothing_is_asked_here() -> None:
    assert asked(live(), ALL, None) == ([], [], "", "")
