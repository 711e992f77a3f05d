"""Clients in a process of their own, as long as a block lasts. They end with it, and with this process, however that ends.

Knows how they are started and where their lines are (those of docc.sandbox.load); judges nothing but that they kept their pace.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docc.sandbox.processes import tied
from tests.cluster.rig.cluster import Cluster
from tests.cluster.rig.session import ROOT

Object = dict[str, Any]
BEGUN_SECONDS_MAX, ENDED_SECONDS_MAX = 60.0, 20.0
PACE = 0.75
"""Of the rate: with fewer requests than this, a figure would be about other users than it says."""
_FIRST = ("nice", "-n", "-10")
"""Who measures does not wait for what is measured, when both want the same two cores."""


@dataclass(frozen=True, slots=True)
class Clients:
    """file: gets a line for each request."""

    file: Path

    @property
    def rows(self) -> list[Object]:
        """What they have been answered so far, in the order of the answers."""
        return [json.loads(row) for row in self._text().splitlines(keepends=True) if row.endswith("\n")]

    @property
    def count(self) -> int:
        return self._text().count("\n")

    def _text(self) -> str:
        return self.file.read_text(encoding="utf-8") if self.file.exists() else ""


@contextmanager
def through(address: str, host: str, rate: int, file: Path, header: tuple[str, str] | None = None) -> Iterator[Clients]:
    """Through the Envoy at this address. header: what every tenth request has besides."""
    some = ["--header", *header] if header else []
    with _asking(["docc.sandbox.load", address, str(rate), str(file), host, *some], rate, file) as clients:
        yield clients


@contextmanager
def of_service(cluster: Cluster, namespace: str, name: str, rate: int, file: Path) -> Iterator[Clients]:
    """As kube-proxy would send them (service_load.py)."""
    who = [cluster.session.kubeconfig, str(cluster.layout.certificate), namespace, name]
    with _asking(["tests.cluster.acceptance.service_load", *who, str(rate), str(file)], rate, file) as clients:
        yield clients


@contextmanager
def _asking(words: Sequence[str], rate: int, file: Path) -> Iterator[Clients]:
    clients, limit = Clients(file), time.monotonic() + BEGUN_SECONDS_MAX
    with subprocess.Popen(tied([*_FIRST, sys.executable, "-m", *words]), cwd=ROOT) as load:
        try:
            while clients.count < 20:
                assert load.poll() is None and time.monotonic() < limit, f"no client has begun: {words}"
                time.sleep(0.05)
            yield clients
        finally:
            load.terminate()
            load.wait(ENDED_SECONDS_MAX)
    sent = [row["sent"] for row in clients.rows]
    assert len(sent) >= PACE * rate * (max(sent) - min(sent)), f"{len(sent)} requests in {max(sent) - min(sent):.1f} s"
