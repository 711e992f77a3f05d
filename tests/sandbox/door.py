"""A door between one docc and the API server, in which a write can be the last thing that docc ever sent.

It hands every request on as it is, and gives the writes names. At one of them it kills: before the server gets it, before
docc gets the answer, or some milliseconds after docc got it. Or it holds the write until it is told to let it go. docc speaks
plain HTTP to it, the API server may want TLS. It knows the API's words, not docc's reasons.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

RECORD = "/metadata/annotations/docc.dev~1rollout"
HELD, BEFORE, UNANSWERED = -2, -1, 0
HELD_SECONDS_MAX = 120.0
_NOT_HANDED_ON = ("host", "connection", "accept-encoding")


@dataclass(frozen=True)
class Trap:
    """write: its name, the first one of it. ms: after its answer; BEFORE, UNANSWERED; HELD: before the server gets it, which
    it does when Door.release is set. kill: or whatever else is to be done to docc."""

    write: str
    ms: int
    kill: Callable[[], None]


class Door(ThreadingHTTPServer):
    """phase, weight: of the last record that the server has taken. weights: each change of traffic that it has taken, as
    docc.sandbox.accounts wants it."""

    daemon_threads = True

    def __init__(self, api: str, trust: ssl.SSLContext | None = None) -> None:
        """api: its URL; trust: what its certificate is held against, for one with https."""
        super().__init__(("127.0.0.1", 0), Passage)
        self._api, self._trust = urlsplit(api).netloc, trust
        self.phase, self.weight = "none", 0
        self.weights: list[tuple[float, str, int]] = []
        self.trap: Trap | None = None
        self.sprung, self.release = threading.Event(), threading.Event()
        self._versions: dict[
            str, str
        ] = {}  # of the image, by the revision's name: a number that came to nothing is left out
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """In the network of the thread that asks for it."""
        threading.Thread(target=self.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            self.release.set()
            self.shutdown()
            self.server_close()

    def behind(self) -> http.client.HTTPConnection:
        if self._trust is None:
            return http.client.HTTPConnection(self._api, timeout=400)
        return http.client.HTTPSConnection(self._api, timeout=400, context=self._trust)

    def caught(self, name: str, ms: tuple[int, ...]) -> Trap | None:
        """The trap, if it is set on this write at one of these moments; it springs once."""
        with self._lock:
            trap = self.trap
            if trap is None or trap.write != name or trap.ms not in ms:
                return None
            self.trap = None
            return trap

    def spring(self, trap: Trap) -> None:
        trap.kill()
        self.sprung.set()

    def taken(self, kind: str, answer: bytes) -> None:
        """The server has taken a write of this kind."""
        found = json.loads(answer)
        if kind == "deployments" and "spec" in found:
            image = found["spec"]["template"]["spec"]["containers"][0]["image"]
            self._versions[found["metadata"]["name"]] = image.rpartition(":")[2]
        if kind != "httproutes":
            return
        record = json.loads(found["metadata"]["annotations"]["docc.dev/rollout"])
        self.phase, self.weight = record["phase"], record["weight"]
        refs = [ref for rule in found["spec"]["rules"] for ref in rule["backendRefs"]]
        now = {self._versions.get(ref["name"], ref["name"]): ref.get("weight", 1) for ref in refs}
        gone = {version for _, version, _ in self.weights} - set(now)
        self.weights += [(time.time(), version, weight) for version, weight in (now | dict.fromkeys(gone, 0)).items()]


class Passage(BaseHTTPRequestHandler):
    server: Door

    def do_GET(self) -> None:
        self._hand_on("", "", b"")

    def do_POST(self) -> None:
        self._write()

    do_PATCH = do_DELETE = do_POST

    def _write(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind, name = written(self.command, self.path, body)
        if (trap := self.server.caught(name, (BEFORE,))) is not None:
            self.server.spring(trap)
            self.close_connection = True
            return
        if (trap := self.server.caught(name, (HELD,))) is not None:
            self.server.spring(trap)
            self.server.release.wait(HELD_SECONDS_MAX)
        self._hand_on(kind, name, body)

    def _hand_on(self, kind: str, name: str, body: bytes) -> None:
        headers = {key: value for key, value in self.headers.items() if key.lower() not in _NOT_HANDED_ON}
        behind = self.server.behind()
        with contextlib.closing(behind), contextlib.suppress(OSError, http.client.HTTPException):
            behind.request(self.command, self.path, body or None, headers)
            with behind.getresponse() as answer:
                self._answer(kind, name, answer)

    def _answer(self, kind: str, name: str, answer: http.client.HTTPResponse) -> None:
        """Ends with the connection, as a watch does; a write's answer is whole before any of it is given back."""
        self.close_connection = True
        whole = answer.read() if name else b""
        if name and answer.status < 300:
            self.server.taken(kind, whole)
            if (trap := self.server.caught(name, (UNANSWERED,))) is not None:
                self.server.spring(trap)
                return
        self.send_response(answer.status)
        for key in ("Content-Type", "Date", "Retry-After"):
            if value := answer.headers.get(key):
                self.send_header(key, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(whole)
        while not name and (piece := answer.read1(1 << 16)):
            self.wfile.write(piece)
            self.wfile.flush()
        if name and answer.status < 300 and (trap := self.server.caught(name, tuple(range(1, 60_000)))) is not None:
            time.sleep(trap.ms / 1000)
            self.server.spring(trap)

    def send_response(self, code: int, message: str | None = None) -> None:
        self.send_response_only(code, message)  # without a Date of its own

    def log_message(self, format: str, *args: object) -> None:
        return


def written(method: str, path: str, raw: bytes) -> tuple[str, str]:
    """(the kind's plural, what people would call this write). A record goes by its phase."""
    parts = urlsplit(path).path.strip("/").split("/")
    kind = parts[parts.index("namespaces") + 2] if "namespaces" in parts else parts[-1]
    body: Any = json.loads(raw) if raw else {}
    if kind == "httproutes":
        return kind, _record(body)
    if kind == "leases":
        paths = {each["path"] for each in _added(body)}
        free, renewed = "/spec/holderIdentity" in paths, "/spec/renewTime" in paths
        return kind, "lease given back" if free else "lease renewed" if renewed else "lease taken"
    if kind == "deployments" and (
        wanted := [each["value"] for each in _added(body) if each["path"] == "/spec/replicas"]
    ):
        return kind, "deployment scaled up" if wanted[-1] else "deployment taken down"
    verb = {"POST": "created", "PATCH": "changed", "DELETE": "deleted"}[method]
    return kind, f"{kind[:-1]} {verb}"


def _added(body: Any) -> list[dict[str, Any]]:
    """The operations of a JSON Patch that change something."""
    return [each for each in body if each["op"] != "test"] if isinstance(body, list) else []


def _record(body: Any) -> str:
    if isinstance(body, dict):
        text = body.get("metadata", {}).get("annotations", {}).get("docc.dev/rollout")
    else:
        text = next((each["value"] for each in _added(body) if each["path"] == RECORD), None)
    return f"record {json.loads(text)['phase']}" if text else "route changed"
