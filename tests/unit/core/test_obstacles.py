"""What stands in a deploy's way, and what is only told; which exit code several of them have together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.core.names import labels
from docc.core.observation import see
from docc.core.obstacles import GRAVITY, UNWEIGHTED, obstacles, refusal
from docc.model.errors import ExitCode, Obstacle
from docc.model.foreign import Foreign
from docc.model.moves import Object
from docc.model.record import Phase
from docc.model.world import Home, Objects, Seen
from tests.unit.core.around import CANARY, NOTHING, OURS, live, path, plan_for, thing

FIVE, SEVEN = ExitCode.UNUSABLE, ExitCode.LOCKED


def found(
    foreign: Foreign, seen: Seen | None = None, strategy: Object | None = None, **application: Any
) -> list[Obstacle]:
    seen = live() if seen is None else seen
    return list(obstacles(plan_for(seen, strategy, **application), seen, foreign))


def around(kind: str, *objects: Object) -> Foreign:
    return Foreign({kind: objects})


# --- the one exit code
codes = st.sampled_from([None, *GRAVITY])


@given(st.lists(codes))
def test_the_gravest_cause_gives_the_exit_code_and_all_that_refuse_are_named(
    given_codes: list[ExitCode | None],
) -> None:
    told = [Obstacle(f"cause {number}", exit_code=code) for number, code in enumerate(given_codes)]
    error, refusing = refusal(told), [obstacle for obstacle in told if obstacle.exit_code is not None]
    if not refusing:
        assert error is None
        return
    assert error is not None and error.obstacles == tuple(refusing) and error.state == "nothing was touched"
    for graver in GRAVITY[: GRAVITY.index(error.exit_code)]:
        assert graver not in given_codes
    assert error.exit_code in given_codes


# --- versions
@pytest.mark.parametrize(
    ("version", "old"),
    [
        ("v1.30.0", False),
        ("v1.36.0-docc-sandbox", False),
        ("v1.29.14+k3s1", True),
        ("v1.9.0", True),
        ("v2.0.0", False),
        ("", False),
    ],
)
def test_an_old_cluster_is_named(version: str, old: bool) -> None:
    told = found(Foreign(version=version), seen=NOTHING)
    assert [o.exit_code for o in told] == ([FIVE] if old else [])
    assert all(version in o.what and "1.30" in o.what for o in told)


# --- names
FOREIGN_META = {"labels": {"app": "shop"}}
ANOTHER_APPS = {"labels": {**OURS, "docc.dev/app": "other"}}


@pytest.mark.parametrize(
    ("foreign", "seen", "words"),
    [
        (around("Deployment", thing("shop-v2", metadata=FOREIGN_META)), live(), "Deployment shop-v2 exists"),
        (around("Service", thing("shop-v2")), live(), "Service shop-v2 exists"),
        (around("Service", thing("shop")), NOTHING, "Service shop exists"),
        (
            around("Deployment", thing("shop-v1", metadata=ANOTHER_APPS)),
            NOTHING,
            "Deployment shop-v1",
        ),
    ],
)
def test_a_wanted_name_that_somebody_else_has_is_refused(foreign: Foreign, seen: Seen, words: str) -> None:
    (told,) = found(foreign, seen)
    assert told.exit_code is SEVEN and words in told.what and "docc did not make it" in told.what


def test_a_route_of_the_wanted_name_that_docc_did_not_make_is_refused() -> None:
    seen = live()
    del seen.routed.body["metadata"]["labels"]
    stranger = Seen(type(seen.routed)("HTTPRoute", exists=True, body=seen.routed.body), {})
    assert [(o.exit_code, o.what) for o in found(Foreign(), stranger)] == [
        (SEVEN, "HTTPRoute shop exists, and docc did not make it")
    ]


@pytest.mark.parametrize("hosts", [["shop.test"], []])
def test_a_rule_of_others_route_needs_no_gateway_and_claims_nothing_of_its_own(hosts: list[str]) -> None:
    """Which hosts and paths lead there, and whether a Gateway admits it, is between its owners and their neighbours."""
    gateway = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "infra", "name": "public"}
    spec = {"parentRefs": [gateway], "hostnames": hosts, "rules": [{"name": "shop"}]}
    theirs, rival = thing("public", spec=spec), thing("rival", spec={**spec, "rules": [{"matches": [path("/")]}]})
    seen = see("shop", Objects(route=theirs), home=Home("public", "shop"))
    plan = plan_for(seen, gateway=None, route={"name": "public", "rule": "shop"})
    around = Foreign({"HTTPRoute": [theirs, rival]})
    assert obstacles(plan, seen, around) == ()
    own = plan_for(seen, hosts=["shop.test"])
    assert any("claim" in obstacle.what for obstacle in obstacles(own, NOTHING, around))


def test_an_own_name_does_not_make_others_route_an_obstacle() -> None:
    theirs = thing("shop", spec={"parentRefs": [{"name": "public"}], "rules": [{"name": "web"}]})
    seen = see("shop", Objects(route=theirs), home=Home("shop", "web"))
    assert obstacles(plan_for(seen, gateway=None, route={"name": "shop", "rule": "web"}), seen, Foreign()) == ()


def test_what_docc_made_is_no_obstacle() -> None:
    front, service, deployment = (thing(name, metadata={"labels": OURS}) for name in ("shop", "shop-v2", "shop-v2"))
    assert found(Foreign({"Service": [front, service], "Deployment": [deployment]})) == []


def test_somebody_elses_front_service_beside_a_live_route_stays_and_is_told() -> None:
    (told,) = found(around("Service", thing("shop")))
    assert told.exit_code is None and "stays as it is" in told.what


@pytest.mark.parametrize("application", [{"mesh": True}, {"gateway": None}])
def test_a_front_service_that_carries_traffic_must_be_doccs_own(application: Object) -> None:
    strategy: Object = {} if "gateway" in application else {"canary": {"increment": 50, "interval": 60}}
    told = [o for o in found(around("Service", thing("shop")), strategy=strategy, **application) if o.exit_code]
    assert [o.exit_code for o in told] == [SEVEN]


# --- doors
def door(selector: Object, port: object = 8080, **more: Any) -> Object:
    spec = {
        "selector": selector,
        "ports": [{"port": 80, "targetPort": port}],
        "clusterIP": "10.0.0.1",
        **more.pop("spec", {}),
    }
    return thing("all", spec=spec, **more)


ALL = {"app.kubernetes.io/name": "shop"}


@pytest.mark.parametrize(
    ("service", "strategy", "seen", "code"),
    [
        (door(ALL), None, live(), SEVEN),
        (door(ALL, "http"), None, live(), SEVEN),
        (door({"docc.dev/revision": "v2"}), None, live(), SEVEN),
        (door(ALL, 9090), None, live(), None),
        (door(ALL, spec={"clusterIP": "None"}), None, live(), None),
        (door(ALL, metadata={"annotations": {UNWEIGHTED: "accepted"}}), None, live(), None),
        (door(ALL, metadata={"annotations": {UNWEIGHTED: "no"}}), None, live(), SEVEN),
        (door(ALL), {}, live(), None),
        (door(ALL), None, NOTHING, None),
    ],
)
def test_a_service_that_selects_the_candidate_is_refused_where_steps_were_promised(
    service: Object, strategy: Object | None, seen: Seen, code: ExitCode | None
) -> None:
    (told,) = found(around("Service", service), seen, strategy)
    assert told.exit_code is code and "Service all selects the pods of v" in told.what


@pytest.mark.parametrize(
    "service",
    [
        door({"app": "shop"}),
        door({**ALL, "docc.dev/revision": "v1"}),
        door({**ALL, "team": "blue"}),
        door({}),
        thing("external", spec={"type": "ExternalName", "externalName": "x.test"}),
        door(labels("shop", 2), metadata={"labels": OURS}),
    ],
)
def test_a_service_that_does_not_select_it_or_is_doccs_is_none_of_it(service: Object) -> None:
    assert found(around("Service", service)) == []


# --- autoscalers
def hpa(target: str, least: int | None = None, kind: str = "Deployment") -> Object:
    spec: Object = {"scaleTargetRef": {"kind": kind, "name": target}, "maxReplicas": 10}
    return thing("auto", spec=spec | ({} if least is None else {"minReplicas": least}))


@pytest.mark.parametrize(
    ("autoscaler", "seen", "code", "words"),
    [
        (hpa("shop-v1"), live(pods=8), None, "v1 has 8 pods now, v2 will have 3"),
        (hpa("shop"), live(), None, "does not follow to shop-v2"),
        (hpa("shop"), NOTHING, None, "does not follow to shop-v1"),
        (hpa("shop-v2", 1), live(), SEVEN, "may go down to 1, the manifest wants 3"),
        (hpa("shop-v2"), live(), SEVEN, "may go down to 1"),
        (hpa("shop-v2", 3), live(), None, "shop-v2 too"),
    ],
)
def test_an_autoscaler_fights_or_does_not_follow(
    autoscaler: Object, seen: Seen, code: ExitCode | None, words: str
) -> None:
    (told,) = found(around("HorizontalPodAutoscaler", autoscaler), seen)
    assert told.exit_code is code and words in f"{told.what}; {told.why}"


@pytest.mark.parametrize("autoscaler", [hpa("blog-v1"), hpa("shop-cache"), hpa("shop-v1", kind="StatefulSet")])
def test_autoscalers_of_others_are_none_of_it(autoscaler: Object) -> None:
    assert found(around("HorizontalPodAutoscaler", autoscaler)) == []


# --- what does not follow
@pytest.mark.parametrize(
    ("selector", "left_behind"),
    [
        ({"matchLabels": {"docc.dev/app": "shop"}}, False),
        ({"matchLabels": {"app.kubernetes.io/name": "shop"}}, False),
        ({"matchLabels": {"docc.dev/app": "shop", "docc.dev/revision": "v1"}}, True),
        ({"matchLabels": {"app.kubernetes.io/version": "v1", "app.kubernetes.io/name": "shop"}}, True),
        ({"matchLabels": {"app": "shop"}}, True),
        ({"matchLabels": {"app": "blog"}}, False),
        ({}, False),
        (None, False),
    ],
)
@pytest.mark.parametrize("kind", ["PodDisruptionBudget", "AuthorizationPolicy"])
def test_what_selects_one_revision_does_not_follow(kind: str, selector: Object | None, left_behind: bool) -> None:
    body = thing("guard", spec={} if selector is None else {"selector": selector})
    told = found(around(kind, body))
    assert [o.exit_code for o in told] == ([None] if left_behind else [])
    assert all(f"{kind} guard selects other pods than those of shop-v2" == o.what for o in told)


def test_a_budget_by_expressions_is_read_too() -> None:
    one = {"matchExpressions": [{"key": "docc.dev/revision", "operator": "In", "values": ["v1"]}]}
    every = {"matchExpressions": [{"key": "docc.dev/revision", "operator": "Exists"}]}
    assert len(found(around("PodDisruptionBudget", thing("one", spec={"selector": one})))) == 1
    assert found(around("PodDisruptionBudget", thing("every", spec={"selector": every}))) == []


@pytest.mark.parametrize(
    ("name", "left_behind"), [("shop-v1", True), ("shop", True), ("shop-v2", False), ("blog", False)]
)
def test_a_policy_by_target_does_not_follow_either(name: str, left_behind: bool) -> None:
    body = thing("guard", spec={"targetRefs": [{"kind": "Service", "name": name}]})
    assert bool(found(around("AuthorizationPolicy", body))) is left_behind


@pytest.mark.parametrize(
    ("host", "left_behind"),
    [
        ("shop", True), ("shop-v1", True), ("shop.web", True), ("shop-v1.web.svc", True),
        ("shop-v1.web.svc.cluster.local", True), ("shop-v2", False), ("shop-v1.other", False), ("blog", False),
        ("*.web.svc.cluster.local", False), ("shop.example.com", False),
    ],
)  # fmt: skip
def test_a_destination_rule_holds_for_its_host_alone(host: str, left_behind: bool) -> None:
    told = found(around("DestinationRule", thing("limits", spec={"host": host})))
    assert [o.exit_code for o in told] == ([None] if left_behind else [])


# --- retries
RETRY, SHARED = {"attempts": 2, "codes": [500]}, {"backendRefs": [{"name": "shop-v1", "port": 8080}]}
OTHERS = {"backendRefs": [{"name": "other", "port": 80}], "retry": RETRY}
JUDGED: Object = {"failure_conditions": [{"name": "E", "expression": "sum(errors) > 5"}]}


@pytest.mark.parametrize(
    ("rules", "strategy", "words"),
    [
        ([SHARED], JUDGED, []),
        ([{**SHARED, "retry": RETRY}], JUDGED, ["rules[0] of HTTPRoute shop has a retry"]),
        ([OTHERS, {**SHARED, "retry": RETRY}], JUDGED, ["rules[1] of HTTPRoute shop has a retry"]),
        ([{**SHARED, "retry": RETRY}] * 2, JUDGED, ["rules[0], rules[1] of HTTPRoute shop have a retry"]),
        ([OTHERS, SHARED], JUDGED, []),
        ([{**SHARED, "retry": RETRY}], {}, []),
    ],
    ids=["none", "one", "beside another's", "each", "another's only", "nothing is judged"],
)
@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.SHIFTING])
def test_a_retry_in_an_own_rule_is_told_and_refuses_nothing(
    phase: Phase, rules: list[Object], strategy: Object, words: list[str]
) -> None:
    told = found(Foreign(), live(phase, rules=rules), strategy)
    assert [o.what.partition(":")[0] for o in told] == words
    assert all(o.exit_code is None and "retry.upstream_rq_5xx" in o.why for o in told)


# --- when it is looked at
NUISANCES = Foreign(
    {
        "Service": [door(ALL), thing("shop-v2")],
        "HorizontalPodAutoscaler": [hpa("shop-v2", 1), hpa("shop-v1")],
        "PodDisruptionBudget": [thing("pdb", spec={"selector": {"matchLabels": {"app": "shop"}}})],
        "ResourceQuota": [thing("q", status={"hard": {"pods": "1"}, "used": {"pods": "1"}})],
        "DestinationRule": [thing("limits", spec={"host": "shop-v1"})],
        "AuthorizationPolicy": [thing("guard", spec={"selector": {"matchLabels": {"app": "shop"}}})],
    }
)


def test_everything_is_said_at_once_and_what_refuses_comes_first() -> None:
    told = found(NUISANCES)
    refusing = [o.exit_code for o in told if o.exit_code is not None]
    assert len(told) == 8 and sorted(refusing) == [FIVE, SEVEN, SEVEN, SEVEN]
    assert [o.exit_code is None for o in told] == [False] * 4 + [True] * 4
    error = refusal(told)
    assert error is not None and error.exit_code is FIVE and "4 things" in error.what


def test_a_return_and_a_resumption_are_not_held_up_and_a_change_in_place_only_by_its_own() -> None:
    plan = plan_for()
    at_rest = live(spec_hash=plan.spec_hash)
    (told,) = found(NUISANCES, at_rest)
    assert told.exit_code is None and "scales shop-v1 too" in told.what
    back = live(Phase.SHIFTING, spec_hash=plan.spec_hash)
    assert found(NUISANCES, back) == []
    assert back.record is not None
    routed = replace(back.routed, record=replace(back.record, stable=3, candidate=1))
    assert found(NUISANCES, replace(back, routed=routed)) == []


# --- room above the weighted rule
def crowd(rules: int, matches: int = 1) -> Seen:
    """A live route with so many rules of somebody else's below docc's own one."""
    own = {"matches": [path("/")], "backendRefs": [{"name": "shop-v1", "port": 8080, "weight": 100}]}
    theirs = [
        {"matches": [path(f"/{n}/{m}") for m in range(matches)], "backendRefs": [{"name": "legacy", "port": 80}]}
        for n in range(rules)
    ]
    return live(rules=[own, *theirs])


TRIAL: Object = {"canary": {"increment": 50, "interval": 60}, "ab_testing": {"enable_headers": True}}


@pytest.mark.parametrize(
    ("strategy", "rules", "matches", "why"),
    [
        (TRIAL, 14, 1, ""),
        (TRIAL, 15, 1, "17 rules in a route, and Gateway API allows 16"),
        ({**TRIAL, "sticky": True}, 12, 1, ""),
        ({**TRIAL, "sticky": True}, 13, 1, "17 rules in a route, and Gateway API allows 16"),
        (TRIAL, 5, 25, ""),
        (TRIAL, 6, 21, "128 matches in a route, and Gateway API allows 127"),
        (CANARY, 15, 1, ""),
    ],
)
def test_rules_of_others_leave_room_for_those_above_the_weighted_one(
    strategy: Object, rules: int, matches: int, why: str
) -> None:
    told = found(Foreign(), crowd(rules, matches), strategy)
    assert [obstacle.exit_code for obstacle in told] == ([FIVE] if why else []), told
    assert all(why in obstacle.why for obstacle in told)
