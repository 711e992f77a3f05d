"""Where everything of a cluster is: addresses, ports, files. Decides only names; opens nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NODE = "rig"
POD_ADDRESSES = "10.244.0.0/16"
SERVICE_ADDRESSES = "10.96.0.0/16"
NODE_ADDRESS = "10.244.255.1"
"""An address of the pods' network, not of loopback: endpoints may not be loopback addresses."""
API_PORT = 6443
KUBELET_PORT = 10250
PROMETHEUS_PORT = 9090
ISTIOD_PORT = 15010
ISTIOD_HTTP = "127.0.0.1:18080"
ENVOY_ADMIN_PORT = 15000
GATEWAY_PORT = 18888
"""Where the Gateway's Envoy listens for its listener port 80: on all addresses, so it must be nobody else's."""
MESH_PROXY_PORT = 15081
"""Where the mesh client's Envoy takes requests as an HTTP proxy, on 127.0.0.1."""

API_URL = f"https://{NODE_ADDRESS}:{API_PORT}"
PROMETHEUS_URL = f"http://{NODE_ADDRESS}:{PROMETHEUS_PORT}"
ISTIOD_READY_URL = f"http://{ISTIOD_HTTP}/ready"
GATEWAY = f"{NODE_ADDRESS}:{GATEWAY_PORT}"
MESH_PROXY = f"127.0.0.1:{MESH_PROXY_PORT}"

INGRESS, GATEWAY_NAME = "ingress", "public"
MESH, MESH_CLIENT = "mesh", "client"
MONITORING, PROMETHEUS_NAME = "monitoring", "prometheus"
"""Namespaces, and what is in them."""
NOT_ADMITTED = "not-admitted"
"""The Gateway takes no routes from a namespace with this label."""


@dataclass(frozen=True, slots=True)
class Layout:
    """folder: of one cluster; it is deleted with it."""

    folder: Path

    @property
    def session(self) -> Path:
        """Exists when everything answers."""
        return self.folder / "session.json"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.kubeconfig_of("admin")

    def kubeconfig_of(self, user: str) -> Path:
        return self.folder / f"{user}.kubeconfig"

    @property
    def certificate(self) -> Path:
        """Of the API server and the node, with the authority that signed it."""
        return self.folder / "tls.crt"

    @property
    def key(self) -> Path:
        return self.folder / "tls.key"

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.jsonl"

    def access_log(self, namespace: str) -> Path:
        """Of the Envoy in this namespace, in the sandbox's words. Not one for both: what Envoy writes at once may end within a
        line, and the other one would go on there."""
        return self.folder / f"access.{namespace}.jsonl"

    @property
    def volumes(self) -> Path:
        return self.folder / "volumes"

    def restart(self, component: str) -> Path:
        """Made by whoever wants the component killed: with the seconds after which it comes again. Then the file goes."""
        return self.folder / f"restart.{component}"

    def log(self, component: str) -> Path:
        return self.folder / f"{component}.log"
