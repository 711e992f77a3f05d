"""engine.ports.Metrics over Prometheus' HTTP API (GET /api/v1/query). Failing queries are answers, never exceptions.

Asked by URL with httpx, or as a Service through the API server's proxy. All queries of one look go out together and must be
answered within one bound.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from docc.adapters.kube_connection import Connection, Request
from docc.core.verdict import Answer, Series
from docc.model.errors import CredentialsError, DoccError, UnusableError
from docc.model.manifest import PrometheusSource

ANSWER_SECONDS_MAX = 3.0
BYTES_MAX = 10 << 20
TRIES = 3
Fetch = Callable[[str], tuple[int, bytes]]
"""A PromQL text -> HTTP status and body. Raises OSError-like errors for no answer."""


class PrometheusMetrics:
    def __init__(self, name: str, fetch: Fetch) -> None:
        """name: how people know it, without secrets."""
        self.name, self._fetch = name, fetch
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="prometheus")

    def ask(self, queries: Sequence[str]) -> Mapping[str, Answer]:
        return dict(zip(queries, self._pool.map(self._ask, queries), strict=True))

    def _ask(self, query: str) -> Answer:
        try:
            status, body = self._fetch(query)
        except Exception as error:  # whatever a transport raises: the query has no answer, and this is why
            return Answer(error=f"{self.name} did not answer: {_cause(error)}")
        return read_answer(self.name, status, body)

    def probe(self) -> None:
        """Raises UnusableError if Prometheus cannot be asked at all."""
        last = Answer()
        for attempt in range(TRIES):
            last = self._ask("vector(1)")
            if not last.error:
                return
            if attempt + 1 < TRIES:
                threading.Event().wait(0.5)
        raise UnusableError(
            f"cannot query {self.name}",
            why=f"{last.error} ({TRIES} tries)",
            state="the conditions could not be judged, so no traffic was moved",
            fix="--prometheus-url URL, or kubectl port-forward to it",
        )

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def by_url(url: str, token_env: str | None) -> PrometheusMetrics:
    """Raises CredentialsError if the token's variable is not set."""
    import httpx

    headers = {}
    if token_env:
        token = os.environ.get(token_env)
        if not token:
            fix = f"export {token_env}=..."
            raise CredentialsError(
                f"${token_env} is not set; it must hold Prometheus' token", state="nothing was touched", fix=fix
            )
        headers["Authorization"] = f"Bearer {token}"
    client = httpx.Client(headers=headers, timeout=ANSWER_SECONDS_MAX, follow_redirects=False)
    address = httpx.URL(url)
    endpoint = address.copy_with(path=address.path.rstrip("/") + "/api/v1/query")

    def fetch(query: str) -> tuple[int, bytes]:
        with client.stream("POST", endpoint, data={"query": query}) as response:
            pieces, size = [], 0
            for piece in response.iter_bytes():
                size += len(piece)
                if size > BYTES_MAX:
                    raise OSError(f"the answer is longer than {BYTES_MAX >> 20} MiB")
                pieces.append(piece)
            return response.status_code, b"".join(pieces)

    return PrometheusMetrics(str(address.copy_with(userinfo=b"", query=None)), fetch)


def by_service(connection: Connection, namespace: str, name: str, port: int) -> PrometheusMetrics:
    path = f"/api/v1/namespaces/{namespace}/services/{name}:{port}/proxy/api/v1/query"

    def fetch(query: str) -> tuple[int, bytes]:
        return 200, json.dumps(connection.send(Request("get", path, {"query": query}))).encode()

    return PrometheusMetrics(f"Service {namespace}/{name}:{port}", fetch)


def choose(flag: str | None, source: PrometheusSource | None, connection: Connection) -> PrometheusMetrics | None:
    """--prometheus-url, then DOCC_PROMETHEUS_URL, then the manifest's; None if none names one."""
    token_env = source.token_env if source else None
    if url := flag or os.environ.get("DOCC_PROMETHEUS_URL") or (source.url if source else None):
        return by_url(url, token_env)
    if source and source.service:
        return by_service(connection, *source.service)
    return None


def read_answer(name: str, status: int, body: bytes) -> Answer:
    """An HTTP answer of /api/v1/query as series, or the sentence that says why there are none."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return Answer(error=f"{name} answered HTTP {status} with something that is not JSON")
    if not isinstance(found, dict):
        return Answer(error=f"{name} answered HTTP {status} with something that is not Prometheus' format")
    if status != 200 or found.get("status") != "success":
        words = str(found.get("error") or found.get("message") or "no reason given")[:300]
        return Answer(error=f"{name} answered HTTP {status}: {words}")
    try:
        return Answer(_series(found["data"]))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        return Answer(error=f"{name} answered with something that is not an instant vector: {str(error)[:100]}")


def _series(data: Any) -> tuple[Series, ...]:
    if data["resultType"] == "scalar":
        return (Series((), float(data["result"][1])),)
    if data["resultType"] != "vector":
        raise ValueError(f"resultType {data['resultType']}")
    return tuple(
        Series(tuple(sorted((str(k), str(v)) for k, v in item["metric"].items())), float(item["value"][1]))
        for item in data["result"]
    )


def _cause(error: Exception) -> str:
    if isinstance(error, DoccError):
        return error.what
    return (str(error) or type(error).__name__)[:200]
