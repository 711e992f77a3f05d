"""The rules above the weighted one: who is on trial goes to the candidate, and with `sticky` who once got a revision stays on
it.

They are made from docc's own rules, one for each: the same matches, each with the headers besides, so that matches and filters
that people have are kept, and a pin holds for every path (Gateway API, HTTPRouteMatch: a longer path would win over a pin on
"/").
Rules of the same precision are taken in their order: who is on trial comes before who was here already.

A rule of this kind is known again by its one backend, a revision with the weight ABOVE_WEIGHT, which no weighted rule has, for
those sum to 100. Pure; which of them are wanted when, core/steps.py says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docc.core import cookies
from docc.model.trial import HeaderMatch, Trial

if TYPE_CHECKING:
    from docc.model.manifest import ABTesting
    from docc.model.moves import Object

ABOVE_WEIGHT = 1000
DEFAULT_HEADER = HeaderMatch("x-docc-release", "canary")
PREVIEW_HEADER = "x-docc-preview"
RULES_MAX, MATCHES_MAX, ALL_MATCHES_MAX = 16, 64, 127
"""Gateway API v1: rules of a route, matches of a rule, and of all its rules together."""
HEADER_VALUE_MAX = 4096
"""Gateway API v1: characters of what a match asks of a header."""
EVERY_PATH: Object = {"path": {"type": "PathPrefix", "value": "/"}}
_COOKIE_SECONDS = 86400


@dataclass(frozen=True, slots=True)
class Above:
    """What stands above the weighted rule. trial: whose requests go to the candidate. pinned: revisions whose users stay."""

    trial: Trial = ()
    pinned: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.trial or self.pinned)


NOTHING = Above()


def trial_of(testing: ABTesting | None) -> Trial:
    """Who is on trial by the manifest."""
    if testing is None or not testing.enable_headers:
        return ()
    if not testing.headers and not testing.cookies:
        return ((DEFAULT_HEADER,),)
    if not testing.every:
        single = tuple((header,) for header in testing.headers)
        return (*single, *((_cookie((cookie,)),) for cookie in testing.cookies))
    return ((*testing.headers, *((_cookie(testing.cookies),) if testing.cookies else ())),)


def _cookie(wanted: Sequence[HeaderMatch]) -> HeaderMatch:
    return HeaderMatch("cookie", cookies.expression(wanted), regex=True)


def rules_above(
    app: str, own: Sequence[Object], above: Above, candidate: int | None, backends: Mapping[int, Object]
) -> list[Object]:
    """own: the weighted rules. backends: of the candidate and of all that are pinned, by revision."""
    wanted: list[tuple[Trial, int]] = [(above.trial, candidate)] if above.trial and candidate is not None else []
    wanted += [(((_pin(app, revision),),), revision) for revision in above.pinned]
    found = []
    for trial, revision in wanted:
        baked = with_cookie(app, backends[revision], revision if revision in above.pinned else None)
        found += [rule for one in own if (rule := _above(one, trial, baked)) is not None]
    return found


def _above(rule: Object, trial: Trial, backend: Object) -> Object | None:
    """None where no request can have it."""
    matches = rule.get("matches") or [EVERY_PATH]
    asked = [both for match in matches for headers in trial if (both := combined(match, headers)) is not None]
    if not asked:
        return None
    kept = {key: value for key, value in rule.items() if key != "name"}  # a rule's name is its own
    return {**kept, "matches": asked, "backendRefs": [{**backend, "weight": ABOVE_WEIGHT}]}


def combined(match: Object, headers: Sequence[HeaderMatch]) -> Object | None:
    """A match may ask for a header once (its list is a map by name): None where it asks for another value of it already."""
    theirs = {str(header["name"]).lower(): header for header in match.get("headers") or []}
    added = []
    for header in headers:
        wanted = _as_match(header)
        there = theirs.get(header.name)
        if there is not None and (there.get("value"), there.get("type", "Exact")) != (wanted["value"], wanted["type"]):
            return None
        if there is None:
            added.append(wanted)
    return {**match, "headers": [*(match.get("headers") or []), *added]}


def _as_match(header: HeaderMatch) -> dict[str, Any]:
    kind = "RegularExpression" if header.regex else "Exact"
    return {"type": kind, "name": header.name, "value": header.value}


def cookie_name(app: str) -> str:
    return f"docc-{app}"


def _pin(app: str, revision: int) -> HeaderMatch:
    return HeaderMatch("cookie", cookies.exactly(cookie_name(app), f"v{revision}"), regex=True)


def with_cookie(app: str, backend: Object, revision: int | None) -> Object:
    """The backend with a filter that gives its users the cookie of this revision; None: without any of docc's."""
    filters = [one for one in (_without(app, each) for each in backend.get("filters") or []) if one is not None]
    if revision is not None:
        _add_cookie(
            filters, f"{cookie_name(app)}=v{revision}; Path=/; Max-Age={_COOKIE_SECONDS}; HttpOnly; SameSite=Lax"
        )
    rest = {key: value for key, value in backend.items() if key != "filters"}
    return {**rest, "filters": filters} if filters else rest


def _add_cookie(filters: list[Object], cookie: str) -> None:
    """A backend may have one filter of a kind, and in it a header once: whoever sets a cookie there keeps it."""
    header = {"name": "Set-Cookie", "value": cookie}
    for at, one in enumerate(filters):
        if one.get("type") == "ResponseHeaderModifier":
            edit = one["responseHeaderModifier"]
            added = edit.get("add") or []
            if not any(str(each["name"]).lower() == "set-cookie" for each in added):
                filters[at] = {**one, "responseHeaderModifier": {**edit, "add": [*added, header]}}
            return
    filters.append({"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [header]}})


def _without(app: str, entry: Object) -> Object | None:
    if entry.get("type") != "ResponseHeaderModifier":
        return entry
    edit = entry.get("responseHeaderModifier") or {}
    added = edit.get("add") or []
    kept = [each for each in added if not _is_ours(app, each)]
    if len(kept) == len(added):
        return entry
    rest = {**{key: value for key, value in edit.items() if key != "add"}, **({"add": kept} if kept else {})}
    return {**entry, "responseHeaderModifier": rest} if rest else None


def _is_ours(app: str, header: Object) -> bool:
    return str(header.get("name")).lower() == "set-cookie" and str(header.get("value")).startswith(
        f"{cookie_name(app)}=v"
    )


def is_marked(rule: Object) -> bool:
    """It has the form of a rule above; core/route.py knows whether its backend is a revision."""
    backends, matches = rule.get("backendRefs") or [], rule.get("matches") or []
    marked = len(backends) == 1 and backends[0].get("weight") == ABOVE_WEIGHT
    return bool(marked and matches) and all(match.get("headers") for match in matches)


def is_pin(app: str, rule: Object) -> bool:
    """Of the rules above, those that keep users where they are."""
    headers = [header for match in rule.get("matches") or [] for header in match.get("headers") or []]
    return any(str(header.get("value")).startswith(cookies.begins(cookie_name(app), "v")) for header in headers)


def too_many(rules: Sequence[Object]) -> str:
    """Which of Gateway API's limits a route would be over; "" for none."""
    most = max((len(rule.get("matches") or [None]) for rule in rules), default=0)
    total = sum(len(rule.get("matches") or [None]) for rule in rules)
    for found, limit, of in (
        (len(rules), RULES_MAX, "rules in a route"),
        (most, MATCHES_MAX, "matches in a rule"),
        (total, ALL_MATCHES_MAX, "matches in a route"),
    ):
        if found > limit:
            return f"{found} {of}, and Gateway API allows {limit}"
    return ""


def trial_in(rules: Sequence[Object], theirs: Sequence[list[Object]]) -> Trial:
    """Whom these rules are for. theirs: the headers that matches ask for anyway."""
    found: list[tuple[HeaderMatch, ...]] = []
    for match in (match for rule in rules for match in rule["matches"]):
        own = [one for one in match["headers"] if not any(one in headers for headers in theirs)]
        headers = tuple(
            HeaderMatch(str(one["name"]).lower(), str(one["value"]), one.get("type") == "RegularExpression")
            for one in own
        )
        if headers and headers not in found:
            found.append(headers)
    return tuple(found)


def in_words(trial: Trial) -> str:
    """ "the header x-docc-release: canary", or several of them."""
    return " or ".join(" and ".join(_words(header) for header in headers) for headers in trial)


def _words(header: HeaderMatch) -> str:
    if header.name == "cookie" and header.regex and (found := cookies.asked_for(header.value)):
        return " and ".join(
            f"the cookie {one.name}{f' like {one.value}' if one.regex else f'={one.value}'}" for one in found
        )
    return f"the header {header.name}{f' like {header.value}' if header.regex else f': {header.value}'}"
