"""What a deploy looks at before it touches anything, on the sandbox: `python -m bench.preflight [RUNS]`.

The median of `docc deploy --dry-run` less that of `docc --version`, which is the start of the process alone: goal 2 s. The runs
take turns. Beside a Prometheus that answers, and one that takes the question and is silent: goal 2 s, and 3 s more.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.rollout import manifest
from docc.sandbox import session

DOCC = [sys.executable, "-m", "docc"]


def seconds(words: list[str], code: int) -> float:
    began = time.perf_counter()
    done = subprocess.run([*DOCC, *words], capture_output=True, text=True)
    if done.returncode != code:
        raise SystemExit(f"docc {' '.join(words)} ended with {done.returncode}, not {code}\n{done.stderr}")
    return time.perf_counter() - began


def main(runs: int) -> None:
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as silent:
        folder = Path(name)
        world = session.up(folder / "s")
        path = folder / "m.json"
        path.write_text(json.dumps(manifest()))
        deploy = ["deploy", str(path), "--kubeconfig", world.kubeconfig]
        try:
            seconds([*deploy, "--prometheus-url", world.prometheus], 0)
            rehearsed = [*deploy, "--image", "demo:v2", "--dry-run", "--prometheus-url"]
            starts, answered, silences = [], [], []
            for _ in range(runs):
                starts.append(seconds(["--version"], 0))
                answered.append(seconds([*rehearsed, world.prometheus], 0))
                silences.append(seconds([*rehearsed, f"http://127.0.0.1:{silent.getsockname()[1]}"], 5))
        finally:
            session.down(folder / "s")
    start = statistics.median(starts)
    sys.stdout.write(f"start of the process          {start:.2f} s\n")
    sys.stdout.write(f"preflight                     {statistics.median(answered) - start:.2f} s  (goal 2)\n")
    sys.stdout.write(f"with a Prometheus that hangs  {statistics.median(silences) - start:.2f} s  (goal 5)\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
