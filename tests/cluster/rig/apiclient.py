"""The Kubernetes API as the node and the supervisor need it: requests, and lists that are kept by watches. Knows no kind."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from tests.cluster.rig.credentials import token_of
from tests.cluster.rig.layout import API_URL

Object = dict[str, Any]
AGAIN_SECONDS = 0.2
MERGE = "application/merge-patch+json"


class ApiError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ApiClient:
    """A context manager. agent: the User-Agent in the audit log."""

    def __init__(self, kubeconfig: Path, certificate: Path, agent: str) -> None:
        headers = {"Authorization": f"Bearer {token_of(kubeconfig)}", "User-Agent": agent}
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(certificate)), limit=0)
        self._session = aiohttp.ClientSession(API_URL, connector=connector, headers=headers, trust_env=False)

    async def __aenter__(self) -> ApiClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def text(self, path: str, method: str = "GET", **request: Any) -> str:
        """The answer as it is. Raises ApiError."""
        async with self._session.request(method, path, **request) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise ApiError(answer.status, text)
            return text

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Object:
        return await self._send("GET", path, params=params or {})

    async def post(self, path: str, body: Object) -> Object:
        return await self._send("POST", path, json=body)

    async def patch(self, path: str, body: Any, form: str = MERGE) -> Object:
        return await self._send("PATCH", path, data=json.dumps(body), headers={"Content-Type": form})

    async def delete(self, path: str, body: Object) -> Object:
        return await self._send("DELETE", path, json=body)

    async def snapshots(self, path: str, field_selector: str) -> AsyncIterator[dict[str, Object]]:
        """All objects of a list by uid: at first, and after each change. Raises ApiError 401 and 403; waits out the rest."""
        params = {"fieldSelector": field_selector}
        while True:
            try:
                listing = await self.get(path, params)
                found = {item["metadata"]["uid"]: item for item in listing.get("items") or []}
                yield found
                version = listing["metadata"]["resourceVersion"]
                async for change in self._changes(path, {**params, "watch": "1", "resourceVersion": version}):
                    body = change["object"]
                    if change["type"] == "ERROR":
                        break
                    if change["type"] == "DELETED":
                        found.pop(body["metadata"]["uid"], None)
                    else:
                        found[body["metadata"]["uid"]] = body
                    yield found
            except ApiError as error:
                if error.code in (401, 403):
                    raise
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(AGAIN_SECONDS)

    async def _changes(self, path: str, params: Mapping[str, str]) -> AsyncIterator[Object]:
        forever = aiohttp.ClientTimeout(total=None)
        async with self._session.get(path, params=params, timeout=forever) as answer:
            if answer.status != 200:
                raise ApiError(answer.status, await answer.text())
            rest = b""
            async for (
                chunk
            ) in answer.content.iter_any():  # not by lines: an object may be longer than aiohttp allows a line
                *whole, rest = (rest + chunk).split(b"\n")
                for row in whole:
                    yield json.loads(row)

    async def _send(self, method: str, path: str, **request: Any) -> Object:
        found: Object = json.loads(await self.text(path, method, **request))
        return found
