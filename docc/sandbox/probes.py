"""Probes: one really made, in the kubelet's words, and the counting that turns answers into a state."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]
KINDS = ("startupProbe", "readinessProbe", "livenessProbe")


@dataclass(slots=True)
class Tally:
    """successThreshold answers in a row to pass, failureThreshold to fail. passing: None until the first is reached."""

    passing: bool | None = None
    good: int = 0
    bad: int = 0

    def note(self, problem: str, probe: Object) -> bool:
        """Counts one answer; True if the state has changed with it."""
        self.good, self.bad = (0, self.bad + 1) if problem else (self.good + 1, 0)
        before = self.passing
        if self.good >= probe["successThreshold"]:
            self.passing = True
        elif self.bad >= probe["failureThreshold"]:
            self.passing = False
        return self.passing is not before


async def ask(probe: Object, address: str, port: int) -> str:
    """ "" when the probe passes, else why not. port: the probe's own, as the node has mapped it."""
    target = f"{address}:{port}"
    asked = f'Get "http://{target}{_path(probe)}": ' if "httpGet" in probe else ""
    try:
        async with asyncio.timeout(probe["timeoutSeconds"]):
            return await _ask(probe, address, port)
    except TimeoutError:
        return asked + ("context deadline exceeded" if asked else f"dial tcp {target}: i/o timeout")
    except OSError as error:
        return f"{asked}dial tcp {target}: connect: {os.strerror(error.errno or 0).lower()}"
    except ValueError:
        return f"{asked}malformed HTTP response"


async def listens(address: str, port: int, seconds: float) -> bool:
    """Waits for somebody to take connections there."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + seconds
    while True:
        try:
            _, writer = await asyncio.open_connection(address, port)
            writer.close()
            return True
        except OSError:
            if loop.time() >= limit:
                return False
            await asyncio.sleep(0.05)


async def _ask(probe: Object, address: str, port: int) -> str:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        if "httpGet" not in probe:
            return ""
        own = {str(h["name"]): str(h["value"]) for h in probe["httpGet"].get("httpHeaders") or []}
        headers = {"Host": f"{address}:{port}", "User-Agent": "kube-probe/1.36", "Connection": "close", **own}
        rows = [f"GET {_path(probe)} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*rows, "", ""]).encode())
        words = (await reader.readline()).split()
        if len(words) < 2:
            raise ValueError
        code = int(words[1])
        return "" if 200 <= code < 400 else f"HTTP probe failed with statuscode: {code}"
    finally:
        writer.close()


def _path(probe: Object) -> str:
    path = str(probe["httpGet"].get("path") or "/") if "httpGet" in probe else ""
    return path if path.startswith("/") or not path else f"/{path}"
