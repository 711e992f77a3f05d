"""The plan in words, before anything happens. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from docc.core.difference import differences, in_words
from docc.core.expression import fires_from, parse
from docc.core.inplace import route_changes
from docc.core.intent import Intent, intent, stable_of
from docc.core.plan import Plan
from docc.core.quota import peak
from docc.core.steps import AwaitApproval, Bake, Hold, MatchHeaders, SetWeight
from docc.core.trial import in_words as trial_words
from docc.model.errors import Obstacle
from docc.model.manifest import Manifest
from docc.model.moves import Object, Operation
from docc.model.record import Phase
from docc.model.world import Seen
from docc.ui.console import neutral
from docc.ui.words import count, duration, one_line

_SAID = re.compile(r"containers\.[^.]+\.image|gateway(\..*)?")
"""What the plan tells anyway."""
_IN_OBJECTS = re.compile(r"scale|hosts|paths|mesh|route(\..*)?|gateway(\..*)?")
"""What has just been compared with the live objects."""
_UNENDED = {Phase.PROMOTING: "promotion under way", Phase.REVERTING: "revert under way"}


def plan_lines(manifest: Manifest, plan: Plan, seen: Seen) -> Iterator[str]:
    what = intent(seen, plan.candidate)
    stable = stable_of(seen)
    yield f"plan: {plan.app} v{plan.candidate}: {_aim(plan, seen, what)}"
    for container in manifest.application.containers:
        yield neutral(f"  image {container.name}: {container.image}")
    if stable is not None and what not in (Intent.IN_PLACE, Intent.RETURN, Intent.REVERT):
        yield from _since(plan, seen, stable)
    yield neutral(f"  {_way_in(manifest, plan)}")
    if what not in (Intent.RETURN, Intent.REVERT):
        yield from (neutral(f"  {change}") for change in _in_place(plan, seen, what))
    if what in (Intent.IN_PLACE, Intent.RETURN, Intent.REVERT):
        return
    most = peak(plan, seen)
    beside = (
        f" beside v{stable}'s until it is done: {count(most, 'pod')} at the peak"
        if stable and most > plan.scale
        else ""
    )
    yield f"  {count(plan.scale, 'pod')} at full traffic" + beside
    weights = [f"{step.weight} %" for step in plan.steps if isinstance(step, SetWeight)]
    if stable is None:
        yield "  all traffic at once, when the pods are ready: there is no version to compare with or return to"
    else:
        yield from (f"  {row}" for row in _trial(plan))
        yield f"  traffic: {', '.join(weights)}"
        yield from (f"  {row}" for row in _times(plan))
        yield from (f"  {row}" for row in _who(manifest, plan, weights))
    yield from _conditions(manifest, plan, judged=stable is not None)


def _aim(plan: Plan, seen: Seen, what: Intent) -> str:
    """What the deploy means; a revision that is there already is not called new, nor one reverted that was only stopped."""
    if what is Intent.RETRY and seen.record is not None and seen.record.phase is Phase.PARKED:
        return "begins its parked rollout again, at the first step"
    unended = seen.record if what is Intent.ROLL and seen.record and not seen.record.phase.at_rest else None
    first = f"ends the {_UNENDED[unended.phase]}, then " if unended is not None else ""
    if what is Intent.ROLL and seen.revision(plan.candidate).exists:
        return f"{first}rolls out an earlier version again"
    return first + what.value


def notes(told: Sequence[Obstacle], unseen: Sequence[str]) -> Iterator[str]:
    """What preflight found and does not refuse for, and what it could not look at."""
    for note in told:
        yield "  note: " + neutral(one_line(note.what + (f": {note.why}" if note.why else "")))
        if note.fix:
            yield "        " + neutral(one_line(note.fix))
    if unseen:
        yield "  not looked at: " + neutral(one_line("; ".join(unseen)))


def _trial(plan: Plan) -> Iterator[str]:
    """What comes before the weights."""
    for step in plan.steps:
        if isinstance(step, MatchHeaders):
            yield f"on trial, at every weight below 100 %: requests with {trial_words(step.trial)}"
        elif isinstance(step, AwaitApproval):
            limit = "" if plan.limits.pause is None else f", {duration(plan.limits.pause)} at most"
            yield f"then it waits for docc promote {plan.app}{limit}"
    if plan.sticky:
        yield "sticky: who once got a version stays on it until all traffic has moved"


def _since(plan: Plan, seen: Seen, stable: int) -> Iterator[str]:
    """What else is new, where the manifest of the version that serves is known."""
    found = differences(seen.revision(stable).manifest, plan.manifest)
    if rest := {path: change for path, change in found.items() if not _SAID.fullmatch(path)}:
        yield neutral(f"  differs from v{stable}: {in_words(rest)}")


def _in_place(plan: Plan, seen: Seen, what: Intent) -> Iterator[str]:
    """What differs from the live objects and needs no rollout."""
    live, rendered = seen.routed, plan.rendered.route
    changes = []
    running = seen.revision(plan.candidate)
    kept = differences(running.manifest, plan.manifest) if what is Intent.IN_PLACE else {}
    kept = {path: change for path, change in kept.items() if not _IN_OBJECTS.fullmatch(path)}
    who = {path: kept.pop(path) for path in ("maintainer",) if path in kept}
    if what is Intent.IN_PLACE and running.exists and running.replicas != plan.scale:
        changes.append(f"scale {running.replicas} to {plan.scale}")
    if rendered is not None and live.kind == "HTTPRoute" and live.has_parents:
        changes += [_changed(operation, live.body) for operation in route_changes(plan.app, live.body, rendered)]
    changes += [in_words(who)] if who else []
    changes += [f"from the next rollout on: {in_words(kept)}"] if kept else []
    if changes:
        yield ("changes" if what is Intent.IN_PLACE else "then changes in place") + f": {'; '.join(changes)}"
    elif what is Intent.IN_PLACE:
        yield "nothing differs"


def _changed(operation: Operation, live: Object) -> str:
    """A JSON Patch operation on the route in words: what it was, and what it will be."""
    field = str(operation["path"]).rsplit("/", 1)[-1]
    spec, wanted = live["spec"], operation.get("value") or []
    if field == "hostnames":
        before, after = (", ".join(map(str, hosts)) or "every host" for hosts in (spec.get("hostnames") or [], wanted))
        return f"hosts {before} to {after}"
    if field == "parentRefs":
        before, after = (
            ", ".join(str(ref.get("name")) for ref in refs) or "none" for refs in (spec.get(field) or [], wanted)
        )
        return f"parents {before} to {after}"
    return "paths to " + ", ".join(str((match.get("path") or {}).get("value", "/")) for match in wanted)


def _who(manifest: Manifest, plan: Plan, weights: Sequence[str]) -> Iterator[str]:
    """Which clients the weights are for."""
    if not plan.routed:
        yield f"clients of Service {plan.app} move all at once"
        return
    if len(weights) > 1:
        ways = ["the Gateway"] if any(_is_gateway(ref) for ref in _parents(plan)) else []
        ways += ["the mesh"] if plan.meshed else []
        yield f"clients that come by {' or '.join(ways)} see the weights"
        who = f"clients of Service {plan.app}" + (" outside the mesh" if manifest.application.mesh else "")
        yield f"{who} are not part of the canary; it moves once, at the end"


def _parents(plan: Plan) -> Sequence[Object]:
    found: Sequence[Object] = plan.rendered.route["spec"].get("parentRefs") or [] if plan.rendered.route else []
    return found


def _is_gateway(ref: Object) -> bool:
    return bool(ref.get("kind", "Gateway") == "Gateway")


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


def _times(plan: Plan) -> Iterator[str]:
    holds = sum(step.seconds for step in plan.steps if isinstance(step, Hold))
    bake = sum(step.seconds for step in plan.steps if isinstance(step, Bake))
    parts = [f"{duration(holds)} of steps"] if holds else []
    parts += [f"{duration(bake)} of bake at 100 %"] if bake else []
    parts += [f"{duration(plan.limits.drain)} in which the former pods drain"] if plan.limits.drain else []
    if holds or bake:
        yield f"takes at least {duration(holds + bake + plan.limits.drain)}: {', '.join(parts)}"


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
    on_trial = any(isinstance(step, MatchHeaders) for step in plan.steps)
    for condition in strategy.failure_conditions:
        parsed = parse(condition.expression, outcome_labels=strategy.outcome_labels)
        note = f": can fire from {steps[0]} % on" if steps[0] < 100 else ""
        note = ": can fire as soon as it is on trial" if on_trial else note
        if condition.name in plan.excused:
            note = ": failing already, not judged (--baseline=ignore)"
        elif not parsed.selects_candidate:
            percent = fires_from(parsed)
            first = next((weight for weight in steps if percent is not None and weight >= percent), None)
            note = ": asks about all versions together" + (f", can fire from {first} % on" if first and percent else "")
        yield neutral(f"  condition {condition.name}{note}")
    yield f"  looked at every {strategy.poll:g} s"
