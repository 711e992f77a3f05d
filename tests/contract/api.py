"""An HTTP client for any Kubernetes API, that hides nothing of its answers. Knows no server in particular."""

from __future__ import annotations

import contextlib
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

Object = dict[str, Any]
JSON, MERGE, JSON_PATCH = "application/json", "application/merge-patch+json", "application/json-patch+json"
UNTIL_SECONDS = 60.0
_GROUPS = {
    "deployments": "/apis/apps/v1", "httproutes": "/apis/gateway.networking.k8s.io/v1",
    "gateways": "/apis/gateway.networking.k8s.io/v1", "endpointslices": "/apis/discovery.k8s.io/v1",
    "leases": "/apis/coordination.k8s.io/v1",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> Object:
        """{} for what is no JSON object."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Ask:
    """media "": what the body is: of a patch, a list is a JSON Patch, and an object a merge patch."""

    method: str
    path: str
    body: Any = None
    media: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        patch = JSON_PATCH if isinstance(self.body, list) else MERGE
        return self.media or (patch if self.method == "PATCH" else JSON)


class Api:
    def __init__(
        self, url: str, token: str, trusted: ssl.SSLContext | bool = True, settled_seconds: float = 1.0
    ) -> None:
        """settled_seconds: when this server's controllers have written nothing for so long, they are done."""
        self._token, self.settled_seconds = token, settled_seconds
        self._http = httpx.Client(base_url=url, verify=trusted, timeout=30, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def send(self, ask: Ask, token: str = "") -> Answer:
        """token: another than the client's own."""
        answer = self._http.send(self._request(ask, token))
        return Answer(answer.status_code, answer.text, answer.headers)

    def good(self, ask: Ask) -> Object:
        """For what a case needs and does not ask about. Raises AssertionError for a refusal."""
        answer = self.send(ask)
        assert answer.code < 300, f"{ask.method} {ask.path}: {answer.code} {answer.text}"
        return answer.body

    @contextlib.contextmanager
    def watch(self, path: str, **query: str) -> Iterator[Iterator[Object]]:
        """Its events, until the server ends it."""
        request = self._request(Ask("GET", path, query={"watch": "true", **query}))
        answer = self._http.send(request, stream=True)
        try:
            if answer.status_code != 200:
                status = json.loads(answer.read())
                yield iter([{"type": f"HTTP {answer.status_code}", "object": status}])
                return
            yield (json.loads(line) for line in answer.iter_lines() if line.strip())
        finally:
            answer.close()

    def until(self, ask: Ask, holds: Callable[[Object], Any], seconds: float = UNTIL_SECONDS) -> Object:
        """The first answer of which it holds; a refusal is an answer too."""
        limit = time.monotonic() + seconds
        while not holds(found := self.send(ask).body):
            assert time.monotonic() < limit, f"not within {seconds:.0f} s: {ask.path}: {found}"
            time.sleep(0.05)
        return found

    def _request(self, ask: Ask, token: str = "") -> httpx.Request:
        headers = {"User-Agent": "contract", "Authorization": f"Bearer {token or self._token}"}
        if ask.body is not None:
            headers["Content-Type"] = ask.content_type
        content = ask.body if isinstance(ask.body, str) else None if ask.body is None else json.dumps(ask.body)
        return self._http.build_request(ask.method, ask.path, params=dict(ask.query), content=content, headers=headers)


def path(plural: str, namespace: str, *names: str) -> str:
    """namespace "": for what is in none."""
    home = f"/namespaces/{namespace}" if namespace else ""
    return "/".join([f"{_GROUPS.get(plural, '/api/v1')}{home}/{plural}", *names])
