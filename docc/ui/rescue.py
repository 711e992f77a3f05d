"""What to type when docc could not put the traffic back (exit code 11): exact commands, from what was last seen. Pure.

They need nothing of docc's, since docc is what has just failed: kubectl, and rights that perhaps only somebody else has.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from docc.core.names import APP_LABEL, REVISION_LABEL, deployment_name, parse_revision, selector
from docc.core.route import is_above, own_rules, rules_of
from docc.model.moves import Object, Operation
from docc.model.world import Seen


def steps(app: str, at: str, seen: Seen | None) -> Iterator[str]:
    """One line each, in the order in which to do them. seen None: the cluster did not answer any more."""
    record, kubectl = seen.record if seen else None, f"kubectl {at}"
    if seen is None or record is None or record.stable is None:
        yield f"see why: {kubectl} get pods,httproutes,services -l {APP_LABEL}={app}"
        yield f"then:    docc status {app} {at}"
        return
    stable = f"v{record.stable}"
    if seen.revision(record.stable).ready == 0:
        pods = f"{APP_LABEL}={app},{REVISION_LABEL}={stable}"
        yield f"see why: {kubectl} describe pods -l {pods}"
        yield f"then:    docc rollback {app} {at}, as soon as one pod of {stable} is ready"
        return
    yield f"try:     docc rollback {app} {at}"
    yield f"by hand: {kubectl} patch {by_hand(app, record.stable, seen)}"


def by_hand(app: str, stable: int, seen: Seen) -> str:
    """The arguments of `kubectl patch` that give stable all traffic."""
    if seen.routed.kind == "Service":
        change = {"spec": {"selector": selector(app, stable)}}
        return f"service {app} -p {_argument(change)}"
    routed = seen.routed
    changes = operations(app, stable, rules_of(routed.body), routed.rule)
    return f"httproute {routed.name or app} --type=json -p {_argument(changes)}"


def _argument(value: object) -> str:
    return shlex.quote(json.dumps(value, separators=(",", ":")))


def operations(app: str, stable: int, rules: list[Object], rule: str | None = None) -> list[Operation]:
    """A JSON Patch: 100 to stable, 0 to docc's other backends; foreign ones stay. Header rules go last, from the end, so that
    no index moves before it is used."""
    changes: list[Operation] = []
    gone: list[Operation] = []
    own = own_rules(app, rules, rule)
    for at, one in enumerate(rules):
        if rule is None and is_above(app, one):
            gone.insert(0, {"op": "remove", "path": f"/spec/rules/{at}"})
        elif at in own:
            changes += _all_to(stable, app, one.get("backendRefs") or [], f"/spec/rules/{at}/backendRefs")
    return changes + gone


def _all_to(stable: int, app: str, backends: list[Object], path: str) -> Iterator[Operation]:
    """A rule that does not name stable yet gets it in the place of another revision: it must not be left without any."""
    revisions = [parse_revision(app, str(backend.get("name", ""))) for backend in backends]
    if stable not in revisions:
        place = next((place for place, revision in enumerate(revisions) if revision is not None), None)
        if place is None:
            return
        yield {"op": "replace", "path": f"{path}/{place}/name", "value": deployment_name(app, stable)}
        revisions[place] = stable
    for place, (backend, revision) in enumerate(zip(backends, revisions, strict=True)):
        weight = 100 if revision == stable else 0
        if revision is not None and backend.get("weight", 1) != weight:
            yield {"op": "add", "path": f"{path}/{place}/weight", "value": weight}
