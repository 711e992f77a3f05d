"""Where an act is played: a sandbox of its own, users who send requests through its Gateway, and docc as anybody would type it.
What is deployed, and what is promised of it, the acts know."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docc.model.errors import UnusableError

if TYPE_CHECKING:
    from docc.sandbox.session import Session
    from docc.ui.console import Console

RATE = 100
RATE_KEPT_MIN = 0.95
"""Of RATE. Below, the machine is too busy to show anything: a rollout under less traffic proves less."""
ENDS_SECONDS_MAX = 10
LOOK_SECONDS = 0.5
FLUSHED_SECONDS = 0.5
"""By then Envoy, which does so every 200 ms, has written its access log."""
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
    """outcomes: of the deploys so far."""

    console: Console
    session: Session
    folder: Path
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    _load: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def write(self, manifest: Mapping[str, Any]) -> None:
        self._manifest.write_text(json.dumps(manifest, indent=2), encoding="utf-8")

    @contextlib.contextmanager
    def traffic(self, *words: str) -> Iterator[None]:
        """RATE requests per second. words: more for docc.sandbox.load."""
        command = [sys.executable, "-m", "docc.sandbox.load", self.session.gateway, str(RATE), str(self._answers)]
        self._load = load = subprocess.Popen([*command, *words])
        try:
            yield
            self.look()
        finally:
            self._load = None
            load.terminate()
            load.wait(timeout=15)

    def look(self) -> None:
        """Raises UnusableError if the users are gone: a rollout without any would wait for evidence that cannot come."""
        if self._load is not None and (code := self._load.poll()) is not None:
            raise UnusableError(
                "nobody sends requests any more, so there is nothing to show",
                where="python -m docc.sandbox.load",
                why=f"it ended by itself with {code}; what it had to say stands above",
                state="the sandbox is taken down; nothing else was touched",
                fix="docc demo once more",
            )

    @contextlib.contextmanager
    def driving(self, image: str, *words: str) -> Iterator[subprocess.Popen[str]]:
        """`docc deploy` in a process of its own, whose lines appear as they come. It has no keyboard: Ctrl-C ends the demo, and
        it with it. It reads the manifest from a pipe, since nobody could type it again: its folder goes with the demo."""
        words = ("deploy", "-", "--yes", "-o", "json", "--image", image, *words)
        with self._manifest.open(encoding="utf-8") as manifest:
            driver = subprocess.Popen(
                self._docc(*words), env=self._env, stdin=manifest, stdout=subprocess.PIPE, text=True
            )
        try:
            yield driver
        except BaseException:
            _end(driver)
            raise

    def deploy(self, image: str, *words: str) -> dict[str, Any]:
        """What docc says of it at the end."""
        with self.driving(image, *words) as driver:
            return self.ended(image, driver)

    def ended(self, image: str, driver: subprocess.Popen[str]) -> dict[str, Any]:
        """Waits for it. Raises UnusableError if the users are gone."""
        said = self._said(driver)
        found: dict[str, Any] = json.loads(said.splitlines()[-1]) if said.strip() else {}
        self.outcomes.append({"image": image, "result": found.get("result", "error"), "exit_code": driver.returncode})
        return found

    def _said(self, driver: subprocess.Popen[str]) -> str:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return driver.communicate(timeout=LOOK_SECONDS)[0]
            self.look()

    def aside(self, *words: str) -> subprocess.CompletedProcess[str]:
        """docc, typed by somebody at another terminal: nothing of it is seen here."""
        return subprocess.run(
            self._docc(*words), env=self._env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def answers(self) -> list[dict[str, Any]]:
        """A row for each request that was answered so far."""
        return _rows(self._answers)

    def logged(self, answers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What Envoy has logged of these; whoever else looks on is not counted."""
        time.sleep(FLUSHED_SECONDS)
        sent = {row["tag"] for row in answers}
        return [row for row in _rows(Path(self.session.access_log)) if row.get("tag") in sent]

    def api_requests(self) -> int:
        return len(_rows(Path(self.session.audit)))

    @property
    def _manifest(self) -> Path:
        return self.folder / "manifest.json"

    @property
    def _answers(self) -> Path:
        return self.folder / "load.jsonl"

    @property
    def _env(self) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("DOCC_")}
        if os.environ.get("DOCC_NO_LIVE"):
            env["DOCC_NO_LIVE"] = "1"
        return env | {"DOCC_PROMETHEUS_URL": self.session.prometheus}

    def _docc(self, *words: str) -> list[str]:
        """With the sandbox's kubeconfig, so that a command which it tells to type goes nowhere else."""
        return [sys.executable, "-m", "docc", *words, "--kubeconfig", self.session.kubeconfig]


def weights(deploys: Sequence[Mapping[str, Any]]) -> list[tuple[float, str, int]]:
    """As docc gave them, to the new version and to the one before. deploys: what docc said of each, from v1 to v2 on."""
    found = []
    for number, said in enumerate(deploys, 1):
        for step in said.get("weights", []):
            found += [(step["at"], step["revision"], step["weight"]), (step["at"], f"v{number}", 100 - step["weight"])]
    return found


def _end(driver: subprocess.Popen[str]) -> None:
    """It may tidy up before, and leave the terminal in order."""
    driver.terminate()
    try:
        driver.wait(ENDS_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        driver.kill()
        driver.wait()


def _rows(path: Path) -> list[dict[str, Any]]:
    """Without a last one that is not whole yet."""
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0] if path.exists() else ""
    return [json.loads(row) for row in whole.splitlines() if row]
