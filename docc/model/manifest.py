"""A validated manifest, with every default made explicit. spec/build.py makes it; nobody else needs the JSON.

All durations are seconds. A manifest that reaches this form has passed the schema and the semantic rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from docc.model.trial import HeaderMatch


@dataclass(frozen=True, slots=True)
class Port:
    port: int
    protocol: Literal["TCP", "UDP"] = "TCP"
    app_protocol: Literal["http", "tcp"] = "http"

    @property
    def is_http(self) -> bool:
        return self.protocol == "TCP" and self.app_protocol == "http"


@dataclass(frozen=True, slots=True)
class Readiness:
    """path None: a TCP connection is enough. port None: the container's first TCP port."""

    path: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Container:
    name: str
    image: str
    ports: tuple[Port, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    readiness: Readiness | None = None
    resources: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class GatewayName:
    """namespace None: the application's own. section None: every listener."""

    name: str
    namespace: str | None = None
    section: str | None = None


@dataclass(frozen=True, slots=True)
class RouteRule:
    """One rule of an HTTPRoute that others own. rule "": its only one."""

    name: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Application:
    name: str
    namespace: str | None
    scale: int
    containers: tuple[Container, ...]
    gateway: GatewayName | None = None
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ("/",)
    mesh: bool = False
    route: RouteRule | None = None

    @property
    def http_port(self) -> int | None:
        """The first HTTP port of the first container that has one: the port that the route sends to."""
        return next((p.port for c in self.containers for p in c.ports if p.is_http), None)

    @property
    def ports(self) -> tuple[Port, ...]:
        return tuple(p for c in self.containers for p in c.ports)


@dataclass(frozen=True, slots=True)
class Canary:
    """increment: percent of traffic, 1 to 100. interval: seconds between two increments."""

    increment: int
    interval: float


@dataclass(frozen=True, slots=True)
class ABTesting:
    """headers, cookies: who is on trial, any of them, or with `every` who has all of them; none: a header of docc's. A cookie
    is a pair of name and value like a header. pause_timeout: seconds; None: for ever."""

    enable_headers: bool = False
    pause_before_rollout: bool = False
    headers: tuple[HeaderMatch, ...] = ()
    cookies: tuple[HeaderMatch, ...] = ()
    every: bool = False
    pause_timeout: float | None = None


@dataclass(frozen=True, slots=True)
class FailureCondition:
    """expression: PromQL as written, with $canary and its like still in place."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class PrometheusSource:
    """Where metrics are asked: a URL, or a Service through the API server's proxy ("namespace", "name", port).

    token_env: the name of the environment variable that holds a bearer token; the token itself is never kept.
    """

    url: str | None = None
    token_env: str | None = None
    service: tuple[str, str, int] | None = None


@dataclass(frozen=True, slots=True)
class Strategy:
    canary: Canary | None = None
    ab_testing: ABTesting | None = None
    failure_conditions: tuple[FailureCondition, ...] = ()
    outcome_labels: tuple[str, ...] = ()
    prometheus: PrometheusSource | None = None
    bake: float | None = None  # None: max(interval, longest range in the conditions, 60)
    poll: float = 5.0
    no_data_limit: float = 300.0
    progress_deadline: float = 120.0
    drain: float = 30.0
    keep_warm: float = 600.0
    sticky: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """spec_hash: names the pod template as the manifest writes it (core/names.py). values: the JSON that it was read from."""

    application: Application
    spec_hash: str
    strategy: Strategy = Strategy()
    maintainer: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
