"""Does what a deploy adds at its peak fit into the namespace's ResourceQuotas? Pure arithmetic on quantities.

The peak is both revisions at full scale: the stable one runs and is in `used` already, so what counts is what the candidate
adds. What a revision that is let go before gives back is taken off, for docc refuses only what certainly does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from docc.core.plan import Plan
from docc.model.errors import ExitCode, Obstacle
from docc.model.moves import Object
from docc.model.world import Seen

_QUANTITY = re.compile(r"([+-]?[0-9.]+)(?:([eE][+-]?[0-9]{1,3})|([KMGTPE]i|[numkMGTPE]?))")
_FACTORS = {
    **{
        unit: Fraction(1000) ** power
        for power, unit in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
    },
    **{f"{unit}i": Fraction(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
_PLAIN = ("cpu", "memory", "ephemeral-storage")
"""Resources whose request a quota may name without "requests."."""
_OBJECTS = {"count/deployments.apps": "deployment", "services": "service", "count/services": "service"}


def quantity(text: str) -> Fraction | None:
    """A Kubernetes quantity ("250m", "1.5Gi", "2e3") as a number; None if it is none."""
    found = _QUANTITY.fullmatch(str(text).strip())
    if found is None:
        return None
    digits, exponent, unit = found.groups()
    try:
        return Fraction(f"{digits}{exponent or ''}") * _FACTORS[unit or ""]
    except ValueError:
        return None


def exceeded(plan: Plan, seen: Seen, quotas: Sequence[Object]) -> Iterator[Obstacle]:
    """What does not fit, one obstacle for each quota and resource; and what a quota asks for that the pods do not say."""
    pod = pod_needs(plan.rendered.deployment)
    added = max(0, plan.scale - seen.revision(plan.candidate).replicas)
    freed = sum(revision.replicas for number, revision in seen.revisions.items() if _is_let_go(seen, plan, number))
    for quota in quotas:
        if not _concerns(quota, pod):
            continue
        for resource, hard in sorted((quota.get("status", {}).get("hard") or {}).items()):
            yield from _resource(plan, seen, quota, (resource, str(hard)), (pod, added, freed))


def _resource(
    plan: Plan, seen: Seen, quota: Object, bound: tuple[str, str], pods: tuple[Mapping[str, Fraction], int, int]
) -> Iterator[Obstacle]:
    (resource, hard), (pod, added, freed) = bound, pods
    meta = quota["metadata"]
    used_text = str((quota["status"].get("used") or {}).get(resource, "0"))
    limit, used = quantity(hard), quantity(used_text)
    if limit is None or used is None:
        return
    where, made = f"ResourceQuota {meta.get('namespace', plan.namespace)}/{meta['name']}", _made(plan, seen, resource)
    each = Fraction(1) if resource in ("pods", "count/pods") else pod.get(resource)
    if made:
        needs, spare, words = Fraction(made), Fraction(0), f"{made} more"
    elif each is None:
        if added and _is_per_pod(resource):
            yield Obstacle(
                f"a quota counts {resource}, and v{plan.candidate}'s containers do not all name it",
                where,
                "where no LimitRange fills it in, the API server refuses such pods",
                f"resources with {resource} for every container of the manifest",
            )
        return
    else:
        needs, spare = each * added, each * freed
        words = f"{added} more {'pod' if added == 1 else 'pods'}" + ("" if each == 1 else f" of {written(each)} each")
    if needs and used - min(spare, used) + needs > limit:
        over = used - min(spare, used) + needs - limit
        yield Obstacle(
            f"quota {meta['name']} has no room for v{plan.candidate}: {resource}",
            where,
            f"{used_text} of {hard} are used; {words} are needed at the peak, {written(over)} too many",
            "a smaller scale or smaller resources in the manifest, or ask whoever set the quota for more",
            ExitCode.UNUSABLE,
        )


def pod_needs(deployment: Object) -> dict[str, Fraction]:
    """What a quota counts for one pod, by the quota's names. A resource that a container does not name is left out: what is
    then counted is not known before admission. A limit stands for a request that is not named."""
    containers = [c.get("resources") or {} for c in deployment["spec"]["template"]["spec"]["containers"]]
    found: dict[str, Fraction] = {}
    for form in ("requests", "limits"):
        named: list[Mapping[str, Any]] = [
            {**(r.get("limits") or {}), **(r.get(form) or {})} if form == "requests" else r.get(form) or {}
            for r in containers
        ]
        for resource in {key for amounts in named for key in amounts}:
            values = [quantity(amounts[resource]) if resource in amounts else None for amounts in named]
            if all(value is not None for value in values):
                found[f"{form}.{resource}"] = sum((v for v in values if v is not None), Fraction(0))
    return found | {plain: found[f"requests.{plain}"] for plain in _PLAIN if f"requests.{plain}" in found}


def peak(plan: Plan, seen: Seen) -> int:
    """Pods of the application, at most: the candidate at full scale beside whatever runs now."""
    return plan.scale + sum(found.replicas for number, found in seen.revisions.items() if number != plan.candidate)


def written(value: Fraction) -> str:
    """As people write quantities: whole, in thousandths, or with a binary unit."""
    for unit in ("Gi", "Mi", "Ki"):
        if value >= _FACTORS[unit] and (value / _FACTORS[unit]).denominator == 1:
            return f"{value / _FACTORS[unit]}{unit}"
    return str(value) if value.denominator == 1 else f"{float(value * 1000):g}m"


def _is_per_pod(resource: str) -> bool:
    return resource in _PLAIN or resource.startswith(("requests.cpu", "requests.memory", "limits."))


def _made(plan: Plan, seen: Seen, resource: str) -> int:
    """Deployments and Services that will be created, where the quota counts such objects."""
    kind, revision = _OBJECTS.get(resource), seen.revision(plan.candidate)
    if kind == "deployment":
        return 0 if revision.exists else 1
    if kind == "service":
        return int(plan.rendered.service is not None and not revision.has_service) + int(not seen.front.exists)
    return 0


def _is_let_go(seen: Seen, plan: Plan, number: int) -> bool:
    record = seen.record
    return record is not None and number not in (record.stable, plan.candidate)


def _concerns(quota: Object, pod: Mapping[str, Fraction]) -> bool:
    """Whether the quota's scopes take in docc's pods. Scopes that this docc cannot judge (priority classes) are left to
    admission."""
    spec = quota.get("spec") or {}
    if (spec.get("scopeSelector") or {}).get("matchExpressions"):
        return False
    judged = {"BestEffort": not pod, "NotBestEffort": bool(pod), "NotTerminating": True}
    return all(judged.get(scope, False) for scope in spec.get("scopes") or [])
