"""Prometheus by its URL: as whom, through which proxy, with whose certificates. What an answer means is prometheus'.

As everywhere: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY say whether there is a proxy between, SSL_CERT_FILE and
SSL_CERT_DIR which certificates are trusted: else the system's, else (a system that has none) certifi's. A redirect is not
followed.
"""

from __future__ import annotations

import base64
import os
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode
from urllib.request import getproxies, proxy_bypass

from docc.adapters.kube_errors import cause
from docc.model.errors import CredentialsError, UsageError

if TYPE_CHECKING:
    import ssl

    from urllib3 import PoolManager
    from urllib3.util import Url

_ENVIRONMENT = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
_FORM = "application/x-www-form-urlencoded"


class PrometheusURL:
    """One Prometheus. Thread-safe. name: how people know it, without secrets."""

    def __init__(self, url: str, token_env: str | None, *, seconds: float, bytes_max: int, connections: int) -> None:
        """seconds: until an answer must be whole. No request is made. Raises CredentialsError if the token's variable is not
        usable, UsageError if the URL or the environment is not."""
        address = _address(url)
        path = (address.path or "/").rstrip("/") + "/api/v1/query"
        self.name = address._replace(auth=None, query=None, fragment=None).url
        self._endpoint = address._replace(auth=None, path=path, fragment=None).url
        self._headers = {"Accept": "application/json", "Content-Type": _FORM}
        if token_env:
            self._headers["Authorization"] = f"Bearer {_token(token_env)}"
        elif address.auth:
            self._headers["Authorization"] = _basic(address.auth)
        self._pool = _pool(address, connections)
        self._seconds, self._bytes_max = seconds, bytes_max

    def fetch(self, query: str) -> tuple[int, bytes]:
        """HTTP status and body. Raises OSError for an answer that is too long or too slow, and whatever urllib3 raises."""
        end, pieces, size = time.monotonic() + self._seconds, list[bytes](), 0
        body = urlencode({"query": query})
        with self._pool.request("POST", self._endpoint, body=body, headers=self._headers, **self._bounds()) as response:
            while piece := response.read1(1 << 16, decode_content=True):
                pieces.append(piece)
                size += len(piece)
                if size > self._bytes_max:
                    raise OSError(f"its answer is longer than {self._bytes_max >> 20} MiB")
                if time.monotonic() > end:
                    raise OSError(f"no whole answer within {self._seconds:g} s")
            return response.status, b"".join(pieces)

    def _bounds(self) -> dict[str, Any]:
        return {"timeout": self._seconds, "retries": False, "redirect": False, "preload_content": False}

    def close(self) -> None:
        self._pool.clear()


def _address(text: str) -> Url:
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        found = parse_url(text.strip())
    except LocationParseError:  # its words quote the URL, which may hold a password
        found = None
    if found is None or found.scheme not in ("http", "https") or not found.host:
        raise UsageError(
            "the URL of Prometheus is not one",
            why="it must be http:// or https://, a host, and its port if it has one",
            state="nothing was touched",
            fix="--prometheus-url http://HOST:9090, DOCC_PROMETHEUS_URL, or deployment_strategy.prometheus",
        )
    return found


def _pool(address: Url, connections: int) -> PoolManager:
    """Raises UsageError."""
    from urllib3 import PoolManager, ProxyManager
    from urllib3.exceptions import HTTPError

    more: dict[str, Any] = {"maxsize": connections}
    try:
        if address.scheme == "https":
            more["ssl_context"] = _trust()
        if (proxy := _proxy(address)) is None:
            return PoolManager(**more)
        if proxy.auth:
            more["proxy_headers"] = {"Proxy-Authorization": _basic(proxy.auth)}
        return ProxyManager(proxy._replace(auth=None).url, **more)
    except (HTTPError, OSError, ValueError) as error:
        raise UsageError(
            "Prometheus cannot be asked in this environment",
            why=cause(error),
            state="nothing was touched",
            fix=f"look at {', '.join(_ENVIRONMENT)}",
        ) from None


def _proxy(address: Url) -> Url | None:
    """Raises LocationParseError."""
    from urllib3.util import parse_url

    proxies = getproxies()
    found = proxies.get(str(address.scheme)) or proxies.get("all")
    if not found or proxy_bypass(address.netloc or ""):
        return None
    return parse_url(found if "://" in found else f"http://{found}")


def _trust() -> ssl.SSLContext:
    """Raises OSError for files that cannot be used."""
    import ssl

    file, folder = os.environ.get("SSL_CERT_FILE") or None, os.environ.get("SSL_CERT_DIR") or None
    context = ssl.create_default_context(cafile=file, capath=folder)
    if not file and not folder and not context.cert_store_stats()["x509_ca"]:
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _basic(auth: str) -> str:
    return "Basic " + base64.b64encode(unquote(auth).encode()).decode()


def _token(variable: str) -> str:
    token = os.environ.get(variable, "").strip()
    if not token:
        what = f"${variable} is not set; it must hold Prometheus' token"
    elif not (token.isascii() and token.isprintable()):
        what = f"${variable} holds characters that cannot be sent; a token is printable ASCII"
    else:
        return token
    raise CredentialsError(what, state="nothing was touched", fix=f"export {variable}=...")
