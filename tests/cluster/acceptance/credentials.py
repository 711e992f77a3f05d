"""A login that can be taken away: a kubeconfig whose exec plugin mints a ServiceAccount token, each bound to a Secret. Deleting
the Secret makes the token worthless, as when it has expired; all of docc's connections go through a relay, so that they can
be cut and its watches, too, have to log in anew.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from tests.cluster.acceptance.app import App
from tests.cluster.rig import layout
from tests.cluster.rig.credentials import token_of

_PLUGIN = """#!{python}
import json, os, pathlib, ssl, sys, time, urllib.request
folder = pathlib.Path({folder!r})
with (folder / "runs").open("a") as runs:
    runs.write(f"{{time.time()}}\\n")
if (folder / "sealed").exists():
    sys.exit("the vault is sealed")
if (folder / "hangs").exists():
    docc = os.getppid()
    while os.getppid() == docc:  # as long as anybody could be waiting
        time.sleep(0.2)
    sys.exit(1)
secret = {{"apiVersion": "v1", "kind": "Secret", "name": (folder / "secret").read_text()}}
body = json.dumps({{"spec": {{"expirationSeconds": 600, "boundObjectRef": secret}}}}).encode()
head = {{"Authorization": "Bearer " + (folder / "minter").read_text(), "Content-Type": "application/json"}}
trust = ssl.create_default_context(cafile={certificate!r})
with urllib.request.urlopen(urllib.request.Request({url!r}, body, head), context=trust, timeout=20) as answer:
    token = json.load(answer)["status"]["token"]
version = "client.authentication.k8s.io/v1"
print(json.dumps({{"apiVersion": version, "kind": "ExecCredential", "status": {{"token": token}}}}))
"""


class Login:
    """The App's own ServiceAccount, logged in by plugin. Use `kubeconfig`."""

    def __init__(self, app: App, relay: Relay) -> None:
        self._app, self._folder, self._count = app, app.folder / "login", 0
        self._folder.mkdir()
        (self._folder / "minter").write_text(token_of(Path(app.cluster.session.kubeconfig)))
        account = f"/api/v1/namespaces/{app.namespace}/serviceaccounts/docc-{app.name}/token"
        plugin = self._folder / "plugin"
        certificate = str(app.cluster.layout.certificate)
        words = {"python": sys.executable, "folder": str(self._folder), "certificate": certificate}
        plugin.write_text(_PLUGIN.format(**words, url=layout.API_URL + account))
        plugin.chmod(0o700)
        self.kubeconfig = self._folder / "kubeconfig"
        self.kubeconfig.write_text(json.dumps(_config(relay.port, certificate, str(plugin), app.namespace)))
        self.renew()

    def renew(self) -> None:
        """Tokens are bound to a new Secret from now on."""
        self._count += 1
        name = f"login-{self._count}"
        self._app.cluster.admin.create("secrets", self._app.namespace, {"metadata": {"name": name}})
        (self._folder / "secret").write_text(name)

    @property
    def secret(self) -> str:
        """The one to which tokens are bound now."""
        return (self._folder / "secret").read_text()

    def revoke(self, secret: str) -> None:
        """All tokens that are bound to it are worthless."""
        self._app.cluster.admin.delete("secrets", self._app.namespace, secret)

    def spoil(self, how: str) -> None:
        """how: "sealed": the plugin fails from now on; "hangs": it never ends."""
        (self._folder / how).touch()

    def mend(self, how: str) -> None:
        (self._folder / how).unlink()

    @property
    def runs(self) -> int:
        return (self._folder / "runs").read_text().count("\n")


def _config(port: int, certificate: str, plugin: str, namespace: str) -> dict[str, Any]:
    cluster = {
        "server": f"https://127.0.0.1:{port}", "certificate-authority": certificate,
        "tls-server-name": layout.NODE_ADDRESS,
    }  # fmt: skip
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": plugin, "interactiveMode": "Never"}
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "exec",
        "clusters": [{"name": "rig", "cluster": cluster}],
        "users": [{"name": "exec", "user": {"exec": run}}],
        "contexts": [{"name": "exec", "context": {"cluster": "rig", "user": "exec", "namespace": namespace}}],
    }  # fmt: skip


class Relay:
    """A TCP port of 127.0.0.1 behind which the API server answers."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Every connection that is open; new ones are taken as before."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # ends the accept(), which close() would not
        self._server.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
                far = socket.create_connection((layout.NODE_ADDRESS, layout.API_PORT))
            except OSError:
                return
            self._pairs.append((near, far))
            threading.Thread(target=_carry, args=(near, far), daemon=True).start()


def _carry(near: socket.socket, far: socket.socket) -> None:
    ends = {near: far, far: near}
    with near, far, contextlib.suppress(OSError):
        while True:
            for end in select.select(list(ends), [], [])[0]:
                data = end.recv(65536)
                if not data:
                    return
                ends[end].sendall(data)
