"""How verbs get their plan: `deploy` from the manifest that it is given, others from the one that the cluster keeps."""

from __future__ import annotations

from dataclasses import replace

from docc.cli.beginning import UNTOUCHED
from docc.core.expression import WINDOW_SECONDS_MIN, longest_range, parse
from docc.core.intent import candidate_number
from docc.core.names import deployment_name
from docc.core.plan import Limits, Plan
from docc.core.requests import standing
from docc.core.steps import SetWeight, compile_steps
from docc.engine.sampling import Sampling
from docc.model.errors import NotFoundError
from docc.model.manifest import GatewayName, Manifest
from docc.model.record import Phase
from docc.model.world import Home, Seen
from docc.spec.recorded import kept, read_back
from docc.spec.render import render


def planned(
    manifest: Manifest, namespace: str, seen: Seen, gateway: GatewayName | None, number: int | None = None
) -> tuple[Plan, Sampling]:
    """The plan and its conditions. number: of the revision, None for the one that the manifest means."""
    strategy, application = manifest.strategy, manifest.application
    window = max(strategy.canary.interval if strategy.canary else 60.0, WINDOW_SECONDS_MIN)
    conditions = tuple(
        (condition.name, parse(condition.expression, outcome_labels=strategy.outcome_labels))
        for condition in strategy.failure_conditions
    )
    reach = max((longest_range(condition, window) for _, condition in conditions), default=0.0)
    pause = strategy.ab_testing.pause_timeout if strategy.ab_testing else None
    candidate = candidate_number(seen, manifest.spec_hash) if number is None else number
    plan = Plan(
        app=application.name,
        namespace=namespace,
        candidate=candidate,
        spec_hash=manifest.spec_hash,
        scale=application.scale,
        steps=compile_steps(strategy, longest_range=reach),
        rendered=render(manifest, namespace, candidate, gateway),
        limits=Limits(
            strategy.progress_deadline, strategy.no_data_limit, reach, strategy.drain, strategy.keep_warm, pause
        ),
        judged=bool(conditions),
        port=application.http_port or 0,
        manifest=kept(manifest, gateway),
        home=home_in(manifest) if application.route else None,
        sticky=strategy.sticky,
    )
    return plan, Sampling(conditions, strategy.poll, window)


def home_in(manifest: Manifest) -> Home:
    """Where the manifest has the application's traffic divided."""
    route = manifest.application.route
    return Home(route.name, route.rule) if route else Home(manifest.application.name)


def recorded(app: str, namespace: str, seen: Seen, number: int) -> tuple[Manifest, Plan, Sampling]:
    """The same from the manifest that revision `number` was last deployed with. Raises NotFoundError if it is not there any
    more, LockedError if this docc cannot read it."""
    found, name = seen.revision(number), deployment_name(app, number)
    if not found.exists or not found.manifest:
        there = [f"v{n}" for n, revision in sorted(seen.revisions.items()) if revision.exists and revision.manifest]
        raise NotFoundError(
            f"{app} has no revision v{number}" if not found.exists else f"v{number} was deployed without its manifest",
            where=f"Deployment {namespace}/{name}",
            why=f"there are {', '.join(there)}" if there else "no revision is there to go back to",
            state=UNTOUCHED,
            fix=f"docc history {app} -n {namespace}; docc deploy, with the manifest of the version that you want",
        )
    manifest = read_back(found.manifest, name, found.spec_hash)
    plan, sampling = planned(manifest, namespace, seen, manifest.application.gateway, number)
    return manifest, replace(plan, manifest=found.manifest, recorded=True), sampling


def unfinished(app: str, namespace: str, seen: Seen) -> int:
    """The revision whose rollout is under way, or was parked. Raises NotFoundError."""
    record = seen.record
    if record is not None and record.candidate is not None and (record.phase.undecided or record.phase is Phase.PARKED):
        return record.candidate
    raise NotFoundError(
        f"{app} has no unfinished rollout",
        where=f"namespace {namespace}",
        why=standing(record) if record is not None else "it has no record of a rollout",
        state=UNTOUCHED,
        fix=f"docc status {app} -n {namespace}; docc deploy begins one",
    )


def as_begun(plan: Plan, sampling: Sampling, seen: Seen) -> tuple[Plan, Sampling]:
    """The plan of what is unfinished: a way back goes on as one, straight, and not by the steps that its manifest has for a
    new version."""
    plan = replace(plan, unfinished=True)
    if seen.record is None or seen.record.verb != "rollback" or seen.record.candidate != plan.candidate:
        return plan, sampling
    return straight(plan, seen, "rollback", seen.record.reason), replace(sampling, conditions=())


def straight(plan: Plan, seen: Seen, verb: str, reason: str) -> Plan:
    """For a way back: all traffic in one step as soon as the pods are ready, as many as serve now, nothing judged."""
    serving = max(
        (revision.replicas for n, revision in seen.revisions.items() if seen.routed.weights.get(n)), default=0
    )
    scale = max(plan.scale, serving)
    return replace(plan, steps=(SetWeight(100),), judged=False, scale=scale, verb=verb, reason=reason)
