"""How every verb begins that looks at applications: is the user allowed to, and can this docc read what is there?

Nothing has been touched yet, and every refusal says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from docc.cli.wiring import Place
from docc.model.errors import CredentialsError, DoccError, LockedError, Unreachable, UnusableError
from docc.model.world import Seen

if TYPE_CHECKING:
    from docc.core.permissions import Permission

UNTOUCHED = "nothing was touched"
BUSY_SECONDS_MAX = 10.0
T = TypeVar("T")


def refuse_unpermitted(verb: str, place: Place, wished: tuple[Permission, ...] = ()) -> tuple[Permission, ...]:
    """Everything that `docc VERB` will need, asked in one request. Raises CredentialsError with all that is missing. wished:
    what it can do without; those of it that are lacking are returned."""
    from docc.adapters.kube_access import denied, user
    from docc.core.permissions import NEEDED

    namespace, connection = place.target.namespace, place.cluster.connection
    found = reached(place, lambda: denied(connection, namespace, NEEDED[verb], wished))
    lacking = tuple(need for need in found if need in NEEDED[verb])
    if not lacking:
        return found
    name, absent = user(connection), "1 is missing" if len(lacking) == 1 else f"{len(lacking)} are missing"
    raise CredentialsError(
        f"docc {verb} needs {len(NEEDED[verb])} permissions in namespace {namespace}, {absent}",
        where=f"context {place.target.context}" + (f", user {name}" if name else ""),
        why="you may not: " + ", ".join(str(permission) for permission in lacking),
        state=UNTOUCHED,
        fix=f"ask an administrator of the cluster for the Role that `docc rbac -n {namespace}` prints",
    )


def refuse_unreadable(app: str, place: Place) -> Seen:
    """The first look. Raises LockedError for a record that this docc cannot read, UnusableError if nothing answers."""
    from docc.core.observation import see

    seen = reached(place, lambda: see(app, place.cluster.observe(app)))
    if seen.routed.unreadable:
        raise LockedError(
            f"{app} carries a record that this docc cannot read",
            where=f"{seen.routed.kind} {place.target.namespace}/{app}",
            why=seen.routed.unreadable,
            state=UNTOUCHED,
            fix="use the docc that wrote it, or a newer one",
        )
    return seen


def reached(place: Place, ask: Callable[[], T]) -> T:
    """Before anything was written, a server that does not answer is the end, not something to wait for; unless it is only busy
    and says for how long (429 or 503 with Retry-After)."""
    end = time.monotonic() + BUSY_SECONDS_MAX
    while True:
        try:
            return ask()
        except Unreachable as error:
            if 0 < error.wait <= end - time.monotonic():
                time.sleep(error.wait)
                continue
            where = f"context {place.target.context}"
            raise UnusableError(error.what, where=where, why=error.why, state=UNTOUCHED, fix=error.fix) from error
        except DoccError as error:
            error.state = error.state or UNTOUCHED
            raise
