"""What is refused in an HTTPRoute before Envoy would refuse it without a word, and that Envoy takes what is left."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.sandbox.refusals import StoreError
from docc.sandbox.route_validation import seconds
from tests.sandbox.local_world import empty_store, gateway, world

Object = dict[str, Any]
V1 = {"name": "v1", "port": 80}
FIRST = "spec.rules[0]"
NO_PATHS = ("", "a", "/a//b", "/a/./b", "/a/../b", "/a/..", "/a/.", "/a%2Fb", "/a#b", "/a?b", "/a b", "/é", "/" * 1025)


def refusal(rule: Object) -> StoreError | None:
    spec = {"parentRefs": [{"name": "sandbox"}], "rules": [{"backendRefs": [V1], **rule}]}
    try:
        empty_store().create("HTTPRoute", {"metadata": {"name": "shop", "namespace": "default"}, "spec": spec})
    except StoreError as error:
        return error
    return None


LIKE = {"type": "RegularExpression", "name": "x"}


def match(**fields: Any) -> Object:
    return {"matches": [fields]}


def regular(text: str) -> Object:
    return match(path={"type": "RegularExpression", "value": text})


def edit(how: str, value: Any) -> Object:
    return {"filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {how: [value]}}]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/a(?=b)", "invalid perl operator: (?="), ("/a(?!b)", "invalid perl operator: (?!"),
        ("(?<=a)/b", "(?<="), ("(?<!a)/b", "(?<!"), (r"/(a)\1", r"invalid escape sequence: \1"),
        (r"(?P<x>a)(?P=x)", "(?P="), ("(?>a)", "(?>"), (r"/a\Z", r"invalid escape sequence: \Z"), ("/a++", "bad repetition"),
        ("/(", "missing ): /("), ("/[", "missing ]"), ("/a{1,1001}", "invalid repetition size"), ("*", "no argument"),
        ("(?(1)a|b)", "invalid perl operator"), ("/" + "a{1000}" * 40, "at most 32768"), ("", "no empty regular expression"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["path", "header", "query"])
def test_what_re2_does_not_know_is_refused_in_its_words(text: str, said: str, where: str) -> None:
    entry = {"type": "RegularExpression", "name": "x", "value": text}
    rule = {"path": regular(text), "header": match(headers=[entry]), "query": match(queryParams=[entry])}[where]
    field = {"path": "path.value", "header": "headers[0].value", "query": "queryParams[0].value"}[where]
    refused = refusal(rule)
    assert refused is not None and (refused.code, refused.reason) == (422, "Invalid")
    (cause,) = refused.causes
    assert (cause["field"], cause["reason"]) == (f"{FIRST}.matches[0].{field}", "FieldValueInvalid")
    assert cause["message"].startswith("Invalid value: ") and said in cause["message"]
    start = f'HTTPRoute.gateway.networking.k8s.io "shop" is invalid: {FIRST}.matches[0].{field}: Invalid value: '
    assert str(refused).startswith(start)


@pytest.mark.parametrize(
    "text", ["5", "5x", "1.5s", "-1s", "5 s", "", "s", "1s\n", "1d", "100000s", "1h1m1s1ms1ms", "PT5S", "∞s"]
)
@pytest.mark.parametrize("name", ["request", "backendRequest"])
def test_a_timeout_that_is_no_gep_2257_duration_is_refused_by_its_pattern(text: str, name: str) -> None:
    refused = refusal({"timeouts": {name: text}})
    assert refused is not None and refused.code == 422
    (cause,) = refused.causes
    assert cause["field"] == f"{FIRST}.timeouts.{name}"
    assert cause["message"].endswith(
        f"{FIRST}.timeouts.{name} in body should match '^([0-9]{{1,5}}(h|m|s|ms)){{1,4}}$'"
    )


@pytest.mark.parametrize(
    ("timeouts", "fits"),
    [
        ({"request": "2s", "backendRequest": "3s"}, False), ({"request": "1m", "backendRequest": "60001ms"}, False),
        ({"request": "3s", "backendRequest": "3000ms"}, True), ({"request": "0s", "backendRequest": "3s"}, True),
        ({"request": "10s"}, True), ({"backendRequest": "1h2m3s4ms"}, True), ({}, True),
    ],
)  # fmt: skip
def test_one_try_may_not_last_longer_than_the_whole_request(timeouts: Object, fits: bool) -> None:
    refused = refusal({"timeouts": timeouts})
    assert (refused is None) is fits
    assert refused is None or "backendRequest timeout cannot be longer than request timeout" in str(refused)


@given(st.lists(st.tuples(st.integers(0, 99999), st.sampled_from(["h", "m", "s", "ms"])), min_size=1, max_size=4))
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{amount}{unit}" for amount, unit in parts)
    milliseconds = sum(amount * {"h": 3600_000, "m": 60_000, "s": 1000, "ms": 1}[unit] for amount, unit in parts)
    assert refusal({"timeouts": {"request": text}}) is None
    assert seconds(text) == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        *[(match(path={"type": "Exact", "value": path}), "matches[0].path.value") for path in NO_PATHS],
        (match(path={"value": "a"}), "matches[0].path.value"),
        (match(path={"type": "RegularExpression", "value": "a" * 1025}), "matches[0].path.value"),
        (match(headers=[{**LIKE, "value": "a" * 4097}]), "matches[0].headers[0].value"),
        (match(queryParams=[{**LIKE, "value": "a" * 1025}]), "matches[0].queryParams[0].value"),
        (match(headers=[{"name": "a b", "value": "1"}]), "matches[0].headers[0].name"),
        (match(headers=[{"name": "", "value": "1"}]), "matches[0].headers[0].name"),
        (match(headers=[{"name": ":path", "value": "1"}]), "matches[0].headers[0].name"),
        (match(headers=[{"name": "a", "value": ""}]), "matches[0].headers[0].value"),
        (match(headers=[{"name": "a", "value": "1\n2"}]), "matches[0].headers[0].value"),
        (match(queryParams=[{"name": "a", "value": "x" * 4097}]), "matches[0].queryParams[0].value"),
        (edit("set", {"name": "a:b", "value": "1"}), "filters[0].requestHeaderModifier.set[0]"),
        (edit("add", {"name": "a", "value": "1\r\nb: 2"}), "filters[0].requestHeaderModifier.add[0]"),
        (edit("set", {"name": "Host", "value": "x"}), "filters[0].requestHeaderModifier.set[0]"),
        (edit("remove", "host"), "filters[0].requestHeaderModifier.remove[0]"),
        (edit("remove", "a b"), "filters[0].requestHeaderModifier.remove[0]"),
        ({"backendRefs": [{**V1, **edit("remove", "\0")}]}, "backendRefs[0].filters[0].requestHeaderModifier.remove[0]"),
        ({"matches": [{"method": "GET"}] * 64 , "backendRefs": []}, ""),
    ],
)  # fmt: skip
def test_other_values_that_gateway_api_or_envoy_refuse_are_told_by_field(rule: Object, field: str) -> None:
    refused = refusal(rule)
    if not field:
        assert refused is None
    else:
        assert refused is not None and [cause["field"] for cause in refused.causes] == [f"{FIRST}.{field}"]


def test_no_more_matches_than_a_route_may_have() -> None:
    spec = {"rules": [{"matches": [{"method": "GET"}] * 43} for _ in range(3)]}
    with pytest.raises(StoreError, match="at most 128 matches in all rules"):
        empty_store().create("HTTPRoute", {"metadata": {"name": "shop", "namespace": "default"}, "spec": spec})


@pytest.mark.parametrize("name", ["*", "a b", "A.b", "*.*.c", "a..b", ".b", "a.b\n", "a/b"])
def test_a_listeners_hostname_is_one(name: str) -> None:
    with pytest.raises(StoreError, match=r"spec.listeners\[0\].hostname"):
        empty_store().create("Gateway", gateway("own", hostname=name))


ODD: list[Object] = [
    regular("/[a-z]{200}"), regular(r"(?i)/A\b.*"), regular("/[[:alpha:]]+|/(?P<x>y)"), regular(r"/\pL"),
    match(path={"type": "Exact", "value": "/a(b)c;d=e,f!$&'*+~:@%41"}), match(path={"type": "PathPrefix", "value": "/a/"}),
    match(path={"type": "PathPrefix", "value": "/%"}), match(path={"type": "PathPrefix", "value": "/" + "a" * 1023}),
    match(headers=[{"name": "!#$%&'*+-.^_`|~", "value": "é\t ∞"}]), match(queryParams=[{"name": "a.b", "value": "100%"}]),
    match(headers=[{"type": "RegularExpression", "name": "x", "value": "(^|.*; *)b=1(;.*|$)"}]),
    edit("set", {"name": "x-a", "value": "100% %REQ(x)% é"}), edit("add", {"name": "Cookie", "value": ""}),
    edit("remove", "x-b"), edit("remove", "Content-Type"), edit("set", {"name": "Content-Length", "value": "3"}),
    {"timeouts": {"request": "99999h99999h99999h99999h"}}, {"timeouts": {"backendRequest": "1ms"}},
    {"timeouts": {"request": "0s"}},
]  # fmt: skip
"""Rules that the sandbox takes, at the edges of what it takes."""


def test_envoy_takes_whatever_the_sandbox_takes(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path) as here:
            here.deploy("v1", "demo:v1")
            await here.until(lambda: here.ready("v1"))
            log = tmp_path / "envoy" / "envoy.log"
            for at, rule in enumerate([*ODD, {}]):
                here.route({"v1": 100}, name=f"odd-{at}", **rule)
                here.store.patch(
                    "HTTPRoute", "default", f"odd-{at}", {"spec": {"hostnames": [f"h{at}.test"]}}, form="merge"
                )
            last = f"h{len(ODD)}.test"
            limit = asyncio.get_running_loop().time() + 20
            while await _status(here.gateway, last) != 200:
                refused = [row[:400] for row in log.read_text(encoding="utf-8").splitlines() if "rejected" in row]
                assert not refused and asyncio.get_running_loop().time() < limit, refused
                await asyncio.sleep(0.05)

    asyncio.run(play())


async def _status(address: str, host: str) -> int:
    reader, writer = await asyncio.open_connection(*address.split(":"))
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])
