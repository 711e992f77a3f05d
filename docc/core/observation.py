"""Objects as on the wire -> Seen, the planner's nouns. Reads; decides nothing; must not know what is wanted.

What it trusts: the spec and annotations that the API server stored, EndpointSlices for who really gets traffic, and a
status only where it speaks of the present generation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Literal

from docc.core.diagnosis import diagnose
from docc.core.home import annotation_of, home_of
from docc.core.names import REVISION_LABEL, deployment_name, parse_revision
from docc.core.route import (
    EPOCH,
    MAINTAINER,
    MANIFEST,
    foreign_weight,
    is_above,
    own_rules,
    rules_of,
    shares,
    weights_of,
)  # fmt: skip
from docc.core.shapes import understood
from docc.model.errors import Unreachable
from docc.model.moves import Object
from docc.model.record import ANNOTATION, Record, RecordError, from_rfc3339
from docc.model.secrets import is_secret
from docc.model.world import Front, Home, Noted, Objects, Revision, Routed, Seen

SPEC_HASH = "docc.dev/spec-hash"
MANAGED_BY = ("app.kubernetes.io/managed-by", "docc")


def see(app: str, objects: Objects, *, routed: bool | None = None, home: Home | None = None) -> Seen:
    """routed: whether the application has an HTTPRoute. home: where it is. None: as the cluster has it. Raises Unreachable for
    objects of a form that no API server gives."""
    try:
        return _see(app, objects, routed, home)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        why = f"{type(error).__name__}: {error}"
        raise Unreachable(f"the API server's objects of {app} cannot be read", why=why) from error


def _see(app: str, objects: Objects, routed: bool | None, home: Home | None) -> Seen:
    service, home = objects.services.get(app), home or home_of(app, objects.deployments)
    if routed is None:
        routed = objects.route is not None or service is None or ANNOTATION not in _annotations(service)
    route = objects.route
    if route is not None and route["metadata"].get("name", home.route) != home.route:
        route = None  # another than is asked for
    carrier = _route(app, home, route) if routed else _service(app, service)
    numbers = {n for name in objects.deployments if (n := parse_revision(app, name)) is not None}
    numbers |= {n for name in objects.services if (n := parse_revision(app, name)) is not None}
    revisions = {number: _revision(app, number, objects) for number in sorted(numbers)}
    return Seen(carrier, revisions, _front(app, service, objects), _noted(objects.history))


def secrets_of(objects: Objects) -> Iterator[str]:
    """The values that its Deployments give to settings whose names say that they are secret: a container that crashes, or a
    server that refuses an object, quotes them."""
    for body in objects.deployments.values():
        deployment, misfit = understood("Deployment", body)
        pods = {} if misfit else deployment["spec"].get("template", {}).get("spec", {})
        for setting in (setting for container in pods.get("containers", ()) for setting in container.get("env", ())):
            if is_secret(setting.get("name", "")):
                yield setting.get("value", "")


def is_docc_s(body: Object) -> bool:
    return (body.get("metadata", {}).get("labels") or {}).get(MANAGED_BY[0]) == MANAGED_BY[1]


def _annotations(body: Object) -> Mapping[str, str]:
    return body.get("metadata", {}).get("annotations") or {}


def _route(app: str, home: Home, body: Object | None) -> Routed:
    annotation = annotation_of(app, home)
    if body is None:
        return Routed("HTTPRoute", name=home.route, rule=home.rule, annotation=annotation)
    rules = rules_of(body)
    own = own_rules(app, rules, home.rule)
    weights, agrees = weights_of(app, rules, home.rule)
    percents = shares(weights)
    accepted, refusal = _accepted(body)
    return replace(
        _carrier("HTTPRoute", body, annotation),
        name=home.route,
        rule=home.rule,
        has_rule=bool(own),
        others_serve=any(foreign_weight(app, rules[at]) > 0 for at in own),
        weights={revision: percents.get(revision, 0) for revision in weights},
        agrees=agrees,
        has_parents=bool(body.get("spec", {}).get("parentRefs")),
        above=home.rule is None and any(is_above(app, rule) for rule in rules),
        accepted=accepted,
        refusal=refusal,
        read=_read(body),
    )


def _service(app: str, body: Object | None) -> Routed:
    if body is None:
        return Routed("Service")
    selected = _selected(app, body)
    weights = {selected: 100} if selected is not None else {}
    return replace(_carrier("Service", body, ANNOTATION), weights=weights, accepted=True)


def _carrier(kind: Literal["HTTPRoute", "Service"], body: Object, annotation: str) -> Routed:
    meta, text = body["metadata"], _annotations(body).get(annotation)
    record, unreadable = _record(text)
    return Routed(
        kind=kind,
        exists=True,
        annotation=annotation,
        generation=int(meta.get("generation", 0)),
        resource_version=str(meta.get("resourceVersion", "")),
        record_text=text,
        has_annotations="annotations" in meta and meta["annotations"] is not None,
        record=record,
        unreadable=unreadable,
        body=body,
    )


def _record(text: str | None) -> tuple[Record | None, str]:
    if text is None:
        return None, ""
    try:
        return Record.from_text(text), ""
    except RecordError as error:
        return None, str(error)


def _accepted(route: Object) -> tuple[bool | None, str]:
    """What the parents' controllers say of the present generation: a refusal by any counts, silence is None."""
    generation = route["metadata"].get("generation", 0)
    verdicts: list[bool] = []
    for parent in route.get("status", {}).get("parents") or []:
        for condition in parent.get("conditions") or []:
            if condition.get("type") not in ("Accepted", "ResolvedRefs"):
                continue
            if condition.get("observedGeneration", generation) < generation:
                continue
            if condition.get("status") == "False":
                name = _parent(parent.get("parentRef", {}))
                return False, f"{name}: {condition.get('reason', '')}: {condition.get('message', '')}".rstrip(": ")
            if condition["type"] == "Accepted":
                verdicts.append(condition.get("status") == "True")
    return (True if verdicts and all(verdicts) else None), ""


def _read(route: Object) -> tuple[int, str] | None:
    """The newest generation that every parent has been told of, and by which it is not a newer one. A parent that nobody
    answers for is silent; of several controllers that answer for one, one may be gone for good."""
    told = {_parent(ref): 0 for ref in route.get("spec", {}).get("parentRefs") or []}
    for parent in route.get("status", {}).get("parents") or []:
        name = _parent(parent.get("parentRef", {}))
        conditions = parent.get("conditions") or []
        generations = [condition["observedGeneration"] for condition in conditions if "observedGeneration" in condition]
        if generations and name in told:
            told[name] = max(told[name], *generations)
    return min(((generation, name) for name, generation in told.items() if generation), default=None)


def _parent(ref: Object) -> str:
    return f"{ref.get('kind', 'Gateway')} {ref.get('name', '?')}"


def _front(app: str, service: Object | None, objects: Objects) -> Front:
    if service is None:
        return Front()
    annotations = service["metadata"].get("annotations")
    return Front(
        exists=True,
        selects=_selected(app, service),
        ready=_endpoints(app, objects.slices.values()),
        epoch=(annotations or {}).get(EPOCH),
        has_annotations=annotations is not None,
        foreign=not is_docc_s(service),
        body=service,
    )


def _noted(body: Object | None) -> Noted:
    """Keys that are no numbers are somebody else's."""
    if body is None:
        return Noted()
    data = body.get("data")
    entries = {int(key): str(text) for key, text in (data or {}).items() if key.isascii() and key.isdigit()}
    return Noted(True, not is_docc_s(body), isinstance(data, dict), str(body["metadata"].get("uid", "")), entries)


def _selected(app: str, service: Object) -> int | None:
    label = (service.get("spec", {}).get("selector") or {}).get(REVISION_LABEL, "")
    return parse_revision(app, f"{app}-{label}")


def _revision(app: str, number: int, objects: Objects) -> Revision:
    name = deployment_name(app, number)
    deployment, service = objects.deployments.get(name), objects.services.get(name)
    squatter = ""
    if service is not None and not is_docc_s(service):  # known by its name only, after a create that met it
        service, squatter = None, f"Service {name}"
    pods = [pod for pod in objects.pods.values() if _is_of(pod, number) and not _terminating(pod)]
    crashed_at, crash = _newest_crash(pods)
    meta = deployment["metadata"] if deployment else {}
    status = (deployment or {}).get("status") or {}
    ready = int(status.get("readyReplicas") or 0)
    if service is not None:
        ready = min(ready, _endpoints(name, objects.slices.values()))
    available = min(int(status.get("availableReplicas") or 0), ready)
    return Revision(
        number=number,
        exists=deployment is not None,
        uid=str(meta.get("uid", "")),
        version=str(meta.get("resourceVersion", "")),
        manifest=_annotations(deployment or {"metadata": {}}).get(MANIFEST, ""),
        maintainer=_annotations(deployment or {"metadata": {}}).get(MAINTAINER),
        images=_images(deployment or {}),
        spec_hash=_annotations(deployment or {"metadata": {}}).get(SPEC_HASH, ""),
        epoch=_annotations(deployment or {"metadata": {}}).get(EPOCH),
        replicas=int((deployment or {}).get("spec", {}).get("replicas", 1 if deployment else 0)),
        available=available,
        ready=ready,
        has_service=service is not None,
        service_born=_born(service),
        port=_port(service),
        service_uid=str((service or {}).get("metadata", {}).get("uid", "")),
        service_version=str((service or {}).get("metadata", {}).get("resourceVersion", "")),
        service_epoch=_annotations(service or {"metadata": {}}).get(EPOCH),
        crashed_at=crashed_at,
        crash=crash,
        trouble=diagnose(deployment, pods) if deployment else None,
        squatter=squatter,
    )


def _born(service: Object | None) -> float | None:
    try:
        return from_rfc3339(str((service or {"metadata": {}})["metadata"].get("creationTimestamp")))
    except ValueError:
        return None


def _port(service: Object | None) -> int:
    """The first HTTP one (templates/service.json.j2)."""
    ports = ((service or {}).get("spec") or {}).get("ports") or []
    return next((int(port["port"]) for port in ports if port.get("appProtocol") == "http"), 0)


def _images(deployment: Object) -> Mapping[str, str]:
    template = deployment.get("spec", {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or []
    return {str(container.get("name")): str(container.get("image", "")) for container in containers}


def _is_of(pod: Object, number: int) -> bool:
    return (pod["metadata"].get("labels") or {}).get(REVISION_LABEL) == f"v{number}"


def _terminating(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _endpoints(service: str, slices: Iterable[Object]) -> int:
    """Ready endpoints of a Service; an absent `ready` counts as true (discovery.k8s.io/v1 EndpointConditions)."""
    return sum(
        1
        for piece in slices
        if (piece["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == service
        for endpoint in piece.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready", True) is not False
    )


def _newest_crash(pods: list[Object]) -> tuple[float | None, str]:
    newest: tuple[float, str] | None = None
    for pod in pods:
        for status in pod.get("status", {}).get("containerStatuses") or []:
            for state in (status.get("state") or {}, status.get("lastState") or {}):
                ended = state.get("terminated") or {}
                if not ended.get("finishedAt") or (ended.get("exitCode") == 0 and ended.get("reason") != "OOMKilled"):
                    continue
                at = datetime.fromisoformat(ended["finishedAt"].replace("Z", "+00:00")).timestamp()
                how = "was OOM-killed" if ended.get("reason") == "OOMKilled" else f"exited {ended.get('exitCode')}"
                if newest is None or at > newest[0]:
                    newest = (at, f"container {status.get('name')} of pod {pod['metadata']['name']} {how}")
    return newest or (None, "")
