"""HTTPRoutes and what a Gateway API implementation says of them: each condition with its reason, and of which generation.

Messages are each implementation's own. Conditions beyond Accepted and ResolvedRefs are not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.contract.api import Ask, Object
from tests.contract.objects import gateway, route, service
from tests.contract.talk import ABSENT, Talk, picked

PARENT = {"name": "public"}
_NO_MESH = "the sandbox has no mesh: nobody there speaks for a parent of kind Service"
_MIRROR: Object = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "shop", "port": 80}}}
_BEYOND: Object = {"type": "ExtensionRef", "extensionRef": {"group": "x.example", "kind": "Thing", "name": "x"}}
DIFFERS: Mapping[str, str] = {
    "a_filter_that_is_not_supported_is_taken_and_found_invalid": (
        "A route's filters are header modifiers: it refuses any other where it is written"
    ),
    "a_service_as_a_parent_is_the_meshs_to_judge": _NO_MESH,
    "a_service_that_is_not_there_as_a_parent": _NO_MESH,
}
Verdict = list[Any]


def _world(talk: Talk, **listener: Any) -> None:
    """A Gateway and the Service `shop`, and both are known to whoever writes the conditions."""
    talk.make("gateways", gateway("public", **listener))
    talk.make("services", service("shop"))
    talk.until(talk.at("gateways", "public"), lambda found: _observed(found, "Accepted"))


def _observed(found: Object, kind: str) -> bool:
    conditions = picked(found, "status/conditions")
    return conditions != ABSENT and any((c["type"], c["status"]) == (kind, "True") for c in conditions)


def _said(found: Object) -> list[Object]:
    """Of each parent that somebody speaks for: the two conditions, where they are about the present generation."""
    generation, told = found["metadata"]["generation"], []
    for parent in picked(found, "status/parents") if picked(found, "status/parents") != ABSENT else []:
        conditions = {
            c["type"]: [c["status"], c["reason"]] for c in parent["conditions"] if c["observedGeneration"] == generation
        }
        verdicts = {kind: conditions.get(kind, ABSENT) for kind in ("Accepted", "ResolvedRefs")}
        told.append({"parent": parent["parentRef"].get("name", ABSENT), **verdicts})
    return sorted(told, key=lambda parent: str(parent["parent"]))


def _settled(talk: Talk, name: str = "shop") -> list[Object]:
    """When nobody has written it for a while."""
    return _said(talk.quiet(talk.at("httproutes", name)))


def _judged(talk: Talk, step: str, body: Object) -> None:
    where = talk.at("httproutes", body["metadata"]["name"])
    talk.make("httproutes", body)
    talk.until(where, _said)
    talk.note(step, _settled(talk, body["metadata"]["name"]))


def a_route_is_accepted_and_its_refs_resolved(talk: Talk) -> None:
    _world(talk)
    _judged(talk, "one backend", route("shop", [PARENT]))
    for name in ("a", "b"):
        talk.make("services", service(name))
    backends = [{"name": "a", "port": 80, "weight": 90}, {"name": "b", "port": 80, "weight": 10}]
    _judged(talk, "two with weights", route("two", [PARENT], backends))
    body = talk.send(Ask("GET", talk.at("httproutes", "two"))).body
    talk.show("the parent", body, "status/parents/0/parentRef/name", "status/parents/0/parentRef/kind")
    controller = picked(body, "status/parents/0/controllerName")
    talk.note("who says so", isinstance(controller, str) and "/" in controller)


def defaults_of_a_route_are_filled_in(talk: Talk) -> None:
    talk.ask("route", Ask("POST", talk.at("httproutes"), route("shop", [PARENT])), ("spec",))


def a_section_or_port_that_the_gateway_lacks_is_no_matching_parent(talk: Talk) -> None:
    _world(talk)
    _judged(talk, "section", route("one", [{**PARENT, "sectionName": "other"}]))
    _judged(talk, "port", route("two", [{**PARENT, "port": 81}]))
    _judged(talk, "its own", route("three", [{**PARENT, "sectionName": "http"}]))


def of_a_gateway_that_is_not_there_nobody_speaks(talk: Talk) -> None:
    _world(talk)
    talk.make("httproutes", route("shop", [{"name": "none"}]))
    talk.note("nothing", _settled(talk))
    talk.make("gateways", gateway("none"))
    talk.until(talk.at("httproutes", "shop"), _said)
    talk.note("when it is there", _settled(talk))


def a_gateway_of_another_namespace_may_not_allow_the_route(talk: Talk) -> None:
    talk.make("gateways", gateway("public"))
    where = f"/api/v1/namespaces/{talk.namespace}-2"
    talk.send(Ask("POST", "/api/v1/namespaces", {"metadata": {"name": f"{talk.namespace}-2"}}))
    for name, allowed in (
        ("same", {"from": "Same"}), ("all", {"from": "All"}),
        ("chosen", {"from": "Selector", "selector": {"matchLabels": {"team": "a"}}}),
    ):  # fmt: skip
        # For hosts that nobody else uses: on a cluster that is used, no other route's owner takes it for an open Gateway.
        talk.make("gateways", gateway(name, hostname="*.contract.example", allowedRoutes={"namespaces": allowed}))
    routes = talk.at("httproutes").replace(talk.namespace, f"{talk.namespace}-2")
    services = talk.at("services").replace(talk.namespace, f"{talk.namespace}-2")
    talk.send(Ask("POST", services, service("shop")))
    for name in ("same", "all", "chosen"):
        talk.send(Ask("POST", routes, route(name, [{"name": name, "namespace": talk.namespace}])))
        talk.until(f"{routes}/{name}", _said)
        talk.note(name, _said(talk.quiet(f"{routes}/{name}")))
    talk.change(where, {"metadata": {"labels": {"team": "a"}}})
    talk.until(f"{routes}/chosen", lambda found: _said(found)[0]["Accepted"][0] == "True")
    talk.note("chosen", _said(talk.quiet(f"{routes}/chosen")))
    talk.send(Ask("DELETE", where))


def a_listener_for_another_kind_does_not_allow_the_route(talk: Talk) -> None:
    _world(talk, allowedRoutes={"kinds": [{"group": "gateway.networking.k8s.io", "kind": "GRPCRoute"}]})
    _judged(talk, "route", route("shop", [PARENT]))


def a_route_for_another_host_matches_no_listener(talk: Talk) -> None:
    _world(talk, hostname="*.shop.example")
    for name, hosts in (
        ("inside", ["www.shop.example"]), ("outside", ["www.other.example"]), ("the-domain-itself", ["shop.example"]),
        ("one-of-two", ["www.other.example", "www.shop.example"]), ("any", []),
    ):  # fmt: skip
        _judged(talk, name, route(name, [PARENT], hostnames=hosts))


def a_backend_that_is_not_there_is_found_later(talk: Talk) -> None:
    _world(talk)
    _judged(talk, "not there", route("shop", [PARENT], [{"name": "late", "port": 80}]))
    talk.make("services", service("late"))
    talk.until(talk.at("httproutes", "shop"), lambda found: _said(found)[0]["ResolvedRefs"][0] == "True")
    talk.note("then", _settled(talk))
    talk.send(Ask("DELETE", talk.at("services", "late")))
    talk.until(talk.at("httproutes", "shop"), lambda found: _said(found)[0]["ResolvedRefs"][0] == "False")
    talk.note("gone again", _settled(talk))


def one_missing_backend_of_two_is_enough_if_it_has_weight(talk: Talk) -> None:
    _world(talk)
    for name, weight in (("with-weight", 1), ("without", 0)):
        refs = [{"name": "shop", "port": 80, "weight": 100}, {"name": "none", "port": 80, "weight": weight}]
        _judged(talk, name, route(name, [PARENT], refs))
    of_kind = {"kind": "ConfigMap", "name": "shop", "port": 80, "weight": 0}
    _judged(talk, "another kind without weight", route("kind", [PARENT], [{"name": "shop", "port": 80}, of_kind]))


def a_backend_that_is_no_service_is_an_invalid_kind(talk: Talk) -> None:
    _world(talk)
    _judged(talk, "a ConfigMap", route("shop", [PARENT], [{"kind": "ConfigMap", "name": "shop", "port": 80}]))
    _judged(talk, "an unknown group", route("two", [PARENT], [{"group": "x.example", "kind": "Thing", "name": "x"}]))


def a_backend_of_another_namespace_is_not_permitted(talk: Talk) -> None:
    _world(talk)
    _judged(talk, "default's", route("shop", [PARENT], [{"name": "kubernetes", "namespace": "default", "port": 443}]))


def a_filter_that_is_not_supported_is_taken_and_found_invalid(talk: Talk) -> None:
    """Envoy then answers 404 to everybody. On a backend without weight nobody looks at it until it gets some."""
    _world(talk)
    backend = {"name": "shop", "port": 80}
    mirrored, other = {**backend, "filters": [_MIRROR]}, {**backend, "weight": 1}
    for name, rule in (
        ("on-a-backend", {"backendRefs": [mirrored]}),
        ("without-weight", {"backendRefs": [other, {**mirrored, "weight": 0}]}),
        ("of-a-rule", {"filters": [_MIRROR], "backendRefs": [backend]}),
        ("an-unknown-one", {"filters": [_BEYOND], "backendRefs": [backend]}),
    ):
        answer = talk.send(Ask("POST", talk.at("httproutes"), route(name, [PARENT], rules=[rule])))
        if answer.code == 201:
            talk.until(talk.at("httproutes", name), _said)
        talk.note(name, [answer.code, _settled(talk, name) if answer.code == 201 else []])


def a_port_that_the_service_lacks_is_not_noticed(talk: Talk) -> None:
    _world(talk)
    _judged(talk, "port", route("shop", [PARENT], [{"name": "shop", "port": 81}]))


def a_route_without_backends_is_resolved(talk: Talk) -> None:
    _world(talk)
    _judged(talk, "no backends", route("shop", [PARENT], []))


def a_route_without_parents_is_judged_when_it_gets_some(talk: Talk) -> None:
    _world(talk)
    talk.make("httproutes", route("shop"))
    talk.note("none", _settled(talk))
    where = talk.at("httproutes", "shop")
    patch = [
        {"op": "test", "path": "/metadata/generation", "value": 1},
        {"op": "add", "path": "/spec/parentRefs", "value": [PARENT]},
    ]
    talk.change(where, patch)
    talk.until(where, _said)
    talk.note("one", _settled(talk))
    talk.change(where, {"spec": {"parentRefs": None}})
    talk.until(where, lambda found: not _said(found))
    talk.note("none again", _settled(talk))


def each_change_is_judged_anew(talk: Talk) -> None:
    _world(talk)
    _judged(talk, "first", route("shop", [PARENT]))
    where = talk.at("httproutes", "shop")
    talk.change(where, {"spec": {"hostnames": ["a.example"]}})
    talk.until(where, lambda found: _said(found) and _said(found)[0]["Accepted"] != ABSENT)
    talk.show("then", talk.quiet(where), "metadata/generation", "status/parents/0/conditions/0/observedGeneration")
    talk.change(where, {"metadata": {"annotations": {"docc.dev/rollout": "x"}}})
    talk.show("a record", talk.quiet(where), "metadata/generation", "status/parents/0/conditions/0/observedGeneration")


def a_route_with_two_parents_gets_two_verdicts(talk: Talk) -> None:
    _world(talk)
    talk.make("gateways", gateway("other", hostname="other.example"))
    talk.make("httproutes", route("shop", [PARENT, {"name": "other"}], hostnames=["shop.example"]))
    talk.until(talk.at("httproutes", "shop"), lambda found: len(_said(found)) == 2)
    talk.note("both", _settled(talk))


def a_gateway_counts_the_routes_of_each_listener(talk: Talk) -> None:
    _world(talk)
    talk.make("httproutes", route("shop", [PARENT]))
    listeners = "status/listeners/0"
    where = talk.at("gateways", "public")
    found = talk.until(where, lambda found: picked(found, f"{listeners}/attachedRoutes") == 1)
    talk.show("one", found, f"{listeners}/name", f"{listeners}/attachedRoutes")
    talk.send(Ask("DELETE", talk.at("httproutes", "shop")))
    talk.until(where, lambda found: picked(found, f"{listeners}/attachedRoutes") == 0)


def a_service_as_a_parent_is_the_meshs_to_judge(talk: Talk) -> None:
    _world(talk)
    mesh = {"group": "", "kind": "Service", "name": "shop"}
    talk.make("httproutes", route("shop", [PARENT, mesh]))
    talk.until(talk.at("httproutes", "shop"), _said)
    talk.note("both", _settled(talk))


def a_service_that_is_not_there_as_a_parent(talk: Talk) -> None:
    _world(talk)
    talk.make("httproutes", route("shop", [PARENT, {"group": "", "kind": "Service", "name": "none"}]))
    talk.until(talk.at("httproutes", "shop"), _said)
    talk.note("both", _settled(talk))
