"""Checks on every Move before it is carried out; on in production. What they catch is a bug of docc's, never a user's doing.

Written apart from the planner and in other terms: they look at the patch that would be sent, not at how it came about.
"""

from __future__ import annotations

import math

from docc.core.names import deployment_name, parse_revision
from docc.core.route import revisions_of, weights_of
from docc.core.view import View
from docc.model.moves import Delete, Move, Patch


class Bug(Exception):
    """docc was about to do what it must never do; nothing was sent."""


def check(view: View, move: Move) -> None:
    """Raises Bug."""
    effect = move.effect
    if isinstance(effect, Patch) and effect.ref.kind == "HTTPRoute":
        for operation in effect.operations:
            if operation["path"] == "/spec/rules":
                _weights(view, *weights_of(view.app, operation["value"]))
            elif operation["path"].endswith("/backendRefs"):
                _weights(view, revisions_of(view.app, {"backendRefs": operation["value"]}), True)
    if isinstance(effect, Patch) and effect.ref.kind == "Deployment":
        _scale_down(view, effect)
    if isinstance(effect, Delete) and _is_named(view, parse_revision(view.app, effect.ref.name)):
        raise Bug(f"{effect.ref} would be deleted while the route or a Service names it")


def _weights(view: View, weights: dict[int, int], agrees: bool) -> None:
    if not agrees or (weights and sum(weights.values()) != 100):
        raise Bug(f"the weights {weights} do not sum to 100 in each rule")
    before = view.seen.routed.weights
    for number, weight in weights.items():
        revision = view.seen.revision(number)
        if weight <= before.get(number, 0) or number == (view.seen.record and view.seen.record.stable):
            continue
        if not revision.has_service:
            raise Bug(f"v{number} would get {weight} % and has no Service")
        full = view.plan.scale if view.plan and view.plan.candidate == number else 1
        if revision.ready < max(1, math.ceil(full * weight / 100)):
            raise Bug(f"v{number} would get {weight} % with {revision.ready} pods ready")


def _scale_down(view: View, effect: Patch) -> None:
    for operation in effect.operations:
        if operation["path"] != "/spec/replicas" or operation["op"] == "test":
            continue
        number = parse_revision(view.app, effect.ref.name)
        revision = view.seen.revision(number)
        if operation["value"] == 0 and _is_named(view, number):
            raise Bug(f"{deployment_name(view.app, revision.number)} would be scaled to 0 while it is named")
        if operation["value"] < revision.replicas and not any(o["op"] == "test" for o in effect.operations):
            raise Bug(f"{effect.ref} would be scaled down without a fence")


def _is_named(view: View, number: int | None) -> bool:
    return number in view.seen.routed.weights or (number is not None and number == view.seen.front.selects)
