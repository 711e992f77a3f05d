"""What somebody else has changed of what docc wrote: the record held against the object that carries it, and against the front
Service. Pure; says what differs and who did it, and decides nothing (core/dispute.py does).

Only docc's own is looked at: weights of its rules, their backends, its header rule, and whom the front Service selects. Hosts,
filters, labels and other people's rules are theirs. Who: metadata.managedFields, where a rule has no owner of its own: the
list of rules has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from docc.core.names import deployment_name, selector
from docc.core.route import own_rules, revisions_of, rules_of, shares
from docc.model.facts import Edit
from docc.model.moves import Object
from docc.model.record import Phase, Record, from_rfc3339
from docc.model.world import Routed, Seen

MANAGER = "docc"


def edits(app: str, seen: Seen, record: Record, *, above: bool | None = None) -> tuple[Edit, ...]:
    """above: whether docc's rules above the weighted one should be there; None: that is not known."""
    return (*of_route(app, seen.routed, record, above), *of_front(app, seen, record))


def of_route(app: str, routed: Routed, record: Record, above: bool | None = None) -> tuple[Edit, ...]:
    """Of the carrier, which is the front Service itself where there is no route."""
    where = f"{routed.kind} {routed.name or app}"
    if not routed.exists:
        return (Edit(where, "", "there", "gone"),)
    found = tuple(_of_route(app, routed, record, above) if routed.kind == "HTTPRoute" else _of_service(routed, record))
    if not found:
        return ()
    manager, at = manager_of(routed.body, ("spec", "rules" if routed.kind == "HTTPRoute" else "selector"))
    return tuple(Edit(where, what, ours, theirs, manager, at) for what, ours, theirs in found)


def of_front(app: str, seen: Seen, record: Record) -> tuple[Edit, ...]:
    """The front Service beside a route selects the stable revision, but for the time from a promotion to docc's own write,
    which marks it with the epoch. One that is not there, or that docc made to select nothing yet, is nobody's edit."""
    front, stable = seen.front, record.stable
    if seen.routed.kind == "Service" or stable is None or not front.exists or front.foreign or front.selects == stable:
        return ()
    unborn = (front.body.get("spec") or {}).get("selector") == selector(app, None)
    if unborn or record.phase is Phase.PROMOTING and front.epoch != str(record.epoch):
        return ()
    theirs = "none of its revisions" if front.selects is None else f"v{front.selects}"
    manager, at = manager_of(front.body, ("spec", "selector"))
    return (Edit(f"Service {app}", "selector", f"v{stable}", theirs, manager, at),)


def of_record(app: str, routed: Routed) -> Edit:
    """The record itself, when a living driver finds that it is not its own any more."""
    manager, at = manager_of(routed.body, ("metadata", "annotations", routed.annotation))
    theirs = "removed" if routed.record_text is None else "changed"
    return Edit(f"{routed.kind} {routed.name or app}", "docc's record", "as docc wrote it", theirs, manager, at)


def manager_of(body: Object, path: tuple[str, ...]) -> tuple[str, float | None]:
    """Who changed a field last, and when they last wrote; ("", None) if that is not known, or is docc itself."""
    owners: list[tuple[str, str]] = []
    for entry in body.get("metadata", {}).get("managedFields") or []:
        node: Any = entry.get("fieldsV1") or {}
        for step in path:
            node = node.get(f"f:{step}") if isinstance(node, dict) else None
        if node is not None:
            owners.append((str(entry.get("time") or ""), str(entry.get("manager") or "")))
    others = [owner for owner in owners if owner[1] != MANAGER]
    if not others:
        return "", None
    time, manager = max(others)
    try:
        return manager, from_rfc3339(time)
    except ValueError:
        return manager, None


def _of_route(app: str, routed: Routed, record: Record, above: bool | None) -> Iterator[tuple[str, str, str]]:
    rules, wanted = rules_of(routed.body), record.serving
    own = own_rules(app, rules, routed.rule)
    named = {revision for rule in rules for revision in revisions_of(app, rule)}
    if not own or (wanted and routed.rule is None and not named):
        yield _rule(routed), _told(app, wanted) if wanted else "there", "gone"
        return
    for at in own:
        weights = revisions_of(app, rules[at])
        if wanted and shares(weights) != wanted:  # a record that has just begun anew tells of none
            yield f"weights of rules[{at}]", _told(app, wanted), _told(app, weights)
    if above is not None and above != routed.above:
        words = ("none", "there")
        yield "header rule", words[above], words[routed.above]


def _of_service(routed: Routed, record: Record) -> Iterator[tuple[str, str, str]]:
    if dict(routed.weights) != record.serving:
        wanted, live = (", ".join(f"v{n}" for n in found) or "nothing" for found in (record.serving, routed.weights))
        yield "selector", wanted, live


def _rule(routed: Routed) -> str:
    return f'rule "{routed.rule}"' if routed.rule else "docc's rule"


def _told(app: str, weights: Mapping[int, int]) -> str:
    """As they stand, whatever they sum to."""
    return ", ".join(f"{deployment_name(app, n)} {weight}" for n, weight in sorted(weights.items())) or "none"
