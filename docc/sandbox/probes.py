"""One probe, really made: "" when it passes, else why not, in the kubelet's words."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any


async def ask(probe: Mapping[str, Any], address: str, ports: Mapping[str, int], seconds: float) -> str:
    """ports: container ports by number, as mapped by the node."""
    target = probe.get("httpGet") or probe["tcpSocket"]
    port = ports.get(str(target["port"]), target["port"])
    try:
        return await asyncio.wait_for(_ask(probe, address, int(port)), seconds)
    except TimeoutError:
        return f"no answer from {address}:{port} in {seconds:g} s"
    except OSError as error:
        return f"dial tcp {address}:{port}: {error.strerror or error}"


async def _ask(probe: Mapping[str, Any], address: str, port: int) -> str:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        if "httpGet" not in probe:
            return ""
        path = probe["httpGet"].get("path", "/")
        head = (
            f"GET {path} HTTP/1.1\r\nHost: {address}:{port}\r\nUser-Agent: kube-probe/1.36\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode())
        words = (await reader.readline()).split()
        code = int(words[1]) if len(words) > 1 else 0
        return "" if 200 <= code < 400 else f"HTTP probe failed with statuscode: {code}"
    finally:
        writer.close()
