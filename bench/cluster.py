"""Rollouts on the cluster, counted by its API server, Envoy and the load: `python -m bench.cluster [RUNS [POLL [HEALTHY]]]`.

As the peers were measured: 100 requests/s, a canary at 10 %, Prometheus scraping every 2 s, 30 % of the bad version's answers
are 500; each run begins at a random phase of the scrape, application and scrape are left alone. For each bad run: from the
first answer of Prometheus that shows the breach (asked ten times a second by an observer of its own) to the last request
that the bad version got (goal: POLL + 0.5 s); exposure, beside the part of it that nobody could have known (its floor); what
it cost, with preflight's look at what others have there. HEALTHY canaries of five steps before: API requests by verb (goal 30
without renewals of the Lease), seconds beyond the intervals and the drain (goal 3).
"""

from __future__ import annotations

import contextlib
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from docc.core.permissions import DRIVE, EXPLAIN, PREFLIGHT
from tests.cluster.acceptance.app import App
from tests.cluster.acceptance.traffic import Traffic, counted
from tests.cluster.rig import session
from tests.cluster.rig.cluster import Cluster

SCRAPE, INTERVAL, DRAIN, STEPS, RATE = 2.0, 4.0, 2.0, 5, 100
RUNS, HEALTHY, RENEW = 20, 5, "renew"
RATIO = (
    "sum(rate(http_requests_total{{deployment='{0}',namespace='{1}',code='500'}}[6s])) / "
    "sum(rate(http_requests_total{{deployment='{0}',namespace='{1}'}}[6s]))"
)


@dataclass(slots=True)
class Run:
    """One docc process: when it began and ended (unix seconds), by which version it was about, what it asked and took (MiB).
    api: by verb, without renewals of the Lease, which are `renewals`."""

    version: str
    began: float = 0.0
    ended: float = 0.0
    visible: float = 0.0
    code: int = 0
    api: Counter[str] = field(default_factory=Counter)
    renewals: int = 0
    memory: float = 0.0

    @property
    def beyond(self) -> float:
        """Of a healthy canary's seconds, those that no manifest asked for."""
        return self.ended - self.began - (STEPS - 1) * INTERVAL - DRAIN


@dataclass(frozen=True, slots=True)
class Bad:
    """What a bad version did to users. Times in seconds."""

    late: float
    exposed: float
    floor: float
    requests: int
    errors: int


def drive(app: App, image: str, version: str) -> Run:
    """A deploy, to its end."""
    run, before = Run(version, began=time.time()), len(app.audited())
    driver, peaks = app.start(image, "--yes"), [0.0]
    watcher = threading.Thread(target=_watch_memory, args=(driver.pid, peaks))
    watcher.start()
    run.code = app.ended(driver).code
    run.ended = time.time()
    watcher.join()
    run.memory = peaks[-1]
    time.sleep(0.3)  # the audit log is a moment late
    run.api = counted(app.audited()[before:])
    run.renewals = run.api.pop(RENEW, 0)
    return run


def _watch_memory(pid: int, peaks: list[float]) -> None:
    """Adds the peak so far, until the process has ended."""
    while (found := peak(pid)) is not None:
        peaks.append(found)
        time.sleep(0.1)


def peak(pid: int) -> float | None:
    """MiB of the program that runs there now, at most until now; None when it has ended. (The ru_maxrss that wait4 tells is
    that of whoever started it, if that had more: it outlives exec.)"""
    with contextlib.suppress(OSError):
        rows = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        return next((int(row.split()[1]) / 1024 for row in rows if row.startswith("VmHWM:")), None)
    return None


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
    return Bad(
        late=max(sent) - run.visible,
        exposed=max(sent) - min(sent),
        floor=run.visible - min(sent),
        requests=len(rows),
        errors=sum(1 for row in rows if row["status"] >= 500),
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """bad: what each of the runs `failing` did."""

    healthy: list[Run]
    failing: list[Run]
    bad: list[Bad]
    seen: Traffic


def measured(app: App, runs: int, poll: float, healthy: int = HEALTHY) -> Measured:
    """Raises AssertionError where a run does not end as it must, or users lose a request."""
    condition = {"name": "Errors", "expression": RATIO.format("$canary", "$namespace") + " > 0.05"}
    app.strategy = {
        "canary": {"increment": 100 // STEPS, "interval": INTERVAL}, "bake": 0, "poll": poll, "drain": DRAIN,
        "failure_conditions": [condition],
    }  # fmt: skip
    app.serves()
    with app.traffic(RATE) as seen:
        good = [drive(app, f"demo:v{number}", f"v{number}") for number in range(2, 2 + healthy)]
        assert not any(run.code for run in good), "a healthy canary did not end well"
        app.strategy |= {"canary": {"increment": 10, "interval": 60}}
        failing = [bad(app, 2 + healthy + number) for number in range(runs)]
    return Measured(good, failing, [figures(run, seen) for run in failing], seen)


def table(found: Measured, *, poll: float) -> str:
    bad, failing, healthy, seen = found.bad, found.failing, found.healthy, found.seen
    limit = {1.0: "40 in the median", 5.0: "65 in the median"}.get(poll, "")
    return "\n".join([
        f"{len(bad)} bad versions at 10 % of {RATE} requests/s, scrape {SCRAPE:g} s, poll {poll:g} s",
        "", *_HEAD,
        _row("breach visible to last bad request, s", [b.late for b in bad], f"{poll + 0.5:g}"),
        _row("requests to the bad version", [b.requests for b in bad], limit),
        _row("errors among them", [b.errors for b in bad]),
        _row("exposed, s", [b.exposed for b in bad]),
        _row("of these nobody could know, s", [b.floor for b in bad]),
        *_costs(failing),
        "", f"{len(healthy)} healthy canaries of {STEPS} steps", "", *_HEAD,
        _row("beyond intervals and drain, s", [run.beyond for run in healthy], "3"),
        *_costs(healthy),
        "", f"{seen.account.requests} requests in all, {seen.account.failed} failed.",
    ])  # fmt: skip


_HEAD = ("| | median | most | goal |", "|---|---|---|---|")


def _row(name: str, values: Sequence[float], goal: str = "") -> str:
    return f"| {name} | {statistics.median(values):.4g} | {max(values):.4g} | {goal} |"


def _costs(runs: Sequence[Run]) -> list[str]:
    verbs = sorted({verb for run in runs for verb in run.api})
    return [
        _row("API requests, without renewals of the Lease", [run.api.total() for run in runs], "30"),
        *(_row(f"of these {verb}", [run.api[verb] for run in runs]) for verb in verbs),
        _row("renewals", [run.renewals for run in runs]),
        _row("memory of docc, MiB", [run.memory for run in runs], "60"),
    ]


def main(runs: int = RUNS, poll: float = 1.0, healthy: int = HEALTHY) -> None:
    folder = session.default_folder().with_name("benchcluster")
    running = session.up(folder, scrape_seconds=SCRAPE)
    try:
        with session.inside(running), tempfile.TemporaryDirectory() as scratch:
            cluster = Cluster(running)
            namespace = cluster.make_namespace("bench")
            rights = (*DRIVE, *EXPLAIN, *PREFLIGHT)
            found = measured(App(cluster, namespace, Path(scratch), rights=rights), runs, poll, healthy)
            cluster.close()
        sys.stdout.write(table(found, poll=poll) + "\n")
    except subprocess.SubprocessError as error:
        sys.exit(str(error))
    finally:
        session.down(folder)


if __name__ == "__main__":
    main(*(kind(word) for kind, word in zip((int, float, int), sys.argv[1:], strict=False)))
