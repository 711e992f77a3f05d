"""Records what a real Prometheus answers: writes each data set of cases.py into it, asks its queries, saves the answers.

    prometheus --config.file=EMPTY --storage.tsdb.path=NEW_DIRECTORY --storage.tsdb.retention.time=100y \\
        --web.enable-remote-write-receiver --web.listen-address=127.0.0.1:PORT
    python -m tests.sandbox.promql.record --url http://127.0.0.1:PORT

The server must be version 3, empty, without feature flags, and its configuration file empty (it must scrape nothing: its own
samples would be newer than the recorded ones, which it would then refuse as out of bounds). Nothing but httpx is needed: the
remote-write message (https://prometheus.io/docs/specs/prw/remote_write_spec/, version 1) is put together here, because a
staleness marker is a NaN with a bit pattern of its own that ordinary clients do not keep.
"""

from __future__ import annotations

import argparse
import json
import math
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx

from tests.sandbox.promql.cases import DATA_SETS, DataSet, Point

HERE = Path(__file__).parent
_STALE_BITS = 0x7FF0000000000002
_NAN_BITS = 0x7FF8000000000001


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--version", default="unknown", help="said of a server that does not know its own version")
    arguments = parser.parse_args()
    with httpx.Client(base_url=arguments.url, timeout=10, trust_env=False) as client:
        version = client.get("/api/v1/status/buildinfo").raise_for_status().json()["data"]["version"]
        for data_set in DATA_SETS:
            write(client, data_set)
            recorded = {
                "prometheus": version or arguments.version,
                "about": data_set.about,
                "series": [{"labels": labels, "points": points} for labels, points in data_set.series],
                "queries": [ask(client, query, time) for query, time in data_set.queries],
            }
            (HERE / f"{data_set.name}.json").write_text(_rows(recorded), encoding="utf-8")
            sys.stdout.write(f"{data_set.name}: {len(data_set.queries)} answers\n")


def ask(client: httpx.Client, query: str, time: str) -> dict[str, Any]:
    response = client.post("/api/v1/query", data={"query": query, "time": time})
    body = response.json()
    kept = {name: body[name] for name in ("status", "data", "errorType", "error") if name in body}
    return {"query": query, "time": time, "code": response.status_code, "answer": kept}


def _rows(recorded: dict[str, Any]) -> str:
    """JSON with one line for each series and each query, so that a diff shows what has changed."""
    fields = []
    for name, value in recorded.items():
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in value) if isinstance(value, list) else ""
        text = f"[\n{lines}\n]" if lines else json.dumps(value, ensure_ascii=False)
        fields.append(f"{json.dumps(name)}: {text}")
    return "{" + ",\n".join(fields) + "}\n"


def write(client: httpx.Client, data_set: DataSet) -> None:
    """One message per data set, each series' samples in time order."""
    message = b"".join(_field(1, _series(labels, points)) for labels, points in data_set.series)
    headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
    response = client.post("/api/v1/write", content=_snappy(message), headers=headers)
    if response.is_error:
        sys.exit(f"{data_set.name}: remote write refused ({response.status_code}): {response.text}")


def _series(labels: dict[str, str], points: Iterable[Point]) -> bytes:
    pairs = (_field(1, name.encode()) + _field(2, value.encode()) for name, value in sorted(labels.items()))
    samples = (b"\x09" + _bits(value) + b"\x10" + _varint(time_ms) for time_ms, value in points)
    return b"".join(_field(1, pair) for pair in pairs) + b"".join(_field(2, sample) for sample in samples)


def _bits(value: float | str) -> bytes:
    if value == "stale":
        return struct.pack("<Q", _STALE_BITS)
    number = float(value)
    return struct.pack("<Q", _NAN_BITS) if math.isnan(number) else struct.pack("<d", number)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    low = number & 0x7F
    return bytes([low]) if number < 0x80 else bytes([low | 0x80]) + _varint(number >> 7)


def _snappy(content: bytes) -> bytes:
    """The block format allows literals only: no compression, but valid."""
    pieces = (content[at : at + 65536] for at in range(0, len(content), 65536))
    return _varint(len(content)) + b"".join(b"\xf4" + struct.pack("<H", len(piece) - 1) + piece for piece in pieces)


if __name__ == "__main__":
    main()
