"""Whatever the API takes, the sandbox goes on: its controllers, Envoy's configuration and the scraper's targets."""

from __future__ import annotations

import asyncio
import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docc.sandbox import controllers, xds
from docc.sandbox.endpoints import PORTS_ANNOTATION
from docc.sandbox.refusals import StoreError
from docc.sandbox.store import Store
from docc.sandbox.supervisor import targets
from tests.sandbox.local_world import empty_store, world
from tests.sandbox.objects import OBJECTS

Object = dict[str, Any]
NOW = 1_800_000_000.0
_READY = {"podIP": "127.9.9.9", "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
_LABELS = {"kubernetes.io/service-name": "shop", "app": "shop"}
SLICE = {"addresses": ["127.9.9.9"], "conditions": {"ready": True}}


def whole() -> list[Object]:
    """One object of each kind, such that they refer to each other; a second Service by the name of a port."""
    found = copy.deepcopy(list(OBJECTS.values()))
    for body in found:
        body["metadata"] = {
            **body["metadata"],
            "namespace": "default",
            "labels": dict(_LABELS),
            "annotations": {"a": "b"},
        }
        if body["kind"] == "Namespace":
            del body["metadata"]["namespace"]
        if body["kind"] == "EndpointSlice":
            body |= {"endpoints": [copy.deepcopy(SLICE)], "ports": [{"name": "", "port": 8080}]}
        if body["kind"] in ("Pod", "Deployment"):
            body["status"] = copy.deepcopy(_READY)
    named = copy.deepcopy(next(body for body in found if body["kind"] == "Service"))
    named["metadata"]["name"], named["spec"]["ports"] = "named", [{"port": 80, "targetPort": "web"}]
    return [*found, named]


def places(body: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    return [*([at] if at else []), *(place for key, value in inner for place in places(value, (*at, key)))]


def put(store: Store, body: Object) -> None:
    """As a client does: the object, then its status; a refusal is an answer like any other."""
    try:
        meta = store.create(body["kind"], {k: v for k, v in body.items() if k != "status"})["metadata"]
        if "status" in body:
            patch = {"status": body["status"]}
            store.patch(body["kind"], meta.get("namespace"), meta["name"], patch, form="merge", subresource="status")
    except StoreError as error:
        assert error.code < 500


def go_on(store: Store) -> None:
    """All that the sandbox's parts make of the objects."""
    controllers.reconcile(store, NOW)
    xds.clusters(store, "/f")
    xds.assignments(store)
    xds.routes(store)
    xds.listeners(store, dict.fromkeys(xds.wanted(store), 20000), "/f", "/log")
    assert list(targets(store)) is not None


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 70000), st.text(max_size=4),
    st.sampled_from(["web", "{", "[]", "{\"80\": \"x\"}", "*.a"]),
    st.just([]), st.just({}), st.just([1]), st.just({"a": 1}), st.just([{}]),
)  # fmt: skip
BODIES = whole()
MUTATIONS = [
    (at, place) for at, body in enumerate(BODIES) for place in places(body) if place not in (("kind",), ("apiVersion",))
]


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.sampled_from(MUTATIONS), st.booleans(), ODD), min_size=1, max_size=3),
    st.sampled_from(["{", "[]", "{}", "1"]),
)
def test_whatever_the_api_takes_breaks_no_part(
    changes: list[tuple[tuple[int, tuple[Any, ...]], bool, Any]], ports: str
) -> None:
    bodies = copy.deepcopy(BODIES)
    for (at, place), remove, value in changes:
        target: Any = bodies[at]
        try:
            for key in place[:-1]:
                target = target[key]
            if remove:
                del target[place[-1]]
            else:
                target[place[-1]] = copy.deepcopy(value)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change has taken the place away
    store = empty_store()
    for body in bodies:
        if isinstance(body.get("metadata"), dict):
            if body["kind"] == "Pod" and isinstance(body["metadata"].get("annotations"), dict):
                body["metadata"]["annotations"][PORTS_ANNOTATION] = ports
            put(store, body)
    go_on(store)
    go_on(store)


def test_a_deployment_of_more_pods_than_anybody_has_gets_them_bit_by_bit() -> None:
    store = empty_store()
    (deployment,) = (copy.deepcopy(body) for body in BODIES if body["kind"] == "Deployment")
    deployment["spec"]["replicas"] = 1200
    put(store, deployment)
    seen = []
    for _ in range(4):
        go_on(store)
        seen.append(len(store.select("Pod")))
    assert seen == [500, 1000, 1200, 1200]


@pytest.mark.parametrize("labels", [None, {}, {"kubernetes.io/service-name": "nobody"}])
def test_an_endpoint_slice_of_no_service_is_nobodys(labels: Object | None) -> None:
    store = empty_store()
    meta = {"name": "x", "namespace": "default", **({} if labels is None else {"labels": labels})}
    store.create(
        "EndpointSlice", {"metadata": meta, "addressType": "IPv4", "endpoints": [SLICE], "ports": [{"port": 80}]}
    )
    assert xds.assignments(store) == {}


def test_a_service_by_a_port_name_that_its_pods_have_not_has_no_endpoints() -> None:
    store = empty_store()
    for body in BODIES:
        if body["kind"] in ("Pod", "Service"):
            put(store, body)
    go_on(store)
    assert store.get("EndpointSlice", "default", "named-endpoints")["ports"] == []
    addresses = {name: bool(cluster["endpoints"]) for name, cluster in xds.assignments(store).items()}
    assert addresses == {xds.endpoints_file("default/named:80"): False, xds.endpoints_file("default/shop:80"): True}


def test_the_end_of_a_namespace_ends_its_pods_and_nothing_else(tmp_path: Path) -> None:
    """Also while their probes and pulls fail: the events of a namespace that is gone have no place to be."""

    async def play() -> None:
        async with world(tmp_path, with_envoy=False) as here:
            here.store.create("Namespace", {"metadata": {"name": "other"}})
            slow = {"preStop": {"sleep": {"seconds": 2}}}
            failing = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
            containers = [
                {"name": "web", "image": "demo:v1-neverready", "lifecycle": slow, "readinessProbe": failing,
                 "ports": [{"containerPort": 8080}]},
                {"name": "none", "image": "demo:v1-missing"}, {"name": "crash", "image": "demo:v1-crash0"},
            ]  # fmt: skip
            body = {
                "metadata": {"name": "app", "namespace": "other", "labels": {"app": "app"}},
                "spec": {"containers": containers},
            }
            here.store.create("Pod", body)
            here.deploy("stays", "demo:v1")
            await here.until(lambda: here.ready("stays") and here.store.select("Event", "other"))
            here.store.delete("Namespace", None, "other")
            await here.until(lambda: not here.store.select("Pod", "other"))
            assert here.ready("stays") and here.store.select("Event", "other") == []

    asyncio.run(play())
