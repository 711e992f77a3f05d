"""An application as its users have it: docc in processes of its own, in a sandbox with the real Envoy, under live traffic."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any

from docc.sandbox import accounts, session

CONDITION = (
    "sum(rate(http_requests_total{deployment='$canary',code='500'}[4s])) / "
    "sum(rate(http_requests_total{deployment='$canary'}[4s])) > 0.05"
)


class App:
    """One application of the sandbox, with a manifest of its own and a host of its own."""

    def __init__(self, world: session.Session, folder: Path, name: str, **more: Any) -> None:
        """more: of the manifest's application."""
        self.world, self.name, self.path = world, name, folder / f"{name}.json"
        self.more = more
        self.write(interval=3)

    def write(self, interval: int, **strategy: Any) -> None:
        """strategy: in the place of what is usual here. The deadline for pods is long, since machines are slow at times."""
        name = self.name
        container = {"image": "demo:v1", "ports": [{"port": 80}], "readiness": {"path": "/"}}
        application = {"name": name, "scale": 2, "hosts": [f"{name}.test"], "containers": {"web": container}}
        application |= self.more
        strategy = {
            "canary": {"increment": 50, "interval": interval}, "bake": 2, "poll": 1, "drain": 1, "progress_deadline": 60,
            "failure_conditions": [{"name": "Errors", "expression": CONDITION}], **strategy,
        }  # fmt: skip
        self.path.write_text(json.dumps({"application": application, "deployment_strategy": strategy}))

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "docc", *words, "--kubeconfig", self.world.kubeconfig]

    def deploy(self, image: str, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self._deploy(image, *more), capture_output=True, text=True, timeout=150)

    def start(self, image: str, *more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._deploy(image, *more), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _deploy(self, image: str, *more: str) -> list[str]:
        words = (
            "deploy",
            str(self.path),
            "--image",
            image,
            "--prometheus-url",
            self.world.prometheus,
            "-o",
            "json",
            *more,
        )
        return self.command(*words)

    def ask(self, **headers: str) -> str:
        """The version that answers; of headers, `_` stands for `-`."""
        return str(self.answer(**headers)["x-version"])

    def answer(self, **headers: str) -> Message[str, str]:
        """Its headers."""
        sent = {"Host": f"{self.name}.test", **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = urllib.request.Request(f"http://{self.world.gateway}/", headers=sent)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                found: Message[str, str] = answer.headers
                return found
        except urllib.error.HTTPError as error:
            return error.headers

    def status(self) -> dict[str, Any]:
        words = self.command("status", self.name, "-o", "json")
        found: dict[str, Any] = json.loads(subprocess.run(words, capture_output=True, text=True, timeout=30).stdout)
        return found

    def run(self, verb: str, *words: str, seconds: float = 150) -> subprocess.CompletedProcess[str]:
        """`docc VERB APP ...`."""
        return subprocess.run(self.command(verb, self.name, *words), capture_output=True, text=True, timeout=seconds)

    @contextmanager
    def traffic(self, folder: Path, *header: str) -> Iterator[Path]:
        """100 requests/s. header: name and value of what every tenth of them has besides."""
        out = folder / f"{self.name}.load"
        host = f"{self.name}.test"
        words = [sys.executable, "-m", "docc.sandbox.load", self.world.gateway, "100", str(out), host]
        words += ["--header", *header] if header else []
        load = subprocess.Popen(words)
        try:
            time.sleep(0.5)
            yield out
        finally:
            load.terminate()
            load.wait(15)


def a_person_s(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of somebody at a terminal, wherever these tests run."""
    kept = {name: value for name, value in environment.items() if not name.startswith(("CI", "GITHUB_", "GITLAB_"))}
    return {**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8"}


def counted(path: Path, *outputs: str) -> accounts.Account:
    weights = [(w["at"], w["revision"], w["weight"]) for text in outputs for w in json.loads(text)["weights"]]
    return accounts.of_load([json.loads(row) for row in path.read_text().splitlines()], sorted(weights))


def until(holds: Any, seconds: float = 20) -> None:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come about in time")
