"""No test of an adapter may find the kubeconfig, the proxies or the home of whoever runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

CLEARED = (
    "KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "DOCC_NAMESPACE", "DOCC_PROMETHEUS_URL",
    "SSL_CERT_FILE", "SSL_CERT_DIR", *(f"{name}_PROXY" for name in ("HTTP", "HTTPS", "ALL", "NO")),
    *(f"{name}_proxy" for name in ("http", "https", "all", "no")),
)  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in CLEARED:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder
