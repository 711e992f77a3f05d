"""An HTTP server on a real loopback socket, whose every answer is written by the test, down to its bytes and its silence.

with serve(lambda exchange: exchange.reply(200, {"kind": "List"})) as server: ... server.url, server.asked
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

LIMIT_SECONDS = 60.0
"""Of every wait for something that must happen; reached only when it does not."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived. address: path and query."""

    method: str
    address: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.address).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.address).query))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


class Exchange:
    """A request, and the means to answer it."""

    def __init__(self, handler: _Handler, asked: Asked) -> None:
        self._handler, self.asked = handler, asked

    def reply(self, status: int, body: object = b"", headers: Mapping[str, str] | None = None) -> None:
        """A whole answer. body: bytes, text, or what becomes JSON."""
        data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        kind = "text/html" if data.startswith(b"<") else "application/json"
        self.head(status, {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})})
        self.raw(data)

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
        self.raw("\r\n".join([*lines, "", ""]).encode())

    def chunk(self, data: bytes) -> None:
        self.raw(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def raw(self, data: bytes) -> None:
        """Whoever asked may have gone: that is for the test to see, not for the server."""
        with contextlib.suppress(OSError):
            self._handler.wfile.write(data)

    def hang(self) -> None:
        """Says nothing more, until the server ends."""
        self._handler.owner.over.wait(LIMIT_SECONDS)
        self._handler.close_connection = True

    def drop(self) -> None:
        """The connection ends here."""
        self._handler.close_connection = True
        with contextlib.suppress(OSError):
            self._handler.connection.shutdown(socket.SHUT_RDWR)

    def drip(self, data: bytes, seconds: float) -> None:
        """Byte after byte, so that no silence is long, until whoever asked has gone or the server ends."""
        for byte in data:
            if self._handler.owner.over.wait(seconds):
                break
            try:
                self._handler.wfile.write(bytes([byte]))
            except OSError:
                break
        self._handler.close_connection = True


Answer = Callable[[Exchange], None]


class Server:
    def __init__(self, answer: Answer, tls: ssl.SSLContext | None) -> None:
        self.answer, self.over, self.asked = answer, threading.Event(), list[Asked]()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner, self._http.tls = self, tls
        self.port = int(self._http.server_address[1])
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self.over.set()
        self._http.shutdown()
        self._thread.join(LIMIT_SECONDS)
        self._http.cut()
        self._http.server_close()


@contextlib.contextmanager
def serve(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(answer, tls)
    try:
        yield server
    finally:
        server.close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    owner: Server
    tls: ssl.SSLContext | None

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[Any] = set()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread."""
        with contextlib.suppress(OSError):  # a handshake that fails, a client that goes away
            if self.tls is not None:
                request.settimeout(LIMIT_SECONDS)
                request = self.tls.wrap_socket(request, server_side=True)
            self._open.add(request)
            super().finish_request(request, client_address)
        self._open.discard(request)
        request.close()

    def cut(self) -> None:
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    @property
    def owner(self) -> Server:
        return self.server.owner

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(
            self.command, self.path, {k.lower(): ", ".join(self.headers.get_all(k, [])) for k in self.headers}, body
        )
        self.owner.asked.append(asked)
        self.owner.answer(Exchange(self, asked))

    do_GET = do_POST = do_PATCH = do_DELETE = do_CONNECT = _serve

    def log_message(self, format: str, *args: Any) -> None:
        pass


def certificate(folder: Path, name: str, *names: str) -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key. names: such as IP:127.0.0.1."""
    made, key = folder / f"{name}.crt", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", f"/CN={name}", "-days", "2", "-keyout", str(key), "-out", str(made)]
    command += ["-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
    if names:
        command += ["-addext", f"subjectAltName={','.join(names)}"]
    subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_SECONDS)
    return made, key


def tls(made: tuple[Path, Path], clients: Path | None = None) -> ssl.SSLContext:
    """clients: the certificate that a client must show."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*made)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    return context


def free_port() -> int:
    """Nobody listens there."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
