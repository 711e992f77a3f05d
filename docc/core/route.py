"""The one write: traffic and record in a single JSON Patch that only applies to what was observed.

Guards (docs/architecture.md, law 2): `test` on the record, and on metadata.generation of an HTTPRoute (spec edits raise it,
the controllers' status writes do not) or on metadata.resourceVersion of a front Service that carries the record. A `test`
of null on an absent key passes on the API server (its JSON Patch library treats absent as null; RFC 6902 would not), but only
in an object that is there.

Only docc's own rules are edited: those whose backendRefs name a revision of the application (before the first deploy: those
without backends). Of a route that others own it is the one rule that the manifest names, and of that only the backendRefs.
Foreign rules, filters, matches and backends stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from docc.core.names import deployment_name, parse_revision, selector
from docc.core.trial import NOTHING, Above, is_marked, is_pin, rules_above, trial_in, with_cookie
from docc.model.moves import Object, Operation, Patch, Ref
from docc.model.record import Record
from docc.model.trial import Trial
from docc.model.world import Routed

_ANNOTATIONS = "/metadata/annotations"

EPOCH = "docc.dev/epoch"
MANIFEST = "docc.dev/manifest"
"""On a revision's Deployment: its manifest as it was last deployed, so that no verb but `deploy` needs the file."""
MAINTAINER = "docc.dev/maintainer"
"""There, too, and nowhere else: one place to keep true."""


def pointer(*keys: str) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


EPOCH_PATH = pointer("metadata", "annotations", EPOCH)
MANIFEST_PATH = pointer("metadata", "annotations", MANIFEST)


def record_path(annotation: str) -> str:
    return pointer("metadata", "annotations", annotation)


def commit(app: str, routed: Routed, record: Record, *spec: Operation) -> Patch:
    """The patch that writes `record` together with the operations on spec, or fails if anybody wrote first."""
    text = record.to_text()
    write: Operation = {"op": "add", "path": record_path(routed.annotation), "value": text}
    if not routed.has_annotations:
        write = {"op": "add", "path": _ANNOTATIONS, "value": {routed.annotation: text}}
    return Patch(Ref(routed.kind, routed.name or app), (_unrecorded(routed), _unchanged(routed), write, *spec))


def guarded(app: str, routed: Routed, *spec: Operation) -> Patch:
    """A patch of the routed object that leaves the record as it is, but tests it like any other."""
    return Patch(Ref(routed.kind, routed.name or app), (_unrecorded(routed), _unchanged(routed), *spec))


def _unrecorded(routed: Routed) -> Operation:
    """Nobody has written a record since. Below annotations that are not there, not even a `test` of null passes."""
    if routed.has_annotations:
        return {"op": "test", "path": record_path(routed.annotation), "value": routed.record_text}
    return {"op": "test", "path": _ANNOTATIONS, "value": None}


def _unchanged(routed: Routed) -> Operation:
    if routed.kind == "HTTPRoute":
        return {"op": "test", "path": "/metadata/generation", "value": routed.generation}
    return {"op": "test", "path": "/metadata/resourceVersion", "value": routed.resource_version}


def traffic(
    app: str,
    routed: Routed,
    weights: Mapping[int, int],
    *,
    port: int,
    candidate: int | None,
    above: Above = NOTHING,
) -> tuple[Operation, ...]:
    """The operations on spec that put `weights` (percent by revision, 0 for warm ones) in force, with `above` above them; ()
    if they are already."""
    if routed.kind == "Service":
        selected = next((revision for revision, weight in weights.items() if weight == 100), None)
        return () if selected is None else select(app, routed.body, selected)
    rules = rules_of(routed.body)
    if routed.rule is not None:
        return _of_one_rule(app, rules, weights, port=port, rule=routed.rule)
    edited = edit_rules(app, rules, weights, port=port, pinned=above.pinned)
    if above:
        own = [edited[at] for at in own_rules(app, edited)]
        named = {*above.pinned, *([candidate] if candidate is not None else [])}
        backends = {revision: _backend(app, revision, port) for revision in named}
        edited = [*rules_above(app, own, above, candidate, backends), *edited]
    return () if edited == rules else ({"op": "add", "path": "/spec/rules", "value": edited},)


def _of_one_rule(
    app: str, rules: list[Object], weights: Mapping[int, int], *, port: int, rule: str
) -> tuple[Operation, ...]:
    """The backendRefs of a rule in somebody else's route, and nothing else of it. Its place holds by metadata.generation."""
    operations: list[Operation] = []
    for at in own_rules(app, rules, rule):
        backends = _weighted(app, rules[at], weights, port, ())["backendRefs"]
        if backends != (rules[at].get("backendRefs") or []):
            operations.append({"op": "add", "path": f"/spec/rules/{at}/backendRefs", "value": backends})
    return tuple(operations)


def select(app: str, service: Object, revision: int) -> tuple[Operation, ...]:
    """The operations that make a Service select one revision's pods; () if it does."""
    wanted = selector(app, revision)
    if service.get("spec", {}).get("selector") == wanted:
        return ()
    return ({"op": "add", "path": "/spec/selector", "value": wanted},)


def edit_rules(
    app: str, rules: list[Object], weights: Mapping[int, int], *, port: int, pinned: Sequence[int] = ()
) -> list[Object]:
    """The rules of docc's route with `weights` in each of its own, and without those above them. pinned: the revisions that
    give their users a cookie."""
    own = own_rules(app, rules)
    return [
        _weighted(app, rule, weights, port, pinned) if at in own else rule
        for at, rule in enumerate(rules)
        if not is_above(app, rule)
    ]


def rules_of(body: Object) -> list[Object]:
    found: list[Object] = body.get("spec", {}).get("rules") or []
    return found


def own_rules(app: str, rules: list[Object], rule: str | None = None) -> tuple[int, ...]:
    """Where the rules are whose weights are docc's. rule: the name of the one that is in a route of others, "" for its only
    one; None: the route is docc's, and its rules are those that name a revision, or, while none does, those that send
    requests nowhere yet."""
    if rule is not None:
        named = [at for at, one in enumerate(rules) if one.get("name") == rule or (rule == "" and len(rules) == 1)]
        return tuple(named)
    weighted = tuple(at for at, one in enumerate(rules) if revisions_of(app, one) and not is_above(app, one))
    return weighted or tuple(at for at, one in enumerate(rules) if _waits(one))


def retried(app: str, rules: list[Object], rule: str | None = None) -> tuple[int, ...]:
    """Where docc's rules have a `retry`, which only others put there: an answer that it hides is in no plain counter."""
    return tuple(at for at in own_rules(app, rules, rule) if rules[at].get("retry"))


def revisions_of(app: str, rule: Object) -> dict[int, int]:
    """The weights by revision. An absent weight means 1 (Gateway API v1, HTTPBackendRef)."""
    return {
        revision: int(backend.get("weight", 1))
        for backend in rule.get("backendRefs") or []
        if (revision := _revision(app, backend)) is not None
    }


def foreign_weight(app: str, rule: Object) -> int:
    """What a rule's other backends have, together."""
    backends = rule.get("backendRefs") or []
    return sum(int(backend.get("weight", 1)) for backend in backends if _revision(app, backend) is None)


def shares(weights: Mapping[int, int]) -> dict[int, int]:
    """Percent by revision, of those that get any: somebody else's weights need not sum to 100."""
    total = sum(weights.values())
    return {revision: max(1, round(100 * weight / total)) for revision, weight in weights.items() if weight > 0}


def _waits(rule: Object) -> bool:
    return not rule.get("backendRefs") and not any(
        f.get("type") == "RequestRedirect" for f in rule.get("filters") or []
    )


def is_above(app: str, rule: Object) -> bool:
    """A rule that docc put above the weighted ones: for who is on trial, or stays where they are (core/trial.py)."""
    return is_marked(rule) and _revision(app, rule["backendRefs"][0]) is not None


def trial_of_live(app: str, rules: list[Object]) -> Trial:
    """Who is on trial by the rules that are there: what the first rule for them asks for beyond those below."""
    above = [rule for rule in rules if is_above(app, rule) and not is_pin(app, rule)]
    theirs = [match.get("headers") or [] for at in own_rules(app, rules) for match in rules[at].get("matches") or [{}]]
    return trial_in(above[:1], theirs)


def weights_of(app: str, rules: list[Object], rule: str | None = None) -> tuple[dict[int, int], bool]:
    """The weights by revision in docc's first rule, and whether all its rules have the same."""
    found = [revisions_of(app, rules[at]) for at in own_rules(app, rules, rule)]
    return (found[0] if found else {}), all(weights == found[0] for weights in found)


def _weighted(app: str, rule: Object, weights: Mapping[int, int], port: int, pinned: Sequence[int]) -> Object:
    backends = rule.get("backendRefs") or []
    known = {revision: backend for backend in backends if (revision := _revision(app, backend)) is not None}
    foreign = [backend for backend in backends if _revision(app, backend) is None]
    ours = []
    for revision, weight in sorted(weights.items()):
        backend = {**known.get(revision, _backend(app, revision, port)), "weight": weight}
        ours.append(with_cookie(app, backend, revision if revision in pinned and weight else None))
    return {**rule, "backendRefs": [*ours, *foreign]}


def _backend(app: str, revision: int, port: int) -> dict[str, Any]:
    return {"group": "", "kind": "Service", "name": deployment_name(app, revision), "port": port}


def _revision(app: str, backend: Object) -> int | None:
    if backend.get("kind", "Service") != "Service" or backend.get("namespace"):
        return None
    return parse_revision(app, str(backend.get("name", "")))
