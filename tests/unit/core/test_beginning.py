"""How a deploy begins where the record, or the route with it, was lost: users are given back to who serves, and not by the new
version's own port."""

from __future__ import annotations

import json
from typing import Any

import pytest

from docc.cli.planning import planned
from docc.core import planner
from docc.core.names import labels, selector
from docc.core.observation import see
from docc.core.view import Checks, View
from docc.model.manifest import GatewayName
from docc.model.moves import Create, Object, Patch
from docc.model.record import Record
from docc.model.world import Objects
from docc.spec.build import read

MANIFEST: Object = {
    "application": {"name": "shop", "containers": {"web": {"image": "shop:2", "ports": [{"port": 8080}]}}},
    "deployment_strategy": {"canary": {"increment": 20, "interval": 30}},
}


def service(name: str, selects: dict[str, str], epoch: str = "1") -> Object:
    """As docc marks it at the beginning here."""
    ports = [{"name": "admin", "port": 9000}, {"name": "http", "port": 80, "appProtocol": "http"}]
    meta = {"name": name, "labels": labels("shop"), "annotations": {"docc.dev/epoch": epoch}}
    return {"metadata": meta, "spec": {"selector": selects, "ports": ports}}


def slice_of(name: str, ready: int) -> Object:
    named = {"kubernetes.io/service-name": name}
    return {"metadata": {"name": name, "labels": named}, "endpoints": [{"conditions": {"ready": True}}] * ready}


def world(route: Object | None, ready: int = 2) -> Objects:
    """v1 is up, behind port 80, and the front Service leads to it."""
    body: Object = {"metadata": {"name": "shop-v1"}, "spec": {"replicas": 2}, "status": {"readyReplicas": ready}}
    return Objects(
        route=route,
        deployments={"shop-v1": body},
        services={
            "shop": service("shop", selector("shop", 1), "0.1"),
            "shop-v1": service("shop-v1", selector("shop", 1)),
        },
        slices={name: slice_of(name, ready) for name in ("shop", "shop-v1")},
    )


def begun(objects: Objects) -> Any:
    seen = see("shop", objects, routed=True)
    plan, _ = planned(read(json.dumps(MANIFEST).encode(), "shop.json"), "web", seen, GatewayName("gw"))
    return planner.advance(View("shop", "me#1", plan, seen, Checks(), 1e9)).effect


def backends(spec: Object) -> list[Any]:
    return [(b["name"], b["port"], b["weight"]) for rule in spec["rules"] for b in rule["backendRefs"]]


def test_a_route_that_is_gone_is_made_again_with_all_traffic_on_who_serves() -> None:
    effect = begun(world(None))
    assert isinstance(effect, Create) and effect.ref.kind == "HTTPRoute"
    assert backends(effect.body["spec"]) == [("shop-v1", 80, 100)] and effect.body["spec"]["parentRefs"]
    record = Record.from_text(effect.body["metadata"]["annotations"]["docc.dev/rollout"])
    assert (record.stable, record.candidate, record.weight) == (1, 2, 0)


@pytest.mark.parametrize("name", ["shop-v1", "shop"])
@pytest.mark.parametrize("notes", [{"docc.dev/epoch": "77"}, {"docc.dev/epoch": "77", "theirs": "x"}])
def test_before_that_what_it_led_to_is_marked_so_that_a_late_delete_of_it_fails(
    name: str, notes: dict[str, str]
) -> None:
    objects = world(None)
    objects.services[name]["metadata"]["annotations"] = notes
    effect = begun(objects)
    assert isinstance(effect, Patch) and (effect.ref.kind, effect.ref.name) == ("Service", name)
    (mark,) = effect.operations
    assert mark["path"] == "/metadata/annotations/docc.dev~1epoch" and mark["value"] in ("1", "0.1")


def test_marks_that_somebody_has_taken_away_keep_no_user_waiting() -> None:
    objects = world(None)
    for body in objects.services.values():
        del body["metadata"]["annotations"]
    front = begun(objects)
    assert front.ref.name == "shop" and front.operations[0]["path"] == "/metadata/annotations"
    objects.services["shop"]["metadata"]["annotations"] = front.operations[0]["value"]
    assert isinstance(begun(objects), Create)


def test_where_nobody_can_answer_it_is_made_without_traffic() -> None:
    effect = begun(world(None, ready=0))
    assert (
        isinstance(effect, Create) and backends(effect.body["spec"]) == [] and "parentRefs" not in effect.body["spec"]
    )


ROUTE: Object = {
    "metadata": {"name": "shop", "labels": labels("shop"), "generation": 3, "annotations": {}},
    "spec": {"rules": [{"backendRefs": []}]},
}
ABOVE: Object = {
    "matches": [{"headers": [{"name": "x-docc-release", "value": "canary"}]}],
    "backendRefs": [{"kind": "Service", "name": "shop-v2", "port": 8080, "weight": 1000}],
}
STABLE: Object = {"backendRefs": [{"name": "shop-v1", "port": 80, "weight": 1}]}
ON_TRIAL = world({**ROUTE, "spec": {"rules": [ABOVE, STABLE]}})


@pytest.mark.parametrize("objects", [world(ROUTE), ON_TRIAL], ids=["backends gone", "on trial"])
def test_the_first_write_is_the_record_and_the_rules_as_they_serve(objects: Objects) -> None:
    effect = begun(objects)
    assert isinstance(effect, Patch)
    (rules,) = (one["value"] for one in effect.operations if one["path"] == "/spec/rules")
    assert backends({"rules": rules}) == [("shop-v1", 80, 100)]
