"""What Gateways say of routes: every reason of Accepted and ResolvedRefs that the sandbox gives, as Gateway API v1 has them."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.sandbox.kinds import GATEWAY_GROUP
from docc.sandbox.refusals import StoreError
from docc.sandbox.route_status import hosts_of, reconcile_gateways, reconcile_routes
from docc.sandbox.store import Store
from tests.sandbox.local_world import empty_store, gateway

Object = dict[str, Any]
HTTP = "HTTPRoute"


def add_route(store: Store, *parents: Object, namespace: str = "default", **spec: Any) -> None:
    backend = {"name": "shop", "port": 80}
    spec = {"parentRefs": list(parents), "rules": [{"backendRefs": [backend]}], **spec}
    store.create(HTTP, {"metadata": {"name": "shop", "namespace": namespace}, "spec": spec})


def add_service(store: Store, name: str = "shop", namespace: str = "default") -> None:
    store.create("Service", {"metadata": {"name": name, "namespace": namespace}, "spec": {"ports": [{"port": 80}]}})


def told(store: Store, kind: str, namespace: str = "default") -> list[tuple[str, str]]:
    """(status, reason) of that condition, one for each parent."""
    reconcile_routes(store)
    parents = store.get(HTTP, namespace, "shop")["status"]["parents"]
    return [(c["status"], c["reason"]) for parent in parents for c in parent["conditions"] if c["type"] == kind]


def with_gateway(namespace_labels: dict[str, str] | None = None, **listener: Any) -> Store:
    """A Gateway `own` in the namespace `infra`, and the namespace `team`."""
    store = Store(time.time)
    for name, labels in (("infra", {}), ("team", namespace_labels or {})):
        store.create("Namespace", {"metadata": {"name": name, "labels": labels}})
    body = gateway("own", **listener)
    body["metadata"]["namespace"] = "infra"
    store.create("Gateway", body)
    return store


def admits(namespace: str, labels: dict[str, str] | None = None, **listener: Any) -> tuple[str, str]:
    """What `own` says of a route in the namespace."""
    store = with_gateway(labels, **listener)
    add_route(store, {"name": "own", "namespace": "infra"}, namespace=namespace)
    (only,) = told(store, "Accepted", namespace)
    return only


ACCEPTED = ("True", "Accepted")
NOT_ALLOWED = ("False", "NotAllowedByListeners")


@pytest.mark.parametrize(
    ("parent", "said"),
    [
        ({"name": "sandbox"}, [ACCEPTED]), ({"name": "sandbox", "sectionName": "http"}, [ACCEPTED]),
        ({"name": "sandbox", "port": 80}, [ACCEPTED]), ({"name": "sandbox", "namespace": "default"}, [ACCEPTED]),
        ({"name": "sandbox", "sectionName": "https"}, [("False", "NoMatchingParent")]),
        ({"name": "sandbox", "port": 81}, [("False", "NoMatchingParent")]),
        ({"name": "sandbox", "sectionName": "http", "port": 81}, [("False", "NoMatchingParent")]),
        ({"name": "none"}, []), ({"name": "sandbox", "namespace": "other"}, []),
        ({"name": "sandbox", "kind": "Service", "group": ""}, []), ({"name": "sandbox", "group": "example.com"}, []),
    ],
)  # fmt: skip
def test_a_parent_accepts_by_listener_and_nobody_speaks_for_one_that_is_no_gateway_here(
    parent: Object, said: list[tuple[str, str]]
) -> None:
    store = empty_store()
    add_route(store, parent)
    assert told(store, "Accepted") == said
    reconcile_gateways(store)
    (listener,) = store.get("Gateway", "default", "sandbox")["status"]["listeners"]
    assert listener["attachedRoutes"] == said.count(ACCEPTED)


def test_each_parent_speaks_for_itself_of_the_generation_it_has_seen() -> None:
    store = empty_store()
    store.create("Gateway", gateway("second", hostname="a.test"))
    refs: list[Object] = [{"name": "sandbox"}, {"name": "second"}, {"name": "none"}, {"name": "sandbox", "port": 81}]
    add_route(store, *refs, hostnames=["b.test"])
    assert told(store, "Accepted") == [ACCEPTED, ("False", "NoMatchingListenerHostname"), ("False", "NoMatchingParent")]
    assert told(store, "ResolvedRefs") == [("False", "BackendNotFound")] * 3
    for generation in (1, 2):
        reconcile_routes(store)
        route = store.get(HTTP, "default", "shop")
        assert route["metadata"]["generation"] == generation
        parents = route["status"]["parents"]
        assert [parent["parentRef"]["name"] for parent in parents] == ["sandbox", "second", "sandbox"]
        assert {parent["controllerName"] for parent in parents} == {"docc.dev/sandbox"}
        assert {c["observedGeneration"] for parent in parents for c in parent["conditions"]} == {generation}
        store.patch(HTTP, "default", "shop", {"spec": {"hostnames": ["a.test"]}}, form="merge")
    assert told(store, "Accepted")[:2] == [ACCEPTED, ACCEPTED]


def test_a_status_that_is_as_it_was_is_not_written_again() -> None:
    store = empty_store()
    add_route(store, {"name": "sandbox"})
    reconcile_routes(store)
    reconcile_gateways(store)
    version = store.version
    reconcile_routes(store)
    reconcile_gateways(store)
    assert store.version == version


@pytest.mark.parametrize(
    ("namespaces", "here", "there"),
    [
        (None, ACCEPTED, NOT_ALLOWED), ({"from": "Same"}, ACCEPTED, NOT_ALLOWED), ({"from": "All"}, ACCEPTED, ACCEPTED),
        ({"from": "Selector", "selector": {"matchLabels": {"a": "1"}}}, NOT_ALLOWED, ACCEPTED),
        ({"from": "Selector", "selector": {"matchLabels": {"a": "2"}}}, NOT_ALLOWED, NOT_ALLOWED),
        ({"from": "Selector", "selector": {}}, ACCEPTED, ACCEPTED),
        ({"from": "Selector"}, NOT_ALLOWED, NOT_ALLOWED),
        ({"selector": {"matchLabels": {"a": "1"}}}, ACCEPTED, NOT_ALLOWED),
    ],
)  # fmt: skip
def test_a_listener_allows_namespaces(namespaces: Object | None, here: tuple[str, str], there: tuple[str, str]) -> None:
    allowed = {} if namespaces is None else {"namespaces": namespaces}
    assert admits("infra", {"a": "1"}, allowedRoutes=allowed) == here
    assert admits("team", {"a": "1"}, allowedRoutes=allowed) == there


@pytest.mark.parametrize(
    ("operator", "values", "labels", "selected"),
    [
        ("In", ["1", "2"], {"a": "2"}, True), ("In", ["1"], {"a": "2"}, False), ("In", ["1"], {}, False),
        ("NotIn", ["1"], {"a": "2"}, True), ("NotIn", ["1"], {"a": "1"}, False), ("NotIn", ["1"], {}, True),
        ("Exists", None, {"a": ""}, True), ("Exists", None, {"b": ""}, False),
        ("DoesNotExist", None, {"b": ""}, True), ("DoesNotExist", None, {"a": ""}, False),
    ],
)  # fmt: skip
def test_a_listeners_selector_has_expressions(
    operator: str, values: list[str] | None, labels: dict[str, str], selected: bool
) -> None:
    expression = {"key": "a", "operator": operator, **({"values": values} if values else {})}
    allowed = {"namespaces": {"from": "Selector", "selector": {"matchExpressions": [expression]}}}
    assert admits("team", labels, allowedRoutes=allowed) == (ACCEPTED if selected else NOT_ALLOWED)


@pytest.mark.parametrize(
    ("kinds", "takes", "resolved"),
    [
        ([], True, True), ([{"kind": HTTP}], True, True), ([{"kind": HTTP, "group": GATEWAY_GROUP}], True, True),
        ([{"kind": HTTP, "group": ""}], False, False), ([{"kind": HTTP, "group": "example.com"}], False, False),
        ([{"kind": "GRPCRoute"}], False, False), ([{"kind": "GRPCRoute"}, {"kind": HTTP}], True, False),
    ],
)  # fmt: skip
def test_a_listener_takes_httproutes_of_gateway_apis_own_group(
    kinds: list[Object], takes: bool, resolved: bool
) -> None:
    allowed = {"namespaces": {"from": "All"}, "kinds": kinds}
    assert admits("team", allowedRoutes=allowed) == (ACCEPTED if takes else NOT_ALLOWED)
    store = with_gateway(allowedRoutes=allowed)
    reconcile_gateways(store)
    (listener,) = store.get("Gateway", "infra", "own")["status"]["listeners"]
    assert listener["supportedKinds"] == ([{"group": GATEWAY_GROUP, "kind": HTTP}] if takes else [])
    said = {c["type"]: (c["status"], c["reason"]) for c in listener["conditions"]}
    assert said["ResolvedRefs"] == (("True", "ResolvedRefs") if resolved else ("False", "InvalidRouteKinds"))


def test_one_listener_that_takes_the_route_is_enough() -> None:
    store = empty_store()
    both = gateway("both", hostname="a.test")
    both["spec"]["listeners"].append({**both["spec"]["listeners"][0], "name": "other", "hostname": "b.test"})
    store.create("Gateway", both)
    add_route(store, {"name": "both"}, hostnames=["b.test"])
    assert told(store, "Accepted") == [ACCEPTED]
    reconcile_gateways(store)
    listeners = store.get("Gateway", "default", "both")["status"]["listeners"]
    assert [(listener["name"], listener["attachedRoutes"]) for listener in listeners] == [("http", 0), ("other", 1)]


@pytest.mark.parametrize(
    ("listener", "hosts", "served"),
    [
        ("", [], "*"), ("", ["a.test"], "a.test"), ("a.test", [], "a.test"), ("a.test", ["a.test", "b.test"], "a.test"),
        ("a.test", ["b.test"], ""), ("*.test", ["a.test", "a.b.test"], "a.test a.b.test"), ("*.test", ["test"], ""),
        ("a.b.test", ["*.test"], "a.b.test"), ("test", ["*.test"], ""), ("*.test", ["*.b.test"], "*.b.test"),
        ("*.b.test", ["*.test"], "*.b.test"), ("*.a.test", ["*.b.test"], ""), ("*.b.test", ["*.ab.test"], ""),
        ("*.test", ["a.contest"], ""), ("*.test", ["*.test"], "*.test"), ("*.a.test", ["a.test"], ""),
    ],
)  # fmt: skip
def test_a_route_is_served_under_the_hostnames_that_it_and_the_listener_have_in_common(
    listener: str, hosts: list[str], served: str
) -> None:
    store = empty_store()
    store.create("Gateway", gateway("own", **({"hostname": listener} if listener else {})))
    add_route(store, {"name": "own"}, hostnames=hosts)
    own, route = store.get("Gateway", "default", "own")["spec"]["listeners"][0], store.get(HTTP, "default", "shop")
    assert " ".join(hosts_of(own, route)) == served
    assert told(store, "Accepted") == [ACCEPTED if served else ("False", "NoMatchingListenerHostname")]


_NAMES = [".".join(labels) for depth in (1, 2, 3) for labels in itertools.product("ab", repeat=depth)]
_UNIVERSE = [".".join(labels) for depth in (1, 2, 3, 4) for labels in itertools.product("ab", repeat=depth)]
_HOSTS = st.sampled_from([*_NAMES, *(f"*.{name}" for name in _NAMES)])


def means(host: str) -> set[str]:
    """The names, up to four labels, that a hostname stands for; a leading "*." is one label or more."""
    return {name for name in _UNIVERSE if name == host or (host.startswith("*.") and name.endswith(host[1:]))}


@given(_HOSTS, st.lists(_HOSTS, min_size=1, max_size=3))
def test_hostnames_in_common_are_exactly_the_intersection(listener: str, hosts: list[str]) -> None:
    met = hosts_of({"hostname": listener}, {"spec": {"hostnames": hosts}})
    assert set().union(*map(means, met)) == means(listener) & set().union(*map(means, hosts))


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ({}, ("True", "ResolvedRefs")), ({"weight": 0}, ("True", "ResolvedRefs")),
        ({"namespace": "default"}, ("True", "ResolvedRefs")),
        ({"name": "none"}, ("False", "BackendNotFound")), ({"port": 81}, ("True", "ResolvedRefs")),
        ({"name": "none", "weight": 0}, ("True", "ResolvedRefs")),
        ({"kind": "Bucket", "group": "example.com"}, ("False", "InvalidKind")), ({"kind": "Pod"}, ("False", "InvalidKind")),
        ({"namespace": "other"}, ("False", "RefNotPermitted")),
        ({"namespace": "other", "name": "none"}, ("False", "RefNotPermitted")),
    ],
)  # fmt: skip
def test_a_backend_is_resolved_or_told_why_not(backend: Object, said: tuple[str, str]) -> None:
    store = empty_store()
    store.create("Namespace", {"metadata": {"name": "other"}})
    add_service(store)
    add_service(store, namespace="other")
    good = {"name": "shop", "port": 80}
    add_route(store, {"name": "sandbox"}, rules=[{"backendRefs": [good]}, {"backendRefs": [good, {**good, **backend}]}])
    assert told(store, "ResolvedRefs") == [said]
    assert told(store, "Accepted") == [ACCEPTED], "an unresolved backend does not detach the route"


def test_a_backend_that_appears_resolves_the_route() -> None:
    store = empty_store()
    add_route(store, {"name": "sandbox"})
    assert told(store, "ResolvedRefs") == [("False", "BackendNotFound")]
    add_service(store)
    assert told(store, "ResolvedRefs") == [("True", "ResolvedRefs")]
    store.delete("Service", "default", "shop")
    assert told(store, "ResolvedRefs") == [("False", "BackendNotFound")]


def test_a_service_without_its_port_and_a_value_that_is_not_known_are_refused_before_there_is_a_status() -> None:
    with pytest.raises(StoreError, match="Must have port for Service reference"):
        add_route(empty_store(), {"name": "sandbox"}, rules=[{"backendRefs": [{"name": "shop"}]}])
    with pytest.raises(StoreError, match='Unsupported value: "Glob": supported values: "Exact", "PathPrefix"'):
        matches = [{"path": {"type": "Glob", "value": "/"}}]
        add_route(empty_store(), {"name": "sandbox"}, rules=[{"matches": matches}])
