"""The manifest as it is kept in the cluster, on its revision's Deployment, and read back from there.

What is kept is what `deploy` was given, with --image put in and the Gateway that was found; without what must not be kept
twice: values of the environment, which only the Deployment itself has. URLs with passwords are in no manifest (check.py).
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

from docc.model.errors import LockedError, ManifestError
from docc.model.manifest import GatewayName, Manifest
from docc.model.secrets import MASK
from docc.spec.build import build
from docc.spec.check import check


def kept(manifest: Manifest, gateway: GatewayName | None) -> str:
    """JSON, in one line. The same manifest gives the same text."""
    values = copy.deepcopy(dict(manifest.values))
    for container in values["application"]["containers"].values():
        if "env" in container:
            container["env"] = dict.fromkeys(container["env"], MASK)
    if gateway is not None:
        named = {"name": gateway.name, "namespace": gateway.namespace, "section": gateway.section}
        values["application"]["gateway"] = {key: value for key, value in named.items() if value is not None}
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def read_back(text: str, name: str, spec_hash: str) -> Manifest:
    """name: the Deployment's, for messages. spec_hash: as the Deployment has it, since the text lacks what it names. Raises
    LockedError for a text that this docc cannot read."""
    try:
        values: dict[str, Any] = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError("it is no JSON object")
        check(values, text, name)
        return replace(build(values), spec_hash=spec_hash)
    except (ValueError, RecursionError, ManifestError) as error:
        problems = error.problems if isinstance(error, ManifestError) else ()
        raise LockedError(
            f"Deployment {name} keeps a manifest that this docc cannot read",
            why=problems[0].message if problems else str(error),
            state="nothing was touched",
            fix="use the docc that wrote it, or a newer one; or docc deploy, with the manifest itself",
        ) from error
