"""docc render"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from docc.cli import options, wiring
from docc.model.errors import UsageError

if TYPE_CHECKING:
    from docc.model.manifest import Manifest

Output = Annotated[str, typer.Option("--output", "-o", help="json is all there is.")]


def render(
    manifest: options.Manifest,
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

    options.one_of(output, ("json",))
    found = wiring.read_manifest(manifest, image)
    refuse_trial(found)
    application = found.application
    where = choose_namespace(namespace, application.namespace, None)
    gateway = None if application.route else application.gateway or GatewayName("gateway")
    rendered = objects(found, where, revision, gateway)
    items = [rendered.deployment, rendered.service, rendered.front, rendered.route]
    listing = {"apiVersion": "v1", "kind": "List", "items": [item for item in items if item is not None]}
    Console().out(json.dumps(listing, indent=2))


def refuse_trial(manifest: Manifest) -> None:
    """ab_testing validates already; carrying it out comes with its own release."""
    if manifest.strategy.ab_testing is not None:
        raise UsageError(
            "this release of docc does not carry out ab_testing yet",
            state="nothing was touched",
            fix="remove ab_testing from the manifest; canary and failure_conditions work",
        )
