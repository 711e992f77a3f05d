"""docc gc"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from docc.cli import options, wiring

if TYPE_CHECKING:
    from docc.cli.wiring import Place
    from docc.ui.console import Console

App = Annotated[str | None, typer.Argument(metavar="[APP]", help="One application; else all that docc has deployed.")]
Everywhere = Annotated[bool, typer.Option("--all-namespaces", "-A", help="In every namespace.")]
_STOPPED = (130, 143)


def gc(
    app: App = None,
    everywhere: Everywhere = False,
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Output = "text",
) -> None:
    """Take down what nobody needs any more: former versions whose warm time is over, revisions beyond the last ten."""
    from docc.cli.beginning import refuse_unpermitted
    from docc.model.errors import UsageError
    from docc.ui.console import Console
    from docc.ui.unrecorded import UNRECORDED

    options.one_of(output, ("text", "json"))
    if app and everywhere:
        raise UsageError("-A means all applications; name one, or give -A", state="nothing was touched")
    console, place = Console(), wiring.place(kubeconfig, context, namespace)
    if not everywhere:  # a review is of one namespace
        refuse_unpermitted("gc", place)
    chosen = (
        [(place.target.namespace, app)]
        if app
        else [
            (found.namespace, found.name)
            for found in wiring.applications(place, everywhere=everywhere)
            if found.phase != UNRECORDED
        ]
    )
    done: dict[str, dict[str, str | int]] = {}
    for where, name in chosen:
        done[f"{where}/{name}"] = found = _tidy(console, wiring.elsewhere(place, where), name)
        if found["exit_code"] in _STOPPED:
            break
    if output == "json":
        console.document(done)
    elif not chosen:
        console.err(f"no apps of docc in {'any namespace' if everywhere else f'namespace {place.target.namespace}'}")
    raise typer.Exit(max((int(found["exit_code"]) for found in done.values()), key=_gravity, default=0))


def _tidy(console: Console, place: Place, app: str) -> dict[str, str | int]:
    """What became of one application. Of those that somebody drives, or whose rollout is unfinished, nothing is touched."""
    from docc.adapters.signals import Signals
    from docc.cli.beginning import refuse_unreadable, tell_others
    from docc.engine.ports import Ports
    from docc.engine.rollback import tidy
    from docc.model.errors import DoccError
    from docc.ui.console import neutral
    from docc.ui.lines import Lines

    lines, name = Lines(console), f"{app} in {place.target.namespace}"
    try:
        seen = refuse_unreadable(app, place)
        tell_others(app, seen, console)
        with Signals(place.clock.ring, place.cluster.connection.patience.end_within) as signals:
            ports = Ports(place.cluster, None, place.clock, signals, lines)
            outcome = tidy(ports, app, place.target.namespace, wiring.my_name())
    except DoccError as error:
        return _told(console, neutral(f"{name}: left alone: {error.what}"), int(error.exit_code))
    finally:
        place.cluster.close()
    code = int(outcome.exit_code)
    if outcome.result == "unchanged":
        return _told(console, f"{name}: {outcome.reason}; docc status {app} {place.at}", code)
    if code:
        return _told(console, neutral(f"{name}: {outcome.reason}"), code)
    return _told(console, f"{name}: {'tidied up' if lines.facts else 'nothing to take down'}", code)


def _gravity(code: int) -> tuple[bool, int]:
    """What needs somebody at once comes before all, also where a signal broke off the rest."""
    return code == 11, code


def _told(console: Console, text: str, code: int) -> dict[str, str | int]:
    console.err(text)
    return {"result": text.partition(": ")[2], "exit_code": code}
