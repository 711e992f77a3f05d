"""Kubeconfigs for tests, and a connection by one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docc.adapters.kube_connection import Connection

TOKEN = "tok3n-that-nobody-may-see"


def entries(
    server: str,
    user: Mapping[str, Any] | None = None,
    *,
    name: str = "here",
    namespace: str | None = None,
    cluster: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One cluster, one user, one context, all of one name."""
    context = {"cluster": name, "user": name, **({"namespace": namespace} if namespace else {})}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": name, "user": dict(user if user is not None else {"token": TOKEN})}],
        "contexts": [{"name": name, "context": context}],
        "current-context": name,
    }


def write(folder: Path, content: Mapping[str, Any] | str, name: str = "kubeconfig") -> str:
    """The file's path. A mapping is written as JSON, which is YAML."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def connect(
    folder: Path, server: str, user: Mapping[str, Any] | None = None, cluster: Mapping[str, Any] | None = None
) -> Connection:
    return Connection(kubeconfig=write(folder, entries(server, user, cluster=cluster)))
