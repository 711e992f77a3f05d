"""An application and its neighbours, as objects on the wire, for the tests of what stands in a deploy's way."""

from __future__ import annotations

import json
from typing import Any

from docc.cli.planning import planned
from docc.core.observation import see
from docc.core.plan import Plan
from docc.model.manifest import GatewayName
from docc.model.moves import Object
from docc.model.record import Phase, Record
from docc.model.world import Objects, Seen
from docc.spec.build import read

GATEWAY = GatewayName("public", "infra")
NOTHING = see("shop", Objects())
CANARY: Object = {"canary": {"increment": 50, "interval": 60}}
OURS = {"app.kubernetes.io/managed-by": "docc", "docc.dev/app": "shop"}


def plan_for(
    seen: Seen = NOTHING, strategy: Object | None = None, gateway: GatewayName | None = GATEWAY, **application: Any
) -> Plan:
    """Of version 2 of an application "shop" in the namespace "web"; what is live has another pod template."""
    web = {"image": "acme/shop:2", "ports": [{"port": 8080}], **application.pop("container", {})}
    hosts = {} if "route" in application else {"hosts": ["shop.test"]}
    whole = {"name": "shop", "scale": 3, "containers": {"web": web}, **hosts, **application}
    body = {"application": whole, "deployment_strategy": CANARY if strategy is None else strategy}
    return planned(read(json.dumps(body).encode(), "m.json"), "web", seen, gateway)[0]


def live(phase: Phase = Phase.SUCCEEDED, spec_hash: str = "other", pods: int = 3, **spec: Any) -> Seen:
    """Version 1 serves."""
    record = Record(1, phase, "ci#1", 1e9, 1e9, stable=1)
    labels = {**OURS, "docc.dev/revision": "v1"}
    parents = [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "infra", "name": "public"}]
    rules = [{"matches": [path("/")], "backendRefs": [{"name": "shop-v1", "port": 8080, "weight": 100}]}]
    annotations = {"docc.dev/rollout": record.to_text()}
    meta = {"name": "shop", "namespace": "web", "labels": OURS, "annotations": annotations, "generation": 1}
    meta["creationTimestamp"] = "2026-03-01T00:00:00Z"
    wanted = {"parentRefs": parents, "hostnames": ["shop.test"], "rules": rules, **spec}
    deployment = {
        "metadata": {"name": "shop-v1", "uid": "u", "labels": labels, "annotations": {"docc.dev/spec-hash": spec_hash}},
        "spec": {"replicas": pods},
        "status": {"readyReplicas": pods, "availableReplicas": pods},
    }
    return see("shop", Objects(route={"metadata": meta, "spec": wanted}, deployments={"shop-v1": deployment}))


def path(value: str, kind: str = "PathPrefix", **more: Any) -> Object:
    return {"path": {"type": kind, "value": value}, **more}


def thing(name: str, namespace: str = "web", **body: Any) -> Object:
    meta = {"name": name, "namespace": namespace, **body.pop("metadata", {})}
    return {"metadata": meta, **body}
