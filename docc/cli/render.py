"""docc render"""

from __future__ import annotations

from typing import Annotated

import typer

from docc.cli import options, wiring

Output = Annotated[str, typer.Option("--output", "-o", help="json, or yaml.")]


def render(
    manifest: options.Manifest = None,
    filename: options.Filename = None,
    image: options.Images = None,
    namespace: options.Namespace = None,
    revision: Annotated[int, typer.Option("--revision", min=1, help="As which revision the objects are named.")] = 1,
    output: Output = "json",
) -> None:
    """Print the objects of a manifest as a Kubernetes List. Needs no cluster.

    Without "gateway" in the manifest the route names the Gateway "gateway": deploy looks for the real one.
    """
    import json

    from docc.adapters.kube_connection import choose_namespace
    from docc.model.manifest import GatewayName
    from docc.spec.render import render as objects
    from docc.ui.console import Console
    from docc.ui.documents import written

    options.one_of(output, ("json", "yaml"))
    found = wiring.read_manifest(options.the_manifest(manifest, filename), image)
    application = found.application
    where = choose_namespace(namespace, application.namespace, None)
    gateway = None if application.route else application.gateway or GatewayName("gateway")
    rendered = objects(found, where, revision, gateway)
    items = [rendered.deployment, rendered.service, rendered.front, rendered.route]
    listing = {"apiVersion": "v1", "kind": "List", "items": [item for item in items if item is not None]}
    Console().out(json.dumps(listing, indent=2) if output == "json" else written(listing, output))
