"""The clients of the acceptance cases end with whoever started them: a killed test run leaves no load behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.cluster.rig.session import ROOT
from tests.cluster.test_lifetime import alive

OWNER = """
import sys, time
from pathlib import Path
from tests.cluster.acceptance.clients import through
with through("127.0.0.1:9", "shop.test", 50, Path(sys.argv[1])):
    print("they ask", flush=True)
    time.sleep(600)
"""


def test_clients_end_with_a_test_run_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path / "lines")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None and owner.stdout.readline() == "they ask\n"
        (load,) = map(int, Path(f"/proc/{owner.pid}/task/{owner.pid}/children").read_text().split())
        assert alive(load)
        owner.kill()
    limit = time.monotonic() + 20
    while alive(load):
        assert time.monotonic() < limit, f"{load} still asks"
        time.sleep(0.05)
