"""The stand-in app that every image runs in the sandbox. Started with -S -E: it must import little and start fast.

Reads HOST, PORT, VERSION, APP, ERROR_RATE (0 to 1), LATENCY_MS, CRASH_AFTER (seconds), NEVER_READY from its environment.
Errors are spread evenly, not by chance: of any 10 answers at 0.3, 3 are 500. Probes and scrapes are not counted.
"""

import asyncio
import os
import signal
import sys

VERSION, APP = os.environ.get("VERSION", "dev"), os.environ.get("APP", "demo_app")
ERROR_RATE = float(os.environ.get("ERROR_RATE", "0"))
LATENCY = float(os.environ.get("LATENCY_MS", "0")) / 1000
counts: "dict[int, int]" = {}
debt = 0.0


def metrics() -> bytes:
    rows = [
        f'http_requests_total{{app="{APP}",code="{c}",version="{VERSION}"}} {n}\n' for c, n in sorted(counts.items())
    ]
    return ("# TYPE http_requests_total counter\n" + "".join(rows)).encode()


async def answer(head: str) -> "tuple[int, bytes]":
    global debt
    path = head.split(" ", 2)[1]
    if path == "/metrics":
        return 200, metrics()
    if "kube-probe/" in head:
        return (503, b"not ready\n") if os.environ.get("NEVER_READY") else (200, b"ok\n")
    if LATENCY:
        await asyncio.sleep(LATENCY)
    debt += ERROR_RATE
    code = 200
    if debt >= 1 - 1e-9:
        debt, code = debt - 1, 500
    counts[code] = counts.get(code, 0) + 1
    return code, f"{VERSION}\n".encode()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            for row in head.lower().split("\r\n"):
                if row.startswith("content-length:"):
                    await reader.readexactly(int(row.split(":", 1)[1]))
            code, body = await answer(head)
            status = f"HTTP/1.1 {code} {'OK' if code == 200 else 'Error'}\r\nx-version: {VERSION}\r\n"
            lines = f"content-type: text/plain; version=0.0.4\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write((status + lines).encode() + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError, IndexError, ValueError):
        pass
    finally:
        writer.close()


async def main() -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    if os.environ.get("CRASH_AFTER"):
        loop.call_later(float(os.environ["CRASH_AFTER"]), crash)
    server = await asyncio.start_server(serve, os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080")))
    sys.stdout.write(f"{VERSION} listens on port {os.environ.get('PORT', '8080')}\n")
    sys.stdout.flush()
    await ended.wait()
    server.close()


def crash() -> None:
    sys.stdout.write(f"{VERSION} panics: it was told to crash\n")
    sys.stdout.flush()
    os._exit(1)


if __name__ == "__main__":
    asyncio.run(main())
