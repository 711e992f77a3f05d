"""Who else claims what a deploy's route would claim."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.core.claims import rivals
from docc.core.gateways import meet
from docc.model.errors import ExitCode, Obstacle
from docc.model.manifest import GatewayName
from docc.model.moves import Object
from docc.model.world import Seen
from tests.unit.core.around import NOTHING, live, path, plan_for, thing

HERE: Object = {"namespace": "infra", "name": "public"}
OLDER, YOUNGER = "2026-01-01T00:00:00Z", "2026-09-01T00:00:00Z"


def route(
    name: str = "blog", hosts: list[str] | None = None, *matches: Object, parent: Object = HERE, since: str = OLDER
) -> Object:
    rules = [{"matches": list(matches)}] if matches else [{}]
    spec: Object = {"parentRefs": [parent], "rules": rules}
    if hosts is not None:
        spec["hostnames"] = hosts
    return thing(name, "team", spec=spec, metadata={"creationTimestamp": since})


def found(*routes: Object, seen: Seen = NOTHING, gateway: Object | None = None, **application: Any) -> list[Obstacle]:
    return list(rivals(plan_for(seen, **application), seen, routes, gateway))


@pytest.mark.parametrize(
    ("theirs", "refused"),
    [
        (route(hosts=["shop.test"]), True),
        (route(hosts=["SHOP.test", "blog.test"]), True),
        (route("b", ["shop.test"], path("/")), True),
        (route("b", ["shop.test"], path("/blog")), False),
        (route("b", ["shop.test"], path("/", "Exact")), False),
        (route("b", ["shop.test"], path("/", headers=[{"name": "x", "value": "y"}])), False),
        (route("b", ["shop.test"], path("/", method="POST")), False),
        (route(hosts=["blog.test"]), False),
        (route(hosts=["shop.test"], parent={**HERE, "name": "other"}), False),
        (route(hosts=["shop.test"], parent={"name": "public"}), False),
        (route(hosts=["shop.test"], parent={**HERE, "sectionName": "https"}), True),
    ],
)
def test_an_equal_claim_at_the_same_gateway_is_refused(theirs: Object, refused: bool) -> None:
    told = found(theirs)
    assert [o.exit_code for o in told] == ([ExitCode.LOCKED] if refused else [])
    if refused:
        assert "team/" in told[0].what and "shop.test" in told[0].what and "/" in told[0].what


@pytest.mark.parametrize(
    ("mine", "theirs", "meets"),
    [("http", None, True), ("http", "http", True), ("http", "https", False), (None, "https", True)],
)
def test_listeners_part_what_is_at_one_gateway(mine: str | None, theirs: str | None, meets: bool) -> None:
    parent = {**HERE, **({"sectionName": theirs} if theirs else {})}
    plan = plan_for(gateway=GatewayName("public", "infra", mine))
    assert bool(list(rivals(plan, NOTHING, [route(hosts=["shop.test"], parent=parent)], None))) is meets


def test_a_route_that_the_gateway_has_refused_claims_nothing() -> None:
    theirs = route(hosts=["shop.test"])
    refused = {"type": "Accepted", "status": "False"}
    theirs["status"] = {"parents": [{"parentRef": HERE, "conditions": [refused]}]}
    assert found(theirs) == []
    theirs["status"]["parents"][0]["conditions"] = [{"type": "Accepted", "status": "True"}]
    assert len(found(theirs)) == 1


def test_the_live_route_that_wins_is_told_and_one_that_loses_is_refused() -> None:
    """It began in March: who is older has every request."""
    (younger,) = found(route(hosts=["shop.test"], since=YOUNGER), seen=live())
    assert younger.exit_code is None and "gets none of it" in younger.what and younger.why.endswith("web/shop")
    (older,) = found(route(hosts=["shop.test"], since=OLDER), seen=live())
    assert older.exit_code is ExitCode.LOCKED and older.why.endswith("team/blog")


def test_a_new_host_of_a_live_route_is_a_new_claim() -> None:
    hosts = ["shop.test", "new.test"]
    (told,) = found(route(hosts=["new.test"], since=YOUNGER), seen=live(), hosts=hosts)
    assert told.exit_code is ExitCode.LOCKED


def test_its_own_route_is_no_rival() -> None:
    seen = live()
    assert found(seen.routed.body, seen=seen) == []


def test_without_hosts_it_is_refused_unless_nobody_else_is_there() -> None:
    (told,) = [o for o in found(route(hosts=["blog.test"], parent=HERE), hosts=[]) if o.exit_code]
    assert "names no hosts" in told.what and "team/blog" in told.why and told.exit_code is ExitCode.LOCKED
    assert found(hosts=[]) == []
    assert found(route(hosts=["blog.test"], parent={**HERE, "name": "other"}), hosts=[]) == []


def test_without_hosts_and_live_so_a_fix_can_still_go_out() -> None:
    assert found(route(hosts=["blog.test"]), seen=live(hostnames=[]), hosts=[]) == []


def test_listeners_with_a_host_bound_a_route_without_hosts() -> None:
    gateway = {"spec": {"listeners": [{"name": "http", "hostname": "shop.example.org"}]}}
    assert found(route(hosts=["blog.test"]), hosts=[], gateway=gateway) == []
    (told,) = found(route(hosts=["shop.example.org"]), hosts=[], gateway=gateway)
    assert told.exit_code is ExitCode.LOCKED and "shop.example.org" in told.what


@pytest.mark.parametrize(
    ("mine", "theirs", "taker"),
    [
        ("shop.test", "*.test", "web/shop"),
        ("*.test", "shop.test", "team/blog"),
        ("*.a.test", "*.test", "web/shop"),
        ("shop.test", None, "web/shop"),
    ],
)
def test_hosts_in_common_are_told_with_who_gets_the_requests(mine: str, theirs: str | None, taker: str) -> None:
    (told,) = found(route(hosts=None if theirs is None else [theirs]), hosts=[mine])
    assert told.exit_code is None and told.why.endswith(taker)


def test_in_the_mesh_another_route_before_the_same_service_is_a_rival() -> None:
    theirs = route(parent={"group": "", "kind": "Service", "name": "shop"})
    theirs["metadata"]["namespace"] = "web"
    (told,) = found(theirs, mesh=True, gateway=None)
    assert told.exit_code is ExitCode.LOCKED and "Service web/shop" in told.where


hosts = st.builds(
    lambda wild, labels: ".".join([*(["*"] if wild else []), *labels, "test"]),
    st.booleans(),
    st.lists(st.sampled_from("ab"), max_size=2),
)


@given(st.lists(hosts, min_size=1, max_size=3, unique=True), st.lists(hosts, min_size=1, max_size=3, unique=True))
def test_something_is_said_just_where_hosts_meet(mine: list[str], theirs: list[str]) -> None:
    told = list(rivals(_with_hosts(mine), NOTHING, [route(hosts=theirs)], None))
    assert any(o.exit_code is ExitCode.LOCKED for o in told) is bool(set(mine) & set(theirs))
    assert bool(told) is any(meet(one, other) for one in mine for other in theirs)


def _with_hosts(names: list[str]) -> Any:
    plan = plan_for()
    assert plan.rendered.route is not None
    plan.rendered.route["spec"]["hostnames"] = names
    return plan
