"""Gateways, routes, Services and endpoints -> Envoy's configuration (v3 xDS). Pure: objects in, resources out.

As Gateway API v1 has it: a missing Service at a weight above 0 answers 500 for its share, one without ready endpoints 503,
and of several matching rules the most specific wins (exact path, longest prefix, method, headers, query, older route, order).
Every Service has a cluster, routed or not, so that a route never names one that Envoy does not know yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from docc.sandbox.route_status import acceptance, hosts_of, listeners_of
from docc.sandbox.route_validation import PROGRAM_MAX, seconds
from docc.sandbox.store import Store

Object = dict[str, Any]
Listener = tuple[str, str, int]
"""A port of a Gateway: (namespace, Gateway, port)."""
UNRESOLVED = "unresolved"
_TO_PATH = re.compile(r"[/:]")
_TYPE = "type.googleapis.com/envoy"
_MANAGER = f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def clusters(store: Store, folder: str) -> list[Object]:
    return [
        {
            "@type": f"{_TYPE}.config.cluster.v3.Cluster",
            "name": name,
            "type": "EDS",
            "connect_timeout": "1s",
            "eds_cluster_config": {"eds_config": _file(folder, endpoints_file(name))},
        }
        for name in sorted(_endpoints(store))
    ]


def assignments(store: Store) -> dict[str, Object]:
    """By file: Envoy takes exactly one cluster's endpoints from a file."""
    return {
        endpoints_file(name): {
            "@type": f"{_TYPE}.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [_endpoint(*address) for address in addresses]}] if addresses else [],
        }
        for name, addresses in sorted(_endpoints(store).items())
    }


def endpoints_file(cluster: str) -> str:
    return f"eds-{_TO_PATH.sub('_', cluster)}.json"


def routes_file(listener: Listener) -> str:
    return f"rds-{_TO_PATH.sub('_', _listener_name(listener))}.json"


def listeners(store: Store, ports: Mapping[Listener, int], folder: str, access_log: str) -> list[Object]:
    """ports: where each is really listened on; those that are not there are left out."""
    return [_listener(listener, ports[listener], folder, access_log) for listener in wanted(store) if listener in ports]


def wanted(store: Store) -> list[Listener]:
    """The ports of all Gateways. Listeners that share a port of a Gateway are told apart by their hostnames."""
    found = {
        (gateway["metadata"]["namespace"], gateway["metadata"]["name"], listener["port"])
        for gateway in store.select("Gateway")
        for listener in gateway["spec"]["listeners"]
    }
    return sorted(found)


def routes(store: Store) -> dict[str, Object]:
    """By file, one for each port of a Gateway."""
    return {routes_file(listener): _routes(store, listener) for listener in wanted(store)}


def _routes(store: Store, listener: Listener) -> Object:
    namespace, name, port = listener
    gateway = store.get("Gateway", namespace, name)
    hosts: dict[str, list[tuple[Any, Object]]] = {}
    for order, route in enumerate(sorted(store.select("HTTPRoute"), key=_age)):
        spec = route["spec"]
        spec["parentRefs"] = [p for p in spec.get("parentRefs") or [] if acceptance(store, route, p) is None]
        serving = [entry for entry in listeners_of(store, route, gateway) if entry["port"] == port]
        for host in sorted({host for entry in serving for host in hosts_of(entry, route)}):
            hosts.setdefault(host, []).extend(_rules(store, route, order))
    virtual = [
        {"name": host, "domains": [host], "routes": [rule for _, rule in sorted(rules, key=lambda pair: pair[0])]}
        for host, rules in sorted(hosts.items())
    ]
    return {
        "@type": f"{_TYPE}.config.route.v3.RouteConfiguration",
        "name": _listener_name(listener),
        "ignore_port_in_host_matching": True,
        "virtual_hosts": virtual,
    }


def bootstrap(folder: str) -> Object:
    """The admin port is the kernel's choice; Envoy writes it where --admin-address-path says."""
    limits = {"re2.max_program_size.error_level": PROGRAM_MAX}
    return {
        "node": {"id": "sandbox", "cluster": "sandbox"},
        "layered_runtime": {"layers": [{"name": "limits", "static_layer": limits}]},
        "admin": {"address": _address("127.0.0.1", 0)},
        "dynamic_resources": {"lds_config": _file(folder, "lds.json"), "cds_config": _file(folder, "cds.json")},
    }


def _file(folder: str, name: str) -> Object:
    source = {"path": f"{folder}/{name}", "watched_directory": {"path": folder}}
    return {"resource_api_version": "V3", "path_config_source": source}


def _address(host: str, port: int) -> Object:
    return {"socket_address": {"address": host, "port_value": port}}


def _endpoint(host: str, port: int) -> Object:
    return {"endpoint": {"address": _address(host, port)}}


def _cluster_name(namespace: str, service: str, port: int) -> str:
    return f"{namespace}/{service}:{port}"


def _endpoints(store: Store) -> dict[str, list[tuple[str, int]]]:
    """Ready addresses by cluster."""
    slices = {
        (
            piece["metadata"]["namespace"],
            (piece["metadata"].get("labels") or {}).get("kubernetes.io/service-name"),
        ): piece
        for piece in store.select("EndpointSlice")
    }
    found: dict[str, list[tuple[str, int]]] = {}
    for service in store.select("Service"):
        meta = service["metadata"]
        piece = slices.get((meta["namespace"], meta["name"]), {})
        targets: dict[str, int] = {port.get("name", ""): port["port"] for port in piece.get("ports") or []}
        ready = [
            e["addresses"][0] for e in piece.get("endpoints") or [] if (e.get("conditions") or {}).get("ready", True)
        ]
        for port in (service.get("spec") or {}).get("ports") or []:
            target = targets.get(port.get("name", ""))
            addresses = [(ip, target) for ip in ready] if target is not None else []
            found[_cluster_name(meta["namespace"], meta["name"], port["port"])] = addresses
    return found


def _listener_name(listener: Listener) -> str:
    namespace, gateway, port = listener
    return f"{namespace}/{gateway}:{port}"


def _listener(listener: Listener, port: int, folder: str, access_log: str) -> Object:
    name = _listener_name(listener)
    router = {"@type": f"{_TYPE}.extensions.filters.http.router.v3.Router"}
    log = {
        "name": "file",
        "typed_config": {
            "@type": f"{_TYPE}.extensions.access_loggers.file.v3.FileAccessLog",
            "path": access_log,
            "log_format": {
                "json_format": {
                    "start": "%START_TIME(%s.%6f)%", "status": "%RESPONSE_CODE%", "flags": "%RESPONSE_FLAGS%",
                    "cluster": "%UPSTREAM_CLUSTER%", "version": "%RESP(x-version)%", "tag": "%REQ(x-request-tag)%",
                    "method": "%REQ(:METHOD)%", "milliseconds": "%DURATION%",
                }
            },
        },
    }  # fmt: skip
    manager = {
        "@type": _MANAGER,
        "stat_prefix": name,
        "rds": {"route_config_name": name, "config_source": _file(folder, routes_file(listener))},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
        "access_log": [log],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {
        "@type": f"{_TYPE}.config.listener.v3.Listener",
        "name": name,
        "address": _address("127.0.0.1", port),
        "enable_reuse_port": False,  # two Envoys on one port would share its connections in silence
        "filter_chains": [chain],
    }


def _age(route: Object) -> tuple[str, str, str]:
    meta = route["metadata"]
    return meta["creationTimestamp"], meta["namespace"], meta["name"]


def _rules(store: Store, route: Object, order: int) -> Iterable[tuple[Any, Object]]:
    for at, rule in enumerate(route["spec"].get("rules") or []):
        action = _action(store, route, rule)
        for match in rule.get("matches") or []:
            yield (*_precedence(match), order, at), {"match": _match(match), **action}


def _precedence(match: Object) -> tuple[int, int, int, int, int]:
    path = match["path"]
    kinds = {"Exact": 0, "PathPrefix": 1, "RegularExpression": 2}
    return (
        kinds[path["type"]], -len(path["value"]), 0 if match.get("method") else 1, -len(match.get("headers") or []),
        -len(match.get("queryParams") or []),
    )  # fmt: skip


def _match(match: Object) -> Object:
    path = match["path"]
    value = path["value"]
    if path["type"] == "Exact":
        found: Object = {"path": value}
    elif path["type"] == "RegularExpression":
        found = {"safe_regex": {"regex": value}}
    else:
        found = {"prefix": "/"} if value == "/" else {"path_separated_prefix": value.rstrip("/")}
    headers = [{"name": h["name"], "string_match": _string(h)} for h in match.get("headers") or []]
    if match.get("method"):
        headers.append({"name": ":method", "string_match": {"exact": match["method"]}})
    queries = [{"name": q["name"], "string_match": _string(q)} for q in match.get("queryParams") or []]
    return {**found, **({"headers": headers} if headers else {}), **({"query_parameters": queries} if queries else {})}


def _string(wanted: Object) -> Object:
    return (
        {"safe_regex": {"regex": wanted["value"]}}
        if wanted["type"] == "RegularExpression"
        else {"exact": wanted["value"]}
    )


def _action(store: Store, route: Object, rule: Object) -> Object:
    edits = _header_edits(rule.get("filters") or [])
    weighted = [
        {
            "name": _cluster_of(store, route["metadata"]["namespace"], backend),
            "weight": backend["weight"],
            **_header_edits(backend.get("filters") or []),
        }
        for backend in rule.get("backendRefs") or []
        if backend["weight"] > 0
    ]
    if not weighted:
        return {"direct_response": {"status": 500}, **edits}
    action: Object = {
        "weighted_clusters": {"clusters": weighted},
        "cluster_not_found_response_code": "INTERNAL_SERVER_ERROR",
        "timeout": _timeout(rule.get("timeouts") or {}),
    }
    return {"route": action, **edits}


def _cluster_of(store: Store, home: str, backend: Object) -> str:
    """A name that no cluster has (500) for what cannot be referred to: no Service, none there, no such port of it, or one in
    another namespace (the sandbox knows no ReferenceGrant)."""
    service = store.find("Service", home, backend["name"]) if backend["kind"] == "Service" else None
    ports = [port["port"] for port in service["spec"].get("ports") or []] if service else []
    if backend["group"] or backend.get("namespace", home) != home or backend.get("port") not in ports:
        return UNRESOLVED
    return _cluster_name(home, backend["name"], backend["port"])


def _timeout(timeouts: Object) -> str:
    """The shorter one of both, in Envoy's words: there are no retries, so one attempt is the whole request. 0 is none."""
    given = [found for key in ("request", "backendRequest") if (found := seconds(timeouts.get(key, "")))]
    return f"{min(given, default=0.0):.3f}s"


def _header_edits(filters: list[Object]) -> Object:
    found: Object = {}
    for entry in filters:
        side = "request" if entry["type"] == "RequestHeaderModifier" else "response"
        edit = entry.get(f"{side}HeaderModifier") or {}
        actions = (("set", "OVERWRITE_IF_EXISTS_OR_ADD"), ("add", "APPEND_IF_EXISTS_OR_ADD"))
        added = [
            {"header": {"key": h["name"], "value": h["value"].replace("%", "%%")}, "append_action": action}
            for key, action in actions
            for h in edit.get(key) or []
        ]
        if added:
            found.setdefault(f"{side}_headers_to_add", []).extend(added)
        if edit.get("remove"):
            found.setdefault(f"{side}_headers_to_remove", []).extend(edit["remove"])
    return found
