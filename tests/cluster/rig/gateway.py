"""The two Envoys: the Gateway's, and the sidecar of a client in the mesh, each a pod that istiod programs over ADS.

Pure: the objects, as they are applied. A pod's address and name are filled in by the node ($(HOST), $(HOSTNAME)).
"""

from __future__ import annotations

import json
from typing import Any

from docc.sandbox.envoy import binary
from tests.cluster.rig.layout import (
    ENVOY_ADMIN_PORT,
    GATEWAY_NAME,
    GATEWAY_PORT,
    INGRESS,
    ISTIOD_PORT,
    MESH,
    MESH_CLIENT,
    MESH_PROXY_PORT,
    NOT_ADMITTED,
    Layout,
)
from tests.cluster.rig.objects import deployment, make, probe, service

Object = dict[str, Any]
_ISTIO_VERSION = "1.28.0"
"""What the proxies say of themselves: istiod leaves out what an older one would not understand."""


def objects(layout: Layout) -> list[Object]:
    """In the order in which they can be applied."""
    public, client = {"gateway.networking.k8s.io/gateway-name": GATEWAY_NAME}, {"app": MESH_CLIENT}
    return [
        make("v1", "Namespace", "", INGRESS),
        make("v1", "Namespace", "", MESH),
        _gateway(),
        service(INGRESS, GATEWAY_NAME, public, 80, GATEWAY_PORT),
        _envoy(layout, INGRESS, GATEWAY_NAME, public, _bootstrap("router", INGRESS, GATEWAY_NAME, public, {})),
        _envoy(layout, MESH, MESH_CLIENT, client, _bootstrap("sidecar", MESH, MESH_CLIENT, client, _SIDECAR)),
    ]


_SIDECAR = {"INTERCEPTION_MODE": "NONE", "HTTP_PROXY_PORT": str(MESH_PROXY_PORT)}
"""Nothing is redirected to it: a client asks it as an HTTP proxy. Its address is the one way in that needs no iptables."""


def _gateway() -> Object:
    """With an address given by hand, istiod leaves its workload to us."""
    others = {"matchExpressions": [{"key": NOT_ADMITTED, "operator": "DoesNotExist"}]}
    allowed = {"namespaces": {"from": "Selector", "selector": others}}
    spec = {
        "gatewayClassName": "istio",
        "addresses": [{"type": "Hostname", "value": f"{GATEWAY_NAME}.{INGRESS}.svc.cluster.local"}],
        "listeners": [{"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": allowed}],
    }
    return make("gateway.networking.k8s.io/v1", "Gateway", INGRESS, GATEWAY_NAME, spec=spec)


def _envoy(layout: Layout, namespace: str, name: str, labels: Object, bootstrap: Object) -> Object:
    notes = {"prometheus.io/port": str(ENVOY_ADMIN_PORT), "prometheus.io/path": "/stats/prometheus"}
    container = {
        "name": "envoy",
        "image": "envoy:1.40",
        "command": [
            "sh", "-c", 'exec "$0" "$@" >>"$ACCESS_LOG"',
            binary(), "--config-yaml", json.dumps(bootstrap), "--concurrency", "1", "--log-level", "warning",
            "--disable-hot-restart", "--file-flush-interval-msec", "100",
        ],
        "env": [
            {"name": "PROXY", "value": f"{namespace}/{name}"},
            {"name": "ACCESS_LOG", "value": str(layout.access_log(namespace))},
        ],
        "ports": [{"containerPort": ENVOY_ADMIN_PORT, "name": "http-admin"}],
        "readinessProbe": probe("/ready", ENVOY_ADMIN_PORT),
    }  # fmt: skip
    return deployment(namespace, name, labels, container, notes)


def _bootstrap(role: str, namespace: str, name: str, labels: Object, more: Object) -> Object:
    """Where Envoy's orders come from. role: router or sidecar, as istiod tells them apart by the node's id."""
    metadata = {
        "NAMESPACE": namespace, "NAME": "$(HOSTNAME)", "INSTANCE_IPS": "$(HOST)", "LABELS": labels,
        "CLUSTER_ID": "Kubernetes", "ISTIO_VERSION": _ISTIO_VERSION, **more,
    }  # fmt: skip
    from_ads = {"ads": {}, "resource_api_version": "V3"}
    grpc = [{"envoy_grpc": {"cluster_name": "xds-grpc"}}]
    ads = {
        "api_type": "GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": True, "grpc_services": grpc
    }  # fmt: skip
    return {
        "node": {
            "id": f"{role}~$(HOST)~$(HOSTNAME).{namespace}~{namespace}.svc.cluster.local",
            "cluster": f"{name}.{namespace}", "metadata": metadata,
        },
        "dynamic_resources": {"ads_config": ads, "lds_config": from_ads, "cds_config": from_ads},
        "static_resources": {"clusters": [_istiod()]},
        "admin": {"address": _address("$(HOST)", ENVOY_ADMIN_PORT)},
        "stats_config": {"use_all_default_tags": False, "stats_tags": _STATS_TAGS},
    }  # fmt: skip


_STATS_TAGS = [
    {"tag_name": "cluster_name", "regex": r"^cluster(\.(.+);)"},
    {"tag_name": "response_code", "regex": r"_rq(_(\d{3}))$"},
    {"tag_name": "response_code_class", "regex": r"_rq(_(\dxx))$"},
]
"""Which parts of a stat's name become labels, as in the bootstrap that Istio gives its proxies. istiod ends a cluster's name
with the semicolon that the first one looks for; Envoy's own rules would cut it at its first dot."""


def _istiod() -> Object:
    kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    http2 = {"@type": f"type.googleapis.com/{kind}", "explicit_http_config": {"http2_protocol_options": {}}}
    endpoint = {"endpoint": {"address": _address("127.0.0.1", ISTIOD_PORT)}}
    return {
        "name": "xds-grpc", "type": "STATIC", "connect_timeout": "1s", "typed_extension_protocol_options": {kind: http2},
        "load_assignment": {"cluster_name": "xds-grpc", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }  # fmt: skip


def _address(host: str, port: int) -> Object:
    return {"socket_address": {"address": host, "port_value": port}}
