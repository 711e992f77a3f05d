"""The composition root: options -> target, ports, sinks. Imports adapters only when a command needs a cluster."""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from docc.cli import options
from docc.model.errors import UnusableError, UsageError

if TYPE_CHECKING:
    from docc.adapters.clock import ServerClock
    from docc.adapters.kube import KubeCluster
    from docc.adapters.kube_connection import Target
    from docc.model.manifest import Manifest
    from docc.ui.tables import App

FIRST_LOOKS_SECONDS_MAX = 15.0
"""For all that a deploy asks before it touches anything: a server that is slow with each answer is told, and not waited for
over and over. Three times --request-timeout, where that is longer."""


@dataclass(frozen=True, slots=True)
class Place:
    """The cluster and namespace that a command works on."""

    cluster: KubeCluster
    clock: ServerClock
    target: Target

    named: tuple[str, ...] = ()
    """The flags that chose the cluster, as they were given."""

    @property
    def at(self) -> str:
        """What a command that is to be typed next must say to come to the same place."""
        return shlex.join(("-n", self.target.namespace, *self.named))

    def heading(self, app: str) -> str:
        """The first line of every command that writes: what it is about, and where."""
        return f"→ {app}  ctx {self.target.context}  ns {self.target.namespace}"


def read_manifest(path: str, images: list[str] | None, *, preview: bool = False) -> Manifest:
    """From a file, or standard input for "-". Raises ManifestError, UsageError."""
    from docc.spec.build import read

    found = read(manifest_text(path), shown(path), tuple(images or ()), preview=preview)
    _hide_secrets(found)
    return found


def manifest_text(path: str) -> bytes:
    """No more of it than tells that it is too long. Raises UsageError."""
    from docc.spec.load import BYTES_MAX

    try:
        with contextlib.nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb") as stream:
            return stream.read(BYTES_MAX + 1)  # a device, or what somebody pipes, may have no end
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read", why=error.strerror or str(error), state="nothing was touched"
        ) from error


def shown(path: str) -> str:
    """As which file it is told."""
    return "stdin" if path == "-" else path


def _hide_secrets(manifest: Manifest) -> None:
    """What a crashing container, or a server that refuses an object, would quote."""
    from docc.model.secrets import hide, is_secret

    hide(value for each in manifest.application.containers for name, value in each.env if is_secret(name))
    if manifest.strategy.prometheus and (variable := manifest.strategy.prometheus.token_env):
        hide([os.environ.get(variable, "")])


def place(
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
    manifest_namespace: str | None = None,
    *,
    wide: bool = False,
    watching: bool = True,
) -> Place:
    """No request yet. wide: for who looks at much before anything is touched; the first look takes in the neighbours, and all
    looks have FIRST_LOOKS_SECONDS_MAX until `unbound`. watching: the first look is not the only one. Raises CredentialsError,
    UsageError."""
    from docc.adapters.clock import ServerClock
    from docc.adapters.kube import KubeCluster
    from docc.adapters.kube_connection import Connection, Target, choose_namespace
    from docc.adapters.kube_login import Acting

    user, groups, limit = options.everywhere_given()
    connection = Connection(kubeconfig=kubeconfig, context=context, acting=Acting(user, groups), read_seconds=limit)
    clock = ServerClock()
    connection.on_date = clock.heard
    if wide:
        connection.patience.allow(max(FIRST_LOOKS_SECONDS_MAX, 3 * (limit or 0.0)))
    name = choose_namespace(namespace, manifest_namespace, connection.context_namespace)
    target = Target(connection.server, connection.context_name, name)
    given = [("--context", context), ("--kubeconfig", kubeconfig), ("--as", user), *(("--as-group", g) for g in groups)]
    named = tuple(word for flag, value in given if value for word in (flag, value))
    return Place(KubeCluster(connection, name, clock.ring, wide=wide, watching=watching), clock, target, named)


def unbound(place: Place) -> None:
    """What is looked at from now on has its own time."""
    place.cluster.connection.patience.allow(math.inf)


def elsewhere(place: Place, namespace: str) -> Place:
    """The same cluster, another namespace or just another look."""
    from docc.adapters.kube import KubeCluster
    from docc.adapters.kube_connection import Target

    target = Target(place.target.server, place.target.context, namespace)
    return Place(KubeCluster(place.cluster.connection, namespace, place.clock.ring), place.clock, target, place.named)


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
