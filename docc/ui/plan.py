"""The plan in words, before anything happens. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from docc.core.expression import fires_from, parse
from docc.core.intent import Intent, intent
from docc.core.plan import Plan
from docc.core.steps import Bake, Hold, SetWeight
from docc.model.manifest import Manifest
from docc.model.world import Seen
from docc.ui.console import neutral
from docc.ui.words import count, duration


def plan_lines(manifest: Manifest, plan: Plan, seen: Seen) -> Iterator[str]:
    what = intent(seen, plan.candidate)
    record = seen.record
    stable = record.stable if record else None
    yield f"plan: {plan.app} v{plan.candidate}: {what.value}"
    for container in manifest.application.containers:
        yield neutral(f"  image {container.name}: {container.image}")
    yield neutral(f"  {_way_in(manifest, plan)}")
    if what in (Intent.IN_PLACE, Intent.RETURN):
        return
    yield f"  {count(plan.scale, 'pod')} at full traffic" + (f", beside v{stable}'s until it is done" if stable else "")
    weights = [f"{step.weight} %" for step in plan.steps if isinstance(step, SetWeight)]
    if stable is None:
        yield "  all traffic at once, when the pods are ready: there is no version to compare with or return to"
    else:
        yield f"  traffic: {', '.join(weights)}{_times(plan)}"
        if plan.routed and len(weights) > 1:
            who = f"clients of Service {plan.app}" + (" outside the mesh" if manifest.application.mesh else "")
            yield f"  {who} are not part of the canary; it moves once, at the end"
    yield from _conditions(manifest, plan, judged=stable is not None)


def _way_in(manifest: Manifest, plan: Plan) -> str:
    """By which door requests come."""
    if plan.home is not None:
        rule = f'rule "{plan.home.rule}"' if plan.home.rule else "the only rule"
        return f"reached by {rule} of HTTPRoute {plan.home.route}, which others own"
    if plan.rendered.route is None:
        return f"reached by Service {plan.app} alone: there is no route"
    *gateways, last = plan.rendered.route["spec"]["parentRefs"]
    port = "" if plan.port == 80 else f":{plan.port}"
    within = f"http://{plan.app}.{plan.namespace}{port} inside the mesh" if manifest.application.mesh else ""
    if within and not gateways:
        return f"reached by {within}"
    parent = gateways[0] if gateways else last
    gateway = f"{parent.get('namespace') or plan.namespace}/{parent['name']}"
    listener = f", listener {parent['sectionName']}" if "sectionName" in parent else ""
    hosts = ", ".join(manifest.application.hosts) or "every host"
    paths = ", ".join(manifest.application.paths)
    door = f"reached by Gateway {gateway}{listener}, for {hosts}" + ("" if paths == "/" else f", paths {paths}")
    return f"{door}; and by {within}" if within else door


def _times(plan: Plan) -> str:
    holds = sum(step.seconds for step in plan.steps if isinstance(step, Hold))
    bake = sum(step.seconds for step in plan.steps if isinstance(step, Bake))
    parts = [f"{duration(holds)} of steps"] if holds else []
    parts += [f"{duration(bake)} of bake at 100 %"] if bake else []
    return f"; {', '.join(parts)}" if parts else ""


def _conditions(manifest: Manifest, plan: Plan, *, judged: bool) -> Iterator[str]:
    strategy = manifest.strategy
    if not strategy.failure_conditions:
        if judged:
            yield "  no failure_conditions: only crashing or vanishing pods take it back"
        return
    if not judged:
        names = ", ".join(condition.name for condition in strategy.failure_conditions)
        yield neutral(f"  conditions are not judged in a first deploy: {names}")
        return
    steps = [step.weight for step in plan.steps if isinstance(step, SetWeight)]
    for condition in strategy.failure_conditions:
        parsed = parse(condition.expression, outcome_labels=strategy.outcome_labels)
        note = ""
        if condition.name in plan.excused:
            note = ": failing already, not judged (--baseline=ignore)"
        elif not parsed.selects_candidate:
            percent = fires_from(parsed)
            first = next((weight for weight in steps if percent is not None and weight >= percent), None)
            note = ": asks about all versions together" + (f", can fire from {first} % on" if first and percent else "")
        yield neutral(f"  condition {condition.name}{note}")
    yield f"  looked at every {strategy.poll:g} s"
