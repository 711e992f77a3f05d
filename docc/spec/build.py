"""Checked values -> Manifest, every default explicit. `read` is the one door from text to a Manifest."""

from __future__ import annotations

from typing import Any

from docc.core.names import spec_hash
from docc.core.trial import PREVIEW_HEADER
from docc.model.manifest import (
    ABTesting,
    Application,
    Canary,
    Container,
    FailureCondition,
    GatewayName,
    Manifest,
    Port,
    PrometheusSource,
    Readiness,
    RouteRule,
    Strategy,
)
from docc.model.trial import HeaderMatch
from docc.spec.check import seconds, strategy_of
from docc.spec.read import checked


def read(raw: bytes, source: str, images: tuple[str, ...] = (), *, preview: bool = False) -> Manifest:
    """The manifest in `raw`, with `images` ([CONTAINER=]REF) put in. preview: the version waits for `docc promote`, for
    whoever asks for it by a header of its own. Raises ManifestError with all problems, UsageError."""
    found = checked(raw, source, images)
    if preview:
        _preview(found)
    return build(found)


def _preview(found: dict[str, Any]) -> None:
    """As if the manifest said so, so that every verb that comes later finds it in what is kept."""
    holder = found["application"] if "deployment_strategy" in found["application"] else found
    strategy = holder.setdefault("deployment_strategy", {})
    trial = strategy.setdefault("ab_testing", {})
    trial["pause_before_rollout"] = True
    if not trial.get("enable_headers"):
        header = {"name": PREVIEW_HEADER, "value": found["application"]["name"]}
        trial.update(enable_headers=True, headers=[header])


def build(found: dict[str, Any]) -> Manifest:
    """found has passed check()."""
    application = found["application"]
    return Manifest(
        application=Application(
            name=application["name"],
            namespace=application.get("namespace"),
            scale=application.get("scale", 2),
            containers=tuple(_container(name, c) for name, c in application["containers"].items()),
            gateway=_gateway(application.get("gateway")),
            hosts=tuple(application.get("hosts", ())),
            paths=tuple(application.get("paths", ("/",))),
            mesh=application.get("mesh", False),
            route=RouteRule(**application["route"]) if "route" in application else None,
        ),
        spec_hash=spec_hash(application["containers"]),
        strategy=_strategy(strategy_of(found)),
        maintainer=found.get("maintainer"),
        values=found,
    )


def _container(name: str, found: dict[str, Any]) -> Container:
    readiness = found.get("readiness")
    resources = found.get("resources", {"requests": {"cpu": "100m", "memory": "128Mi"}})
    return Container(
        name=name,
        image=found["image"],
        ports=tuple(
            Port(port["port"], port.get("protocol", "TCP"), port.get("app_protocol", "http"))
            for port in found.get("ports", ())
        ),
        env=tuple(found.get("env", {}).items()),
        command=tuple(found.get("command", ())),
        args=tuple(found.get("args", ())),
        readiness=Readiness(readiness.get("path"), readiness.get("port")) if readiness else None,
        resources=tuple((kind, tuple(amounts.items())) for kind, amounts in resources.items()),
    )


def _gateway(found: str | dict[str, str] | None) -> GatewayName | None:
    if found is None:
        return None
    if isinstance(found, str):
        namespace, slash, name = found.rpartition("/")
        return GatewayName(name, namespace if slash else None)
    return GatewayName(found["name"], found.get("namespace"), found.get("section"))


def _strategy(found: dict[str, Any]) -> Strategy:
    canary, trial, defaults = found.get("canary"), found.get("ab_testing"), Strategy()
    times = ("poll", "no_data_limit", "progress_deadline", "drain", "keep_warm")
    return Strategy(
        canary=Canary(canary["increment"], seconds(canary["interval"])) if canary else None,
        ab_testing=_trial(trial) if trial else None,
        failure_conditions=tuple(
            FailureCondition(condition["name"], condition["expression"])
            for condition in found.get("failure_conditions", ())
        ),
        outcome_labels=tuple(found.get("outcome_labels", ())),
        prometheus=_prometheus(found.get("prometheus")),
        bake=seconds(found["bake"]) if "bake" in found else None,
        sticky=found.get("sticky", False),
        **{name: seconds(found.get(name, getattr(defaults, name))) for name in times},
    )


def _trial(found: dict[str, Any]) -> ABTesting:
    timeout = found.get("pause_timeout")
    return ABTesting(
        found.get("enable_headers", False),
        found.get("pause_before_rollout", False),
        tuple(HeaderMatch(h["name"].lower(), h["value"], h.get("type") == "regex") for h in found.get("headers", ())),
        tuple(HeaderMatch(c["name"], c["value"], c.get("type") == "regex") for c in found.get("cookies", ())),
        found.get("match") == "all",
        None if timeout is None else seconds(timeout),
    )


def _prometheus(found: dict[str, str] | None) -> PrometheusSource | None:
    if found is None:
        return None
    service = None
    if "service" in found:
        namespace, _, rest = found["service"].partition("/")
        name, _, port = rest.rpartition(":")
        service = (namespace, name, int(port))
    return PrometheusSource(found.get("url"), found.get("token_env"), service)
