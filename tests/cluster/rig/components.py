"""The programs of a cluster: their command lines and their configuration files. Decides how each is set up, starts none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.build.builder import of_the_cluster
from tests.cluster.rig import gateway, prometheus
from tests.cluster.rig.credentials import write_users
from tests.cluster.rig.layout import (
    API_PORT,
    ISTIOD_HTTP,
    ISTIOD_PORT,
    NODE_ADDRESS,
    SERVICE_ADDRESSES,
    Layout,
)
from tests.cluster.rig.objects import make

ETCD_URL = "http://127.0.0.1:2379"
_ISTIO_ONLY = {
    # Filters that only Istio's own build of Envoy has.
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "PILOT_DISABLE_MX_ALPN": "true",
    # It would make Deployments with Istio's image for each Gateway.
    "PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER": "false",
}
_PUSH_SECONDS_MAX = 1
"""As long as anything in the cluster changes at all, istiod waits before it tells its proxies: ten seconds, if it is not told
otherwise. Here several cases share one istiod, and each is about its own application."""


@dataclass(frozen=True, slots=True)
class Component:
    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


def keys(layout: Layout) -> tuple[str, ...]:
    """The command that writes the cluster's certificate and key."""
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
    return (_executable("controlplane"), "keys", str(layout.folder), NODE_ADDRESS, *names)


def kubectl(layout: Layout) -> tuple[str, ...]:
    return (str(of_the_cluster().folder("controlplane") / "kubectl"), "--kubeconfig", str(layout.kubeconfig))


def crds() -> Path:
    return of_the_cluster().folder("istiod") / "crds"


def etcd(layout: Layout) -> Component:
    """On the disk, but without waiting for it."""
    folder = str(layout.folder / "etcd")
    return Component("etcd", (_link("etcd"), "--data-dir", folder, "--unsafe-no-fsync", "--log-level", "error"))


def apiserver(layout: Layout) -> Component:
    rules = [{"level": "None", "nonResourceURLs": ["/readyz*", "/livez*"]}, {"level": "Metadata"}]
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": rules}
    return Component(
        "kube-apiserver",
        (
            _link("kube-apiserver"), f"--etcd-servers={ETCD_URL}",
            f"--bind-address={NODE_ADDRESS}", f"--advertise-address={NODE_ADDRESS}", f"--secure-port={API_PORT}",
            f"--tls-cert-file={layout.certificate}", f"--tls-private-key-file={layout.key}",
            f"--service-cluster-ip-range={SERVICE_ADDRESSES}", "--authorization-mode=RBAC", "--allow-privileged",
            f"--token-auth-file={write_users(layout)}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={layout.key}", f"--service-account-signing-key-file={layout.key}",
            "--kubelet-preferred-address-types=InternalIP", f"--kubelet-certificate-authority={layout.certificate}",
            f"--audit-log-path={layout.audit_log}", f"--audit-policy-file={_write(layout, 'audit-policy.json', policy)}",
        ),
    )  # fmt: skip


def controller_manager(layout: Layout) -> Component:
    """Without the controllers of nodes: the only node has no addresses to give away and never dies."""
    return Component(
        "kube-controller-manager",
        (
            _link("kube-controller-manager"), f"--kubeconfig={layout.kubeconfig_of('controller-manager')}",
            "--controllers=*,-node-ipam-controller,-node-lifecycle-controller", "--leader-elect=false",
            f"--service-account-private-key-file={layout.key}", f"--root-ca-file={layout.certificate}",
            "--kube-api-qps=200", "--kube-api-burst=400", "--bind-address=127.0.0.1",
        ),
    )  # fmt: skip


def scheduler(layout: Layout) -> Component:
    config = f"--kubeconfig={layout.kubeconfig_of('scheduler')}"
    return Component(
        "kube-scheduler", (_link("kube-scheduler"), config, "--leader-elect=false", "--bind-address=127.0.0.1")
    )


def istiod(layout: Layout) -> Component:
    """Tells Envoys without TLS; routes only, no sidecar injection, no certificates."""
    words = {
        "start": "%START_TIME(%s.%6f)%", "status": "%RESPONSE_CODE%", "flags": "%RESPONSE_FLAGS%",
        "cluster": "%UPSTREAM_CLUSTER%", "version": "%RESP(x-version)%", "tag": "%REQ(x-request-tag)%",
        "method": "%REQ(:METHOD)%", "milliseconds": "%DURATION%", "host": "%REQ(:AUTHORITY)%",
        "proxy": "%ENVIRONMENT(PROXY)%",
    }  # fmt: skip
    mesh = {
        "defaultProviders": {},
        "enableAutoMtls": False,
        "defaultConfig": {"discoveryAddress": f"127.0.0.1:{ISTIOD_PORT}"},
        "accessLogFile": "/dev/stdout",
        "accessLogEncoding": "JSON",
        "accessLogFormat": json.dumps(words),
    }
    return Component(
        "istiod",
        (
            _executable("istiod"), "discovery", "--kubeconfig", str(layout.kubeconfig_of("istiod")),
            "--meshConfig", str(_write(layout, "mesh.json", mesh)), "--grpcAddr", f"127.0.0.1:{ISTIOD_PORT}",
            "--httpAddr", ISTIOD_HTTP, "--httpsAddr", "", "--secureGRPCAddr", "", "--monitoringAddr", "127.0.0.1:15014",
        ),
        {
            **_ISTIO_ONLY, "PILOT_DEBOUNCE_MAX": f"{_PUSH_SECONDS_MAX}s",
            "POD_NAMESPACE": "istio-system", "POD_NAME": "istiod", "REVISION": "default",
        },
    )  # fmt: skip


def objects(layout: Layout, scrape_seconds: float) -> Path:
    """A file with what runs as pods, and the Gateway."""
    scraping = prometheus.scraping(layout.kubeconfig_of("prometheus"), scrape_seconds)
    config = _write(layout, "prometheus.json", scraping)
    pods = prometheus.objects(_executable("prometheus"), config, layout.folder / "tsdb")
    items = [make("v1", "Namespace", "", "istio-system"), *pods, *gateway.objects(layout)]
    return _write(layout, "objects.json", {"apiVersion": "v1", "kind": "List", "items": items})


def _executable(part: str) -> str:
    return str(of_the_cluster().folder(part) / part)


def _link(name: str) -> str:
    return str(of_the_cluster().folder("controlplane") / name)


def _write(layout: Layout, name: str, content: object) -> Path:
    """JSON is YAML: every one of these programs reads it."""
    path = layout.folder / name
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
