"""Records what a real Prometheus answers: writes each data set of cases.py into it, asks its queries, saves the answers.

    python -m tests.sandbox.promql.record [--url http://ADDRESS:PORT --version 3.x.y]

Without --url it is the test cluster's own (tests/cluster/build), started here for as long as this takes. Any other must be
version 3, empty, without feature flags, take remote writes, keep samples for a hundred years, and scrape nothing: its own
samples would be newer than the recorded ones, which it would then refuse as out of bounds. Nothing but httpx is needed: the
remote-write message (https://prometheus.io/docs/specs/prw/remote_write_spec/, version 1) is put together here, because a
staleness marker is a NaN with a bit pattern of its own that ordinary clients do not keep.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import re
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.build import builder
from tests.cluster.build.builder import of_the_cluster
from tests.sandbox.promql.cases import DATA_SETS, DataSet, Point

HERE = Path(__file__).parent
_PORT = 19377
_STALE_BITS = 0x7FF0000000000002
_NAN_BITS = 0x7FF8000000000001


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="of a server that runs")
    parser.add_argument("--version", default="unknown", help="said of a server that does not know its own version")
    arguments = parser.parse_args()
    if arguments.url:
        record(arguments.url, arguments.version)
        return
    with tempfile.TemporaryDirectory() as folder, own(Path(folder)) as url:
        record(url, _module_version())


def record(url: str, otherwise: str) -> None:
    """otherwise: the version of a server that does not know it."""
    with httpx.Client(base_url=url, timeout=10, trust_env=False) as client:
        version = client.get("/api/v1/status/buildinfo").raise_for_status().json()["data"]["version"]
        for data_set in DATA_SETS:
            write(client, data_set)
            recorded = {
                "prometheus": version or otherwise,
                "about": data_set.about,
                "series": [{"labels": labels, "points": points} for labels, points in data_set.series],
                "queries": [ask(client, query, time) for query, time in data_set.queries],
            }
            (HERE / f"{data_set.name}.json").write_text(_rows(recorded), encoding="utf-8")
            sys.stdout.write(f"{data_set.name}: {len(data_set.queries)} answers\n")


@contextlib.contextmanager
def own(folder: Path) -> Iterator[str]:
    """The URL of the test cluster's Prometheus, empty, with its data in this folder."""
    (folder / "config.yml").touch()
    url, executable = f"http://127.0.0.1:{_PORT}", of_the_cluster().folder("prometheus") / "prometheus"
    with subprocess.Popen(
        [
            str(executable), f"--config.file={folder / 'config.yml'}", f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=100y", "--web.enable-remote-write-receiver",
            f"--web.listen-address=127.0.0.1:{_PORT}", "--log.level=error",
        ]
    ) as process:  # fmt: skip
        try:
            _await(url, process)
            yield url
        finally:
            process.terminate()


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < limit:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200:
                return
        time.sleep(0.1)
    sys.exit("the test cluster's Prometheus does not start")


def _module_version() -> str:
    """A module's build does not know its version; the module's own number tells it: v0.316.0 is 3.16.0."""
    text = (Path(builder.__file__).parent / "prometheus" / "go.mod").read_text(encoding="utf-8")
    found = re.search(r"github\.com/prometheus/prometheus (v0\.(\d)(\d\d)\.(\d+))", text)
    return f"{found[2]}.{int(found[3])}.{found[4]} (built from module {found[1]})" if found else "unknown"


def ask(client: httpx.Client, query: str, at: str) -> dict[str, Any]:
    response = client.post("/api/v1/query", data={"query": query, "time": at})
    body = response.json()
    kept = {name: body[name] for name in ("status", "data", "errorType", "error") if name in body}
    return {"query": query, "time": at, "code": response.status_code, "answer": kept}


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
