"""The sandbox's API behind a server that takes a request and never answers it, nor any after it; or answers each one late."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from docc.sandbox import session

HANG_SECONDS = 120
Chosen = Callable[[str, str], bool]
"""Of a method and a path with its query."""


class Api(ThreadingHTTPServer):
    """at: the request from which on it hangs. asked: it has come. Watches tell nothing at any time. late: seconds until any
    other answer. came: each request. most: of these, how many were there at once."""

    daemon_threads = True

    def __init__(self, behind: str, at: Chosen) -> None:
        super().__init__(("127.0.0.1", 0), Passage)
        self.behind, self.at = urlsplit(behind).netloc, at
        self.asked, self.closing = threading.Event(), threading.Event()
        self.late, self.came, self.most = 0.0, list[str](), 0
        self._here, self._counting = 0, threading.Lock()

    @contextmanager
    def counted(self, request: str) -> Iterator[None]:
        with self._counting:
            self.came.append(request)
            self._here += 1
            self.most = max(self.most, self._here)
        try:
            yield
        finally:
            with self._counting:
                self._here -= 1


class Passage(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        with self.server.counted(f"{self.command} {self.path}"):
            self._pass()

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.at(self.command, self.path):
            self.server.asked.set()
        if self.server.asked.is_set() or "watch=true" in self.path:
            self.server.closing.wait(HANG_SECONDS)
            self.close_connection = True
            return
        self.server.closing.wait(self.server.late)
        behind = http.client.HTTPConnection(self.server.behind, timeout=10)
        headers = {name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers}
        behind.request(self.command, self.path, body, headers)
        with behind.getresponse() as answer:
            found = answer.read()
        behind.close()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    do_POST = do_PATCH = do_DELETE = do_GET

    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def hanging(world: session.Session, folder: Path, at: Chosen) -> Iterator[tuple[Api, Path]]:
    """The server, and a kubeconfig that leads to it."""
    config = json.loads(Path(world.kubeconfig).read_text(encoding="utf-8"))
    with Api(world.api, at) as server:
        config["clusters"][0]["cluster"]["server"] = f"http://127.0.0.1:{server.server_port}"
        path = folder / "hanging.kubeconfig"
        path.write_text(json.dumps(config), encoding="utf-8")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server, path
        finally:
            server.closing.set()
            server.shutdown()
