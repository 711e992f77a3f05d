"""docc unlock"""

from __future__ import annotations

from docc.cli import options, wiring


def unlock(
    app: options.App,
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
) -> None:
    """Take the lock off a driver that is gone. It is hardly ever needed: a lock that is not renewed ends after 15 s."""
    from docc.adapters.signals import Signals
    from docc.cli.beginning import refuse_unpermitted
    from docc.engine import lease
    from docc.engine.ports import Ports
    from docc.model.errors import Conflict, LockedError
    from docc.ui.console import Console, neutral
    from docc.ui.lines import Lines

    console, place = Console(), wiring.place(kubeconfig, context, namespace)
    refuse_unpermitted("unlock", place)
    # Signals do what they always do: it is one write, which there is nothing to wait for, or to put back.
    ports = Ports(place.cluster, None, place.clock, Signals(place.clock.ring), Lines(console))
    try:
        holder = lease.unlock(ports, app)
    except Conflict as error:
        raise LockedError(
            f"{app} has just been locked by somebody else", state="nothing was changed", fix=f"docc status {app}"
        ) from error
    told = (
        f"{holder} had the lock of {app}, and is gone: it is free now" if holder else f"nobody holds the lock of {app}"
    )
    console.err(neutral(told))
    place.cluster.close()
