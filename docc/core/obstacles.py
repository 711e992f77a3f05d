"""What stands in a deploy's way, from its plan, what is seen of the application and what others have around it. Pure.

Each obstacle either refuses the deploy, with the exit code of its kind, or is only told. Refused is what would take users'
requests without anybody's judgement, touch what is somebody else's, or certainly come to nothing; told is what will be
otherwise than its owner may think. Claims on the route are core/claims.py's, quotas core/quota.py's.

Several at once: the exit code is the gravest's, in the order of GRAVITY. Without rights nothing else can be mended; a cluster
that cannot be used comes before what somebody else owns, which one can talk about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from docc.core.claims import rivals
from docc.core.gateways import matches
from docc.core.intent import Intent, intent, stable_of
from docc.core.names import APP_LABEL, REVISION_LABEL, deployment_name, labels, parse_revision
from docc.core.observation import is_docc_s
from docc.core.plan import Plan
from docc.core.quota import exceeded
from docc.core.route import retried, rules_of, traffic
from docc.core.shapes import understood
from docc.core.steps import Hold, MatchHeaders
from docc.core.trial import Above, too_many
from docc.model.errors import DoccError, ExitCode, Obstacle, PreflightError
from docc.model.foreign import Foreign
from docc.model.moves import Object
from docc.model.world import Seen

GRAVITY = (ExitCode.USAGE, ExitCode.CREDENTIALS, ExitCode.UNUSABLE, ExitCode.LOCKED, ExitCode.NOT_FOUND)
KUBERNETES_MIN = (1, 30)
AROUND = ("ResourceQuota", "HorizontalPodAutoscaler", "PodDisruptionBudget", "DestinationRule", "AuthorizationPolicy")
"""Kinds of objects that others may have made about a candidate, each worth a request."""
UNWEIGHTED = "docc.dev/unweighted"
"""Annotation of a Service by which its owner accepts ("accepted") that its clients meet a new version before any weight."""
ROLLS = (Intent.FIRST, Intent.ROLL, Intent.RETRY, Intent.SUPERSEDE)
"""Those that bring a candidate up. What goes on, or back to what serves already, is not held up by a look around."""


def refusal(obstacles: Sequence[Obstacle]) -> PreflightError | None:
    """All that refuse, as one error; None if nothing does."""
    found = tuple(obstacle for obstacle in obstacles if obstacle.exit_code is not None)
    if not found:
        return None
    codes = [obstacle.exit_code for obstacle in found if obstacle.exit_code is not None]
    gravest = min(codes, key=lambda code: GRAVITY.index(code) if code in GRAVITY else len(GRAVITY))
    return PreflightError(found, gravest)


def of_error(error: DoccError) -> Obstacle:
    """A refusal that was raised where it was found."""
    return Obstacle(error.what, error.where, error.why, error.fix, error.exit_code)


def obstacles(plan: Plan, seen: Seen, foreign: Foreign) -> tuple[Obstacle, ...]:
    """All of them, those that refuse first."""
    what = intent(seen, plan.candidate)
    foreign, found = _readable(plan, foreign)
    if what in ROLLS or what is Intent.IN_PLACE:
        found += [*_too_old(foreign.version), *rivals(plan, seen, foreign.of("HTTPRoute"), foreign.gateway)]
    if what in ROLLS:
        found += [*_names(plan, seen, foreign), *_doors(plan, seen, foreign.of("Service"))]
        found += exceeded(plan, seen, foreign.of("ResourceQuota"))
        found += _followers(plan, seen, foreign)
    if what in ROLLS or what is Intent.RESUME:
        found += [*_crowded(plan, seen), *_retries(plan, seen)]
    if what in ROLLS or what is Intent.IN_PLACE:
        found += _autoscalers(plan, seen, foreign.of("HorizontalPodAutoscaler"), rolls=what in ROLLS)
    return tuple(sorted(found, key=lambda obstacle: obstacle.exit_code is None))


def _readable(plan: Plan, foreign: Foreign) -> tuple[Foreign, list[Obstacle]]:
    """Without what has not the form of its kind: not knowing is no reason to refuse."""
    found, told = dict[str, list[Object]](), list[Obstacle]()
    for kind, bodies in foreign.found.items():
        found[kind] = []
        for body, misfit in (understood(kind, body) for body in bodies):
            if not misfit:
                found[kind].append(body)
                continue
            name, home = (body["metadata"].get(key) for key in ("name", "namespace"))
            what = f"{kind} {name} was not looked at: docc cannot read it"
            told.append(Obstacle(what, f"{kind} {home or plan.namespace}/{name}", misfit))
    gateway, misfit = understood("Gateway", foreign.gateway)
    return replace(foreign, found=found, gateway=None if misfit else gateway), told


def _too_old(version: str) -> Iterator[Obstacle]:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if found and (int(found[1]), int(found[2])) < KUBERNETES_MIN:
        least = ".".join(map(str, KUBERNETES_MIN))
        fix = f"update the cluster to Kubernetes {least} or newer"
        yield Obstacle(
            f"this cluster is too old: Kubernetes {version}, docc needs {least}", fix=fix, exit_code=ExitCode.UNUSABLE
        )


def _names(plan: Plan, seen: Seen, foreign: Foreign) -> Iterator[Obstacle]:
    """Objects of wanted names that docc did not make are never taken over in silence. A front Service of somebody else's beside
    an application that is served by its route stays as it is: its clients are not docc's."""
    wanted = deployment_name(plan.app, plan.candidate)
    deployments, services = (
        {str(body["metadata"]["name"]): body for body in foreign.of(kind)} for kind in ("Deployment", "Service")
    )
    taken = [("Deployment", wanted, deployments.get(wanted)), ("Service", wanted, services.get(wanted))]
    front, route = services.get(plan.app), seen.routed.body if seen.routed.kind == "HTTPRoute" else None
    if front is not None and not _is_of(plan, front) and seen.record is not None and plan.routed and not plan.meshed:
        what = f"Service {plan.app} is not docc's: it stays as it is, whoever it selects"
        yield Obstacle(what, f"Service {plan.namespace}/{plan.app}")
    else:
        taken.append(("Service", plan.app, front))
    if seen.record is None and route and not seen.routed.foreign:
        taken.append(("HTTPRoute", plan.app, route))
    for kind, name, body in taken:
        if body is not None and not _is_of(plan, body):
            yield Obstacle(
                f"{kind} {name} exists, and docc did not make it",
                f"{kind} {plan.namespace}/{name}",
                "docc takes over nobody's object in silence",
                f"give the application another name, or delete it: kubectl -n {plan.namespace} delete {kind.lower()} {name}",
                ExitCode.LOCKED,
            )


def _is_of(plan: Plan, body: Object) -> bool:
    found = (body["metadata"].get("labels") or {}).get(APP_LABEL)
    return is_docc_s(body) and found in (None, plan.app)


def _doors(plan: Plan, seen: Seen, services: Sequence[Object]) -> Iterator[Obstacle]:
    """Services of others that select the candidate's pods: their clients meet it as soon as its pods are ready, by the share
    of its pods and not by any weight, before any condition is judged, and a revert takes them back only with the pods. Where
    traffic was to grow by steps or under conditions that breaks the promise, so it is refused. Only told where nothing is
    promised (no steps and no conditions, or no version to compare with), for a Service that is no door for requests (headless,
    as for scraping, or without the routed port), and where its owner has accepted it."""
    pods = labels(plan.app, plan.candidate)
    careful = (plan.judged or any(isinstance(step, Hold | MatchHeaders) for step in plan.steps)) and stable_of(
        seen
    ) is not None
    for service in services:
        meta, selector = service["metadata"], (service.get("spec") or {}).get("selector") or {}
        if not selector or _is_of(plan, service) or any(pods.get(key) != value for key, value in selector.items()):
            continue
        accepted = (meta.get("annotations") or {}).get(UNWEIGHTED) == "accepted"
        grave = careful and not accepted and _is_door(plan, service)
        yield Obstacle(
            f"Service {meta['name']} selects the pods of v{plan.candidate}: its clients meet it before it has any weight",
            f"Service {plan.namespace}/{meta['name']}",
            "selector " + ",".join(f"{key}={value}" for key, value in sorted(selector.items())),
            f'have it select one revision too ("{REVISION_LABEL}": "v..."), or accept it: '
            f"kubectl -n {plan.namespace} annotate service {meta['name']} {UNWEIGHTED}=accepted",
            ExitCode.LOCKED if grave else None,
        )


def _crowded(plan: Plan, seen: Seen) -> Iterator[Obstacle]:
    """Rules of others beside docc's own count, too: with those above them the route may have more than Gateway API allows."""
    routed, stable = seen.routed, stable_of(seen)
    trial = next((step.trial for step in plan.steps if isinstance(step, MatchHeaders)), ())
    if not (trial or plan.sticky) or stable is None or routed.kind != "HTTPRoute" or routed.foreign:
        return
    above = Above(trial, (plan.candidate, stable) if plan.sticky else ())
    edits = traffic(
        plan.app, routed, {stable: 99, plan.candidate: 1}, port=plan.port, candidate=plan.candidate, above=above
    )
    if why := next((words for edit in edits if (words := too_many(edit["value"]))), ""):
        yield Obstacle(
            f"HTTPRoute {routed.name or plan.app} has no room for the rules of those who are on trial, or stay where they are",
            f"HTTPRoute {plan.namespace}/{routed.name or plan.app}",
            f"there would be {why}",
            "fewer paths, headers or cookies in the manifest; or other people's rules in a route of their own",
            ExitCode.UNUSABLE,
        )


def _retries(plan: Plan, seen: Seen) -> Iterator[Obstacle]:
    """docc renders none. With one, users see fewer failures, and the proxy's plain counters tell of none."""
    routed = seen.routed
    at = retried(plan.app, rules_of(routed.body), routed.rule) if routed.kind == "HTTPRoute" else ()
    if at and plan.judged:
        rules = ", ".join(f"rules[{number}]" for number in at)
        yield Obstacle(
            f"{rules} of HTTPRoute {routed.name or plan.app} {'has' if len(at) == 1 else 'have'} a retry: "
            "it hides failing answers from Envoy's counters",
            f"HTTPRoute {plan.namespace}/{routed.name or plan.app}",
            "upstream_rq_5xx leaves out each answer that was retried (retry.upstream_rq_5xx has it)",
            "take the retry out, or judge by what the application itself counts",
        )


def _is_door(plan: Plan, service: Object) -> bool:
    """Requests for the application may come through it. A target that is named may be any port."""
    spec = service["spec"]
    targets = [port.get("targetPort", port.get("port")) for port in spec.get("ports") or []]
    return spec.get("clusterIP") != "None" and any(t == plan.port or not str(t).isdigit() for t in targets)


def _autoscalers(plan: Plan, seen: Seen, autoscalers: Sequence[Object], *, rolls: bool) -> Iterator[Obstacle]:
    """One that scales the candidate writes the same field as docc, and below the wanted scale it takes away the pods that a
    weight needs. One that scales another Deployment of the application's does not follow."""
    candidate, stable = deployment_name(plan.app, plan.candidate), stable_of(seen)
    for autoscaler in autoscalers:
        spec, name = autoscaler.get("spec") or {}, autoscaler["metadata"]["name"]
        target, where = spec.get("scaleTargetRef") or {}, f"HorizontalPodAutoscaler {plan.namespace}/{name}"
        if target.get("kind") != "Deployment":
            continue
        aimed = str(target.get("name", ""))
        if aimed == candidate:
            least = int(spec.get("minReplicas") or 1)
            yield Obstacle(
                f"HorizontalPodAutoscaler {name} scales {candidate} too: whoever writes last decides how many pods there are",
                where,
                f"it may go down to {least}, the manifest wants {plan.scale}",
                f"minReplicas of at least {plan.scale}, or delete it for the rollout",
                ExitCode.LOCKED if rolls and least < plan.scale else None,
            )
        elif rolls and (aimed == plan.app or parse_revision(plan.app, aimed) is not None):
            running = seen.revision(stable).replicas
            more = f"; v{stable} has {running} pods now, v{plan.candidate} will have {plan.scale}" if stable else ""
            what = f"HorizontalPodAutoscaler {name} scales Deployment {aimed} and does not follow to {candidate}"
            fix = f"aim it at {candidate} after the rollout; the manifest's scale must be enough until then"
            yield Obstacle(what, where, f"v{plan.candidate} keeps the manifest's scale{more}", fix)


_BY_LABELS = {
    "PodDisruptionBudget": "a drained node may end all its pods at once",
    "AuthorizationPolicy": "what it allows or denies does not hold there",
}
_APP_KEYS = ("app", "k8s-app", "app.kubernetes.io/name", "app.kubernetes.io/instance", APP_LABEL)


def _followers(plan: Plan, seen: Seen, foreign: Foreign) -> Iterator[Obstacle]:
    """What is aimed at the application, or at its stable revision alone, and will not be in force for the candidate."""
    stable, to = stable_of(seen), labels(plan.app, plan.candidate)
    for kind, why in _BY_LABELS.items():
        for body in foreign.of(kind):
            selector = body.get("spec", {}).get("selector")
            if selector is None or selector == {}:  # all pods of the namespace; or a policy by targetRefs, below
                continue
            aimed = any((selector.get("matchLabels") or {}).get(key) == plan.app for key in _APP_KEYS)
            aimed = aimed or (stable is not None and matches(selector, labels(plan.app, stable)))
            if aimed and not matches(selector, to):
                yield _left_behind(plan, kind, body, "selects other pods than those of", why)
    for policy in foreign.of("AuthorizationPolicy"):
        spec = policy.get("spec") or {}
        refs = [*(spec.get("targetRefs") or []), *([spec["targetRef"]] if spec.get("targetRef") else [])]
        for ref in refs:
            if ref.get("kind") == "Service" and _is_behind(plan, str(ref.get("name"))):
                why = _BY_LABELS["AuthorizationPolicy"]
                yield _left_behind(
                    plan, "AuthorizationPolicy", policy, f"is aimed at Service {ref['name']} and not at", why
                )
    for rule in foreign.of("DestinationRule"):
        host = str((rule.get("spec") or {}).get("host", ""))
        if plan.routed and (service := _service_of(plan, host)) and _is_behind(plan, service):
            why = "its connection limits, outlier detection and TLS settings do not hold for what the route sends there"
            yield _left_behind(plan, "DestinationRule", rule, f"is for host {host} and not for", why)


def _left_behind(plan: Plan, kind: str, body: Object, aim: str, why: str) -> Obstacle:
    name, candidate = body["metadata"]["name"], deployment_name(plan.app, plan.candidate)
    fix = f'select all revisions ("{APP_LABEL}": "{plan.app}")'
    if kind == "DestinationRule":
        fix = f"one more for host {candidate}, or one for all revisions by a wildcard host"
    return Obstacle(f"{kind} {name} {aim} {candidate}", f"{kind} {plan.namespace}/{name}", why, fix)


def _is_behind(plan: Plan, service: str) -> bool:
    """The application's front Service, or another revision's: the route sends to each revision's own."""
    found = parse_revision(plan.app, service)
    return service == plan.app or (found is not None and found != plan.candidate)


def _service_of(plan: Plan, host: str) -> str:
    """The Service of the namespace that a host names, short or with its domain; "" for any other, and for wildcards."""
    name, _, domain = host.partition(".")
    known: Mapping[str, None] = dict.fromkeys(
        ("", plan.namespace, f"{plan.namespace}.svc", f"{plan.namespace}.svc.cluster.local")
    )
    return name if domain in known and "*" not in name else ""
