"""The API server's refusals, and its silence -> docc's errors: one table. The server's own words are kept, cut and cleaned.

Whatever does not come from an API server (a login page, a proxy's error) says nothing about the object that was asked for.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from typing import Any

from docc.model.errors import (
    Conflict,
    CredentialsError,
    DoccError,
    Gone,
    Refused,
    UnknownKind,
    Unreachable,
    UnusableError,
)
from docc.model.secrets import masked

_WORDS_MAX = 500
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_NOT_ALLOWED = re.compile(r'User ".*" cannot ')
"""How RBAC words it; any other 403 is the admission's, about the object and not about who asks."""


def refusal(server: str, status: int, data: bytes, verb: str, path: str) -> DoccError:
    """An answer of 300 and more as an error to raise."""
    where, found = f"{verb} {path}", _status(data)
    if status != 401 and (status < 400 or status == 407 or (status < 500 and data.lstrip().startswith(b"<"))):
        return foreign(server, where, status, data)
    words, details = _words(found, data) or f"HTTP {status}", found.get("details") or {}
    if status == 401:
        fix = "log in again: the kubeconfig's token or exec plugin gave credentials that the server does not take"
        return CredentialsError("the cluster rejected your login (401)", where=where, why=words, fix=fix)
    if status == 403 and (not found or _NOT_ALLOWED.search(words)):
        fix = "ask an administrator of the cluster for a Role that allows it"
        return CredentialsError(f"you may not {verb} this object", where=where, why=words, fix=fix)
    if status == 404 and details.get("name"):
        return Gone(words, where=where)
    if status == 404:
        fix = "is what defines it (Gateway API, for one) installed?"
        return UnknownKind("the cluster does not know this kind of object", where=where, why=words, fix=fix)
    if status in (405, 406, 415):
        return UnusableError(f"the API server cannot do this ({status})", where=where, why=words)
    if status in (409, 410) or (status == 422 and not details.get("causes")):
        return Conflict(words, where=where)
    if status in (408, 429) or status >= 500:
        fix = "run the same command again in a moment"
        return Unreachable(f"the API server answered {status}", where=where, why=words, fix=fix)
    fix = "correct what the server names, then run the same command again"
    return Refused(f"the API server refuses the object ({status})", where=where, why=words, fix=fix)


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds; 0 where there are none. kube-apiserver never sends the other form, a date."""
    value = headers.get("Retry-After", "").strip()
    return float(value) if value.isascii() and value.isdigit() and len(value) < 10 else 0.0


def foreign(server: str, where: str, status: int, data: bytes) -> Unreachable:
    """An answer that no API server gives. Like none at all: whether a write was carried out is unknown."""
    words = _words({}, data)
    why = f"HTTP {status} with " + (f"something that is not JSON: {words}" if words else "nothing in it")
    fix = "is the address in the kubeconfig right? is there a proxy or a login page in between?"
    return Unreachable(f"{server} does not answer as an API server does", where=where, why=why, fix=fix)


def misshapen(server: str, where: str) -> Unreachable:
    """JSON, and no object of an API server."""
    return Unreachable(
        f"{server} does not answer as an API server does",
        where=where,
        why="what it calls an object has no name, or labels that are none",
        fix="is the address in the kubeconfig right? is there something in between?",
    )


def is_object(body: Any) -> bool:
    """What everything has that an API server stores."""
    meta = body.get("metadata") if isinstance(body, dict) else None
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str):
        return False
    return all(isinstance(meta.get(name) or {}, dict) for name in ("labels", "annotations"))


def no_answer(server: str, where: str, error: Exception) -> Unreachable:
    """No answer at all: refused, reset, timed out, a name that does not resolve, or a certificate that is not trusted."""
    root = _innermost(error)
    why = cause(error)
    if isinstance(root, ssl.SSLError) or "ssl" in type(root).__name__.lower():
        fix = "the certificate-authority of the kubeconfig must be this cluster's; is there a proxy in between?"
        return Unreachable(f"{server} is not trusted: TLS failed", where=where, why=why, fix=fix)
    return Unreachable(f"{server} does not answer", where=where, why=why, fix="is it up? VPN? the right --context?")


def cause(error: BaseException) -> str:
    """Of what a transport raises, the words of what is behind it, without names and passwords of a URL."""
    if isinstance(error, DoccError):
        return f"{error.what}: {error.why}" if error.why else error.what
    root = _innermost(error)
    if type(root).__name__ == "IncompleteRead":
        return "the connection was closed before the answer was whole"
    words = re.sub(r"<[^>]*>:? ?|^\w+\(host='[^']*', port=(\d+|None)\): ", "", str(root))
    return clean(re.sub(r"//[^/@\s]*@", "//", words)) or type(root).__name__


def clean(words: str) -> str:
    """Masked before it is cut, since half a secret is not recognised as one."""
    text = masked(_CONTROL.sub(" ", words).strip())
    return text if len(text) <= _WORDS_MAX else text[: _WORDS_MAX - 3] + "..."


def _innermost(error: BaseException) -> BaseException:
    """What urllib3 wraps, as its reason or last argument."""
    for inner in (getattr(error, "reason", None), *reversed(error.args)):
        if isinstance(inner, BaseException):
            return _innermost(inner)
    return error


def _words(found: dict[str, Any], data: bytes) -> str:
    """Of a Status its message; of anything else the text, without an HTML page's tags and styles."""
    if found.get("message"):
        return clean(str(found["message"]))
    text = data[: _WORDS_MAX * 20].decode("utf-8", "replace")
    if text.lstrip().startswith("<"):
        text = re.sub(r"<(style|script)\b.*?(</\1>|$)|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
    return clean(re.sub(r"\s+", " ", text))


def _status(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("details") or {}, dict) else {}
