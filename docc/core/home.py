"""Where an application's traffic is divided: in an HTTPRoute of its own, or in one rule of a route that others own.

The manifest says so (application.route), and the cluster keeps the manifest on each revision's Deployment: so every verb
knows, from the cluster alone. A route of docc's own carries its record in docc.dev/rollout; one that several applications
may share has an annotation for each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from docc.core.names import parse_revision
from docc.core.route import MANIFEST
from docc.model.moves import Object
from docc.model.record import ANNOTATION
from docc.model.world import Home

SHARED_PREFIX = "rollout.docc.dev/"


def annotation_of(app: str, home: Home) -> str:
    return ANNOTATION if home.rule is None else f"{SHARED_PREFIX}{app}"


def home_of(app: str, deployments: Mapping[str, Object]) -> Home:
    """As the newest revision was last deployed; without any, a route of its own."""
    revisions = {n: body for name, body in deployments.items() if (n := parse_revision(app, name)) is not None}
    if not revisions:
        return Home(app)
    newest = revisions[max(revisions)]["metadata"].get("annotations") or {}
    found = _kept(newest.get(MANIFEST, ""))
    return Home(*found) if found else Home(app)


@lru_cache(maxsize=64)
def _kept(manifest: str) -> tuple[str, str] | None:
    """(route, rule) of a manifest as it is kept; None where it names no route, or cannot be read."""
    try:
        found = json.loads(manifest)["application"]["route"]
        return str(found["name"]), str(found.get("rule", ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
