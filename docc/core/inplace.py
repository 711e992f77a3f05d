"""Changes that need no rollout: scale, hosts, paths and Gateway of what serves already, each compared with the live object.

Only fields that docc renders are compared and written; what others added stays. In mid-rollout nothing is changed so; more pods
both sides get then (core/pods.py).
"""

from __future__ import annotations

from docc.core.names import deployment_name
from docc.core.plan import Plan
from docc.core.pods import front_first, remember
from docc.core.route import EPOCH_PATH, guarded, own_rules, rules_of
from docc.core.view import View
from docc.model.facts import Scaled, Updated
from docc.model.moves import Move, Object, Operation, Patch, Ref


def change(view: View, plan: Plan) -> Move | None:
    """The next change in place of an application at rest whose stable revision is the manifest's; None if nothing differs."""
    stable = view.stable
    if stable.exists and stable.replicas != plan.scale:
        test: Operation = {"op": "test", "path": EPOCH_PATH, "value": stable.epoch}
        scale: Operation = {"op": "add", "path": "/spec/replicas", "value": plan.scale}
        patch = Patch(Ref("Deployment", deployment_name(view.app, stable.number)), (test, scale))
        return Move(patch, (Scaled(stable.number, plan.scale, "the manifest's scale"),))
    if stable.exists and (move := remember(view, plan, stable)) is not None:
        return move
    if plan.rendered.route is None or view.seen.routed.kind != "HTTPRoute":
        return None
    operations = route_changes(view.app, view.seen.routed.body, plan.rendered.route)
    if not operations:
        return None
    if (move := front_first(view, plan)) is not None:
        return move
    what = ", ".join(sorted({_named(operation) for operation in operations}))
    return Move(guarded(view.app, view.seen.routed, *operations), (Updated("HTTPRoute", view.app, what),))


def route_changes(app: str, live: Object, rendered: Object) -> tuple[Operation, ...]:
    """The operations that give the live route the rendered one's parents, hosts and paths; () when it has them."""
    operations: list[Operation] = []
    for field in ("parentRefs", "hostnames"):
        wanted, found = rendered["spec"].get(field) or [], live.get("spec", {}).get(field) or []
        if not _same(wanted, found):
            if wanted:
                operations.append({"op": "add", "path": f"/spec/{field}", "value": wanted})
            else:
                operations.append({"op": "remove", "path": f"/spec/{field}"})
    wanted_matches = rendered["spec"]["rules"][0].get("matches") or []
    rules = rules_of(live)
    own = own_rules(app, rules)
    if len(own) == 1 and not _same(wanted_matches, rules[own[0]].get("matches") or []):
        operations.append({"op": "add", "path": f"/spec/rules/{own[0]}/matches", "value": wanted_matches})
    return tuple(operations)


def _named(operation: Operation) -> str:
    return {"parentRefs": "parents", "hostnames": "hosts"}.get(str(operation["path"]).split("/")[2], "paths")


def _same(wanted: object, found: object) -> bool:
    """Equal in every field that docc renders; fields that the server or others added do not count."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(_same(value, found.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_same, wanted, found))
    return wanted == found
