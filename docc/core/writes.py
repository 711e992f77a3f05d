"""Moves that write traffic and record together. All of them go through `write`, so that none can split the two."""

from __future__ import annotations

from collections.abc import Mapping

from docc.core.phases import Signal, following
from docc.core.route import commit, traffic
from docc.core.trial import NOTHING, Above
from docc.core.view import View
from docc.model.facts import Fact, Parked, Reverted, StableLost
from docc.model.moves import Move, Operation
from docc.model.record import Record


def write(
    view: View,
    record: Record,
    weights: Mapping[int, int] | None,
    facts: tuple[Fact, ...],
    *,
    above: Above = NOTHING,
    extra: tuple[Operation, ...] = (),
) -> Move:
    """The one write. weights None: traffic stays as it is; with weights: `above` stands above the weighted rule, and
    nothing else does."""
    spec: tuple[Operation, ...] = ()
    if weights:
        port = view.plan.port if view.plan else _port(view)
        spec = traffic(view.app, view.seen.routed, weights, port=port, candidate=record.candidate, above=above)
    return Move(commit(view.app, view.seen.routed, record, *spec, *extra), facts)


def fail_move(view: View, reason: str, *, request: str = "") -> Move:
    """Evidence against the candidate: traffic back to stable at once, or, if stable cannot answer, say so and stay."""
    record = view.record
    if view.weight > 0 and not view.can_return:
        lost = record.becoming(following(record.phase, Signal.LOSE), view.now, reason=reason)
        return write(view, lost, None, (StableLost(record.stable, record.candidate, reason),))
    return return_move(view, reason, signal=Signal.FAIL, request=request)


def return_move(
    view: View, reason: str, *, signal: Signal = Signal.RETURN, request: str = "", verb: str | None = None
) -> Move:
    """All traffic to stable in one write. By another than the driver it raises the epoch, so the driver ends. verb: what
    was typed, None to leave the record's. Whoever loses traffic by it, somebody else's hand may have given it, drains."""
    record, routed = view.record, view.seen.routed
    mine = record.by == view.me
    exposed: float | None = None if view.weight > 0 else 0.0
    if record.exposed is not None:
        exposed = None if record.phase.at_rest else view.now - record.exposed
    others = any(weight > 0 for number, weight in routed.weights.items() if number != record.stable)
    drains = record.stable is not None and (others or bool(routed.above or view.front_edits))
    back = record.becoming(
        following(record.phase, signal), view.now, epoch=record.epoch + (0 if mine else 1), by=view.me, weight=0,
        step=-1, reason=reason, request=request, verb=verb or record.verb,
        exposed=view.now if drains and record.exposed is None else record.exposed,
    )  # fmt: skip
    return write(view, back, _all_on_stable(view), (Reverted(record.candidate or 0, record.stable, reason, exposed),))


def park_move(view: View, reason: str) -> Move:
    record = view.record
    parked = record.becoming(
        following(record.phase, Signal.PARK), view.now, weight=0, step=-1, reason=reason, request=""
    )
    return write(view, parked, _all_on_stable(view), (Parked(record.candidate, record.stable, reason),))


def _all_on_stable(view: View) -> dict[int, int]:
    """Every revision that the route names stays named, at 0: its cluster stays known to the data plane while it drains."""
    if view.record.stable is None:
        return {}
    return {**dict.fromkeys(view.seen.routed.weights, 0), view.record.stable: 100}


def _port(view: View) -> int:
    for rule in view.seen.routed.body.get("spec", {}).get("rules") or []:
        for backend in rule.get("backendRefs") or []:
            if isinstance(port := backend.get("port"), int):
                return port
    return 0
