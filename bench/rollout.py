"""Rollouts on the sandbox, counted by its API server and by the load: `python bench/rollout.py [RUNS]`.

A healthy canary of five steps: API requests by verb (Lease renewals apart, goal 30), seconds beyond its intervals (goal 3).
RUNS bad ones, at a random phase against the scrape: seconds from the first answer of Prometheus that shows the breach (asked
ten times a second by an observer of its own) to the last request that the bad version got (goal: poll + 0.5 s).
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from docc.sandbox import session

POLL, INTERVAL, DRAIN, STEPS = 1.0, 4.0, 2.0, 5


def ratio(deployment: str) -> str:
    every = f"deployment='{deployment}'"
    return f"sum(rate(http_requests_total{{{every},code='500'}}[4s])) / sum(rate(http_requests_total{{{every}}}[4s]))"


def manifest() -> dict[str, Any]:
    container = {"image": "demo:v1", "ports": [{"port": 8080}], "readiness": {"path": "/"}}
    strategy = {
        "canary": {"increment": 100 // STEPS, "interval": INTERVAL}, "bake": 0, "poll": POLL, "drain": DRAIN,
        "failure_conditions": [{"name": "Errors", "expression": ratio("$canary") + " > 0.05"}],
    }  # fmt: skip
    return {
        "application": {"name": "shop", "scale": 2, "containers": {"web": container}},
        "deployment_strategy": strategy,
    }


class World:
    def __init__(self, folder: Path) -> None:
        self.folder, self.session = folder, session.up(folder / "s")
        (folder / "m.json").write_text(json.dumps(manifest()))
        words = [sys.executable, "-m", "docc.sandbox.load", self.session.gateway, "100", str(folder / "load.jsonl")]
        self.load = subprocess.Popen(words)

    def deploy(self, image: str) -> None:
        words = [sys.executable, "-m", "docc", "deploy", str(self.folder / "m.json"), "--image", image]
        words += ["--kubeconfig", self.session.kubeconfig, "--prometheus-url", self.session.prometheus]
        subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def rows(self, path: str) -> list[dict[str, Any]]:
        return [json.loads(row) for row in Path(path).read_text().splitlines()]

    def answers(self) -> list[dict[str, Any]]:
        return self.rows(str(self.folder / "load.jsonl"))

    def close(self) -> None:
        self.load.terminate()
        self.load.wait()
        session.down(self.folder / "s")


def healthy(world: World) -> None:
    before = len(world.rows(world.session.audit))
    began = time.time()
    world.deploy("demo:v2")
    beyond = time.time() - began - (STEPS - 1) * INTERVAL - DRAIN
    entries = [e for e in world.rows(world.session.audit)[before:] if e["agent"].startswith("docc/")]
    lease = sum(1 for e in entries if e["resource"] == "leases" and e["verb"] == "patch")
    verbs = Counter(entry["verb"] for entry in entries) - Counter({"patch": lease})
    sys.stdout.write(
        f"healthy canary: {sum(verbs.values())} API requests {dict(verbs)}, and {lease} writes of the Lease\n"
    )
    sys.stdout.write(f"  seconds beyond intervals and drain, process start included: {beyond:.1f}\n")


def bad(world: World, number: int) -> float:
    """Seconds from the visible breach to the last request that this version got."""
    version, ended = f"b{number}", threading.Event()
    visible: list[float] = []

    def observe() -> None:
        with httpx.Client() as client:
            while not ended.wait(0.1) and not visible:
                params = {"query": ratio(f"shop-v{number}")}
                result = client.get(f"{world.session.prometheus}/api/v1/query", params=params).json()["data"]["result"]
                if result and float(result[0]["value"][1]) > 0.05:
                    visible.append(time.time())

    time.sleep(random.random())
    observer = threading.Thread(target=observe)
    observer.start()
    world.deploy(f"demo:{version}-err30")
    ended.set()
    observer.join()
    return max(float(row["sent"]) for row in world.answers() if row["version"] == version) - visible[0]


def main(runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            world.deploy("demo:v1")
            healthy(world)
            found = [bad(world, 3 + run) for run in range(runs)]
            rows = world.answers()
        finally:
            world.close()
    counts = sorted(Counter(r["version"] for r in rows if r["version"].startswith("b")).values())
    failed = sum(1 for row in rows if not row["version"])
    median, worst = statistics.median(found), max(found)
    told = (
        f"{runs} bad canaries: breach visible to last bad request {median:.2f} s in the median, {worst:.2f} s at most"
    )
    sys.stdout.write(f"{told} (goal {POLL + 0.5})\n")
    sys.stdout.write(f"  requests to the bad version: median {statistics.median(counts)}, most {counts[-1]}\n")
    sys.stdout.write(f"  {len(rows)} requests, {failed} without an answer of the app\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
