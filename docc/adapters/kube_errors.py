"""The API server's refusals -> docc's errors: one table. The server's own words are kept, cut and cleaned."""

from __future__ import annotations

import json
import re
from typing import Any

from docc.model.errors import Conflict, CredentialsError, DoccError, Gone, Refused, Unreachable, UnusableError

_WORDS_MAX = 500
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def refusal(status: int, data: bytes, verb: str, path: str) -> DoccError:
    """An answer of 300 and more as an error to raise."""
    found = _status(data)
    words = _clean(str(found.get("message") or data.decode("utf-8", "replace") or f"HTTP {status}"))
    where = f"{verb} {path}"
    if status == 401:
        fix = "log in again: the kubeconfig's token or exec plugin gave credentials that the server does not take"
        return CredentialsError("the cluster rejected your login (401)", where=where, why=words, fix=fix)
    if status == 403:
        fix = "ask an administrator of the cluster for a Role that allows it"
        return CredentialsError(f"you may not {verb} this object", where=where, why=words, fix=fix)
    if status == 404:
        if found.get("details", {}).get("name"):
            return Gone(words, where=where)
        return UnusableError("the cluster does not know this kind of object", where=where, why=words)
    if status in (409, 410):
        return Conflict(words, where=where)
    if status == 422 and not found.get("details", {}).get("causes"):
        return Conflict(words, where=where)
    if status == 429 or status >= 500:
        return Unreachable(f"the API server answered {status}", where=where, why=words)
    return Refused(f"the API server refuses the object ({status})", where=where, why=words)


def no_answer(server: str, error: Exception) -> Unreachable:
    """No answer at all: refused, reset, timed out, a name that does not resolve, or a certificate that is not trusted."""
    reason = getattr(error, "reason", None) or error
    words = _clean(re.sub(r"<[^>]*>:? ?", "", str(reason)))
    return Unreachable(f"{server} does not answer", why=words, fix="is it up? VPN? the right --context?")


def _status(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("details") or {}, dict) else {}


def _clean(words: str) -> str:
    text = _CONTROL.sub(" ", words)
    return text if len(text) <= _WORDS_MAX else text[: _WORDS_MAX - 3] + "..."
