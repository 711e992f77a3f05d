"""Start-up, as ratios in one run (these machines are noisy): `python bench/startup.py [PAIRS]`.

`docc --help` against `python -c "import typer"`, and `docc validate` against importing typer, jsonschema and promql_parser.
Runs are paired A B A B; the median of the pairs' ratios counts. Goal: at most 1.3 each. Bytecode is cached, as where docc is
installed, whatever the environment says.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONTAINER = {"image": "a:1", "ports": [{"port": 80}]}
STRATEGY = {
    "canary": {"increment": 5, "interval": 120},
    "failure_conditions": [{"name": "E", "expression": "sum(rate(x{code='500'}[5m])) / sum(rate(x[5m])) > 0.05"}],
}
MANIFEST = {"application": {"name": "shop", "containers": {"web": CONTAINER}}, "deployment_strategy": STRATEGY}


CACHING = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=CACHING)
    return time.perf_counter() - began


def ratio(ours: list[str], theirs: list[str], pairs: int) -> float:
    seconds(ours), seconds(theirs)
    return statistics.median(seconds(ours) / seconds(theirs) for _ in range(pairs))


def main(pairs: int) -> None:
    python = sys.executable
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.json"
        path.write_text(json.dumps(MANIFEST))
        help_ratio = ratio([python, "-m", "docc", "--help"], [python, "-c", "import typer"], pairs)
        imports = "import typer, jsonschema, promql_parser"
        validate_ratio = ratio([python, "-m", "docc", "validate", str(path)], [python, "-c", imports], pairs)
    sys.stdout.write(f"docc --help     / import typer                             {help_ratio:.2f}  (goal 1.3)\n")
    sys.stdout.write(f"docc validate   / import typer, jsonschema, promql_parser   {validate_ratio:.2f}  (goal 1.3)\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
