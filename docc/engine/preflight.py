"""What is proved before anything is touched: each condition has something to judge by, and the API server would take what will
be created. core/obstacles.py judges what others have around the application.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from docc.core.intent import stable_of
from docc.core.obstacles import of_error
from docc.core.plan import Plan
from docc.core.verdict import Verdict
from docc.core.view import Checks
from docc.engine.ports import Ports
from docc.engine.sampling import Sampling
from docc.model.errors import Conflict, CredentialsError, DoccError, ExitCode, Obstacle, Refused
from docc.model.moves import Create, Object, Ref
from docc.model.world import Seen

NO_SERIES = "try the query in Prometheus; check its labels, or --prometheus-url"
NO_REQUESTS = (
    "its metrics are there: send it requests, or let the condition ask about the new version alone, by $canary"
)


def conditions(ports: Ports, plan: Plan, sampling: Sampling, seen: Seen) -> tuple[Checks, tuple[Obstacle, ...]]:
    """Asks each condition once, before any traffic moves. In the way is one that is refused or, though it does not ask about
    the candidate alone, has no series while a stable revision serves."""
    stable = stable_of(seen)
    serves = stable is not None and seen.revision(stable).ready > 0
    if ports.metrics is None or not sampling.conditions:
        return Checks(), ()
    checks = sampling.ask(ports.metrics, plan, stable, 0.0, ports.clock.now())
    selecting = {name for name, condition in sampling.conditions if condition.selects_candidate}
    found = []
    for check in checks.results:
        if check.verdict is Verdict.ERROR:
            found.append(_unusable(check.name, check.reason, check.query, NO_SERIES))
        if check.verdict is Verdict.NO_DATA and serves and check.name not in selecting:
            fix = NO_SERIES if check.reason == check.doubt else NO_REQUESTS  # with series there is more to it than that
            found.append(_unusable(check.name, f"{check.reason}, although v{stable} serves", check.query, fix))
    return checks, tuple(found)


def _unusable(name: str, why: str, query: str, fix: str) -> Obstacle:
    return Obstacle(f"{name} cannot be judged", query, why, fix, ExitCode.UNUSABLE)


def rehearsal(rehearse: Callable[[Create], Object], plan: Plan, seen: Seen) -> Iterator[Obstacle]:
    """What the API server and its admission would refuse of what will be created. rehearse: a create that is not stored."""
    for effect in would_create(plan, seen):
        try:
            rehearse(effect)
        except Conflict as error:
            why = f"{effect.ref} exists, and docc did not make it"
            yield Obstacle(
                why, f"{effect.ref.kind} {plan.namespace}/{effect.ref.name}", error.what, exit_code=ExitCode.LOCKED
            )
        except Refused as error:
            what = f"the API server would refuse {effect.ref}"
            yield Obstacle(what, f"namespace {plan.namespace}", error.why, error.fix, error.exit_code)
        except DoccError as error:
            if effect.ref.kind == "Pod" and isinstance(error, CredentialsError):
                yield Obstacle("whether the pods would be admitted was not tried", why="you may not create pods")
            else:
                yield of_error(error)


def would_create(plan: Plan, seen: Seen) -> Iterator[Create]:
    """The candidate's objects that are not there yet. A pod besides: quotas and pod security speak of pods alone, and of a
    Deployment's only when it is too late to refuse."""
    rendered, revision = plan.rendered, seen.revision(plan.candidate)
    absent = {
        "Deployment": None if revision.exists else rendered.deployment,
        "Pod": None if revision.exists else _pod(rendered.deployment),
        "Service": None if revision.has_service else rendered.service,
        "HTTPRoute": None if seen.routed.exists else rendered.route,
    }
    for kind, body in absent.items():
        if body is not None:
            yield Create(Ref(kind, body["metadata"]["name"]), body)
    if not seen.front.exists:
        yield Create(Ref("Service", plan.app), rendered.front)


def _pod(deployment: Object) -> Object:
    template, meta = deployment["spec"]["template"], deployment["metadata"]
    named = {**template["metadata"], "name": f"{meta['name']}-rehearsed", "namespace": meta["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": named, "spec": template["spec"]}
