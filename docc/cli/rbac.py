"""docc rbac"""

from __future__ import annotations

from typing import Annotated

import typer

from docc.cli import options

Discover = Annotated[
    bool,
    typer.Option("--discover", help="Also a ClusterRole to find the Gateway, for manifests that name none."),
]

Delete = Annotated[bool, typer.Option("--delete", help="Also what docc delete needs.")]
Preflight = Annotated[
    bool,
    typer.Option("--preflight", help="Also to look beforehand at quotas, autoscalers, budgets, and Istio's rules."),
]

PrometheusService = Annotated[
    str | None,
    typer.Option(
        "--prometheus-service",
        metavar="NAMESPACE/NAME:PORT",
        help="Also a Role to ask this one, for manifests with prometheus.service.",
    ),
]


def rbac(
    discover: Discover = False,
    delete: Delete = False,
    preflight: Preflight = False,
    prometheus_service: PrometheusService = None,
    namespace: options.Namespace = None,
    output: Annotated[str, typer.Option("--output", "-o", help="yaml, or json: one List.")] = "yaml",
) -> None:
    """Print the smallest Role that docc works with, for an administrator to apply. Needs no cluster.

    \b
    Then, for the ServiceAccount "ci" of the namespace "web":
      kubectl -n web create rolebinding docc --role=docc --serviceaccount=web:ci
    """
    import json
    import sys

    from docc.adapters.kube_connection import choose_namespace
    from docc.core.permissions import DELETE, DISCOVER, DRIVE, EXPLAIN, PREFLIGHT, ask_prometheus, role

    options.one_of(output, ("yaml", "json"))
    wanted = (*DRIVE, *EXPLAIN, *(PREFLIGHT if preflight else ()), *(DELETE if delete else ()))
    roles = [role("docc", choose_namespace(namespace, None, None), wanted)]
    if discover:
        roles.append(role("docc-discover", None, DISCOVER))
    if prometheus_service is not None:
        where, service = _named(prometheus_service)
        roles.append(ask_prometheus(where, service))
    if output == "json":
        sys.stdout.write(json.dumps({"apiVersion": "v1", "kind": "List", "items": roles}, indent=2) + "\n")
        return
    from ruamel.yaml import YAML

    YAML(typ="safe", pure=True).dump_all(roles, sys.stdout)


def _named(service: str) -> tuple[str, str]:
    """As the manifest has it. Raises UsageError."""
    import re

    from docc.model.errors import UsageError

    found = re.fullmatch(r"([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)/([a-z](?:[-a-z0-9]*[a-z0-9])?:[0-9]{1,5})", service)
    if found is None:
        raise UsageError(
            f"--prometheus-service {service!r} is not NAMESPACE/NAME:PORT", fix="for example monitoring/prometheus:9090"
        )
    return found[1], found[2]
