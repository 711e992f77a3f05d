"""What is wrong with ab_testing and sticky that the schema cannot say. Plain values in, (path, key, message) out; it reads
shapes that the schema may have refused: its caller sees to that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docc.core.cookies import TOGETHER_MAX, astray, expression
from docc.core.trial import HEADER_VALUE_MAX, MATCHES_MAX
from docc.model.trial import HeaderMatch
from docc.spec.pattern import irregular

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
            if why := _of_value(kind, one):
                yield (*here, "value"), None, why
    if testing.get("match") == "all" and len(testing.get("cookies", [])) > TOGETHER_MAX:
        yield path, "cookies", f"at most {TOGETHER_MAX} cookies can be asked for together"
    elif testing.get("match") == "all" and testing.get("cookies") and (why := _unfit(*testing["cookies"])):
        yield path, "cookies", why


def _of_value(kind: str, one: dict[str, Any]) -> str:
    """What is wrong with what a header or cookie must be; "" for nothing."""
    value, regex, cookie = one["value"], one.get("type") == "regex", kind == "cookies"
    if regex and (why := irregular(value)):
        return f"value is no regular expression that Envoy takes (RE2): {why}"
    if cookie and ";" in value:
        return 'a cookie\'s value ends at ";"'
    if cookie and regex and (why := astray(value)):
        return f"value is no regular expression for a cookie: {why}"
    return _unfit(one) if cookie else ""


def _unfit(*asked: dict[str, Any]) -> str:
    """What is wrong with the form in which cookies stand in the route; "" for nothing."""
    wanted = [HeaderMatch(one["name"], one["value"], one.get("type") == "regex") for one in asked]
    sent = expression(wanted)
    if len(sent) > HEADER_VALUE_MAX:
        together = "these cookies together are" if len(wanted) > 1 else "this cookie is"
        return (
            f"{together} too long: the route would ask for them by {len(sent)} characters, "
            f"and Gateway API allows {HEADER_VALUE_MAX}"
        )
    return irregular(sent) if any(one.regex for one in wanted) else ""


def _too_many(application: dict[str, Any], strategy: dict[str, Any], path: tuple[str | int, ...]) -> Iterator[Found]:
    """Each path has a match for each way to be on trial. With the 16 paths and 16 ways of the schema that is the limit that is
    met first, also with sticky."""
    testing, paths = strategy["ab_testing"], len(application.get("paths", ["/"]))
    if testing.get("match") == "all":
        return
    ways = max(1, len(testing.get("headers", [])) + len(testing.get("cookies", [])))
    if paths * ways > MATCHES_MAX:
        yield (
            path,
            None,
            f"{paths} paths for {ways} headers and cookies make {paths * ways} matches; a rule has {MATCHES_MAX} at most",
        )
