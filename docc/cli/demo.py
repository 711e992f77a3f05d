"""docc demo"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docc.cli import options

if TYPE_CHECKING:
    from docc.sandbox.session import Session
    from docc.ui.console import Console

RATE = 100
CONDITION = (
    "sum(rate(http_requests_total{deployment='$canary',code='500'}[5s])) / "
    "sum(rate(http_requests_total{deployment='$canary'}[5s])) > 0.05"
)
MANIFEST: dict[str, Any] = {
    "application": {
        "name": "shop",
        "scale": 2,
        "containers": {"web": {"image": "demo:v1", "ports": [{"port": 8080}], "readiness": {"path": "/healthz"}}},
    },
    "deployment_strategy": {
        "canary": {"increment": 20, "interval": 4},
        "failure_conditions": [{"name": "ErrorRate", "expression": CONDITION}],
        "poll": 1, "bake": 4, "drain": 3,
    },
}  # fmt: skip


@dataclass
class Stage:
    """Where the demo plays, and what has happened on it."""

    console: Console
    session: Session
    folder: Path
    outcomes: list[dict[str, Any]] = field(default_factory=list)

    def deploy(self, image: str) -> dict[str, Any]:
        """`docc deploy` as anybody would type it, in a process of its own; its lines appear as they come."""
        import json
        import subprocess

        command = [sys.executable, "-m", "docc", "deploy", str(self.folder / "manifest.json"), "--yes", "-o", "json"]
        command += ["--image", image]
        env = {name: value for name, value in os.environ.items() if not name.startswith("DOCC_")}
        env |= {"KUBECONFIG": self.session.kubeconfig, "DOCC_PROMETHEUS_URL": self.session.prometheus}
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}
        self.outcomes.append({"image": image, "result": found.get("result", "error"), "exit_code": done.returncode})
        return found


def demo(output: options.Output = "text") -> None:
    """Watch a canary go right, and another come back, under live traffic: about 40 seconds, no cluster, no root."""
    import tempfile

    import typer

    from docc.sandbox import session as sandbox
    from docc.ui.console import Console

    options.one_of(output, ("text", "json"))
    console = Console()
    with tempfile.TemporaryDirectory(prefix="docc-demo-") as name:
        folder = Path(name)
        console.err(
            "A local world: a small Kubernetes API, the real Envoy, metrics. Images run a stand-in app.", "bold"
        )
        running = sandbox.up(folder / "sandbox")
        try:
            summary = play(Stage(console, running, folder))
        finally:
            sandbox.down(folder / "sandbox")
    if output == "json":
        console.document(summary)
    as_promised = [outcome["exit_code"] for outcome in summary["outcomes"]] == [0, 0, 10]
    if not (as_promised and summary["counts_agree"] and summary["failed_requests"] == 0):
        raise typer.Exit(1)


def play(stage: Stage) -> dict[str, Any]:
    """Three deploys under load; the summary."""
    import json
    import subprocess

    console = stage.console
    (stage.folder / "manifest.json").write_text(json.dumps(MANIFEST, indent=2), encoding="utf-8")
    strategy = MANIFEST["deployment_strategy"]
    console.err(f"manifest.json: canary {json.dumps(strategy['canary'])}, bake 4 s, poll 1 s; it is taken back if")
    console.err("  " + CONDITION.replace(" / ", "\n  / "))
    console.err("\n1. docc deploy manifest.json                       the first version", "bold")
    stage.deploy("demo:v1")
    answers = stage.folder / "load.jsonl"
    load = subprocess.Popen([sys.executable, "-m", "docc.sandbox.load", stage.session.gateway, str(RATE), str(answers)])
    try:
        console.err(f"\n   From here on, {RATE} requests/s go through Envoy.")
        console.err(f"   See for yourself: curl -i {stage.session.gateway}")
        console.err("\n2. docc deploy manifest.json --image demo:v2         a healthy one", "bold")
        first = stage.deploy("demo:v2")
        console.err("\n3. docc deploy manifest.json --image demo:v3-err30   30 % of its answers fail", "bold")
        last = stage.deploy("demo:v3-err30")
    finally:
        load.terminate()
        load.wait(timeout=15)
    summary = account(stage, answers, [first, last])
    tell(console, summary)
    return summary


def account(stage: Stage, answers: Path, deploys: list[dict[str, Any]]) -> dict[str, Any]:
    """Both observers' counts, and docc's own numbers. deploys: what docc said of each, from v1 to v2 on."""
    import time
    from collections import Counter

    from docc.sandbox import accounts

    time.sleep(0.5)  # Envoy flushes its access log every 200 ms
    rows = _rows(answers)
    weights = []
    for number, said in enumerate(deploys, 1):
        for step in said.get("weights", []):
            weights += [
                (step["at"], step["revision"], step["weight"]),
                (step["at"], f"v{number}", 100 - step["weight"]),
            ]
    mine = accounts.of_load(rows, weights)
    sent = {row["tag"] for row in rows}  # whoever else looks on is not counted
    logged = [row for row in _rows(Path(stage.session.access_log)) if row.get("tag") in sent]
    theirs = accounts.of_access_log(logged, weights)
    seconds = mine.last - mine.first
    requests = Counter(entry["verb"] for entry in _rows(Path(stage.session.audit)))
    return {
        "requests": mine.requests,
        "failed_requests": mine.failed,
        "bad_version_requests": mine.answers.get("v3", 0),
        "bad_answers": mine.bad.get("v3", 0),
        "seconds_exposed": round(accounts.exposed_seconds(rows, "v3"), 2),
        "api_requests": sum(requests.values()),
        "outcomes": stage.outcomes,
        "seconds": round(seconds, 1),
        "rate_kept": round(mine.requests / (RATE * seconds), 3) if seconds else 0.0,
        "counts_agree": mine.same_as(theirs),
        "reason": deploys[-1].get("reason", ""),
    }


def tell(console: Console, summary: dict[str, Any]) -> None:
    good = summary["counts_agree"]
    console.err("\nWhat users saw", "bold")
    console.err(
        f"  {summary['requests']} requests in {summary['seconds']:.0f} s, {summary['failed_requests']} failed by a rollout"
    )
    console.err(
        f"  the bad version answered {summary['bad_version_requests']} of them in {summary['seconds_exposed']} s"
        f" ({summary['bad_answers']} with an error),\n  then it was taken back: {summary['reason']}"
    )
    agreement = "Envoy's access log says the same" if good else "ENVOY'S ACCESS LOG DISAGREES"
    console.err(f"  {agreement}; {summary['api_requests']} API requests in all", "" if good else "bold red")
    console.err("\nNext: docc sandbox up, and docc deploy a manifest of your own.")


def _rows(path: Path) -> list[dict[str, Any]]:
    import json

    return [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines() if row]
