"""Rollouts on the test cluster, counted by its API server, its Envoy and the load: `python -m bench.cluster [RUNS] [POLL]`.

As the peers were measured: 100 requests/s, a canary at 10 %, Prometheus scraping every 2 s, 30 % of the bad version's answers
are 500; each run begins at a random phase of the scrape, application and scrape are left alone. For each bad run: from the
first answer of Prometheus that shows the breach (asked ten times a second by an observer of its own) to the last request
that the bad version got (goal: POLL + 0.5 s); exposure, beside the part of it that nobody could have known (its floor); what
it cost, with preflight's look at what others have there. One healthy canary of five steps: API requests by verb (goal 30
without renewals of the Lease), seconds beyond the intervals and the drain (goal 3).
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from docc.core.permissions import DRIVE, EXPLAIN, PREFLIGHT
from tests.cluster.acceptance.app import App
from tests.cluster.acceptance.traffic import Traffic, counted
from tests.cluster.rig import session
from tests.cluster.rig.cluster import Cluster

SCRAPE, INTERVAL, DRAIN, STEPS, RATE = 2.0, 4.0, 2.0, 5, 100
RATIO = (
    "sum(rate(http_requests_total{{deployment='{0}',namespace='{1}',code='500'}}[6s])) / "
    "sum(rate(http_requests_total{{deployment='{0}',namespace='{1}'}}[6s]))"
)


@dataclass(frozen=True, slots=True)
class Bad:
    """Times in seconds, memory in MiB."""

    late: float
    exposed: float
    floor: float
    requests: int
    errors: int
    api: int
    memory: float


@dataclass(slots=True)
class Run:
    """One docc process: when it began and ended, by which version it was about, what it asked and took."""

    version: str
    began: float = 0.0
    ended: float = 0.0
    visible: float = 0.0
    code: int = 0
    api: Counter[str] | None = None
    memory: float = 0.0


def drive(app: App, image: str, version: str) -> Run:
    """A deploy, to its end."""
    run, before = Run(version, began=time.time()), len(app.audited())
    driver = app.start(image, "--yes")
    assert driver.stdout is not None and driver.stderr is not None
    with driver.stdout, driver.stderr:
        readers = [threading.Thread(target=stream.read) for stream in (driver.stdout, driver.stderr)]
        for reader in readers:
            reader.start()
        _, status, used = os.wait4(driver.pid, 0)
        for reader in readers:
            reader.join()
    driver.returncode = os.waitstatus_to_exitcode(status)
    run.ended, run.code, run.memory = time.time(), driver.returncode, used.ru_maxrss / 1024
    time.sleep(0.3)  # the audit log is a moment late
    run.api = counted(app.audited()[before:])
    return run


def bad(app: App, number: int) -> Run:
    ended, visible = threading.Event(), list[float]()
    query = {"query": RATIO.format(f"shop-v{number}", app.namespace)}

    def observe() -> None:
        with httpx.Client(base_url=app.cluster.session.prometheus, trust_env=False) as prometheus:
            while not ended.wait(0.1) and not visible:
                result = prometheus.get("/api/v1/query", params=query).json()["data"]["result"]
                if result and float(result[0]["value"][1]) > 0.05:
                    visible.append(time.time())

    time.sleep(SCRAPE * random.random())
    observer = threading.Thread(target=observe)
    observer.start()
    run = drive(app, f"demo:v{number}-err30", f"v{number}")
    ended.set()
    observer.join()
    assert run.code == 10 and visible, f"the bad version ended with {run.code}"
    run.visible = visible[0]
    return run


def figures(run: Run, seen: Traffic) -> Bad:
    rows = [row for row in seen.rows if row["version"] == run.version]
    sent = [float(row["sent"]) for row in rows]
    asked = sum((run.api or Counter()).values()) - (run.api or Counter())["renew"]
    return Bad(
        late=max(sent) - run.visible,
        exposed=max(sent) - min(sent),
        floor=run.visible - min(sent),
        requests=len(rows),
        errors=sum(1 for row in rows if row["status"] >= 500),
        api=asked,
        memory=run.memory,
    )


def measured(app: App, runs: int, poll: float) -> tuple[Run, list[Bad], Traffic]:
    condition = {"name": "Errors", "expression": RATIO.format("$canary", "$namespace") + " > 0.05"}
    app.strategy = {
        "canary": {"increment": 100 // STEPS, "interval": INTERVAL}, "bake": 0, "poll": poll, "drain": DRAIN,
        "failure_conditions": [condition],
    }  # fmt: skip
    app.serves()
    with app.traffic(RATE) as seen:
        healthy = drive(app, "demo:v2", "v2")
        assert healthy.code == 0, "the healthy canary did not end well"
        app.strategy |= {"canary": {"increment": 10, "interval": 60}}
        found = [bad(app, 3 + number) for number in range(runs)]
    return healthy, [figures(run, seen) for run in found], seen


def table(healthy: Run, found: list[Bad], seen: Traffic, *, poll: float) -> str:
    def row(name: str, values: list[float], goal: str = "") -> str:
        return f"| {name} | {statistics.median(values):.4g} | {max(values):.4g} | {goal} |"

    api = healthy.api or Counter()
    asked = dict(sorted((verb, count) for verb, count in api.items() if verb != "renew"))
    beyond = healthy.ended - healthy.began - (STEPS - 1) * INTERVAL - DRAIN
    limit = {1.0: "40 in the median", 5.0: "65 in the median"}.get(poll, "")
    return "\n".join([
        f"{len(found)} bad versions at 10 % of {RATE} requests/s, scrape {SCRAPE:g} s, poll {poll:g} s",
        "", "| | median | most | goal |", "|---|---|---|---|",
        row("breach visible to last bad request, s", [b.late for b in found], f"{poll + 0.5:g}"),
        row("requests to the bad version", [b.requests for b in found], limit),
        row("errors among them", [b.errors for b in found]),
        row("exposed, s", [b.exposed for b in found]),
        row("of these nobody could know, s", [b.floor for b in found]),
        row("API requests, without renewals of the Lease", [b.api for b in found]),
        row("memory of docc, MiB", [b.memory for b in found], "60"),
        "",
        f"Healthy canary of {STEPS} steps: {sum(asked.values())} API requests {asked} (goal 30), {api['renew']} renewals, "
        f"{beyond:.1f} s beyond intervals and drain (goal 3), {healthy.memory:.0f} MiB.",
        f"{seen.account.requests} requests in all, {seen.account.failed} failed.",
    ])  # fmt: skip


def main(runs: int, poll: float) -> None:
    folder = session.default_folder().with_name("benchcluster")
    running = session.up(folder, scrape_seconds=SCRAPE)
    try:
        with session.inside(running), tempfile.TemporaryDirectory() as scratch:
            cluster = Cluster(running)
            namespace = cluster.make_namespace("bench")
            rights = (*DRIVE, *EXPLAIN, *PREFLIGHT)
            found: Any = measured(App(cluster, namespace, Path(scratch), rights=rights), runs, poll)
            cluster.close()
        sys.stdout.write(table(*found, poll=poll) + "\n")
    except subprocess.SubprocessError as error:
        sys.exit(str(error))
    finally:
        session.down(folder)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, float(sys.argv[2]) if len(sys.argv) > 2 else 1.0)
