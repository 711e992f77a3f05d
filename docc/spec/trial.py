"""What is wrong with ab_testing and sticky that the schema cannot say. Plain values in, (path, key, message) out; it reads
shapes that the schema may have refused: its caller sees to that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docc.core.trial import ALL_MATCHES_MAX, COOKIES_MAX, MATCHES_MAX
from docc.promql import parse

Found = tuple[tuple[str | int, ...], str | None, str]
_ONLY_WITH = {
    "headers": "enable_headers",
    "cookies": "enable_headers",
    "match": "enable_headers",
    "pause_timeout": "pause_before_rollout",
}


def problems(values: dict[str, Any]) -> Iterator[Found]:
    application = values["application"]
    inner = "deployment_strategy" in application
    strategy = (application if inner else values).get("deployment_strategy") or {}
    path: tuple[str | int, ...] = ("application", "deployment_strategy") if inner else ("deployment_strategy",)
    testing = strategy.get("ab_testing", {})
    if strategy.get("sticky") and not strategy.get("canary") and not testing:
        yield path, "sticky", "sticky needs canary or ab_testing: without them nobody gets both versions"
    yield from _of_testing(testing, (*path, "ab_testing"))
    if testing.get("enable_headers"):
        yield from _too_many(application, strategy, (*path, "ab_testing"))


def _of_testing(testing: dict[str, Any], path: tuple[str | int, ...]) -> Iterator[Found]:
    for field, switch in _ONLY_WITH.items():
        if field in testing and not testing.get(switch):
            yield path, field, f"{field} means nothing without {switch}"
    for kind in ("headers", "cookies"):
        names = set()
        for at, one in enumerate(testing.get(kind, [])):
            here = (*path, kind, at)
            name = one["name"].lower() if kind == "headers" else one["name"]
            if kind == "headers" and name in ("cookie", "host"):
                yield (
                    (*here, "name"),
                    None,
                    f"{one['name']} is not a header to choose by; cookies and hosts have fields of their own",
                )
            if name in names and testing.get("match") == "all":
                yield (*here, "name"), None, f"{one['name']} stands here twice, and no request can have both"
            names.add(name)
            if one.get("type") == "regex" and (why := _irregular(one["value"])):
                yield (*here, "value"), None, f"value is no regular expression that Envoy takes (RE2): {why}"
            if kind == "cookies" and ";" in one["value"]:
                yield (*here, "value"), None, 'a cookie\'s value ends at ";"'
    if testing.get("match") == "all" and len(testing.get("cookies", [])) > COOKIES_MAX:
        yield path, "cookies", f"at most {COOKIES_MAX} cookies can be asked for together"


def _irregular(text: str) -> str:
    """What the regular expressions of PromQL, which are RE2's, say of it; "" for nothing."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    try:
        parse(f'x{{y=~"{quoted}"}}')
    except ValueError as error:
        return str(error).splitlines()[-1]
    return ""


def _too_many(application: dict[str, Any], strategy: dict[str, Any], path: tuple[str | int, ...]) -> Iterator[Found]:
    """Each path has a match in the weighted rule, one for each way to be on trial, and with sticky one for each version."""
    testing, paths = strategy["ab_testing"], len(application.get("paths", ["/"]))
    ways = (
        1
        if testing.get("match") == "all"
        else max(1, len(testing.get("headers", [])) + len(testing.get("cookies", [])))
    )
    total = paths * (1 + ways + 2 * bool(strategy.get("sticky")))
    if paths * ways > MATCHES_MAX:
        yield (
            path,
            None,
            f"{paths} paths for {ways} headers and cookies make {paths * ways} matches; a rule has {MATCHES_MAX} at most",
        )
    elif total > ALL_MATCHES_MAX:
        yield path, None, f"that makes {total} matches in the route; it may have {ALL_MATCHES_MAX} (Gateway API)"
