"""The composition root: options -> target, ports, sinks. Imports adapters only when a command needs a cluster."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from docc.model.errors import CredentialsError, UnusableError, UsageError

if TYPE_CHECKING:
    from docc.adapters.clock import ServerClock
    from docc.adapters.kube import KubeCluster
    from docc.adapters.kube_connection import Target
    from docc.model.manifest import GatewayName, Manifest
    from docc.model.moves import Object
    from docc.ui.tables import App


@dataclass(frozen=True, slots=True)
class Place:
    """The cluster and namespace that a command works on."""

    cluster: KubeCluster
    clock: ServerClock
    target: Target

    def heading(self, app: str) -> str:
        """The first line of every command that writes: what it is about, and where."""
        return f"→ {app}  ctx {self.target.context}  ns {self.target.namespace}"


def read_manifest(path: str, images: list[str] | None) -> Manifest:
    """From a file, or standard input for "-". Raises ManifestError, UsageError."""
    from docc.spec.build import read

    if path == "-":
        return read(sys.stdin.buffer.read(), "stdin", tuple(images or ()))
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read", why=error.strerror or str(error), state="nothing was touched"
        ) from error
    return read(raw, path, tuple(images or ()))


def place(
    kubeconfig: str | None, context: str | None, namespace: str | None, manifest_namespace: str | None = None
) -> Place:
    """No request yet. Raises CredentialsError, UsageError."""
    from docc.adapters.clock import ServerClock
    from docc.adapters.kube import KubeCluster
    from docc.adapters.kube_connection import Connection, Target, choose_namespace

    connection = Connection(kubeconfig=kubeconfig, context=context)
    clock = ServerClock()
    connection.on_date = clock.heard
    name = choose_namespace(namespace, manifest_namespace, connection.context_namespace)
    target = Target(connection.server, connection.context_name, name)
    return Place(KubeCluster(connection, name, clock.ring), clock, target)


def gateway_for(place: Place, manifest: Manifest) -> GatewayName | None:
    """The Gateway of the application's route; None if it has no HTTP port, or its route is others', or none is to be had and
    none is needed.
    Raises UnusableError, CredentialsError."""
    from docc.core.gateways import choose, none_admits

    application, canary = manifest.application, manifest.strategy.canary is not None
    if application.http_port is None or application.route is not None:
        return None
    namespace, alone = place.target.namespace, canary and not application.mesh  # nothing else would carry the weights
    try:
        labels = place.cluster.namespace_labels()
        gateways = _gateways(place, needed=alone or application.gateway is not None)
    except CredentialsError as error:
        if application.gateway is not None:  # whether it admits the route, its own controller will say
            return application.gateway
        raise CredentialsError(
            "you may not look for a Gateway, and the manifest names none",
            where=error.where,
            why=error.why,
            state="nothing was touched",
            fix='name one in the manifest ("gateway": "NAMESPACE/NAME"), or ask for what `docc rbac --discover` prints',
        ) from error
    found = choose(gateways, application.gateway, namespace, labels, application.hosts)
    if found is None and alone:
        raise none_admits(gateways, namespace, labels, application.hosts)
    return found


def _gateways(place: Place, *, needed: bool) -> list[Object]:
    """All of the cluster, none if it has no Gateway API and can do without."""
    try:
        return place.cluster.find("Gateway", everywhere=True)
    except UnusableError as error:
        if not needed:
            return []
        raise UnusableError(
            "this cluster has no Gateway API (gateway.networking.k8s.io/v1)",
            why=error.why,
            state="nothing was touched",
            fix="ask an administrator of the cluster to install Gateway API and a Gateway",
        ) from error


def elsewhere(place: Place, namespace: str) -> Place:
    """The same cluster, another namespace or just another look."""
    from docc.adapters.kube import KubeCluster
    from docc.adapters.kube_connection import Target

    target = Target(place.target.server, place.target.context, namespace)
    return Place(KubeCluster(place.cluster.connection, namespace, place.clock.ring), place.clock, target)


def applications(place: Place, *, everywhere: bool) -> list[App]:
    """All that docc has deployed, by namespace and name."""
    from docc.ui.tables import apps

    chosen = "app.kubernetes.io/managed-by=docc"
    try:
        routes = place.cluster.find("HTTPRoute", everywhere=everywhere)  # others' routes carry docc's records, too
    except UnusableError:
        routes = []
    services = place.cluster.find("Service", everywhere=everywhere, labels=chosen)
    return apps([*routes, *services], place.clock.now())


def done_by(me: str, what: str, reason: str) -> str:
    """What the record says of a verb: who did it, and why."""
    return f"{what} by {me.split('#')[0]}" + (f": {reason}" if reason else "")


def my_name() -> str:
    """user@host, or the CI job's address, with what makes it unique behind a "#"."""
    import getpass
    import secrets
    import socket

    run = os.environ.get("CI_JOB_URL")
    if not run and os.environ.get("GITHUB_RUN_ID"):
        run = "/".join(os.environ.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY")) + (
            f"/actions/runs/{os.environ['GITHUB_RUN_ID']}"
        )
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{run or f'{user}@{socket.gethostname()}'}#{secrets.token_hex(4)}"
