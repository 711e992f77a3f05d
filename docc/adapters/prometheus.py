"""engine.ports.Metrics over Prometheus' HTTP API (/api/v1/query). Failing queries are answers, never exceptions.

Asked by URL with httpx, or as a Service through the API server's proxy. The queries of a group go out together, and all of one
look must be answered within one bound. What is told of an answer is Prometheus' own words, or a name for its kind; never a
secret.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.request import getproxies

from docc.adapters.kube_connection import Connection, Request
from docc.adapters.kube_errors import clean
from docc.adapters.patience import SLICE_SECONDS, Asked, Patience
from docc.core.verdict import Answer, Series
from docc.model.errors import CredentialsError, DoccError, UnusableError, UsageError
from docc.model.manifest import PrometheusSource

ANSWER_SECONDS_MAX = 3.0
BYTES_MAX = 10 << 20
INSTANT_MAX = 1e11  # unix seconds, more than three thousand years
TRIES, QUERIES_AT_ONCE = 3, 8
Fetch = Callable[[str], tuple[int, bytes]]
"""A PromQL text -> HTTP status and body. Raises OSError-like errors for no answer."""
_TOO_LONG = f"its answer is longer than {BYTES_MAX >> 20} MiB"
_TOO_SLOW = f"no whole answer within {ANSWER_SECONDS_MAX:g} s"


class PrometheusMetrics:
    def __init__(self, name: str, fetch: Fetch, release: Callable[[], None] = lambda: None) -> None:
        """name: how people know it, without secrets. release: gives back what fetch holds."""
        self.name, self._fetch, self._release = name, fetch, release
        self.patience = Patience()
        self._lanes = threading.Semaphore(QUERIES_AT_ONCE)

    def ask(self, *groups: Sequence[str]) -> Mapping[str, Answer]:
        began, answers = time.monotonic(), dict[str, Answer]()
        for queries in groups:
            answers |= self._ask_all(queries, began)
        return answers

    def _ask_all(self, queries: Sequence[str], began: float) -> Mapping[str, Answer]:
        """began: by the monotonic clock, of the look that these are a part of."""
        end = began + ANSWER_SECONDS_MAX
        asked = {query: Asked(partial(self._ask, query, end)) for query in dict.fromkeys(queries)}
        for answer in asked.values():
            while time.monotonic() < end and not self.patience.hurried and not answer.answered(SLICE_SECONDS):
                pass
        silence = Answer(error=f"{self.name} did not answer: {_TOO_SLOW}")
        return {query: answer.result() if answer.answered(0) else silence for query, answer in asked.items()}

    def _ask(self, query: str, end: float) -> Answer:
        """end: by the monotonic clock; what has not been sent by then is not sent late."""
        with self._lanes:
            if time.monotonic() >= end:
                return self._silence(OSError(_TOO_SLOW))
            try:
                return read_answer(self.name, *self._fetch(query))
            except Exception as error:  # whatever a transport raises: the query has no answer, and this is why
                return self._silence(error)

    def _silence(self, error: Exception) -> Answer:
        return Answer(error=f"{self.name} did not answer: {_cause(error)}")

    def probe(self) -> None:
        """Raises UnusableError if Prometheus cannot be asked at all, CredentialsError if the user may not ask it."""
        last = Answer()
        for attempt in range(TRIES):
            try:
                last = read_answer(self.name, *self._fetch("vector(1)"))
            except CredentialsError:
                raise
            except Exception as error:  # as in _ask
                last = self._silence(error)
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
        """A query that hangs keeps nobody from ending."""
        self._release()


def by_url(url: str, token_env: str | None) -> PrometheusMetrics:
    """Raises CredentialsError if the token's variable is not usable, UsageError if the URL is not."""
    # httpx brings its own command line along where rich is installed: 3 MiB and most of its start. It can do without.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None: "is not to be had" (the import system)
    import httpx

    try:
        address = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise _no_url(str(error)) from None
    if address.scheme not in ("http", "https") or not address.host or (address.port or 0) > 65535:
        raise _no_url("it must be http:// or https://, a host, and its port if it has one")
    headers = {"Authorization": f"Bearer {_token(token_env)}"} if token_env else {}
    # Certificates are 3 MiB and 25 ms, and nobody shows any on http: there is no redirect, and no proxy.
    verify = address.scheme == "https" or bool(getproxies())
    try:
        client = httpx.Client(headers=headers, timeout=ANSWER_SECONDS_MAX, follow_redirects=False, verify=verify)
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
        raise UsageError(
            "Prometheus cannot be asked in this environment",
            why=_cause(error),
            state="nothing was touched",
            fix="look at HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY and SSL_CERT_FILE",
        ) from None
    endpoint = address.copy_with(path=address.path.rstrip("/") + "/api/v1/query", fragment=None)

    def fetch(query: str) -> tuple[int, bytes]:
        end = time.monotonic() + ANSWER_SECONDS_MAX
        with client.stream("POST", endpoint, data={"query": query}) as response:
            pieces, size = [], 0
            for piece in response.iter_bytes():
                size += len(piece)
                if size > BYTES_MAX:
                    raise OSError(_TOO_LONG)
                if time.monotonic() > end:
                    raise OSError(_TOO_SLOW)
                pieces.append(piece)
            return response.status_code, b"".join(pieces)

    return PrometheusMetrics(str(address.copy_with(userinfo=b"", query=None, fragment=None)), fetch, client.close)


def _no_url(why: str) -> UsageError:
    """Without the URL itself: it may hold a password."""
    fix = "--prometheus-url http://HOST:9090, DOCC_PROMETHEUS_URL, or deployment_strategy.prometheus"
    return UsageError("the URL of Prometheus is not one", why=why, state="nothing was touched", fix=fix)


def _token(variable: str) -> str:
    token = os.environ.get(variable, "").strip()
    if not token:
        what = f"${variable} is not set; it must hold Prometheus' token"
    elif not (token.isascii() and token.isprintable()):
        what = f"${variable} holds characters that cannot be sent; a token is printable ASCII"
    else:
        return token
    raise CredentialsError(what, state="nothing was touched", fix=f"export {variable}=...")


def by_service(connection: Connection, namespace: str, name: str, port: int) -> PrometheusMetrics:
    path = f"/api/v1/namespaces/{namespace}/services/{name}:{port}/proxy/api/v1/query"

    def fetch(query: str) -> tuple[int, bytes]:
        asked = Request("get", path, {"query": query}, read_seconds=ANSWER_SECONDS_MAX)
        status, body = connection.exchange(asked, cut=BYTES_MAX + 1)
        if len(body) > BYTES_MAX:
            raise OSError(_TOO_LONG)
        if status == 403 and _is_status(body):
            raise CredentialsError(
                "you may not ask Prometheus through the API server",
                where=f"Service {namespace}/{name}:{port}",
                why=f"you may not: get services/proxy in namespace {namespace}",
                state="nothing was touched",
                fix="ask an administrator of the cluster for the Role that "
                f"`docc rbac --prometheus-service {namespace}/{name}:{port}` prints; or --prometheus-url URL",
            )
        return status, body

    return PrometheusMetrics(f"Service {namespace}/{name}:{port}", fetch)


def _is_status(body: bytes) -> bool:
    """The API server's own refusal; Prometheus', or that of something before it, comes through as it is."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("kind") == "Status"


def choose(flag: str | None, source: PrometheusSource | None, connection: Connection) -> PrometheusMetrics | None:
    """--prometheus-url, then DOCC_PROMETHEUS_URL, then the manifest's; None if none names one."""
    token_env = source.token_env if source else None
    if url := flag or os.environ.get("DOCC_PROMETHEUS_URL") or (source.url if source else None):
        found = by_url(url, token_env)
    elif source and source.service:
        found = by_service(connection, *source.service)
    else:
        return None
    found.patience = connection.patience
    return found


def read_answer(name: str, status: int, body: bytes) -> Answer:
    """An HTTP answer of /api/v1/query as series, or the sentence that says why there are none."""
    if 300 <= status < 400:
        return Answer(error=f"{name} answered HTTP {status}, a redirect; is that its own address?")
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return Answer(error=f"{name} answered HTTP {status} with something that is not JSON")
    if not isinstance(found, dict):
        return Answer(error=f"{name} answered HTTP {status} with something that is not Prometheus' format")
    if status != 200 or found.get("status") != "success":
        words = clean(str(found.get("error") or found.get("message") or "no reason given"))[:300]
        return Answer(error=f"{name} answered HTTP {status}: {words}")
    try:
        return Answer(_series(found.get("data")), at=_evaluated(found["data"]))
    except ValueError as error:
        return Answer(error=f"{name} answered with something that is not an instant vector: {error}")


def _series(data: Any) -> tuple[Series, ...]:
    """Raises ValueError with a word for what it is instead."""
    form, result = (data.get("resultType"), data.get("result")) if isinstance(data, dict) else (None, None)
    if form == "scalar":
        return (Series((), _number(result)),)
    if form != "vector" or not isinstance(result, list):
        raise ValueError(f"resultType {form}" if isinstance(form, str) else "no result")
    return tuple(_one(item) for item in result)


def _evaluated(data: Any) -> float:
    """The instant that the answer is of; of a vector each sample tells the same. Raises ValueError."""
    result = data["result"]
    pair = result if data["resultType"] == "scalar" else result[0].get("value") if result else [0.0]
    if isinstance(pair[0], int | float) and 0 <= pair[0] <= INSTANT_MAX:
        return float(pair[0])
    raise ValueError("a value without its time")


def _one(item: Any) -> Series:
    if not isinstance(item, dict) or not isinstance(item.get("metric"), dict):
        raise ValueError("a series without labels")
    if "histogram" in item:
        raise ValueError("a native histogram; histogram_quantile() makes a number of it")
    return Series(tuple(sorted((str(k), str(v)) for k, v in item["metric"].items())), _number(item.get("value")))


def _number(pair: Any) -> float:
    if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], str)):
        raise ValueError("a value that is not [time, number as text]")
    try:
        return float(pair[1])
    except ValueError:
        raise ValueError("a value that is no number") from None


def _cause(error: Exception) -> str:
    if isinstance(error, DoccError):
        return f"{error.what}: {error.why}" if error.why else error.what
    words = re.sub(r"//[^/@\s]*@", "//", str(error)) or type(error).__name__
    return clean(words)[:200]
