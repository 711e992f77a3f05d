"""Admission of routes, by the rules of Gateway API v1; each reason that a person can meet."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.core.gateways import choose, matches, none_admits, refusal
from docc.model.errors import ExitCode, UnusableError
from docc.model.manifest import GatewayName
from docc.model.moves import Object

LABELS = {"kubernetes.io/metadata.name": "web", "team": "shop"}


def listener(name: str = "http", **fields: Any) -> Object:
    return {"name": name, "protocol": "HTTP", "port": 80, **fields}


def admits(origin: str, **selector: Any) -> Object:
    return {"namespaces": {"from": origin, **selector}}


def gateway(full_name: str, *listeners: Object) -> Object:
    namespace, name = full_name.split("/")
    return {"metadata": {"namespace": namespace, "name": name}, "spec": {"listeners": list(listeners)}}


def open_to_all(full_name: str) -> Object:
    return gateway(full_name, listener(allowedRoutes=admits("All")))


def test_only_gateway_that_admits_the_namespace_is_taken() -> None:
    closed = gateway("infra/closed", listener())
    assert choose([closed, open_to_all("infra/public")], None, "web", LABELS, ()) == GatewayName("public", "infra")


def test_none_is_not_an_error_for_those_who_can_do_without() -> None:
    assert choose([gateway("infra/closed", listener())], None, "web", LABELS, ()) is None
    assert choose([], None, "web", LABELS, ()) is None


def test_several_are_all_listed_and_one_is_proposed() -> None:
    two = [open_to_all("infra/public"), gateway("web/own", listener("a"), listener("b", protocol="HTTPS"))]
    with pytest.raises(UnusableError) as caught:
        choose(two, None, "web", LABELS, ())
    error = caught.value
    assert error.exit_code is ExitCode.UNUSABLE
    assert error.what == "2 Gateways admit namespace web, and the manifest names none"
    assert error.why == "infra/public (http: from All); web/own (a: from Same, b: from Same)"
    assert error.fix == 'name one in the manifest, e.g. "gateway": "infra/public"'
    assert error.state == "nothing was touched"


def test_named_one_is_looked_for_in_the_applications_namespace_first() -> None:
    both = [open_to_all("infra/public"), open_to_all("web/public")]
    assert choose(both, GatewayName("public"), "web", LABELS, ()) == GatewayName("public", "web")
    wanted = GatewayName("public", "infra", "http")
    assert choose(both, wanted, "web", LABELS, ()) == wanted


def test_named_one_that_is_missing_says_which_exist() -> None:
    with pytest.raises(UnusableError, match="Gateway web/public does not exist") as caught:
        choose([open_to_all("infra/public")], GatewayName("public"), "web", LABELS, ())
    assert caught.value.why == "there is infra/public (http: from All)"


def test_named_one_that_refuses_says_why() -> None:
    with pytest.raises(UnusableError, match="Gateway infra/closed does not take routes") as caught:
        choose([gateway("infra/closed", listener())], GatewayName("closed", "infra"), "web", LABELS, ())
    assert caught.value.why == "http allows only its own namespace, infra"


SELECTED = admits("Selector", selector={"matchLabels": {"expose": "true"}})
BY_EXPRESSION = admits(
    "Selector",
    selector={
        "matchExpressions": [
            {"key": "team", "operator": "NotIn", "values": ["shop", "bank"]},
            {"key": "expose", "operator": "Exists"},
        ]
    },
)


@pytest.mark.parametrize(
    ("offered", "section", "hosts", "reason"),
    [
        (listener(allowedRoutes=SELECTED), None, (), "http allows namespaces with expose=true, which web has not"),
        (
            listener(allowedRoutes=BY_EXPRESSION), None, (),
            "http allows namespaces with team notin (shop,bank),expose, which web has not",
        ),
        (listener(allowedRoutes=admits("None")), None, (), "http allows routes from None"),
        (listener(protocol="TLS"), None, (), "it has no HTTP listener (http: from Same)"),
        (listener(), "https", (), "it has no HTTP listener named https (http: from Same)"),
        (
            listener(allowedRoutes={"kinds": [{"kind": "GRPCRoute"}], **admits("All")}), None, (),
            "its listeners take no HTTPRoutes (allowedRoutes.kinds)",
        ),
        (
            listener(hostname="*.example.com", allowedRoutes=admits("All")), None, ("example.com", "a.org"),
            "no listener covers example.com or a.org: http is for *.example.com",
        ),
    ],
)  # fmt: skip
def test_reason_of_a_refusal(offered: Object, section: str | None, hosts: tuple[str, ...], reason: str) -> None:
    assert refusal(gateway("infra/public", offered), section, "web", LABELS, hosts) == reason


def test_listener_that_admits_must_be_the_one_that_has_the_host() -> None:
    two = gateway(
        "infra/public",
        listener("ours", hostname="a.example.com", allowedRoutes=admits("All")),
        listener("theirs", hostname="b.example.com"),
    )
    assert refusal(two, None, "web", LABELS, ("a.example.com",)) == ""
    assert refusal(two, None, "web", LABELS, ("b.example.com",)).startswith("no listener covers b.example.com")


@pytest.mark.parametrize(
    ("offered", "host", "meets"),
    [
        # the examples of HTTPRouteSpec.hostnames
        ("test.example.com", "test.example.com", True),
        ("test.example.com", "*.example.com", True),
        ("*.example.com", "*.example.com", True),
        ("*.example.com", "test.example.com", True),
        ("*.example.com", "foo.test.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "test.example.net", False),
        # two wildcards overlap if one lies within the other, as in Istio
        ("*.test.example.com", "*.example.com", True),
        ("*.example.com", "*.test.example.com", True),
        ("*.example.com", "*.badexample.com", False),
        ("*.example.com", "badexample.com", False),
        ("", "anything.example", True),
    ],
)
def test_hostnames_meet_as_gateway_api_says(offered: str, host: str, meets: bool) -> None:
    found = gateway("infra/public", listener(hostname=offered, allowedRoutes=admits("All")))
    assert (refusal(found, None, "web", LABELS, (host,)) == "") is meets


@pytest.mark.parametrize(
    ("selector", "holds"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"team": "shop"}}, True),
        ({"matchLabels": {"team": "bank"}}, False),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["shop"]}]}, True),
        ({"matchExpressions": [{"key": "none", "operator": "In", "values": ["shop"]}]}, False),
        ({"matchExpressions": [{"key": "none", "operator": "NotIn", "values": ["shop"]}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "team", "operator": "Resembles", "values": ["shop"]}]}, False),
        ({"matchLabels": {"team": "shop"}, "matchExpressions": [{"key": "none", "operator": "Exists"}]}, False),
    ],
)
def test_label_selector_as_in_kubernetes(selector: dict[str, Any] | None, holds: bool) -> None:
    assert matches(selector, LABELS) is holds


@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz")), st.sampled_from("abc"), st.sampled_from("xyz"))
def test_in_and_not_in_are_opposites(labels: dict[str, str], key: str, value: str) -> None:
    def asks(operator: str) -> bool:
        return matches({"matchExpressions": [{"key": key, "operator": operator, "values": [value]}]}, labels)

    assert asks("In") is not asks("NotIn")


def test_those_who_need_a_gateway_read_each_ones_reason() -> None:
    found = [gateway("infra/public", listener(allowedRoutes=SELECTED)), gateway("infra/closed", listener())]
    error = none_admits(found, "web", LABELS)
    assert error.what == "no Gateway admits namespace web"
    assert error.why == (
        "infra/closed: http allows only its own namespace, infra; "
        "infra/public: http allows namespaces with expose=true, which web has not"
    )
    assert none_admits(found, "web").why == "infra/closed (http: from Same); infra/public (http: from Selector)"
    assert none_admits([], "web").why == "this cluster has no Gateway"
