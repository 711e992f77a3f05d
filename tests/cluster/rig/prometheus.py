"""Prometheus, as a pod: the API server's proxy leads to pods only. What it scrapes is every TCP port of every running pod, with
the labels by which conditions tell revisions apart. Pure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cluster.rig.layout import MONITORING, NODE_ADDRESS, PROMETHEUS_NAME, PROMETHEUS_PORT
from tests.cluster.rig.objects import deployment, make, probe, service

Object = dict[str, Any]
_POD = "__meta_kubernetes_pod_"
_ANNOTATION = f"{_POD}annotation_prometheus_io_"


def objects(executable: str, config: Path, data: Path) -> list[Object]:
    """In the order in which they can be applied."""
    labels = {"app": PROMETHEUS_NAME}
    container = {
        "name": "prometheus",
        "image": "prometheus:3",
        "command": [
            executable, f"--config.file={config}", f"--storage.tsdb.path={data}", "--scrape.discovery-reload-interval=1s",
            *(f"--web.listen-address={host}:{PROMETHEUS_PORT}" for host in ("$(HOST)", NODE_ADDRESS)),
        ],
        "ports": [{"containerPort": PROMETHEUS_PORT, "name": "http"}],
        "readinessProbe": probe("/-/ready", PROMETHEUS_PORT),
    }  # fmt: skip
    return [
        make("v1", "Namespace", "", MONITORING),
        service(MONITORING, PROMETHEUS_NAME, labels, PROMETHEUS_PORT, PROMETHEUS_PORT),
        deployment(MONITORING, PROMETHEUS_NAME, labels, container),
    ]


def scraping(kubeconfig: Path, scrape_seconds: float) -> Object:
    """Prometheus' configuration. The annotations prometheus.io/port and /path of a pod are heeded, as is the custom."""
    interval = f"{round(scrape_seconds * 1000)}ms"
    pods = {
        "role": "pod",
        "kubeconfig_file": str(kubeconfig),
        "attach_metadata": {"deployment": True},
    }
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "scrape_configs": [{"job_name": "pods", "kubernetes_sd_configs": [pods], "relabel_configs": _labels()}],
    }


def _labels() -> list[Object]:
    return [
        {"action": "keep", "source_labels": [f"{_POD}phase"], "regex": "Running"},
        {"action": "keep", "source_labels": [f"{_POD}container_port_protocol"], "regex": "TCP"},
        {
            "source_labels": [f"{_POD}ip", f"{_ANNOTATION}port"],
            "separator": ":",
            "regex": r"(.+:\d+)",
            "target_label": "__address__",
        },
        {"source_labels": [f"{_ANNOTATION}path"], "regex": "(.+)", "target_label": "__metrics_path__"},
        {"action": "labelmap", "regex": f"{_POD}label_(.+)"},
        _taken("__meta_kubernetes_namespace", "namespace"),
        _taken(f"{_POD}name", "pod"),
        _taken(f"{_POD}deployment_name", "deployment"),
        _taken(f"{_POD}label_docc_dev_revision", "revision"),
    ]


def _taken(source: str, target: str) -> Object:
    return {"source_labels": [source], "target_label": target}
