"""How deploy and rollback end: the last look, the last lines or the one document, the exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from docc.cli.wiring import Place
from docc.model.errors import DoccError, LockedError
from docc.model.moves import Outcome
from docc.model.world import Seen

if TYPE_CHECKING:
    from docc.ui.console import Console
    from docc.ui.lines import Lines


def refuse_unreadable(app: str, place: Place) -> Seen:
    """The first look. Raises LockedError for a record that this docc cannot read, UnusableError if nothing answers."""
    from docc.core.observation import see
    from docc.model.errors import Unreachable, UnusableError

    try:
        seen = see(app, place.cluster.observe(app))
    except Unreachable as error:
        contexts = f"context {place.target.context}"
        raise UnusableError(
            error.what, where=contexts, why=error.why, state="nothing was touched", fix=error.fix
        ) from error
    if seen.routed.unreadable:
        raise LockedError(
            f"{app} carries a record that this docc cannot read",
            where=f"{seen.routed.kind} {place.target.namespace}/{app}",
            why=seen.routed.unreadable,
            state="nothing was touched",
            fix="use the docc that wrote it, or a newer one",
        )
    return seen


def conclude(
    console: Console, place: Place, app: str, outcome: Outcome, lines: Lines, *, source: str = "", output: str = "text"
) -> None:
    """Raises typer.Exit with the outcome's code."""
    from docc.core.observation import see
    from docc.ui import final

    try:
        seen = see(app, place.cluster.observe(app))
    except DoccError:
        seen = None
    requests = dict(place.cluster.connection.requests)
    ending = final.Ending(app, place.target.namespace, outcome, seen, lines.facts, requests, source)
    good = int(outcome.exit_code) == 0
    for row in final.text(ending).splitlines():
        console.err(row, "bold" if good else "bold red")
    if output == "json":
        console.out(json.dumps(final.document(ending)))
    place.cluster.close()
    raise typer.Exit(int(outcome.exit_code))
