"""Acceptance: the documented expressions that need no Istio metrics tell a good version from a bad one, word for word."""

from __future__ import annotations

import pytest

from tests.cluster.acceptance.app import App
from tests.documented import expressions

HERE = {heading: text for heading, text in expressions().items() if "istio_requests_total" not in text}


@pytest.mark.parametrize("heading", HERE)
def test_a_documented_expression_promotes_the_good_and_takes_back_the_bad(app: App, heading: str) -> None:
    app.strategy |= {"failure_conditions": [{"name": "Errors", "expression": HERE[heading]}], "no_data_limit": 30}
    app.serves()
    with app.traffic() as seen:
        good = app.deploy("demo:v2")
        assert good.code == 0, good
        bad = app.deploy("demo:v3-err30")
        assert bad.code == 10, bad
    assert seen.watch.steps("shop-v2")[:2] == [50, 100] and seen.watch.steps("shop-v3") == [50, 0]
    (passed,), (failed,) = good.document["checks"], bad.document["checks"]
    assert passed["verdict"] == "OK" and passed["value"] == 0
    assert failed["verdict"] == "FAIL" and 0.05 < failed["value"] < 0.6, failed
    assert "Errors is 0." in bad.err and "at 50 %" in bad.err, bad
