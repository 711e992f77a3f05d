"""A command for people to type whose request goes to the candidate while it is on trial. Pure.

It asks for what one of docc's own rules asks for, and for the trial besides, and is whole: quoted for a shell, never cut. Where
the Gateway listens is in no object that every verb may read, so it goes to the route's own host.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from urllib.parse import urlencode

from docc.core.cookies import asked_for
from docc.core.route import own_rules, rules_of
from docc.core.trial import EVERY_PATH, combined
from docc.model.moves import Object
from docc.model.trial import Trial

GATEWAY = "GATEWAY"
"""In the place of a host, where the route has none: whatever name leads there."""


def curl(app: str, trial: Trial, route: Object) -> str:
    """By the first way on which nothing is a regular expression; "" where there is none."""
    if not trial:
        return ""
    rules, host = rules_of(route), _host(route.get("spec", {}).get("hostnames") or [])
    for at in own_rules(app, rules):
        for match in rules[at].get("matches") or [EVERY_PATH]:
            for headers in trial:
                asked = combined(match, headers)
                if asked is not None and (words := _words(asked, host)) is not None:
                    return shlex.join(["curl", *words])
    return ""


def _host(names: Sequence[str]) -> str:
    """Any name fits where the route has a wildcard."""
    plain = next((str(name) for name in names if not str(name).startswith("*")), None)
    return plain or (f"www{str(names[0])[1:]}" if names else GATEWAY)


def _words(match: Object, host: str) -> list[str] | None:
    """What fits all fields of a match; None if one of them is a regular expression."""
    path, queries = match.get("path") or EVERY_PATH["path"], match.get("queryParams") or []
    headers = [list(_header(header)) for header in match.get("headers") or []]
    if not all(headers) or any(one.get("type") == "RegularExpression" for one in (path, *queries)):
        return None
    method = match.get("method", "GET")
    asks = {"GET": [], "HEAD": ["--head"]}.get(method, ["-X", method])
    query = "?" + urlencode([(one["name"], one["value"]) for one in queries]) if queries else ""
    return [*asks, *(word for words in headers for word in words), f"http://{host}{path.get('value', '/')}{query}"]


def _header(header: Object) -> Iterator[str]:
    """curl's option and its word; nothing for a regular expression that is more than some plain cookies."""
    if header.get("type", "Exact") == "Exact":
        yield from ("-H", f"{header['name']}: {header['value']}")
        return
    cookies = asked_for(str(header["value"])) if str(header["name"]).lower() == "cookie" else ()
    if cookies and not any(one.regex for one in cookies):
        yield from ("-b", "; ".join(f"{one.name}={one.value}" for one in cookies))
