"""engine.ports.Metrics over Prometheus' HTTP API (/api/v1/query). Failing queries are answers, never exceptions.

Asked by URL, or as a Service through the API server's proxy. The queries of a group go out together, and all of one
look must be answered within one bound. What is told of an answer is Prometheus' own words, or a name for its kind; never a
secret.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from docc.adapters.kube_connection import Connection, Request
from docc.adapters.kube_errors import cause, clean
from docc.adapters.patience import SLICE_SECONDS, Asked, Patience
from docc.adapters.prometheus_url import PrometheusURL
from docc.core.verdict import Answer, Series
from docc.model.errors import CredentialsError, UnusableError
from docc.model.manifest import PrometheusSource

ANSWER_SECONDS_MAX = 3.0
BYTES_MAX = 10 << 20
INSTANT_MAX = 1e11  # unix seconds, more than three thousand years
TRIES, PAUSE_SECONDS, QUERIES_AT_ONCE = 3, 0.5, 8
Fetch = Callable[[str], tuple[int, bytes]]
"""A PromQL text -> HTTP status and body. Raises OSError-like errors for no answer."""
_TOO_LONG = f"its answer is longer than {BYTES_MAX >> 20} MiB"
_TOO_SLOW = f"no whole answer within {ANSWER_SECONDS_MAX:g} s"


class PrometheusMetrics:
    def __init__(self, name: str, fetch: Fetch, release: Callable[[], None] = lambda: None) -> None:
        """name: how people know it, without secrets. release: gives back what fetch holds."""
        self.name, self._fetch, self._release = name, fetch, release
        self.patience = Patience()
        self._probing: Asked[None] | None = None
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
        return Answer(error=f"{self.name} did not answer: {cause(error)}")

    def begin(self) -> None:
        """Sends the probe's question now, for a `probe` later: other things can be looked at meanwhile."""
        self._probing = Asked(self._probe)

    def probe(self) -> None:
        """Raises UnusableError if Prometheus cannot be asked at all, CredentialsError if the user may not ask it. Takes
        ANSWER_SECONDS_MAX at most, from when it began."""
        if self._probing is None:
            self.begin()
        assert self._probing is not None
        probing, self._probing = self._probing, None
        probing.result()

    def _probe(self) -> None:
        end, tries = time.monotonic() + ANSWER_SECONDS_MAX, 0
        while True:
            tries += 1
            asked = Asked(lambda: read_answer(self.name, *self._fetch("vector(1)")))
            last = self._silence(OSError(_TOO_SLOW))
            try:
                last = asked.result() if asked.answered(end - time.monotonic()) else last
            except CredentialsError:
                raise
            except Exception as error:  # as in _ask
                last = self._silence(error)
            if not last.error:
                return
            if tries == TRIES or time.monotonic() + PAUSE_SECONDS >= end:
                break
            threading.Event().wait(PAUSE_SECONDS)
        raise UnusableError(
            f"cannot query {self.name}",
            why=f"{last.error} ({tries} {'try' if tries == 1 else 'tries'})",
            state="the conditions could not be judged, so no traffic was moved",
            fix="--prometheus-url URL, or kubectl port-forward to it",
        )

    def close(self) -> None:
        """A query that hangs keeps nobody from ending."""
        self._release()


def by_url(url: str, token_env: str | None) -> PrometheusMetrics:
    """Raises CredentialsError if the token's variable is not usable, UsageError if the URL or the environment is not."""
    server = PrometheusURL(url, token_env, seconds=ANSWER_SECONDS_MAX, bytes_max=BYTES_MAX, connections=QUERIES_AT_ONCE)
    return PrometheusMetrics(server.name, server.fetch, server.close)


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
