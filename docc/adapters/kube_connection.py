"""Which cluster, as whom, and one bounded request to it. The kubernetes library does kubeconfig, exec plugins and TLS; the
requests carry plain JSON to known paths, so that none is spent on discovery and no typed model is loaded.

Target precedence: --kubeconfig, KUBECONFIG (a list is merged), ~/.kube/config, in-cluster. Namespace: --namespace,
DOCC_NAMESPACE, the manifest, the context, the in-cluster file, "default".
"""

from __future__ import annotations

import difflib
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from docc import __version__
from docc.adapters.kube_errors import no_answer, refusal
from docc.model.errors import CredentialsError, UsageError
from docc.model.moves import Object

CONNECT_SECONDS, READ_SECONDS = 3.0, 10.0
_IN_CLUSTER_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Target:
    """Where commands go, as shown before anything happens."""

    server: str
    context: str
    namespace: str


_METHODS = {"get": "GET", "list": "GET", "watch": "GET", "create": "POST", "patch": "PATCH", "delete": "DELETE"}


@dataclass(frozen=True, slots=True)
class Request:
    """verb: as Kubernetes counts it. form: the body's media type behind "application/"."""

    verb: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    form: str = "json"
    read_seconds: float = READ_SECONDS

    @property
    def method(self) -> str:
        return _METHODS[self.verb]


class Connection:
    """Requests to one API server. Thread-safe. `requests` counts them by Kubernetes verb; `on_date` gets each answer's Date
    (unix seconds, whole ones)."""

    def __init__(self, *, kubeconfig: str | None = None, context: str | None = None) -> None:
        """Reads the kubeconfig; no request. Raises CredentialsError, UsageError."""
        self._kubeconfig, self._context = kubeconfig, context
        self.context_name = "in-cluster"
        self.context_namespace: str | None = None
        self._client = self._load()
        self._lock = threading.Lock()
        self.requests: Counter[str] = Counter()
        self.on_date: Callable[[float], None] = lambda instant: None

    @property
    def server(self) -> str:
        return str(self._client.configuration.host)

    def _load(self) -> Any:
        import urllib3
        from kubernetes.client.api_client import ApiClient
        from kubernetes.config import ConfigException, incluster_config, kube_config

        # Who writes insecure-skip-tls-verify into a kubeconfig knows it; a warning at every request would tell nobody more.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        path = self._kubeconfig or os.environ.get("KUBECONFIG") or ""
        if not path and not Path("~/.kube/config").expanduser().exists():
            if os.environ.get("KUBERNETES_SERVICE_HOST"):
                incluster_config.load_incluster_config()
                if _IN_CLUSTER_NAMESPACE.exists():
                    self.context_namespace = _IN_CLUSTER_NAMESPACE.read_text(encoding="utf-8").strip()
                return ApiClient()
            raise CredentialsError(
                "no cluster is configured",
                why="$KUBECONFIG is not set, ~/.kube/config does not exist, and this is no pod",
                state="nothing was touched",
                fix="docc sandbox up, or --kubeconfig FILE, or doctl kubernetes cluster kubeconfig save NAME",
            )
        try:
            contexts, active = kube_config.list_kube_config_contexts(config_file=path or None)
            chosen = self._choose(contexts, active)
            client = kube_config.new_client_from_config(config_file=path or None, context=chosen["name"])
        except (ConfigException, OSError, ValueError, KeyError, TypeError) as error:
            raise CredentialsError(
                "the kubeconfig cannot be used",
                where=path or "~/.kube/config",
                why=str(error).splitlines()[0][:300],
                state="nothing was touched",
                fix="kubectl config view; --kubeconfig FILE chooses another",
            ) from error
        self.context_name = str(chosen["name"])
        self.context_namespace = chosen.get("context", {}).get("namespace")
        return client

    def _choose(self, contexts: list[dict[str, Any]], active: dict[str, Any]) -> dict[str, Any]:
        if self._context is None:
            return active
        names = [str(entry["name"]) for entry in contexts]
        if self._context in names:
            return contexts[names.index(self._context)]
        near = difflib.get_close_matches(self._context, names, 1)
        raise UsageError(
            f'the kubeconfig has no context "{self._context}"' + (f', did you mean "{near[0]}"?' if near else ""),
            why=f"it has {', '.join(names)}",
            state="nothing was touched",
        )

    def send(self, request: Request) -> Object:
        """The answer's JSON. Raises the DoccErrors of kube_errors; a 401 is tried once more with credentials read anew."""
        with self._answer(request) as response:
            data = response.read(64 << 20, decode_content=True)
        found: Object = json.loads(data) if data else {}
        return found

    def text(self, request: Request) -> str:
        """The answer's text (a pod's log)."""
        with self._answer(request) as response:
            return str(response.read(1 << 20, decode_content=True), "utf-8", "replace")

    def stream(self, request: Request) -> Any:
        """An open watch: urllib3's response, to be read piece by piece and closed."""
        return self._answer(request)

    def _answer(self, request: Request) -> Any:
        response = self._once(request)
        if response.status == 401:
            response.drain_conn()
            response.release_conn()
            with self._lock:
                self._client = self._load()
            response = self._once(request)
        if response.status >= 300:
            with response:
                data = response.read(1 << 20, decode_content=True)
            raise refusal(response.status, data, request.verb, request.path)
        return response

    def _once(self, request: Request) -> Any:
        import urllib3

        client = self._client
        headers = {"Accept": "application/json", "User-Agent": f"docc/{__version__}"}
        for setting in client.configuration.auth_settings().values():
            if setting["in"] == "header" and setting["value"]:
                headers[setting["key"]] = setting["value"]
        if request.body is not None:
            headers["Content-Type"] = f"application/{request.form}"
        url = client.configuration.host + request.path
        if request.query:
            url += "?" + urlencode(request.query)
        self.requests[request.verb] += 1
        try:
            response = client.rest_client.pool_manager.request(
                request.method,
                url,
                body=None if request.body is None else json.dumps(request.body),
                headers=headers,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=request.read_seconds),
                retries=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise no_answer(self.server, error) from error
        if date := response.headers.get("Date"):
            self.on_date(parsedate_to_datetime(date).timestamp())
        return response


def choose_namespace(flag: str | None, manifest: str | None, context: str | None) -> str:
    """Two explicit values that differ are an error, not a silent winner. Raises UsageError."""
    wanted = flag or os.environ.get("DOCC_NAMESPACE") or None
    if wanted and manifest and wanted != manifest:
        origin = "--namespace" if flag else "DOCC_NAMESPACE"
        raise UsageError(
            f'{origin} says "{wanted}", the manifest says "{manifest}"',
            state="nothing was touched",
            fix="leave one of them out, or make them the same",
        )
    return wanted or manifest or context or "default"
