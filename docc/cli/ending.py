"""How deploy and rollback end: the last look, the last lines or the one document, the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from docc.cli.telling import Telling
from docc.cli.wiring import Place
from docc.model.errors import DoccError
from docc.model.moves import Outcome

if TYPE_CHECKING:
    from docc.ui.console import Console


def conclude(
    console: Console,
    place: Place,
    app: str,
    outcome: Outcome,
    telling: Telling,
    *,
    source: str | None = "",
    output: str = "text",
) -> None:
    """Raises typer.Exit with the outcome's code."""
    from docc.core.observation import see
    from docc.ui import ci, final

    seen, remembered = None, None
    try:
        seen = see(app, place.cluster.observe(app))
    except DoccError:
        kept = place.cluster.remembered(app)
        remembered = see(app, kept) if kept else None
    requests = dict(place.cluster.connection.requests)
    ending = final.Ending(
        app,
        place.target.namespace,
        outcome,
        seen,
        telling.facts,
        requests,
        source,
        place.at,
        telling.plan,
        telling.notes,
        remembered,
    )
    telling.end()
    ci.ended(console, ending)
    good = int(outcome.exit_code) == 0
    for row in final.text(ending).splitlines():
        tell = console.err if row.startswith(" ") else console.sentence  # a command stays whole, to be copied
        tell(row, "bold" if good else "bold red")
    if output in ("json", "jsonl"):
        console.document(final.document(ending))
    place.cluster.close()
    raise typer.Exit(int(outcome.exit_code))
