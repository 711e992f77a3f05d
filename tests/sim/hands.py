"""What other hands do to what is docc's: weights, rules, the route, the record, the front Service; and how it is taken back."""

from __future__ import annotations

import json
from collections.abc import Callable

from docc.model.moves import Effect
from tests.sim.auditor import FRONT, ROUTE, carrier, consistent, record_in, record_of, selected, traffic
from tests.sim.stage import Act, Fault, Process
from tests.sim.world import Key, Object, World

RECORD = "docc.dev/rollout"
OTHER: Object = {"backendRefs": [{"name": "other", "port": 80, "weight": 1}]}
Change = Callable[[World], None]


def _weights(stable: int, candidate: int) -> Change:
    """By the record's own words; whoever has no Service yet gets nothing."""

    def change(world: World) -> None:
        record = record_of(world)
        wanted = {f"shop-v{record.get('stable')}": stable, f"shop-v{record.get('candidate')}": candidate}
        found = {name: weight for name, weight in wanted.items() if ("Service", name) in world.objects}
        if len(found) == len(wanted):
            world.edit(ROUTE, lambda body: _weigh(body, found))
            _select(world, max(found, key=lambda name: found[name]))

    return change


def _select(world: World, name: str) -> None:
    """Where there is no route, the front Service is all that divides."""
    if ROUTE not in world.objects:
        _point(name)(world)


def _weigh(body: Object, weights: dict[str, int]) -> None:
    backends = [{"kind": "Service", "name": name, "port": 80, "weight": weight} for name, weight in weights.items()]
    for rule in body["spec"]["rules"]:
        if not any(match.get("headers") for match in rule.get("matches", [])):
            rule["backendRefs"] = backends


def _point(name: str) -> Change:
    def select(body: Object) -> None:
        body["spec"]["selector"] = {"docc.dev/app": "shop", "docc.dev/revision": name.removeprefix("shop-")}

    return lambda world: world.edit(FRONT, select)


def _front_to_candidate(world: World) -> None:
    _point(f"shop-v{record_of(world).get('candidate')}")(world)


def _rule_removed(world: World) -> None:
    world.edit(
        ROUTE, lambda body: body["spec"].update(rules=[{**OTHER, "filters": body["spec"]["rules"][-1].get("filters")}])
    )


def _route_deleted(world: World) -> None:
    if ROUTE in world.objects:
        world.say("somebody", "deletes the HTTPRoute")
        world.actor = "somebody"
        world.remove(ROUTE)


def _record(text: Callable[[Object], str]) -> Change:
    def change(world: World) -> None:
        body = carrier(world)
        if body is not None and record_in(body):
            key: Key = ROUTE if ROUTE in world.objects else FRONT
            world.edit(key, lambda body: body["metadata"]["annotations"].update({RECORD: text(record_in(body))}))

    return change


def _replaced(world: World) -> None:
    """The whole object is written, as somebody's file has it."""
    stable = record_of(world).get("stable")

    def anew(body: Object) -> None:
        body["metadata"]["annotations"].pop(RECORD, None)
        _weigh(body, {f"shop-v{stable}": 1})

    if stable is not None:
        world.edit(ROUTE, anew)


def taken_back(world: World) -> None:
    """What differs from the record is as the record says."""
    record, weights = record_of(world), traffic(world)
    stable, candidate, told = record.get("stable"), record.get("candidate"), record.get("weight", 0)
    if stable is None and record and ROUTE not in world.objects and traffic(world):
        _point("shop-none")(world)
    if stable is None and record and not consistent(record, weights):
        world.edit(ROUTE, lambda body: _weigh(body, {}))
    if stable is None or not record:
        return
    if told and record["phase"] not in ("shifting", "awaiting", "baking", "stuck"):  # nobody is there to put it back
        told = 0
        _record(lambda record: json.dumps({**record, "weight": 0}))(world)
        record = record_of(world)
    if not consistent(record, weights):
        known = {f"shop-v{stable}": 100 - told, **({f"shop-v{candidate}": told} if told else {})}
        world.edit(ROUTE, lambda body: _weigh(body, known))
    if selected(world.objects.get(FRONT)) != f"shop-v{stable}" and record["phase"] != "promoting":
        _point(f"shop-v{stable}")(world)


def at_once(change: Change) -> Fault:
    """Between the look and the write."""

    def fault(process: Process, effect: Effect, act: Act) -> str:
        change(process.world)
        process.stage.changed()
        return ""

    return fault


def soon(change: Change, *, back: bool = False) -> Fault:
    """A second after the write; back: and somebody thinks better of it nine seconds later."""

    def fault(process: Process, effect: Effect, act: Act) -> str:
        now = process.world.now
        process.world.agenda.append((now + 1, change))
        if back:
            process.world.agenda.append((now + 10, taken_back))
        return ""

    return fault


_HALF, _UNEVEN, _STABLE, _CANDIDATE = _weights(50, 50), _weights(3, 1), _weights(100, 0), _weights(0, 100)
_GARBLED, _FORGED = _record(lambda record: "{"), _record(lambda record: json.dumps({**record, "weight": 77}))
HANDS: dict[str, Fault] = {
    "half and half by hand": at_once(_HALF), "half and half by hand, soon": soon(_HALF),
    "half and half by hand for 9 s": soon(_HALF, back=True), "3 to 1 by hand": at_once(_UNEVEN),
    "3 to 1 by hand, soon": soon(_UNEVEN), "all to stable by hand": at_once(_STABLE),
    "all to stable by hand, soon": soon(_STABLE), "all to the candidate by hand": at_once(_CANDIDATE),
    "all to the candidate by hand, soon": soon(_CANDIDATE), "docc's rule removed": at_once(_rule_removed),
    "docc's rule removed, soon": soon(_rule_removed), "route deleted": at_once(_route_deleted),
    "route deleted, soon": soon(_route_deleted), "route replaced": at_once(_replaced), "route replaced, soon": soon(_replaced),
    "record garbled": at_once(_GARBLED), "record garbled, soon": soon(_GARBLED), "record forged": at_once(_FORGED),
    "record forged, soon": soon(_FORGED), "front to the candidate": at_once(_front_to_candidate),
    "front to the candidate, soon": soon(_front_to_candidate), "front to nobody": at_once(_point("shop-v77")),
    "front to nobody, soon": soon(_point("shop-v77")), "front for 9 s": soon(_front_to_candidate, back=True),
}  # fmt: skip
