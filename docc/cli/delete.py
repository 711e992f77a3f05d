"""docc delete"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from docc.cli import options, wiring

if TYPE_CHECKING:
    from docc.model.world import Objects

KeepWorkload = Annotated[
    bool, typer.Option("--keep-workload", help="Only docc's record and history go; what serves goes on serving.")
]


def delete(
    app: options.App,
    keep_workload: KeepWorkload = False,
    yes: options.Yes = False,
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Output = "text",
) -> None:
    """Delete an application with all that docc made for it, its traffic first."""
    from docc.adapters.signals import Signals
    from docc.cli.beginning import refuse_unpermitted
    from docc.core.observation import secrets_of, see
    from docc.engine.ports import Ports
    from docc.engine.removal import refuse_unfinished, remove
    from docc.model.errors import ExitCode, NotFoundError
    from docc.model.secrets import hide
    from docc.ui.console import Console
    from docc.ui.lines import Lines

    options.one_of(output, ("text", "json"))
    console, place = Console(), wiring.place(kubeconfig, context, namespace)
    console.err(place.heading(app))
    refuse_unpermitted("delete", place)
    objects, where = place.cluster.observe(app), place.target.namespace
    hide(secrets_of(objects))
    there = [
        *(in_route(app, objects),) * (objects.route is not None),
        *(f"Service {name}" for name in sorted(objects.services)),
        *(f"Deployment {name}" for name in sorted(objects.deployments)),
    ]
    if not there and objects.history is None:
        raise NotFoundError(f'no app "{app}" in namespace {where}', state="nothing was touched", fix="docc list -A")
    if keep_workload:
        refuse_unfinished(app, where, see(app, objects).record, place.at)
    for each in there if not keep_workload else ():
        console.err(f"  {each}")
    certain(app, where, yes, keep_workload=keep_workload)
    lines = Lines(console)
    with Signals(place.clock.ring, place.cluster.connection.patience.end_within) as signals:
        ports = Ports(place.cluster, None, place.clock, signals, lines)
        outcome = remove(ports, app, where, wiring.my_name(), keep_workload=keep_workload)
    place.cluster.close()
    console.err(f"{app} in {where}: {outcome.result}" + (f": {outcome.reason}" if outcome.reason else ""))
    if outcome.exit_code is ExitCode.FAILED_NOT_CLEAN:
        again = "docc delete --keep-workload" if keep_workload else "docc delete --yes"
        console.err(f"  go on:   {again} {app} {place.at}")
    if output == "json":
        console.document({"app": app, "namespace": where, "result": outcome.result, "reason": outcome.reason})
    raise typer.Exit(int(outcome.exit_code))


def in_route(app: str, objects: Objects) -> str:
    from docc.core.observation import see

    routed = see(app, objects, routed=True).routed
    return f"its backends in HTTPRoute {routed.name}, which stays" if routed.foreign else f"HTTPRoute {app}"


def certain(app: str, namespace: str, yes: bool, *, keep_workload: bool) -> None:
    """A person types the name; anybody else says --yes. Raises UsageError, StoppedError."""
    from docc.model.errors import UsageError

    if yes or keep_workload:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"docc delete takes {app} in {namespace} from its users; nobody can be asked here",
            state="nothing was touched",
            fix="--yes",
        )
    question = f"All of this goes. To delete it, type its name ({app})"
    if options.answered(lambda: typer.prompt(question, default="", show_default=False, err=True)) != app:
        raise UsageError("not confirmed", state="nothing was touched")
