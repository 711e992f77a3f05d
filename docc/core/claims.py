"""Which other routes claim what a deploy's route would claim: the same door, a common host, the same path. Pure.

Gateway API's rules (v1, HTTPRoute): the more specific host has the request, then the more specific match; of two equal claims
the older route has all of it, then the first by name, and the other one is dead. So an equal claim is refused, unless ours is
the live one and wins: its users are served, and a fix must be able to go out. A manifest without hosts claims whatever nobody
else does; that is refused as long as somebody else is at the same door, unless it is live and so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from docc.core.gateways import meet
from docc.core.plan import Plan
from docc.model.errors import ExitCode, Obstacle
from docc.model.moves import Object
from docc.model.world import Seen

Path = tuple[str, str]
"""Its type and its value, as in a match."""


def rivals(plan: Plan, seen: Seen, routes: Sequence[Object], gateway: Object | None) -> Iterator[Obstacle]:
    """gateway: its listeners say which hosts a route without hosts means; without it, every host."""
    ours = plan.rendered.route
    if ours is None:
        return
    live = seen.routed.body if seen.routed.kind == "HTTPRoute" and seen.routed.has_parents else None
    others = [route for route in routes if _name(route, plan) != f"{plan.namespace}/{plan.app}"]
    for route in others:
        door = _common_door(plan, ours, route)
        if door is not None:
            yield from _rival(plan, (ours, live, route), door, gateway)
    neighbours = sorted(
        _name(route, plan) for route in others if (_common_door(plan, ours, route) or {}).get("gateway")
    )
    if neighbours and not _is_bounded(ours, gateway) and not (live and not live["spec"].get("hostnames")):
        shown = ", ".join(neighbours[:5]) + (f" and {len(neighbours) - 5} more" if len(neighbours) > 5 else "")
        yield Obstacle(
            "the manifest names no hosts, so its route would claim every host, and others are at the same Gateway",
            f"application.hosts; HTTPRoute {plan.namespace}/{plan.app}",
            f"attached too: {shown}",
            'name the hosts in the manifest, e.g. "hosts": ["shop.example.com"]',
            ExitCode.LOCKED,
        )


def _rival(
    plan: Plan, routes: tuple[Object, Object | None, Object], door: Mapping[str, Any], gateway: Object | None
) -> Iterator[Obstacle]:
    ours, live, theirs = routes
    paths = sorted(plain_paths(ours) & plain_paths(theirs))
    mine, other = (hosts_of(route, gateway) if door["gateway"] else {""} for route in (ours, theirs))
    name, held = _name(theirs, plan), _holds(live, mine & other, paths, gateway)
    if not paths:
        return
    if mine & other:
        claim = _claim(mine & other, paths)
        wins = live is not None and held and _age(live, plan) < _age(theirs, plan)
        yield Obstacle(
            f"HTTPRoute {name} claims {claim} as well" + (", and gets none of it" if wins else ""),
            f"{door['name']}; HTTPRoute {plan.namespace}/{plan.app}",
            f"of two equal claims the older route has every request (Gateway API): {plan.namespace if wins else name}"
            + (f"/{plan.app}" if wins else ""),
            "other hosts or paths in the manifest, or have that route deleted",
            None if wins else ExitCode.LOCKED,
        )
        return
    for host, wider in sorted((a, b) for a in mine for b in other if meet(a, b)):
        if live is not None and host in hosts_of(live, gateway):
            continue
        taker = f"{plan.namespace}/{plan.app}" if _specific(host) > _specific(wider) else name
        yield Obstacle(
            f"HTTPRoute {name} claims {_claim({wider}, paths)}, which has hosts in common with {_host(host)}",
            f"{door['name']}; HTTPRoute {plan.namespace}/{plan.app}",
            f"the more specific host has the request (Gateway API): {taker}",
        )


def _common_door(plan: Plan, ours: Object, theirs: Object) -> Mapping[str, Any] | None:
    """The parent that both are attached to, None if there is none. Somebody whom the controller has refused claims nothing."""
    home = theirs["metadata"].get("namespace", plan.namespace)
    for mine in ours["spec"].get("parentRefs") or []:
        for other in (theirs.get("spec") or {}).get("parentRefs") or []:
            if _parent(mine, plan.namespace) != _parent(other, home) or _refused(theirs, other, home):
                continue
            if all(
                mine.get(key) in (None, other.get(key)) or other.get(key) is None for key in ("sectionName", "port")
            ):
                _, kind, namespace, name = _parent(mine, plan.namespace)
                return {"name": f"{kind} {namespace}/{name}", "gateway": kind == "Gateway"}
    return None


def _parent(ref: Object, home: str) -> tuple[str, str, str, str]:
    group = ref.get("group", "gateway.networking.k8s.io")
    return group, ref.get("kind", "Gateway"), ref.get("namespace") or home, str(ref.get("name"))


def _refused(route: Object, ref: Object, home: str) -> bool:
    """By every controller that speaks of this parent."""
    said = [
        condition.get("status")
        for parent in (route.get("status") or {}).get("parents") or []
        if _parent(parent.get("parentRef") or {}, home) == _parent(ref, home)
        and (parent.get("parentRef") or {}).get("sectionName") == ref.get("sectionName")
        for condition in parent.get("conditions") or []
        if condition.get("type") == "Accepted"
    ]
    return bool(said) and all(status == "False" for status in said)


def hosts_of(route: Object, gateway: Object | None) -> set[str]:
    """The hosts that a route claims; without any, those of the listeners it is attached to; "" for all."""
    if named := route["spec"].get("hostnames"):
        return {str(host).lower() for host in named}
    if gateway is None:
        return {""}
    sections = {ref.get("sectionName") for ref in route["spec"].get("parentRefs") or []}
    listeners = gateway["spec"].get("listeners") or []
    return {str(x.get("hostname") or "") for x in listeners if None in sections or x.get("name") in sections} or {""}


def plain_paths(route: Object) -> set[Path]:
    """Those that a route claims by their path alone; what asks for headers, a method or a query besides is more specific,
    and leaves the rest to others. No match at all means every path."""
    found: set[Path] = set()
    for rule in (route.get("spec") or {}).get("rules") or [{}]:
        for match in rule.get("matches") or [{}]:
            if not any(match.get(key) for key in ("headers", "queryParams", "method")):
                path = match.get("path") or {}
                kind, value = path.get("type", "PathPrefix"), str(path.get("value", "/"))
                found.add((kind, value.rstrip("/") or "/") if kind == "PathPrefix" else (kind, value))
    return found


def _holds(live: Object | None, hosts: set[str], paths: Sequence[Path], gateway: Object | None) -> bool:
    """The live route has the whole claim already."""
    return live is not None and hosts <= hosts_of(live, gateway) and set(paths) <= plain_paths(live)


def _is_bounded(route: Object, gateway: Object | None) -> bool:
    parents = route["spec"].get("parentRefs") or []
    return all(ref.get("kind") == "Service" for ref in parents) or "" not in hosts_of(route, gateway)


def _age(route: Object, plan: Plan) -> tuple[str, str]:
    """Less is older."""
    return str(route["metadata"].get("creationTimestamp") or "9"), _name(route, plan)


def _specific(host: str) -> tuple[bool, bool, int]:
    return host != "", not host.startswith("*."), len(host)


def _name(route: Object, plan: Plan) -> str:
    return f"{route['metadata'].get('namespace', plan.namespace)}/{route['metadata']['name']}"


def _host(host: str) -> str:
    return host or "every host"


def _claim(hosts: set[str], paths: Sequence[Path]) -> str:
    values = ", ".join(value for _, value in paths)
    return f"{', '.join(map(_host, sorted(hosts)))} with {'path' if len(paths) == 1 else 'paths'} {values}"
