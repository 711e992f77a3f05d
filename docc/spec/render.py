"""Manifest -> the objects of one revision, from the templates in templates/.

Every value goes through tojson, so that nothing in a manifest can add structure; a name that a template does not know is
an error (StrictUndefined). What only a rollout knows (replicas, epoch, owner, record, weights) is filled in by the planner.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from docc.core.names import deployment_name, labels, selector
from docc.core.plan import Rendered
from docc.model.manifest import Container, GatewayName, Manifest
from docc.model.moves import Object
from docc.spec.assets import folder


def render(manifest: Manifest, namespace: str, revision: int, gateway: GatewayName | None) -> Rendered:
    """gateway None: without `mesh` the application gets no route, and its front Service carries the traffic, or the route is
    others' (application.route), and is not rendered."""
    application = manifest.application
    common: dict[str, Any] = {
        "application": application,
        "name": application.name,
        "namespace": namespace,
        "revision_name": deployment_name(application.name, revision),
        "labels": labels(application.name),
        "revision_labels": labels(application.name, revision),
        "pods": selector(application.name, revision),
        "no_pods": selector(application.name, None),
        "spec_hash": manifest.spec_hash,
        "maintainer": manifest.maintainer,
        "progress_deadline": max(1, round(manifest.strategy.progress_deadline)),
        "probe": _probe,
        "serves": any(map(_probe, application.containers)),
        "port_name": port_name,
        "gateway": gateway,
        "http_port": application.http_port,
    }
    routed = (gateway is not None or application.mesh) and application.http_port is not None
    made = _renderer(common)
    return Rendered(
        deployment=made("deployment.json.j2"),
        front=made("front_service.json.j2"),
        service=made("service.json.j2") if routed or application.route else None,
        route=made("http_route.json.j2") if routed else None,
    )


def port_name(port: int, protocol: str) -> str:
    """IANA service name form: at most 15 characters, and unique in the pod."""
    return f"{protocol.lower()}-{port}"


def _probe(container: Container) -> dict[str, Any] | None:
    """What readiness asks: the manifest's path, or a TCP connection; None for a container without a TCP port."""
    first = next((port.port for port in container.ports if port.protocol == "TCP"), None)
    wanted = container.readiness
    port = wanted.port if wanted and wanted.port else first
    if port is None:
        return None
    if wanted and wanted.path:
        return {"httpGet": {"path": wanted.path, "port": port}}
    return {"tcpSocket": {"port": port}}


def _renderer(names: dict[str, Any]) -> Callable[[str], Object]:
    """A template's name -> the object that it makes of these names."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(folder("templates")), undefined=StrictUndefined, autoescape=False)
    # jinja2's own tojson escapes <, > and & for HTML; plain JSON is what is wanted here.
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=True)

    def made(template: str) -> Object:
        found: Object = json.loads(environment.get_template(template).render(names))
        return found

    return made
