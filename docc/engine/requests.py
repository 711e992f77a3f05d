"""`docc promote`, `docc pause`, `docc resume`: the request is written, and whoever drives goes on with it. What may be asked
when, core/requests.py decides."""

from __future__ import annotations

from docc.core import requests
from docc.core.names import history_name
from docc.core.observation import see
from docc.engine.lease import DURATION_SECONDS, holder_of, is_alive, pause, shown, spec_of
from docc.engine.ports import Ports
from docc.engine.rollback import write_once
from docc.model.moves import Outcome, Ref
from docc.model.world import Seen


def ask(ports: Ports, app: str, me: str, verb: str, reason: str) -> Outcome | None:
    """None when it stands in the record. Raises DoccError while certainly nothing was written."""
    return write_once(ports, app, me, lambda view: requests.ask(view, verb, reason))


def who_goes_on(ports: Ports, app: str, asked: Seen) -> str:
    """Who drives it on; "" if nobody does. asked: as it stood with the request. A driver shows that it is alive by obeying, or
    by its Lease; one that was killed a moment ago does neither for a whole duration. Raises Stopped."""
    lease = Ref("Lease", history_name(app))
    first = ports.cluster.read(lease)
    until = ports.clock.now() + DURATION_SECONDS
    while True:
        found, record = ports.cluster.read(lease), see(app, ports.cluster.observe(app)).record
        if found is None or not is_alive(found, ports.clock.now()):
            return ""
        renewed = first is None or spec_of(found).get("renewTime") != spec_of(first).get("renewTime")
        if renewed or record is None or record != asked.record:
            return shown(holder_of(found))
        if ports.clock.now() >= until:
            return ""
        pause(ports)
