"""Acceptance: other people's fields, conflicts, more ports and containers."""

from __future__ import annotations

import threading
from typing import Any

from tests.cluster.acceptance.app import App
from tests.cluster.conftest import Figure

ROBOT: dict[str, Any] = {
    "matches": [{"path": {"type": "Exact", "value": "/robots.txt"}}],
    "filters": [{"type": "RequestRedirect", "requestRedirect": {"hostname": "static.example.org", "statusCode": 301}}],
}


def test_case_25_what_others_write_onto_the_route_in_mid_rollout_stays(app: App) -> None:
    app.strategy["canary"] = {"increment": 30, "interval": 3}
    app.serves()
    with app.traffic() as seen:
        driver = app.start("demo:v2")
        app.until_weight(2, 30)
        app.edit_route({"op": "add", "path": "/spec/rules/-", "value": ROBOT})
        label = {"metadata": {"labels": {"cost-centre": "7"}, "annotations": {"argocd.argoproj.io/tracking-id": "x"}}}
        app.cluster.admin.patch("httproutes", app.namespace, "shop", label)
        ended = app.ended(driver)
        assert ended.code == 0, ended
    assert seen.steps(2) == [30, 60, 90, 100]
    route = app.route
    assert route["metadata"]["labels"]["cost-centre"] == "7"
    assert route["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] == "x"
    (robots,) = [rule for rule in route["spec"]["rules"] if rule["matches"] == ROBOT["matches"]]
    assert robots["filters"] == ROBOT["filters"] and not robots.get("backendRefs")


def test_case_26_conflicts_are_looked_at_again_and_end_nothing(app: App, figure: Figure) -> None:
    """Somebody edits the route all the time; each of docc's writes may meet a conflict."""
    app.serves()
    ended = threading.Event()

    def disturb() -> None:
        count = 0
        while not ended.wait(0.05):
            count += 1
            change = {
                "requestHeaderModifier": {
                    "set": [{"name": "x-team", "value": "blue"}, {"name": "x-n", "value": str(count)}]
                }
            }
            value = {"type": "RequestHeaderModifier", **change}
            app.edit_route({"op": "replace", "path": "/spec/rules/0/filters/0", "value": value})

    with app.traffic() as seen:
        rival = threading.Thread(target=disturb)
        rival.start()
        try:
            good = app.deploy("demo:v2")
        finally:
            ended.set()
            rival.join()
        plain = {
            "type": "RequestHeaderModifier",
            "requestHeaderModifier": {"set": [{"name": "x-team", "value": "blue"}]},
        }
        app.edit_route({"op": "replace", "path": "/spec/rules/0/filters/0", "value": plain})
    assert good.code == 0, good
    assert seen.steps(2) == [50, 100]
    refused = [
        e
        for e in app.cluster.audit(agent="docc/", namespace=app.namespace)
        if e["responseStatus"]["code"] in (409, 422)
    ]
    figure(f"{len(refused)} of docc's writes met a conflict")


def test_case_28_two_containers_and_two_ports_roll_as_one(app: App) -> None:
    side = {"image": "side:v1", "ports": [{"port": 9000, "app_protocol": "tcp"}]}
    app.application["containers"] = {"web": app.application["containers"]["web"], "side": side}
    app.serves("web=demo:v1")
    service = app.cluster.admin.get("services", app.namespace, "shop-v1")
    assert [port["port"] for port in service["spec"]["ports"]] == [8080, 9000]
    with app.traffic() as seen:
        app.application["containers"]["side"]["image"] = "side:v2"
        ended = app.deploy("web=demo:v2")
        assert ended.code == 0, ended
    containers = app.deployment(2)["spec"]["template"]["spec"]["containers"]
    assert [container["image"] for container in containers] == ["demo:v2", "side:v2"]
    assert seen.steps(2) == [50, 100]
    backend = app.route["spec"]["rules"][0]["backendRefs"][-1]
    assert (backend["name"], backend["port"]) == ("shop-v2", 8080)
