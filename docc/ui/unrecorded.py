"""What is there of an application that docc has no record of: somebody has deleted the route, or taken the annotation off.
Users are served all the same, and whoever asks must hear of it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from docc.core.intent import stable_of
from docc.core.names import REVISION_LABEL, parse_revision
from docc.core.observation import is_docc_s
from docc.core.route import rules_of, shares, weights_of
from docc.model.moves import Object
from docc.model.world import Revision, Seen
from docc.ui.words import count

UNRECORDED = "unrecorded"


def unrecorded(app: str, seen: Seen) -> str:
    """Who serves, and whose pods are up; "" where nothing is left of it."""
    up = [f"v{n} has {found.ready} of {count(found.replicas, 'pod')} ready" for n, found in _up(seen)]
    said = [*_of_route(app, seen), *_of_front(app, seen), *up]
    return "; ".join(said)


def goes_on(app: str, seen: Seen) -> str:
    """What to do about it."""
    stable = stable_of(seen)
    if stable is None and any(seen.routed.weights.values()):
        return "in every rule of the route, give one of them all traffic; docc deploy, with its manifest, goes on from that"
    if stable is None:
        return f"docc deploy, with its manifest, begins anew; docc delete {app} takes down what is left"
    return f"docc deploy, with its manifest, begins a record again: v{stable} serves, and is what it returns to"


def _up(seen: Seen) -> Iterator[tuple[int, Revision]]:
    return ((n, found) for n, found in sorted(seen.revisions.items()) if found.replicas > 0)


def _of_route(app: str, seen: Seen) -> Iterator[str]:
    routed, name = seen.routed, seen.routed.name or app
    serving = ", ".join(f"v{n} {weight} %" for n, weight in routed.weights.items() if weight > 0)
    if routed.exists and (serving or is_docc_s(routed.body)):
        gives = f"gives {serving}" if serving else "gives nobody anything"
        yield f"{routed.kind} {name} {gives}, but docc's record on it has been removed"
    elif not routed.exists and (seen.front.selects is not None or any(_up(seen))):
        yield f"there is no {routed.kind} {name} with docc's record"


def _of_front(app: str, seen: Seen) -> Iterator[str]:
    front = seen.front
    if front.exists and not front.foreign and front.selects is not None:
        yield f"Service {app} leads to v{front.selects}, {count(front.ready, 'pod')} ready behind it"


def served(carriers: Sequence[Object]) -> dict[tuple[str, str], tuple[str, Object]]:
    """Of carriers without a record that are docc's: who serves, as `docc list` shows it, and the carrier, by namespace and
    application. A route tells more than a front Service."""
    found: dict[tuple[str, str], tuple[str, Object]] = {}
    for body in carriers:
        meta = body["metadata"]
        app = meta["name"]
        if not is_docc_s(body) or REVISION_LABEL in meta["labels"]:
            continue
        weights = shares(weights_of(app, rules_of(body))[0])
        selected = ((body.get("spec") or {}).get("selector") or {}).get(REVISION_LABEL, "")
        front = parse_revision(app, f"{app}-{selected}")
        if weights:
            found[meta["namespace"], app] = ",".join(f"v{n}:{weight}%" for n, weight in weights.items()), body
        elif front is not None:
            found.setdefault((meta["namespace"], app), (f"v{front}:front", body))
    return found
