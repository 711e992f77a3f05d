from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.model.errors import ManifestError, UsageError
from docc.model.manifest import GatewayName
from docc.spec.build import read
from docc.spec.render import render

TALK: dict[str, Any] = {
    "application": {
        "name": "uber-cool-app", "namespace": "default", "scale": 3,
        "containers": {"dev": {"image": "nginx:1.23", "ports": [{"port": 80, "protocol": "TCP"}]}},
    },
    "maintainer": "appdev@digitalocean.com",
}  # fmt: skip
FRAGMENTS: list[dict[str, Any]] = [
    {"canary": {"increment": 5, "interval": 120}},
    {"ab_testing": {"enable_headers": True, "pause_before_rollout": True}},
    {
        "failure_conditions": [
            {
                "name": "HTTPErrorRate",
                "expression": "sum(rate(http_requests_total{app='demo_app',code='500'}[5m])) / "
                "sum(rate(http_requests_total{app='demo_app'}[5m])) > 0.05",
            }
        ]
    },
]


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        read(text.encode() if isinstance(text, str) else text, "m.json")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_the_talks_manifests_mean_the_same_in_both_places(fragment: dict[str, Any]) -> None:
    top = read(json.dumps({**TALK, "deployment_strategy": fragment}).encode(), "m.json")
    inside = {**TALK, "application": {**TALK["application"], "deployment_strategy": fragment}}
    assert top == read(json.dumps(inside).encode(), "m.json")
    assert problems(json.dumps({**inside, "deployment_strategy": fragment}))[0].endswith("keep one of them")


def manifest(**changes: Any) -> str:
    return json.dumps({"application": {"name": "shop", "containers": {"web": {"image": "a:1", **changes}}}})


def hosted(*hosts: object) -> str:
    return manifest().replace('"name"', f'"hosts": {json.dumps(hosts)}, "name"')


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1,\n "a": 2}', 'm.json:2:2: "a" appears twice (first at 1:2)'),
        ('{"b": {"a": 1,\n "a": 2}}}]', 'm.json:2:2: "a" appears twice (first at 1:8)'),  # and it is no JSON behind it
        ('{"b": {"a": 1,\n "a": 2}, "c', 'm.json:2:2: "a" appears twice (first at 1:8)'),
        ('{"a": [1,],}', 'm.json:1:9: trailing comma before "]"'),
        ("{", 'm.json:1:2: expected a name in double quotes, or "}"'),
        ('{"a": [1,', "m.json:1:10: expected a value"),
        ('{"a": [1,],}', 'm.json:1:11: trailing comma before "}"'),
        ('{"a": [1,],}', 'm.json:1:2: unknown field "a"'),  # also what comes of the rest
        ('{"a": ",}",}', 'm.json:1:11: trailing comma before "}"'),
        ('{"a": 1,\n "a": 2,\n "maintaner": "b"}', 'm.json:3:2: unknown field "maintaner", did you mean "maintainer"?'),
        ('{"maintainer": "a", "maintainer": 2, "x": 1}', 'm.json:1:38: unknown field "x"'),
        ('{"a": NaN}', "m.json:1:7: NaN is not a number"),
        ('{"maintainer": "NaN here, \\" 1e999", "scale": NaN}', "m.json:1:47: NaN is not a number"),
        ('{"a": -Infinity,\n "b": 1e999}', "m.json:1:7: -Infinity is not a number"),
        ('{"a": -Infinity,\n "b": 1e999}', "m.json:2:7: 1e999 is not a number"),
        ('{"a": 1234567890123456789}', "m.json:1:7: 1234567890123456789 is not a number"),
        ('....\n"deployment_strategy": {"canary": {}}\n....', "m.json:1:1: dots stand for what somebody left out"),
        ('{"application": {},\n....\n}', "m.json:2:1: dots stand for what somebody left out"),
        ('"deployment_strategy": {"canary": {}},', "this is a piece of a manifest"),
        ('{\n // how\n "a": 1}', "m.json:2:2: JSON has no comments"),
        ('{"a": 1 # how\n}', "m.json:1:9: JSON has no comments"),
        ("[" * 40, "m.json:1:33: nested more than 32 levels"),
        ("", "the manifest is empty"),
        ("[]", "a manifest is a JSON object"),
        (b"\xef\xbb\xbf{}", "byte-order mark"),
        (b'{"a": "\xff"}', "m.json:1:8: the file is not UTF-8"),
        (manifest(image="a\r\nx: y"), "control character"),
        (manifest(ports=[{"port": True}]), "port is true; must be an integer"),
        (manifest(ports=[{"port": 80}, {"port": 80}]), "port 80/TCP appears twice"),
        (
            hosted("shop.test", "a.b\r\n"),
            'hosts[1] is "a.b\\r\\n"; a host name in lower case, such as shop.example.com or *.',
        ),
        (hosted(7), "hosts[0] is 7; must be a string"),
        (manifest(env={"1X": "a"}), "a variable's name has letters, digits and _, and no digit first"),
        (manifest(imagee="x"), 'unknown field "imagee", did you mean "image"?'),
        (manifest().replace('"shop"', '"Shop_API"'), 'Try "shop-api"'),
        (manifest().replace('"shop"', '"shop-v3"'), "ends like a revision"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str | bytes, says: str) -> None:
    assert any(says in problem for problem in problems(text)), problems(text)


def test_only_what_is_wrong_is_told() -> None:
    assert len(problems('{"a": 1.5, "b": -2, "c": 1e3, "d": NaN}')) == 1
    assert len(problems('{"a": 1, "a": [1,], "b": {"c": 1, "c": 2,},\n ... "d": 1, "d": 2,}')) == 5, (
        "none behind the dots"
    )


def test_all_mistakes_are_told_at_once_in_the_files_order() -> None:
    strategy = {"canary": {"increment": 0, "intervall": 1}, "failure_conditions": [{"name": "E", "expression": "up"}]}
    wrong = {"application": {"name": "X", "containers": {"web": {}}}, "deployment_strategy": strategy}
    found = problems(json.dumps(wrong, indent=1))
    assert len(found) >= 6 and found == sorted(found, key=lambda p: tuple(map(int, p.split(":")[1:3])))


@pytest.mark.parametrize(
    ("increment", "interval"),
    [(0, 1), (101, 1), (5, 0), (5, "0s"), (5, "soon"), (5, "169h"), (5, "9" * 400 + "h"), (1.5, 1), (5, True)],
)
def test_a_canary_out_of_range_is_refused(increment: object, interval: object) -> None:
    strategy = {"canary": {"increment": increment, "interval": interval}}
    assert problems(json.dumps({**TALK, "deployment_strategy": strategy}))


def test_an_image_from_the_command_line_rolls_and_a_new_scale_does_not() -> None:
    first = read(json.dumps(TALK).encode(), "m.json")
    assert read(json.dumps(TALK).encode(), "m.json", ("nginx:1.24",)).spec_hash != first.spec_hash
    bigger = {**TALK, "application": {**TALK["application"], "scale": 9}}
    assert read(json.dumps(bigger).encode(), "m.json").spec_hash == first.spec_hash
    with pytest.raises(UsageError):
        read(json.dumps(TALK).encode(), "m.json", ("web=nginx:1.24",))


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else None


PLAIN = st.characters(exclude_categories=["Cs", "Cc"])


@given(st.text(alphabet=PLAIN, max_size=60))
def test_no_value_can_break_out_of_a_template(text: str) -> None:
    def rendered(word: str) -> Any:
        container = {"image": "a:1", "ports": [{"port": 80}], "env": {"K": word}, "args": [word]}
        found = {"application": {"name": "shop", "containers": {"web": container}}, "maintainer": word or "x"}
        made = render(read(json.dumps(found).encode(), "m.json"), "web", 3, GatewayName("gw"))
        return [made.deployment, made.service, made.front, made.route]

    assert shape(rendered(text)) == shape(rendered("plain"))
    container = rendered(text)[0]["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "K", "value": text}] and container["args"] == [text]


def pod_of(containers: dict[str, Any]) -> Any:
    text = json.dumps({"application": {"name": "shop", "containers": containers}})
    return render(read(text.encode(), "m.json"), "default", 1, GatewayName("gw")).deployment["spec"]["template"]["spec"]


def test_pods_leave_without_losing_requests() -> None:
    made = render(read(json.dumps(TALK).encode(), "m.json"), "default", 1, GatewayName("gw")).deployment["spec"]
    pod = made["template"]["spec"]
    assert made["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] == 10
    assert pod["containers"][0]["readinessProbe"]["tcpSocket"] == {"port": 80}
    assert pod["terminationGracePeriodSeconds"] > 10


def test_a_container_without_a_port_stays_as_long_as_the_one_that_serves() -> None:
    web, proxy = pod_of({"web": {"image": "a:1", "ports": [{"port": 80}]}, "proxy": {"image": "b:1"}})["containers"]
    assert proxy["lifecycle"] == web["lifecycle"] == {"preStop": {"sleep": {"seconds": 10}}}
    assert "readinessProbe" not in proxy
    assert "lifecycle" not in pod_of({"job": {"image": "a:1"}})["containers"][0], "nobody asks it anything"


@pytest.mark.parametrize("name", ["bake", "poll", "no_data_limit", "progress_deadline", "drain", "keep_warm"])
def test_no_duration_is_longer_than_a_week(name: str) -> None:
    for long in (604801, "604801s", "1000000h"):
        (problem,) = problems(json.dumps({**TALK, "deployment_strategy": {name: long}}))
        assert name in problem
    read(json.dumps({**TALK, "deployment_strategy": {name: "168h"}}).encode(), "m.json")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"service": "a/b:9090", "token_env": "T"}, "token_env goes with url only"),
        ({"service": "a/b:9090", "url": "http://b"}, "either url or service"),
        ({"token_env": "T"}, "either url or service"),
        ({"service": "a/b:65536"}, "a port is 1 to 65535"),
        ({"service": "a/b:0"}, "a port is 1 to 65535"),
        ({"service": "a/b:65535"}, ""),
        ({"url": "http://b", "token_env": "T"}, ""),
    ],
)
def test_prometheus_has_one_address_and_a_token_only_where_it_arrives(source: dict[str, str], says: str) -> None:
    text = json.dumps({**TALK, "deployment_strategy": {"prometheus": source}})
    if not says:
        assert read(text.encode(), "m.json").strategy.prometheus is not None
        return
    (problem,) = problems(text)
    assert says in problem


def test_an_image_that_is_none_is_the_command_lines_fault_and_not_the_files() -> None:
    with pytest.raises(UsageError) as caught:
        read(json.dumps(TALK).encode(), "m.json", ("nginx:1=2",))
    assert "--image nginx:1=2" in caught.value.what or "container" in caught.value.what
    with pytest.raises(UsageError) as caught:
        read(json.dumps(TALK).encode(), "m.json", ("dev=nginx:1=2",))
    assert "--image dev=nginx:1=2" in caught.value.what and 'image is "nginx:1=2"; what to run' in caught.value.why
