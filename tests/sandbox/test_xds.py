"""What Envoy is told: a pure function of the objects."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.sandbox import xds
from docc.sandbox.store import Store
from tests.sandbox.local_world import empty_store, gateway

Object = dict[str, Any]
HERE = ("default", "sandbox", 80)


def add_service(store: Store, name: str, *ready: bool, namespace: str = "default") -> None:
    """With one endpoint for each of `ready`."""
    body = {"metadata": {"name": name, "namespace": namespace}, "spec": {"ports": [{"port": 80, "targetPort": 8080}]}}
    store.create("Service", body)
    labels = {"kubernetes.io/service-name": name}
    endpoints = [{"addresses": [f"127.9.9.{at}"], "conditions": {"ready": flag}} for at, flag in enumerate(ready, 1)]
    meta = {"name": f"{name}-x", "namespace": namespace, "labels": labels}
    ports = [{"name": "", "port": 8080}]
    store.create("EndpointSlice", {"metadata": meta, "addressType": "IPv4", "endpoints": endpoints, "ports": ports})


def add_route(store: Store, name: str, *rules: Object, namespace: str = "default", **spec: Any) -> None:
    spec = {"parentRefs": [{"name": "sandbox", "namespace": "default"}], "rules": list(rules), **spec}
    store.create("HTTPRoute", {"metadata": {"name": name, "namespace": namespace}, "spec": spec})


def rule(backend: str, *matches: Object, **fields: Any) -> Object:
    found = {"backendRefs": [{"name": backend, "port": 80}], **fields}
    return {**found, "matches": list(matches)} if matches else found


def hosts(store: Store, listener: xds.Listener = HERE) -> dict[str, list[Object]]:
    """Host -> its routes, in Envoy's order."""
    config = xds.routes(store)[xds.routes_file(listener)]
    return {host["domains"][0]: host["routes"] for host in config["virtual_hosts"]}


def backends(entries: list[Object]) -> list[str]:
    """Each route's first Service."""
    return [e["route"]["weighted_clusters"]["clusters"][0]["name"].split("/")[1].split(":")[0] for e in entries]


def path(kind: str, value: str) -> Object:
    return {"path": {"type": kind, "value": value}}


ORDERED: list[Object] = [
    path("Exact", "/a/b"),
    path("Exact", "/a"),
    path("PathPrefix", "/a/b/c"),
    path("PathPrefix", "/a"),
    {"method": "POST"},
    {"headers": [{"name": "x", "value": "1"}, {"name": "y", "value": "1"}], "queryParams": []},
    {
        "headers": [{"name": "x", "value": "1"}],
        "queryParams": [{"name": "q", "value": "1"}, {"name": "r", "value": "1"}],
    },
    {"headers": [{"name": "x", "value": "1"}], "queryParams": [{"name": "q", "value": "1"}]},
    {"headers": [{"name": "x", "value": "1"}]},
    {"queryParams": [{"name": "q", "value": "1"}]},
    path("PathPrefix", "/"),
    path("RegularExpression", "/.*"),
]
"""Each more specific than the next, as Gateway API v1 orders them; regular expressions last, as istiod does."""


@given(st.permutations(range(len(ORDERED))))
def test_the_most_specific_match_comes_first_in_whatever_order_it_is_written(order: list[int]) -> None:
    store = empty_store()
    for at in range(len(ORDERED)):
        add_service(store, f"s{at}", True)
    add_route(store, "one", *(rule(f"s{at}", ORDERED[at]) for at in order[:6]))
    add_route(store, "two", *(rule(f"s{at}", ORDERED[at]) for at in order[6:]))
    assert backends(hosts(store)["*"]) == [f"s{at}" for at in range(len(ORDERED))]


def test_between_equals_the_older_route_wins_then_the_name_then_the_order() -> None:
    moments = iter(range(0, 1000, 10))
    store = Store(lambda: float(next(moments)))
    for namespace in ("default", "other"):
        store.create("Namespace", {"metadata": {"name": namespace}})
    store.create("Gateway", gateway())
    for name in ("old", "young", "second"):
        add_service(store, name, True)
    add_route(store, "z-old", rule("old"), rule("second"))
    add_route(store, "a-young", rule("young"))
    assert backends(hosts(store)["*"]) == ["old", "second", "young"]


def test_weights_are_passed_on_and_zero_keeps_its_cluster_but_gets_nothing() -> None:
    store = empty_store()
    for name in ("v1", "v2", "v3"):
        add_service(store, name, True)
    refs = [{"name": n, "port": 80, "weight": w} for n, w in (("v1", 95), ("v2", 5), ("v3", 0))]
    add_route(store, "shop", {"backendRefs": refs})
    (entry,) = hosts(store)["*"]
    weighted = entry["route"]["weighted_clusters"]["clusters"]
    assert [(c["name"], c["weight"]) for c in weighted] == [("default/v1:80", 95), ("default/v2:80", 5)]
    assert "default/v3:80" in [cluster["name"] for cluster in xds.clusters(store, "/x")]
    assert "retry_policy" not in entry["route"]


@pytest.mark.parametrize(
    "backend",
    [
        {"name": "nobody", "port": 80},
        {"name": "v1", "port": 81},
        {"name": "v1", "port": 80, "namespace": "other"},
        {"name": "v1", "port": 80, "kind": "Bucket", "group": "cloud.example.com"},
    ],
    ids=["no Service", "no such port", "another namespace", "another kind"],
)
def test_a_backend_that_cannot_be_referred_to_keeps_its_share_and_has_no_cluster(backend: Object) -> None:
    store = empty_store()
    store.create("Namespace", {"metadata": {"name": "other"}})
    add_service(store, "v1", True)
    add_service(store, "v1", True, namespace="other")
    add_route(store, "shop", {"backendRefs": [{"name": "v1", "port": 80, "weight": 3}, {**backend, "weight": 1}]})
    action = hosts(store)["*"][0]["route"]
    assert [c["weight"] for c in action["weighted_clusters"]["clusters"]] == [3, 1]
    known = {cluster["name"] for cluster in xds.clusters(store, "/x")}
    assert [c["name"] in known for c in action["weighted_clusters"]["clusters"]] == [True, False]
    assert action["cluster_not_found_response_code"] == "INTERNAL_SERVER_ERROR"


@pytest.mark.parametrize("refs", [[], [{"name": "v1", "port": 80, "weight": 0}]], ids=["none", "all at 0"])
def test_a_rule_without_any_weight_answers_500(refs: list[Object]) -> None:
    store = empty_store()
    add_service(store, "v1", True)
    add_route(store, "shop", {"backendRefs": refs})
    assert hosts(store)["*"][0]["direct_response"] == {"status": 500}


def test_only_ready_endpoints_get_traffic() -> None:
    store = empty_store()
    add_service(store, "v1", True, False, True)
    add_service(store, "v2", False)
    told = {a["cluster_name"]: a["endpoints"] for a in xds.assignments(store).values()}
    sockets = [e["endpoint"]["address"]["socket_address"] for e in told["default/v1:80"][0]["lb_endpoints"]]
    assert sockets == [{"address": "127.9.9.1", "port_value": 8080}, {"address": "127.9.9.3", "port_value": 8080}]
    assert told["default/v2:80"] == []


def test_a_route_serves_only_where_its_parents_accept_it() -> None:
    store = Store(lambda: 0.0)
    for name in ("default", "other"):
        store.create("Namespace", {"metadata": {"name": name}})
    store.create("Gateway", gateway(allowedRoutes={"namespaces": {"from": "Same"}}))
    store.create("Gateway", gateway("second", port=8081))
    add_service(store, "v1", True)
    add_service(store, "v1", True, namespace="other")
    add_route(store, "foreign", rule("v1"), namespace="other")
    assert hosts(store) == {}
    parents = [
        {"name": "second"},
        {"name": "sandbox", "kind": "Service", "group": ""},
        {"name": "sandbox", "sectionName": "tls"},
    ]
    add_route(store, "half", rule("v1"), parentRefs=parents)
    assert hosts(store) == {} and list(hosts(store, ("default", "second", 8081))) == ["*"]


def test_each_port_of_a_gateway_has_its_own_routes_and_hosts_are_intersected() -> None:
    store = Store(lambda: 0.0)
    store.create("Namespace", {"metadata": {"name": "default"}})
    body = gateway(hostname="*.example.com")
    body["spec"]["listeners"].append({"name": "admin", "port": 8081, "protocol": "HTTP"})
    store.create("Gateway", body)
    add_service(store, "v1", True)
    add_service(store, "v2", True)
    add_route(store, "shop", rule("v1"), hostnames=["shop.example.com", "elsewhere.org"])
    add_route(store, "admin", rule("v2"), parentRefs=[{"name": "sandbox", "sectionName": "admin"}])
    assert {host: backends(entries) for host, entries in hosts(store).items()} == {"shop.example.com": ["v1"]}
    admin = hosts(store, ("default", "sandbox", 8081))
    assert {host: backends(entries) for host, entries in admin.items()} == {
        "*": ["v2"], "elsewhere.org": ["v1"], "shop.example.com": ["v1"],
    }  # fmt: skip
    told = xds.listeners(store, {HERE: 20080, ("default", "sandbox", 8081): 28081}, "/x", "/log")
    assert [x["address"]["socket_address"]["port_value"] for x in told] == [20080, 28081]
    assert xds.wanted(store) == [HERE, ("default", "sandbox", 8081)]


def test_matches_and_filters_say_what_the_route_says() -> None:
    store = empty_store()
    add_service(store, "v1", True)
    match = {
        "path": {"type": "PathPrefix", "value": "/api/"},
        "method": "POST",
        "headers": [{"name": "Cookie", "type": "RegularExpression", "value": "(^|.*; *)b=1(;.*|$)"}],
        "queryParams": [{"name": "q", "value": "1"}],
    }
    cookie = {
        "type": "ResponseHeaderModifier",
        "responseHeaderModifier": {"add": [{"name": "Set-Cookie", "value": "a=100%"}]},
    }
    edit = {"set": [{"name": "x-a", "value": "1"}], "remove": ["x-b"]}
    asked = {"type": "RequestHeaderModifier", "requestHeaderModifier": edit}
    refs = [{"name": "v1", "port": 80, "filters": [cookie]}]
    add_route(store, "shop", {"matches": [match], "filters": [asked], "backendRefs": refs})
    (entry,) = hosts(store)["*"]
    assert entry["match"] == {
        "path_separated_prefix": "/api",
        "headers": [
            {"name": "Cookie", "string_match": {"safe_regex": {"regex": "(^|.*; *)b=1(;.*|$)"}}},
            {"name": ":method", "string_match": {"exact": "POST"}},
        ],
        "query_parameters": [{"name": "q", "string_match": {"exact": "1"}}],
    }
    assert entry["request_headers_to_add"] == [
        {"header": {"key": "x-a", "value": "1"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    ]
    assert entry["request_headers_to_remove"] == ["x-b"]
    (cluster,) = entry["route"]["weighted_clusters"]["clusters"]
    assert cluster["response_headers_to_add"] == [
        {"header": {"key": "Set-Cookie", "value": "a=100%%"}, "append_action": "APPEND_IF_EXISTS_OR_ADD"}
    ]


@pytest.mark.parametrize(
    ("timeouts", "seconds"),
    [
        ({}, "0.000s"),
        ({"request": "500ms"}, "0.500s"),
        ({"request": "1h2m3s4ms"}, "3723.004s"),
        ({"request": "10s", "backendRequest": "2s"}, "2.000s"),
        ({"request": "0s", "backendRequest": "2s"}, "2.000s"),
    ],
)
def test_timeouts_are_the_shorter_one_in_seconds(timeouts: Object, seconds: str) -> None:
    store = empty_store()
    add_service(store, "v1", True)
    add_route(store, "shop", rule("v1", timeouts=timeouts))
    assert hosts(store)["*"][0]["route"]["timeout"] == seconds
