"""Objects, records and answers as no server gives them: docc ends in a documented error, or goes on; it never crashes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.adapters.prometheus import read_answer
from docc.core import planner
from docc.core.gateways import choose
from docc.core.history import history
from docc.core.observation import see
from docc.core.obstacles import obstacles
from docc.core.view import Checks, View
from docc.engine.lease import is_alive
from docc.model.errors import DoccError, UnusableError
from docc.model.foreign import Foreign
from docc.model.manifest import GatewayName
from docc.model.record import ANNOTATION, Record, RecordError
from docc.model.world import Objects
from docc.ui.status import document, lines
from tests.sim.scenes import lost, parked, plain_warm, warm
from tests.unit.core.around import live, path, plan_for, thing

APP = "shop"
JUNK: tuple[Any, ...] = (None, 0, -1, 1e300, True, "", "x", [], [None], {}, {"x": None}, [[]], {"name": 7}, "\udc80")
Steps = tuple[str | int, ...]
POD: Any = {
    "metadata": {"name": "shop-v2-a", "labels": {"docc.dev/revision": "v2"}},
    "status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False"}, {"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [{
            "name": "web", "image": "shop:2", "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-01T00:00:00Z"}},
        }],
    },
}  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@cache
def world(scene: str) -> Objects:
    """As the sandbox's simulation has it: in mid-rollout, at rest, parked, and without a route."""
    found = {"lost": lost, "warm": warm, "parked": parked, "plain": plain_warm}[scene]().snapshot()
    return _with(found, "pods", {"shop-v2-a": POD})


def paths(value: Any, before: Steps = ()) -> Iterator[Steps]:
    yield before
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(inner, (*before, key))


def replaced(value: Any, at: Steps, junk: Any) -> Any:
    if not at:
        return copy.deepcopy(junk)
    made = copy.copy(value)
    made[at[0]] = replaced(value[at[0]], at[1:], junk)
    return made


def used(objects: Objects) -> None:
    """All that docc does with what it sees, as far as nobody's answer is needed."""
    seen = see(APP, objects)
    list(lines(APP, "web", seen, None, 2e9))
    json.dumps(document(APP, "web", seen, None, 2e9))
    history(seen)
    if seen.record is not None:
        planner.advance(View(APP, seen.record.by, None, seen, Checks(), 2e9, held=True))
        planner.give_up(View(APP, "me#1", None, seen, Checks(), 2e9), "abort", "why")


@pytest.mark.parametrize("scene", ["lost", "warm", "parked", "plain"])
@pytest.mark.parametrize("part", [each.name for each in fields(Objects)])
def test_an_object_with_anything_in_any_place_is_used_or_refused(scene: str, part: str) -> None:
    """Each place of each object, each kind of junk. The envelope (metadata.name, labels) is the adapter's to look at."""
    objects = world(scene)
    found = getattr(objects, part)
    tried = 0
    for name, body in found.items() if part not in ("route", "history") else ((None, found),):
        for at in paths(body):
            if not at or at[0] == "metadata" and len(at) < 3:
                continue
            for junk in JUNK:
                broken = replaced(body, at, junk)
                whole = broken if name is None else {**found, name: broken}
                tried += 1
                try:
                    used(_with(objects, part, whole))
                except DoccError:
                    pass
                except Exception as error:
                    raise AssertionError(f"{part} {at} = {junk!r}: {type(error).__name__}: {error}") from error
    assert tried > 100 or not found, tried


SELECTOR = {"matchLabels": {"app": "shop"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["x"]}]}
PARENT = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "infra", "name": "public"}
LISTENER = {
    "name": "http", "protocol": "HTTP", "port": 80, "hostname": "*.test",
    "allowedRoutes": {
        "namespaces": {"from": "Selector", "selector": SELECTOR},
        "kinds": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}],
    },
}  # fmt: skip
AROUND = {
    "HTTPRoute": thing(
        "blog", "team", metadata={"creationTimestamp": "2020-01-01T00:00:00Z"},
        spec={
            "hostnames": ["shop.test"], "parentRefs": [{**PARENT, "sectionName": "http"}],
            "rules": [{"matches": [{**path("/"), "headers": []}], "backendRefs": [{"name": "x", "weight": 1}]}],
        },
        status={"parents": [{"parentRef": PARENT, "conditions": [{"type": "Accepted", "status": "True"}]}]},
    ),
    "Service": thing(
        "all", metadata={"labels": {"a": "b"}, "annotations": {"x": "y"}},
        spec={
            "selector": {"app.kubernetes.io/name": "shop"}, "ports": [{"port": 80, "targetPort": 8080}],
            "clusterIP": "10.0.0.1",
        },
    ),
    "Deployment": thing("shop-v2", metadata={"labels": {"a": "b"}}, spec={"replicas": 1}),
    "ResourceQuota": thing(
        "q", spec={"scopes": ["NotBestEffort"]},
        status={"hard": {"pods": "4", "requests.cpu": "1"}, "used": {"pods": "3", "requests.cpu": "1e999999999"}},
    ),
    "HorizontalPodAutoscaler": thing(
        "h", spec={"scaleTargetRef": {"kind": "Deployment", "name": "shop-v2"}, "minReplicas": 1}
    ),
    "PodDisruptionBudget": thing("p", spec={"selector": SELECTOR}),
    "DestinationRule": thing("d", spec={"host": "shop"}),
    "AuthorizationPolicy": thing(
        "a", spec={
            "selector": SELECTOR, "targetRefs": [{"kind": "Service", "name": "shop"}],
            "targetRef": {"kind": "Service", "name": "shop"},
        },
    ),
    "Gateway": thing("public", "infra", spec={"listeners": [LISTENER]}),
}  # fmt: skip
"""What others have around an application, one of each kind that docc looks at."""


def looked_at(kind: str, body: Any) -> None:
    """By the preflight of a deploy."""
    seen = live()
    plan = plan_for(seen, container={"resources": {"requests": {"cpu": "100m"}}})
    gateway = body if kind == "Gateway" else AROUND["Gateway"]
    for each in obstacles(plan, seen, Foreign({kind: [body]}, gateway)):
        assert each.what and len(each.what) < 300
    if kind == "Gateway":
        for wanted in (None, GatewayName("public", "infra")):
            choose([body], wanted, "web", {"app": "shop", "a": "x"}, ("a.test",))


@pytest.mark.parametrize("kind", AROUND)
def test_whatever_others_have_around_an_application_is_judged_or_named(kind: str) -> None:
    tried = 0
    for at in paths(AROUND[kind]):
        if at in (("metadata", "name"), ("metadata", "namespace")) or kind == "Gateway" and at in ((), ("metadata",)):
            continue  # the envelope is the adapter's to look at
        for junk in JUNK:
            tried += 1
            try:
                looked_at(kind, replaced(AROUND[kind], at, junk))
            except DoccError:
                pass
            except Exception as error:
                raise AssertionError(f"{kind} {at} = {junk!r}: {type(error).__name__}: {error}") from error
    assert tried > 50


@pytest.mark.parametrize(
    ("kind", "at", "junk", "said"),
    [
        ("Service", ("spec", "selector"), ["x"], "Service.spec.selector is a list"),
        ("HTTPRoute", ("spec", "rules", 0, "matches", 0), 7, "HTTPRoute.spec.rules[0].matches[0] is a number"),
        ("HorizontalPodAutoscaler", ("spec", "minReplicas"), True, "minReplicas is true or false"),
        ("ResourceQuota", ("status", "hard", "pods"), {}, "ResourceQuota.status.hard.pods is an object"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(kind: str, at: Steps, junk: Any, said: str) -> None:
    found = obstacles(plan_for(live()), live(), Foreign({kind: [replaced(AROUND[kind], at, junk)]}))
    (told,) = (each for each in found if "was not looked at" in each.what)
    assert told.exit_code is None and said in told.why and AROUND[kind]["metadata"]["name"] in told.what


def test_a_gateway_that_cannot_be_read_is_refused_with_its_place() -> None:
    odd = replaced(AROUND["Gateway"], ("spec", "listeners"), {"http": LISTENER})
    with pytest.raises(UnusableError) as caught:
        choose([odd], GatewayName("public", "infra"), "web", {}, ())
    assert "Gateway.spec.listeners is an object" in caught.value.why
    assert choose([odd, AROUND["Gateway"]], None, "web", {"app": "shop", "a": "x"}, ("a.test",)) is not None


def test_a_lease_that_cannot_be_read_is_nobody_s() -> None:
    lease = {
        "metadata": {"name": "docc-shop", "namespace": "web", "resourceVersion": "1"},
        "spec": {"holderIdentity": "ci#1", "renewTime": "2033-05-18T03:33:19Z", "leaseDurationSeconds": 15},
    }
    seen = see(APP, world("lost"))
    assert is_alive(lease, 2e9) and document(APP, "web", seen, lease, 2e9)["driver"] == {"holder": "ci", "age": 1.0}
    for at in (("spec",), ("spec", "renewTime")):
        for junk in JUNK:
            odd = replaced(lease, at, junk)
            list(lines(APP, "web", seen, odd, 2e9))
            assert not is_alive(odd, 2e9) and document(APP, "web", seen, odd, 2e9)["driver"] is None, (at, junk)


def _with(objects: Objects, part: str, value: Any) -> Objects:
    return Objects(
        **{each.name: value if each.name == part else getattr(objects, each.name) for each in fields(Objects)}
    )


@given(st.sampled_from([each.name for each in fields(Record)]), ANYTHING)
def test_a_record_with_anything_in_it_is_read_or_refused(name: str, value: Any) -> None:
    route = world("lost").route
    assert route is not None
    values = {**json.loads(route["metadata"]["annotations"][ANNOTATION]), name: value}
    text = json.dumps(values)
    try:
        Record.from_text(text).to_text()
    except RecordError:
        return
    meta = {**route["metadata"], "annotations": {**route["metadata"]["annotations"], ANNOTATION: text}}
    used(_with(world("lost"), "route", {**route, "metadata": meta}))


@given(st.text() | ANYTHING.map(json.dumps))
def test_a_text_that_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(RecordError):
        Record.from_text(text)


@given(
    st.integers(100, 599),
    st.binary(max_size=200)
    | ANYTHING.map(lambda value: json.dumps(value).encode())
    | st.tuples(ANYTHING, ANYTHING).map(
        lambda pair: json.dumps(
            {"status": "success", "data": {"resultType": "vector", "result": [{"metric": pair[0], "value": pair[1]}]}}
        ).encode()
    )
    | ANYTHING.map(lambda value: json.dumps({"status": "success", "data": value}).encode()),
)
def test_an_answer_of_prometheus_is_series_or_a_sentence(status: int, body: bytes) -> None:
    answer = read_answer("prometheus", status, body)
    assert answer.error or status == 200
    assert len(answer.error) < 1000 and all(isinstance(series.value, float) for series in answer.series)
