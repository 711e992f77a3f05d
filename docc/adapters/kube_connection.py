"""One bounded request to the API server: plain JSON to known paths, so that none is spent on discovery and no typed model is
loaded. Which cluster and as whom is kube_login's; what a refusal means is kube_errors'.

Namespace: --namespace, DOCC_NAMESPACE, the manifest, the context, the in-cluster file, "default".
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from docc import __version__
from docc.adapters.kube_errors import foreign, is_object, misshapen, no_answer, refusal, retry_after
from docc.adapters.kube_login import NOBODY_ELSE, SERVICE_ACCOUNT, Acting, Login, log_in
from docc.adapters.patience import OutOfTime, Patience
from docc.model.errors import CredentialsError, DoccError, LoginLost, Unreachable, UnusableError, UsageError
from docc.model.moves import Object

CONNECT_SECONDS, READ_SECONDS = 3.0, 10.0
WHOLE = 3
"""An answer must be whole within so many times the seconds that it may be silent."""
BYTES_MAX, TEXT_BYTES_MAX = 64 << 20, 1 << 20
RENEWAL_SECONDS_MAX, RENEWAL_PAUSE_SECONDS = 20.0, 1.0
"""How long a login command may take in mid-rollout, and how long one that failed is not run again."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where commands go, as shown before anything happens."""

    server: str
    context: str
    namespace: str


_METHODS = {"get": "GET", "list": "GET", "watch": "GET", "create": "POST", "patch": "PATCH", "delete": "DELETE"}


@dataclass(frozen=True, slots=True)
class Request:
    """verb: as Kubernetes counts it. form: the body's media type behind "application/". read_seconds: the longest silence."""

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

    def __init__(
        self,
        *,
        kubeconfig: str | None = None,
        context: str | None = None,
        service_account: Path = SERVICE_ACCOUNT,
        acting: Acting = NOBODY_ELSE,
        read_seconds: float | None = None,
    ) -> None:
        """Reads the kubeconfig; no request. read_seconds: the longest silence of any answer but a watch's, in the place of each
        request's own. Raises CredentialsError, UsageError."""
        self._log_in: Callable[[], Login] = lambda: log_in(kubeconfig, context, service_account, acting)
        self._read_seconds = read_seconds
        self._login = self._log_in()
        self._secret = b""
        self._taken = False  # the server has taken this login, or one before it
        self._failed: tuple[float, DoccError] | None = None  # the last renewal that came to nothing, and when
        self.context_name, self.context_namespace = self._login.context, self._login.namespace
        self._renewal, self._counting = threading.Lock(), threading.Lock()
        self.requests: Counter[str] = Counter()
        self.patience = Patience()
        self.on_date: Callable[[float], None] = lambda instant: None

    @property
    def server(self) -> str:
        """Without a name and password, should the kubeconfig have put them there."""
        return re.sub(r"//[^/@]*@", "//", self._login.server)

    def send(self, request: Request) -> Object:
        """The answer's JSON. Raises the DoccErrors of kube_errors; a 401 is tried once more with credentials read anew, and
        is a LoginLost if the server has taken the login before."""
        status, data, wait = self._answered(request)
        if status >= 300:
            raise self._refusal(status, data, request, wait)
        try:
            found = json.loads(data) if data else {}
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise foreign(self.server, f"{request.verb} {request.path}", status, self._masked(data))
        items = found.get("items") or [] if request.verb == "list" else []
        if not isinstance(items, list) or not all(map(is_object, items)):
            raise misshapen(self.server, f"{request.verb} {request.path}")
        return found

    def text(self, request: Request) -> str:
        """The answer's text (a pod's log), as much of it as is bearable."""
        status, data, wait = self._answered(request, cut=TEXT_BYTES_MAX)
        if status >= 300:
            raise self._refusal(status, data, request, wait)
        return str(data, "utf-8", "replace")

    def exchange(self, request: Request, *, cut: int = 0) -> tuple[int, bytes]:
        """HTTP status and body, whatever they are. cut: bytes of which the rest is left out; too long an answer is an error
        otherwise. Raises Unreachable, CredentialsError, UnusableError."""
        return self._answered(request, cut=cut)[:2]

    def _answered(self, request: Request, *, cut: int = 0) -> tuple[int, bytes, float]:
        """Also the seconds of Retry-After."""
        try:
            return self.patience.run(lambda: self._whole(request, cut))
        except TimeoutError as error:
            silence = no_answer(self.server, f"{request.verb} {request.path}", error)
            silence.last = isinstance(error, OutOfTime)
            raise silence from error

    def _whole(self, request: Request, cut: int) -> tuple[int, bytes, float]:
        with self._open(request) as response:
            return response.status, self._body(response, request, cut), retry_after(response.headers)

    def stream(self, request: Request) -> Any:
        """An open watch: urllib3's response, to be read piece by piece and closed."""
        response = self._open(request)
        if response.status >= 300:
            with response:
                data = self._body(response, request, TEXT_BYTES_MAX)
            raise self._refusal(response.status, data, request, retry_after(response.headers))
        return response

    def _refusal(self, status: int, data: bytes, request: Request, wait: float) -> Exception:
        error = refusal(self.server, status, self._masked(data), request.verb, request.path)
        if isinstance(error, Unreachable):
            error.wait = wait
        return self._lost(error) if status == 401 else error

    def _lost(self, error: DoccError) -> DoccError:
        if not self._taken:
            return error
        return LoginLost(error.what, where=error.where, why=error.why, fix=error.fix)

    def _masked(self, data: bytes) -> bytes:
        """What stands in between may echo what it was sent."""
        return data.replace(self._secret, b"***") if self._secret else data

    def _open(self, request: Request) -> Any:
        login = self._login
        try:
            response = self._once(login, request)
            if response.status == 401:
                response.close()
                response = self._once(self._renewed(login), request)
        except (CredentialsError, UsageError) as error:
            raise self._lost(error) from error
        self._taken = self._taken or response.status < 300
        return response

    def _renewed(self, old: Login) -> Login:
        """Once for all threads that were refused with the same credentials."""
        with self._renewal:
            if self._login is old:
                if self._failed is not None and time.monotonic() < self._failed[0] + RENEWAL_PAUSE_SECONDS:
                    raise self._failed[1]
                try:
                    self._login = _bounded(self._log_in, self._login.context)
                except DoccError as error:
                    self._failed = (time.monotonic(), error)
                    raise
            return self._login

    def _once(self, login: Login, request: Request) -> Any:
        import urllib3

        headers = urllib3.HTTPHeaderDict({"Accept": "application/json", "User-Agent": f"docc/{__version__}"})
        for name, value in login.acting:
            headers.add(name, value)
        if authorization := login.authorization():
            headers["Authorization"] = authorization
            self._secret = authorization.partition(" ")[2].encode()
        if request.body is not None:
            headers["Content-Type"] = f"application/{request.form}"
        url = login.server + request.path + (f"?{urlencode(request.query)}" if request.query else "")
        with self._counting:
            self.requests[request.verb] += 1
        try:
            response = login.client.rest_client.pool_manager.request(
                request.method,
                url,
                body=None if request.body is None else json.dumps(request.body),
                headers=headers,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=self._silence(request)),
                retries=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise no_answer(self.server, f"{request.verb} {request.path}", error) from error
        with contextlib.suppress(ValueError, TypeError, OverflowError):  # a Date that is none tells nothing
            self.on_date(parsedate_to_datetime(response.headers.get("Date", "")).timestamp())
        return response

    def _silence(self, request: Request) -> float:
        return request.read_seconds if request.verb == "watch" or not self._read_seconds else self._read_seconds

    def _body(self, response: Any, request: Request, cut: int) -> bytes:
        import urllib3

        pieces, size, end = [], 0, time.monotonic() + WHOLE * self._silence(request)
        try:
            while (piece := response.read1(1 << 16, decode_content=True)) and not (cut and size >= cut):
                pieces.append(piece)
                size += len(piece)
                if size > BYTES_MAX:
                    why = f"it is longer than {BYTES_MAX >> 20} MiB"
                    raise UnusableError("the answer is not usable", where=f"{request.verb} {request.path}", why=why)
                if time.monotonic() > end:
                    raise TimeoutError(f"the answer was not whole within {WHOLE * self._silence(request):g} s")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise no_answer(self.server, f"{request.verb} {request.path}", error) from error
        return b"".join(pieces)[: cut or None]


def _bounded(log_in_again: Callable[[], Login], context: str) -> Login:
    """In a thread that is left to itself when it takes too long: a login command that waits for ever must not stop a rollout
    from being taken back. Raises CredentialsError."""
    found: list[Login | Exception] = []

    def run() -> None:
        try:
            found.append(log_in_again())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run, name="login", daemon=True)
    thread.start()
    thread.join(RENEWAL_SECONDS_MAX)
    if not found:
        why = f"the login command did not end within {RENEWAL_SECONDS_MAX:.0f} s"
        raise CredentialsError("the login cannot be renewed", where=f'context "{context}"', why=why)
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


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
