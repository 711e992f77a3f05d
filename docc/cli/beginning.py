"""How every verb begins that looks at applications: is the user allowed to, and can this docc read what is there?

Nothing has been touched yet, and every refusal says so.
"""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from docc.cli.wiring import Place
from docc.model.errors import (
    CredentialsError,
    DoccError,
    LockedError,
    NotFoundError,
    Unreachable,
    UnusableError,
    UsageError,
)
from docc.model.world import Home, Seen

if TYPE_CHECKING:
    from docc.core.permissions import Permission
    from docc.model.facts import Edit
    from docc.ui.console import Console

UNTOUCHED = "nothing was touched"
BUSY_SECONDS_MAX = 10.0
HINT_SECONDS_MAX = 1.0
SILENCE_SECONDS = 1.5
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


def refuse_unreadable(app: str, place: Place, home: Home | None = None) -> Seen:
    """The first look; what is secret of it is hidden from now on. home: where the manifest has the application's route.
    Raises LockedError for a record that this docc cannot read, UnusableError if nothing answers."""
    from docc.core.observation import secrets_of, see
    from docc.model.secrets import hide

    if home is not None:
        place.cluster.route = home.route
    objects = reached(place, lambda: place.cluster.observe(app))
    hide(secrets_of(objects))
    seen = reached(place, lambda: see(app, objects, home=home))
    if seen.routed.unreadable:
        raise LockedError(
            f"{app} carries a record that this docc cannot read",
            where=f"{seen.routed.kind} {place.target.namespace}/{seen.routed.name or app}",
            why=seen.routed.unreadable,
            state=UNTOUCHED,
            fix="use the docc that wrote it, or a newer one",
        )
    return seen


def without_record(app: str, place: Place, seen: Seen, gone: str = "") -> NotFoundError:
    """For verbs that find no record: there is no such application, or one that has lost its record and may serve on. gone: what
    is said where nothing is left."""
    from docc.ui.unrecorded import goes_on, unrecorded

    where = f"namespace {place.target.namespace}"
    if left := unrecorded(app, seen):
        return NotFoundError(
            f"docc has no record of {app} any more", where=where, why=left, state=UNTOUCHED, fix=goes_on(app, seen)
        )
    fix = shlex.join(("docc", "list", "-A", *place.named))
    return NotFoundError(gone or f'no app "{app}" in {where}{_meant(app, place)}', state=UNTOUCHED, fix=fix)


def _meant(app: str, place: Place) -> str:
    """Whose name it may have been is asked only now, and not waited for."""
    from difflib import get_close_matches

    from docc.cli.wiring import applications

    near: list[str] = []
    with contextlib.suppress(DoccError):
        place.cluster.connection.patience.allow(HINT_SECONDS_MAX)
        near = get_close_matches(app, [each.name for each in applications(place, everywhere=False)], 1, 0.6)
    return f', did you mean "{near[0]}"?' if near else ""


def refuse_previewless(app: str, place: Place, seen: Seen, *, asked: bool) -> None:
    """A first version takes all traffic as soon as it can: there is none beside which it could be previewed. asked: --preview.
    Raises UsageError."""
    from docc.core.intent import stable_of

    if not asked or stable_of(seen) is not None:
        return
    raise UsageError(
        f"--preview: no version of {app} serves yet in namespace {place.target.namespace}",
        why="a preview stands beside the version that serves; a first one would get all traffic at once",
        state=UNTOUCHED,
        fix="leave --preview out of the first deploy",
    )


def refuse_moved(app: str, place: Place, home: Home) -> None:
    """The traffic is where the manifest says, or nowhere yet: docc moves no application from one route to another. Raises
    LockedError."""
    from docc.core.home import annotation_of, home_of
    from docc.model.moves import Ref

    before = home_of(app, place.cluster.observe(app).deployments)
    if before == home:
        return
    found = place.cluster.read(Ref("HTTPRoute", before.route)) or {"metadata": {}}
    if annotation_of(app, before) not in (found["metadata"].get("annotations") or {}):
        return
    raise LockedError(
        f"{app} has its traffic in {_told(before)}, and the manifest says {_told(home)}",
        where=f"namespace {place.target.namespace}",
        why="docc moves no application from one route to another: for a moment it would be in both, or in neither",
        state=UNTOUCHED,
        fix="docs/gitops.md says how to move it by hand",
    )


def _told(home: Home) -> str:
    rule = f'rule "{home.rule}" of ' if home.rule else ""
    return f"{rule}HTTPRoute {home.route}"


def tell_others(app: str, seen: Seen, console: Console) -> tuple[Edit, ...]:
    """What somebody else has changed of what docc wrote, said before a verb goes on."""
    from docc.core.meddling import edits
    from docc.ui.console import neutral
    from docc.ui.words import edited

    found = edits(app, seen, seen.record) if seen.record is not None else ()
    for edit in found:
        console.err(neutral(f"  others   {edited(edit)}"), "bold yellow")
    return found


def refuse_contested(app: str, place: Place, seen: Seen, console: Console, *, force: bool) -> None:
    """For verbs that would give a candidate traffic. Raises LockedError, unless docc's weights shall win."""
    found = tell_others(app, seen, console)
    if not found or force:
        return
    who = ", ".join(sorted({edit.manager or "somebody else" for edit in found}))
    raise LockedError(
        f"{who} has changed what docc wrote of {app}'s traffic",
        where=f"{seen.routed.kind} {place.target.namespace}/{seen.routed.name or app}",
        why="it stands above; docc fights nobody over it",
        state=UNTOUCHED,
        fix="have it taken back (docs/gitops.md), or --force-conflicts: docc writes its own weights again",
    )


@contextlib.contextmanager
def told_what_for(place: Place) -> Iterator[None]:
    """Who looks at an empty terminal is told what is waited for, once that takes long."""
    from threading import Timer

    from docc.ui.console import Console

    waits = f"  waiting for {place.target.server} (context {place.target.context}) to answer"
    bell = Timer(SILENCE_SECONDS, Console().err, (waits,))
    bell.daemon = True
    bell.start()
    try:
        yield
    finally:
        bell.cancel()


def reached(place: Place, ask: Callable[[], T]) -> T:
    """Before anything was written, a server that does not answer is the end, not something to wait for; unless it is only busy
    and says for how long (429 or 503 with Retry-After)."""
    end = time.monotonic() + BUSY_SECONDS_MAX
    while True:
        try:
            with told_what_for(place):
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
