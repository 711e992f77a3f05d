"""What a request carries: JSON, as strictly as an API server reads it. Raises StoreError 400 and 415."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from aiohttp import web

from docc.sandbox.refusals import StoreError, bad

Object = dict[str, Any]
SPOKEN = "the sandbox speaks get, list, watch, create, update, merge patch, JSON patch and delete"
_PATCHES = {"application/merge-patch+json": "merge", "application/json-patch+json": "json"}
_REFUSED = {
    "application/apply-patch+yaml": " (server-side apply)",
    "application/apply-patch+cbor": " (server-side apply)",
    "application/strategic-merge-patch+json": " (strategic merge patch)",
}


async def read_object(request: web.Request) -> Object:
    """A JSON object; no Content-Type counts as JSON, as in a real API server."""
    if "Content-Type" in request.headers and request.content_type != "application/json":
        raise _media_type(request, "application/json")
    body = await _json(request)
    if not isinstance(body, dict):
        raise bad("the body of the request must be a JSON object")
    return body


async def read_patch(request: web.Request) -> tuple[Any, str]:
    """(patch, form): form is merge or json."""
    form = _PATCHES.get(request.content_type)
    if form is None:
        raise _media_type(request, ", ".join(sorted(_PATCHES)))
    return await _json(request), form


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.text(), parse_constant=_no_number)
    except RecursionError as error:
        raise bad("the body of the request is nested too deeply") from error
    except (ValueError, LookupError) as error:  # LookupError: a charset that does not exist
        raise bad(f"the body of the request is not JSON: {error}") from error


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _media_type(request: web.Request, accepted: str) -> StoreError:
    named = f"{request.content_type}{_REFUSED.get(request.content_type, '')}"
    message = f"the sandbox does not speak {named} here: accepted media types include {accepted}; {SPOKEN}"
    return StoreError(415, "UnsupportedMediaType", message)
