"""What the shell offers behind `docc status <Tab>`: the applications that are there. It never hangs, and never complains."""

from __future__ import annotations

import typer

SECONDS_MAX = 1.0


def applications(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Names that begin so, each with where it stands. Within SECONDS_MAX; none if that cannot be learned."""
    from docc.cli import wiring
    from docc.model.errors import DoccError

    given = {name: ctx.params.get(name) for name in ("kubeconfig", "context", "namespace")}
    try:
        place = wiring.place(given["kubeconfig"], given["context"], given["namespace"], watching=False)
        place.cluster.connection.patience.allow(SECONDS_MAX)
        found = wiring.applications(place, everywhere=False)
    except (DoccError, OSError, ValueError):
        return []
    return [(app.name, f"{app.phase} {app.serving}") for app in found if app.name.startswith(incomplete)]
