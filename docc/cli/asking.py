"""What promote, pause and resume do alike: the request, and who goes on with it."""

from __future__ import annotations

from dataclasses import replace

from docc.cli import wiring
from docc.cli.beginning import UNTOUCHED, without_record
from docc.cli.telling import Telling
from docc.model.errors import ExitCode, NotFoundError
from docc.model.moves import Outcome


def ask(place: wiring.Place, telling: Telling, app: str, verb: str, reason: str) -> Outcome | None:
    """None if it stands in the record and nobody drives; who was second is told so. Raises NotFoundError where there is nothing
    to act on; DoccError."""
    from docc.adapters.signals import Signals
    from docc.core.observation import see
    from docc.engine import requests
    from docc.engine.lease import Stopped
    from docc.engine.ports import Ports

    with Signals(place.clock.ring, place.cluster.connection.patience.end_within) as signals:
        ports = Ports(place.cluster, None, place.clock, signals, telling)
        outcome = requests.ask(ports, app, wiring.my_name(), verb, reason)
        if outcome is not None and outcome.exit_code is ExitCode.NOT_FOUND:
            if (seen := see(app, place.cluster.observe(app))).record is None:
                raise without_record(app, place, seen)
            raise NotFoundError(
                f"{app} has nothing to {'promote' if verb == 'full' else verb}",
                where=f"namespace {place.target.namespace}",
                why=outcome.reason,
                state=UNTOUCHED,
                fix=f"docc status {app} {place.at}",
            )
        if outcome is not None and outcome.result != "unchanged":
            return outcome
        try:
            driver = requests.who_goes_on(ports, app, see(app, place.cluster.observe(app)))
        except Stopped as stopped:
            return stopped.outcome
    if driver:
        goes_on = f"{driver} drives it, and {'stays there' if verb == 'pause' else 'goes on from here'}"
        return Outcome("asked", ExitCode.DONE, goes_on) if outcome is None else _second(outcome, goes_on)
    if outcome is not None:
        telling.console.sentence(outcome.reason)
    return None


def _second(already: Outcome, goes_on: str) -> Outcome:
    return replace(already, reason=f"{already.reason}; {goes_on}")
