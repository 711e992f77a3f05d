"""Who may come in: the token file of the API server and a kubeconfig for each of the cluster's own users."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path

from tests.cluster.rig.layout import API_URL, Layout

USERS = ("admin", "controller-manager", "scheduler", "kubelet", "istiod", "prometheus")
"""All may do everything; they have names so that the audit log can tell them apart."""


def write_users(layout: Layout) -> Path:
    """The token file; the kubeconfigs lie beside it."""
    rows = []
    for user in USERS:
        token = secrets.token_urlsafe(24)
        rows.append(f'{token},{user},{user},"system:masters"\n')
        write_kubeconfig(layout, layout.kubeconfig_of(user), token)
    return _put(layout.folder / "tokens.csv", "".join(rows))


def write_kubeconfig(layout: Layout, path: Path, token: str, namespace: str = "default") -> Path:
    authority = base64.b64encode(layout.certificate.read_bytes()).decode()
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "rig",
        "clusters": [{"name": "rig", "cluster": {"server": API_URL, "certificate-authority-data": authority}}],
        "users": [{"name": "rig", "user": {"token": token}}],
        "contexts": [{"name": "rig", "context": {"cluster": "rig", "user": "rig", "namespace": namespace}}],
    }  # fmt: skip
    return _put(path, json.dumps(config))


def token_of(kubeconfig: Path) -> str:
    return str(json.loads(kubeconfig.read_text(encoding="utf-8"))["users"][0]["user"]["token"])


def _put(path: Path, text: str) -> Path:
    """Readable by its owner only."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path
