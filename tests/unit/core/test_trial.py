"""The rules above the weighted one: made from what people have, told from theirs, and gone without a trace."""

from __future__ import annotations

import copy
import json
import re
import shlex
from typing import Any

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from docc.core.cookies import asked_for, astray, expression
from docc.core.example import curl
from docc.core.route import is_above, traffic, trial_of_live, weights_of
from docc.core.trial import ABOVE_WEIGHT, DEFAULT_HEADER, Above, in_words, is_pin, too_many, trial_of, with_cookie
from docc.model.errors import ManifestError
from docc.model.manifest import ABTesting
from docc.model.trial import HeaderMatch
from docc.model.world import Routed
from docc.spec.build import read

BETA, TEAM = HeaderMatch("x-beta", "yes"), HeaderMatch("x-team", "a.*", regex=True)
ONE, TWO = HeaderMatch("beta", "1"), HeaderMatch("lang", "de.at")
DEFAULT = ((DEFAULT_HEADER,),)
EITHER, OPEN = HeaderMatch("group", "beta|gamma", True), HeaderMatch("group", ".*beta", True)
NOT_A = HeaderMatch("group", "[^a]*z", True)


def rule(weights: dict[int, int], matches: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    backends = [{"name": f"shop-v{n}", "port": 80, "weight": weight} for n, weight in weights.items()]
    return {**more, **({"matches": matches} if matches else {}), "backendRefs": backends}


def edited(rules: list[Any], weights: dict[int, int], above: Above = Above()) -> list[Any]:  # noqa: B008  a value
    routed = Routed("HTTPRoute", True, body={"spec": {"rules": rules}})
    operations = traffic("shop", routed, weights, port=80, candidate=2, above=above)
    return list(operations[0]["value"]) if operations else rules


def path(value: str, **more: Any) -> dict[str, Any]:
    return {"path": {"type": "PathPrefix", "value": value}, **more}


@pytest.mark.parametrize(
    ("testing", "ways"),
    [
        (None, ()),
        (ABTesting(False, True), ()),
        (ABTesting(True), DEFAULT),
        (ABTesting(True, headers=(BETA, TEAM)), ((BETA,), (TEAM,))),
        (ABTesting(True, headers=(BETA, TEAM), every=True), ((BETA, TEAM),)),
    ],
)
def test_who_is_on_trial(testing: ABTesting | None, ways: Any) -> None:
    assert trial_of(testing) == ways


@pytest.mark.parametrize(
    ("cookies", "header", "fits"),
    [
        ((ONE,), "beta=1", True), ((ONE,), "a=b; beta=1; z=1", True), ((ONE,), "a=b;beta=1", True), ((ONE,), "beta=12", False),
        ((ONE,), "xbeta=1", False), ((ONE,), "a=beta=1", False), ((TWO,), "lang=deXat", False), ((TWO,), "lang=de.at", True),
        ((ONE, TWO), "beta=1; lang=de.at", True), ((ONE, TWO), "lang=de.at; x=y; beta=1", True), ((ONE, TWO), "beta=1", False),
        ((HeaderMatch("beta", "[0-9]+", True),), "q=1; beta=42", True), ((EITHER,), "group=beta", True),
        ((EITHER,), "group=gamma", True), ((EITHER,), "a=1; group=gamma; z=1", True), ((EITHER,), "gamma; session=1", False),
        ((EITHER,), "group=betamax", False), ((OPEN,), "group=alphabeta; z=1", True),
        ((OPEN,), "group=alpha; theme=beta", False),
        ((NOT_A,), "group=xyz; a=1", True), ((NOT_A,), "group=x; theme=z", False),
        ((EITHER, ONE), "beta=1; group=gamma", True), ((EITHER, ONE), "gamma; beta=1", False),
    ],
)  # fmt: skip
def test_a_cookie_is_found_among_others(cookies: tuple[HeaderMatch, ...], header: str, fits: bool) -> None:
    """Envoy holds the whole header against the expression."""
    ((wanted,),) = trial_of(ABTesting(True, cookies=cookies, every=True))
    assert wanted.name == "cookie" and wanted.regex and (re2.fullmatch(wanted.value, header) is not None) is fits
    assert asked_for(wanted.value) == cookies


patterns = st.lists(
    st.sampled_from([".", "[^a]", "[^\\]x]", "|", "a", "*", "b+", "(c|d)", "\\.", "[a-z]", "\\d", "(?i)", ":", "=", "[^\\W]",
                     "\\;", "\\D", "[ -~]", "[[:punct:]]", "[[:alpha:]]", "\\x3b", "^", "$", "\\pP"]), min_size=1, max_size=6
).map("".join)  # fmt: skip


@given(patterns, st.text("abcx=:;. Z9-", max_size=12))
def test_no_pattern_that_is_taken_goes_beyond_its_cookie(pattern: str, others: str) -> None:
    """What follows the ";" is other cookies, whatever stands there: only the value itself says who is on trial."""
    try:
        alone = re2.compile(pattern)
    except re2.error:
        return
    if astray(pattern) or ";" in pattern:
        return
    value = others.replace(";", "")
    wanted = re2.compile(expression([HeaderMatch("group", pattern, True)]))
    for header in (f"group={value}", f"group={value}; theme={others}", f"group={value};{others}"):
        if not re.search(r"(^|; *)group=", header[1:]):
            assert (wanted.fullmatch(header) is not None) == (alone.fullmatch(value) is not None), (pattern, header)


@pytest.mark.parametrize(
    "pattern",
    [r"\W", r"\D+", r"[\W]", "[ -~]", "[[:punct:]]", "[[:^alpha:]]", "^a", "a$", r"\x3b", r"\073", r"\pP", "[+-z]"],
)
def test_what_could_be_a_semicolon_has_no_place_in_a_cookie_s_pattern(pattern: str) -> None:
    assert astray(pattern)


def test_header_rules_stand_first_for_every_rule_and_keep_matches_and_filters_of_others() -> None:
    theirs = {"type": "Exact", "name": "x-tenant", "value": "7"}
    rules = [
        rule(
            {1: 100}, [path("/api"), path("/", headers=[theirs], method="GET")], filters=[{"type": "URLRewrite"}], name="main"
        ),
        {"matches": [path("/static")], "backendRefs": [{"name": "files", "port": 80}]},
    ]  # fmt: skip
    found = edited(rules, {1: 80, 2: 20}, Above(DEFAULT))
    wanted = {"type": "Exact", "name": "x-docc-release", "value": "canary"}
    assert [is_above("shop", one) for one in found] == [True, False, False]
    assert found[0]["matches"] == [path("/api", headers=[wanted]), path("/", headers=[theirs, wanted], method="GET")]
    assert found[0]["filters"] == [{"type": "URLRewrite"}] and "name" not in found[0] and found[1]["name"] == "main"
    ((backend,),) = [one["backendRefs"] for one in found[:1]]
    assert (backend["name"], backend["weight"]) == ("shop-v2", ABOVE_WEIGHT)
    assert found[2] == rules[1] and weights_of("shop", found) == ({1: 80, 2: 20}, True)
    assert trial_of_live("shop", found) == DEFAULT


def test_a_match_that_asks_for_another_value_of_the_same_header_is_left_out() -> None:
    """Nobody can send both; Gateway API refuses the header twice in one match."""
    other = {"type": "Exact", "name": "X-Docc-Release", "value": "stable"}
    found = edited([rule({1: 100}, [path("/", headers=[other]), path("/b")])], {1: 100, 2: 0}, Above(DEFAULT))
    assert len(found[0]["matches"]) == 1 and found[0]["matches"][0]["path"]["value"] == "/b"
    assert edited([rule({1: 100}, [path("/", headers=[other])])], {1: 100}, Above(DEFAULT)) == [
        rule({1: 100}, [path("/", headers=[other])])
    ]


def test_users_of_a_revision_are_pinned_by_a_rule_for_every_path_below_those_on_trial() -> None:
    rules = [rule({1: 100}, [path("/")]), rule({1: 100}, [path("/api")])]
    found = edited(rules, {1: 80, 2: 20}, Above(DEFAULT, (2, 1)))
    above = [one for one in found if is_above("shop", one)]
    assert [is_pin("shop", one) for one in above] == [False, False, True, True, True, True] and found[:6] == above
    assert [one["backendRefs"][0]["name"] for one in above] == ["shop-v2"] * 4 + ["shop-v1"] * 2
    for one in found[6:]:
        baked = [each["filters"][0]["responseHeaderModifier"]["add"][0]["value"] for each in one["backendRefs"]]
        assert [value.split(";")[0] for value in baked] == ["docc-shop=v1", "docc-shop=v2"]
    assert trial_of_live("shop", found) == DEFAULT
    freed = edited(found, {1: 100, 2: 0})
    assert all("filters" not in each for one in freed for each in one["backendRefs"]) and len(freed) == 2


def test_a_filter_of_somebody_s_on_a_backend_is_kept_and_gets_its_cookie_back_out() -> None:
    theirs = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [{"name": "x-a", "value": "1"}]}}
    rules = [rule({1: 100})]
    rules[0]["backendRefs"][0]["filters"] = [theirs]
    found = edited(rules, {1: 50, 2: 50}, Above((), (2, 1)))
    (kept,) = found[-1]["backendRefs"][0]["filters"]
    assert [each["name"] for each in kept["responseHeaderModifier"]["add"]] == ["x-a", "Set-Cookie"]
    assert edited(found, {1: 100})[0]["backendRefs"][0]["filters"] == [theirs]


headers = st.lists(
    st.sampled_from([{"type": "Exact", "name": n, "value": "1"} for n in ("x-a", "x-b")]), max_size=2, unique_by=str
)
matches = st.lists(
    st.builds(
        lambda value, found, more: path(value, **({"headers": found} if found else {}), **more),
        st.sampled_from(["/", "/api"]),
        headers,
        st.sampled_from([{}, {"method": "GET"}, {"queryParams": [{"name": "q", "value": "1"}]}]),
    ),
    min_size=1,
    max_size=3,
)
rewrites = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
sets = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "x-s", "value": "1"}]}}
bakes = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [{"name": "Set-Cookie", "value": "t=1"}]}}
more = st.sampled_from([{}, {"filters": [rewrites]}, {"filters": [sets, rewrites], "name": "main"},
                        {"timeouts": {"request": "9s"}}])  # fmt: skip
baked = st.sampled_from([{}, {"filters": [sets]}, {"filters": [bakes]}, {"filters": [rewrites]}])


def theirs(found: list[Any], fields: Any, filters: Any, name: str, weight: int) -> dict[str, Any]:
    return {**fields, "matches": found, "backendRefs": [{"name": name, "port": 80, "weight": weight, **filters}]}


ours = st.builds(theirs, matches, more, baked, st.just("shop-v1"), st.just(100))
foreign = st.builds(theirs, matches, more, baked, st.just("other"), st.sampled_from([1, 100, ABOVE_WEIGHT]))


def but(one: dict[str, Any], *keys: str) -> str:
    return json.dumps({key: value for key, value in one.items() if key not in keys})


@given(st.lists(ours | foreign, min_size=1, max_size=5), st.integers(1, 99), st.booleans(), st.booleans())
def test_whatever_people_have_is_kept_to_the_byte_and_comes_back(
    rules: list[Any], weight: int, trial: bool, sticky: bool
) -> None:
    before = json.dumps(rules)
    above = Above(DEFAULT if trial else (), (2, 1) if sticky else ())
    found = edited(copy.deepcopy(rules), {1: 100 - weight, 2: weight}, above)
    own = [one for one in rules if one["backendRefs"][0]["name"] == "shop-v1"]
    first = len(found) - len(rules)
    assert first == len(own) * (trial + 2 * sticky), "a rule for each of docc's, for the trial and for each version"
    assert [is_above("shop", one) for one in found] == [True] * first + [False] * len(rules)
    for one, source in zip(found[:first], own * (trial + 2 * sticky), strict=True):
        assert but(one, "matches", "backendRefs") == but(source, "matches", "backendRefs", "name")
        for match, asked in zip(one["matches"], source["matches"], strict=True):
            assert but(match, "headers") == but(asked, "headers")
            assert match["headers"][:-1] == asked.get("headers", [])
    for one, source in zip(found[first:], rules, strict=True):
        if source in own:
            assert but(one, "backendRefs") == but(source, "backendRefs")
            assert [each["weight"] for each in one["backendRefs"]] == [100 - weight, weight]
            kept = with_cookie("shop", one["backendRefs"][0], None)
            assert {**kept, "weight": 100} == source["backendRefs"][0]
        else:
            assert json.dumps(one) == json.dumps(source)
    assert edited(found, {1: 100}) == rules and json.dumps(rules) == before


@pytest.mark.parametrize(
    ("trial", "command"),
    [
        (DEFAULT, "curl -H 'x-docc-release: canary' http://shop.test/api"),
        (((TEAM,), (BETA,)), "curl -H 'x-beta: yes' http://shop.test/api"),
        (trial_of(ABTesting(True, cookies=(TWO,))), "curl -b lang=de.at http://shop.test/api"),
        (
            trial_of(ABTesting(True, cookies=(ONE, TWO), every=True)),
            "curl -b 'beta=1; lang=de.at' http://shop.test/api",
        ),
        (((HeaderMatch("x-name", "it's"),),), """curl -H 'x-name: it'"'"'s' http://shop.test/api"""),
        (((TEAM,),), ""),
    ],
)
def test_the_curl_that_reaches_the_trial(trial: Any, command: str) -> None:
    route = {"spec": {"hostnames": ["*.test", "shop.test"], "rules": [rule({1: 100}, [path("/api")])]}}
    assert curl("shop", trial, route) == command


@pytest.mark.parametrize(
    ("hosts", "rules", "told"),
    [
        (["shop.test"], [{"matches": [path("/static")], "backendRefs": [{"name": "files"}]}, rule({1: 100}, [path("/")])],
         "http://shop.test/"),
        (["shop.test"], [rule({1: 100}, [path("/a+", path={"type": "RegularExpression", "value": "/a+"}), path("/b")])],
         "http://shop.test/b"),
        (["shop.test"], [rule({1: 100}, [{"path": {"type": "RegularExpression", "value": "/a+"}}])], None),
        (["shop.test"], [rule({1: 100}, [path("/", headers=[{"name": "x-t", "value": "a b"}], method="POST")])],
         "-X POST -H 'x-t: a b' http://shop.test/"),
        (["shop.test"], [rule({1: 100}, [path("/", queryParams=[{"name": "q", "value": "1&2"}])])],
         "'http://shop.test/?q=1%262'"),
        (["*.shop.test"], [rule({1: 100})], "http://www.shop.test/"),
        ([], [rule({1: 100})], "http://GATEWAY/"),
    ],
)  # fmt: skip
def test_the_curl_asks_for_all_that_docc_s_own_rule_asks_for(
    hosts: list[str], rules: list[Any], told: str | None
) -> None:
    command = curl("shop", DEFAULT, {"spec": {"hostnames": hosts, "rules": rules}})
    words, header = shlex.split(command), ["-H", "x-docc-release: canary"]
    assert words == [] if told is None else sorted(words) == sorted(["curl", *shlex.split(told), *header])


def test_words() -> None:
    both = trial_of(ABTesting(True, headers=(BETA,), cookies=(ONE,), every=True))
    assert in_words(DEFAULT) == "the header x-docc-release: canary"
    assert in_words(both) == "the header x-beta: yes and the cookie beta=1"
    assert in_words(trial_of(ABTesting(True, cookies=(EITHER,)))) == "the cookie group like beta|gamma"
    assert in_words(trial_of(ABTesting(True, cookies=(OPEN, NOT_A, ONE), every=True))) == (
        "the cookie group like .*beta and the cookie group like [^a]*z and the cookie beta=1"
    )
    assert in_words(((BETA,), (TEAM,))) == "the header x-beta: yes or the header x-team like a.*"


def test_gateway_api_s_limits() -> None:
    assert too_many([rule({1: 100})] * 16) == "" and "17 rules" in too_many([rule({1: 100})] * 17)
    assert "65 matches in a rule" in too_many([rule({1: 100}, [path("/")] * 65)])
    assert "128 matches in a route" in too_many([rule({1: 100}, [path("/")] * 64)] * 2)


def by(kind: str = "exact", match: str = "any", **pairs: list[tuple[str, str]]) -> dict[str, Any]:
    found = {key: [{"name": n, "value": v, "type": kind} for n, v in values] for key, values in pairs.items()}
    return {"ab_testing": {"enable_headers": True, "match": match, **found}}


@pytest.mark.parametrize(
    ("strategy", "problem"),
    [
        ({"ab_testing": {"headers": [{"name": "x", "value": "1"}]}}, "headers means nothing without enable_headers"),
        ({"ab_testing": {"enable_headers": True, "pause_timeout": "1h"}}, "pause_timeout means nothing without"),
        (by(headers=[("Cookie", "1")]), "fields of their own"),
        (by(cookies=[("a", "1;b=2")]), 'ends at ";"'),
        (by("regex", headers=[("x", "(")]), "RE2"),
        (by("regex", headers=[("x", "x)|(y")]), "that it has not opened"),
        (by("regex", headers=[("x", "a{1001}")]), "makes 1001 repetitions"),
        (by("regex", cookies=[("x", "x)|(y")]), "that it has not opened"),
        (by("regex", cookies=[("x", r"\W")]), r'\W could go on past the ";"'),
        (by("regex", cookies=[("x", "^a$")]), "^ stands for an end of the whole header"),
        (by("regex", cookies=[("x", "." * 1024)]), "this cookie is too long"),
        (by(match="all", cookies=[(n, "v" * 230) for n in "abc"]), "these cookies together are too long"),
        ({**by(headers=[(str(n), "1") for n in range(8)]), "paths": 9}, "9 paths for 8 headers and cookies make 72"),
        (by(match="all", headers=[("x", "1"), ("X", "2")]), "twice"),
        (by(match="all", cookies=[(str(n), "1") for n in range(4)]), "at most 3"),
        ({"sticky": True}, "sticky needs canary or ab_testing"),
        (by(headers=[("x y", "1")]), "a token as in HTTP"),
        (by(headers=[("x", "a\r\nb")]), "control character"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_refused(strategy: dict[str, Any], problem: str) -> None:
    containers = {"web": {"image": "x", "ports": [{"port": 80}]}}
    paths = [f"/{at}" for at in range(strategy.pop("paths", 1))]
    text = {"application": {"name": "shop", "containers": containers, "paths": paths}}
    with pytest.raises(ManifestError) as refused:
        read(json.dumps({**text, "deployment_strategy": strategy}).encode(), "m.json")
    assert any(problem in found.message for found in refused.value.problems), refused.value.problems


def test_a_preview_is_kept_like_any_manifest() -> None:
    text = {"application": {"name": "shop", "containers": {"web": {"image": "x", "ports": [{"port": 80}]}}}}
    found = read(json.dumps(text).encode(), "m.json", preview=True).strategy.ab_testing
    assert (
        found is not None and found.pause_before_rollout and found.headers == (HeaderMatch("x-docc-preview", "shop"),)
    )
    own = {"deployment_strategy": {"ab_testing": {"enable_headers": True}}}
    found = read(json.dumps({**text, **own}).encode(), "m.json", preview=True).strategy.ab_testing
    assert found == ABTesting(True, True)
