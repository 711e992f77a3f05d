"""`mesh: true`: how the route names the front Service as a parent, and that it never names one which is not docc's."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from docc.cli.planning import planned
from docc.core.inplace import change
from docc.core.observation import see
from docc.core.plan import Plan
from docc.core.planner import advance
from docc.core.view import Checks, View
from docc.model.errors import ExitCode
from docc.model.manifest import GatewayName
from docc.model.moves import Create
from docc.model.record import Phase, Record
from docc.model.world import Front, Objects, Routed, Seen
from docc.spec.build import read

RECORD = Record(1, Phase.PREPARING, "me", 1e9, 1e9, candidate=1)
REFUSED = {"type": "Accepted", "status": "False", "reason": "NoMatchingParent", "message": 'service: "shop" not found'}


def plan(*ports: dict[str, Any], mesh: bool = True, gateway: GatewayName | None = None) -> Plan:
    web = {"image": "a:1", "ports": list(ports) or [{"port": 8080}]}
    text = json.dumps({"application": {"name": "shop", "mesh": mesh, "containers": {"web": web}}})
    found, _ = planned(read(text.encode(), "m.json"), "web", Seen(Routed("HTTPRoute")), gateway)
    return found


@pytest.mark.parametrize(
    ("ports", "named"),
    [
        ([{"port": 8080}], {}),
        ([{"port": 8080}, {"port": 5432, "app_protocol": "tcp"}], {}),
        ([{"port": 8080}, {"port": 9090}], {"port": 8080}),
    ],
)
def test_of_several_http_ports_the_parent_is_the_one_that_the_route_sends_to(
    ports: list[dict[str, Any]], named: dict[str, int]
) -> None:
    route = plan(*ports).rendered.route
    assert route is not None and route["spec"]["parentRefs"] == [
        {"group": "", "kind": "Service", "name": "shop", **named}
    ]


def test_a_gateway_is_the_first_parent_and_the_service_the_second() -> None:
    route = plan(gateway=GatewayName("public", "infra")).rendered.route
    assert route is not None and [p["kind"] for p in route["spec"]["parentRefs"]] == ["Gateway", "Service"]


def view(wanted: Plan, front: Front, record: Record = RECORD, body: dict[str, Any] | None = None) -> View:
    body = body or {"spec": {"rules": [{"backendRefs": []}]}}
    routed = Routed("HTTPRoute", True, record=record, has_annotations=True, body=body)
    return View("shop", "me", wanted, Seen(routed, {}, front), Checks(), 1e9, held=True)


def test_the_front_service_comes_before_the_route_names_it() -> None:
    move = advance(view(plan(), Front()))
    assert isinstance(move.effect, Create) and str(move.effect.ref) == "Service shop"
    assert move.effect.body["spec"]["selector"]["docc.dev/revision"] == "none"
    after = advance(view(plan(), Front(exists=True)))
    assert isinstance(after.effect, Create) and after.effect.ref.kind == "Deployment"
    without = advance(view(plan(mesh=False, gateway=GatewayName("public", "infra")), Front()))
    assert isinstance(without.effect, Create) and without.effect.ref.kind == "Deployment"


def test_somebody_elses_service_is_refused_in_a_first_deploy_and_in_place() -> None:
    theirs = Front(exists=True, foreign=True)
    first = advance(view(plan(), theirs)).outcome
    assert first is not None and first.exit_code is ExitCode.LOCKED and "docc did not make it" in first.reason
    rest = replace(RECORD, phase=Phase.SUCCEEDED, stable=1, candidate=None)
    live = {"spec": {"parentRefs": [{"name": "public"}], "rules": []}}
    move = change(view(plan(), theirs, rest, live), plan())
    assert move is not None and move.outcome is not None and move.outcome.exit_code is ExitCode.LOCKED


def test_a_refusal_says_which_parent_it_is_whose_controller_speaks() -> None:
    parent = {"parentRef": {"group": "", "kind": "Service", "name": "shop"}, "conditions": [REFUSED]}
    route = {"metadata": {"name": "shop", "generation": 1}, "spec": {}, "status": {"parents": [parent]}}
    told = see("shop", Objects(route)).routed
    assert told.accepted is False and told.refusal == 'Service shop: NoMatchingParent: service: "shop" not found'
    gone = see("shop", Objects({**route, "status": {"parents": [{**parent, "parentRef": {"name": "public"}}]}})).routed
    assert gone.refusal.startswith("Gateway public: NoMatchingParent")
