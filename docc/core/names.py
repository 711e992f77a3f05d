"""Names, labels and the revision hash: how docc's objects are told apart. Pure strings; knows no object.

Revision N of application APP is written "vN" wherever a label, a metric or a person sees it.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

APP_LABEL = "docc.dev/app"
REVISION_LABEL = "docc.dev/revision"
NAME_MAX = 50

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_REVISION = re.compile(r"v([1-9][0-9]{0,8})")
_RESERVED = re.compile(r".*-v[0-9]+")


def deployment_name(app: str, revision: int) -> str:
    """The name of a revision's Deployment and Service: APP-vN."""
    return f"{app}-v{revision}"


def history_name(app: str) -> str:
    """The name of the ConfigMap that keeps the application's history, and of the Lease that says who drives it."""
    return f"docc-{app}"


def parse_revision(app: str, name: str) -> int | None:
    """The N of a name APP-vN, None for any other name."""
    if not name.startswith(f"{app}-"):
        return None
    found = _REVISION.fullmatch(name[len(app) + 1 :])
    return int(found[1]) if found else None


def labels(app: str, revision: int | None = None) -> dict[str, str]:
    """Labels of every object of the application; with a revision, those of its own objects and pods too."""
    common = {
        "app.kubernetes.io/name": app,
        "app.kubernetes.io/instance": app,
        "app.kubernetes.io/managed-by": "docc",
        APP_LABEL: app,
    }
    if revision is None:
        return common
    return {
        **common,
        "app.kubernetes.io/version": f"v{revision}",
        REVISION_LABEL: f"v{revision}",
        # Istio's metrics tell revisions apart by these (destination_canonical_revision).
        "service.istio.io/canonical-name": app,
        "service.istio.io/canonical-revision": f"v{revision}",
    }


def selector(app: str, revision: int | None) -> dict[str, str]:
    """Only keys that never change on a living pod. None selects nothing yet: no pod has revision "none"."""
    return {APP_LABEL: app, REVISION_LABEL: f"v{revision}" if revision is not None else "none"}


def name_problem(name: str) -> str:
    """Why a name cannot be an application's, with a suggestion; "" if it can (DNS-1035, room for "-vN", not "...-v3")."""
    if len(name) > NAME_MAX:
        return f"name is {len(name)} characters long; at most {NAME_MAX} leave room for the revision"
    if not _NAME.fullmatch(name):
        hint = suggestion(name)
        text = 'is not a DNS name: lower-case letters, digits and "-", beginning with a letter, ending with a letter or digit'
        return f'name "{name}" {text}' + (f'. Try "{hint}"' if hint else "")
    if _RESERVED.fullmatch(name):
        return f'name "{name}" ends like a revision; "-v" and digits are what docc appends'
    return ""


def suggestion(name: str) -> str:
    """The nearest valid name, "" if nothing is left of it."""
    kept = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-").lstrip("0123456789-")[:NAME_MAX].rstrip("-")
    return "" if not kept or _RESERVED.fullmatch(kept) else kept


def spec_hash(containers: dict[str, Any]) -> str:
    """Names a pod template by the manifest's own `containers`, as written: key order and blanks do not count, defaults are
    not filled in, so that a newer docc with other defaults rolls nobody."""
    text = json.dumps(containers, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
