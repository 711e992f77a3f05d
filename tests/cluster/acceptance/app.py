"""One application on the cluster: docc as its users run it, with the Role that docc prints and no more, under live traffic; and
what came of it, as others than docc counted it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docc.core.permissions import DISCOVER, DRIVE, EXPLAIN, role
from docc.sandbox import accounts
from tests.cluster.acceptance.watching import RouteWatch
from tests.cluster.rig.cluster import Cluster, path

Object = dict[str, Any]
RATE = 100
ERRORS = (
    "sum(rate(http_requests_total{namespace='$namespace',revision='$revision',code='500'}[4s])) / "
    "sum(rate(http_requests_total{namespace='$namespace',revision='$revision'}[4s])) > 0.05"
)
FOREIGN_FILTER: Object = {
    "type": "RequestHeaderModifier",
    "requestHeaderModifier": {"set": [{"name": "x-team", "value": "blue"}]},
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a docc command ended. document: its one JSON object."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Object:
        found: Object = json.loads(self.out)
        return found

    def __str__(self) -> str:
        return f"exit {self.code}\n{self.err}\n{self.out}"


@dataclass(slots=True)
class Traffic:
    """What users saw while it flowed; whole once the block has ended."""

    watch: RouteWatch
    account: accounts.Account = field(default_factory=lambda: accounts.Account(0, 0, {}, {}, 0, 0))
    rows: list[Object] = field(default_factory=list)

    def exposed(self, version: str) -> float:
        return accounts.exposed_seconds(self.rows, version)


class App:
    def __init__(self, cluster: Cluster, namespace: str, folder: Path, name: str = "shop") -> None:
        self.cluster, self.namespace, self.folder, self.name = cluster, namespace, folder, name
        rules, found = role("docc", namespace, (*DRIVE, *EXPLAIN))["rules"], role("docc", None, DISCOVER)["rules"]
        self.kubeconfig = cluster.service_account(namespace, f"docc-{name}", rules, found)
        self.host = f"{name}.{namespace}.test"
        container = {"image": "demo:v1", "ports": [{"port": 8080}], "readiness": {"path": "/"}}
        self.application: Object = {"name": name, "scale": 2, "hosts": [self.host], "containers": {"web": container}}
        self.strategy: Object = {
            "canary": {"increment": 50, "interval": 3}, "bake": 2, "poll": 1, "drain": 2, "progress_deadline": 30,
            "failure_conditions": [{"name": "Errors", "expression": ERRORS}],
        }  # fmt: skip

    # --- docc
    @property
    def manifest(self) -> Path:
        file = self.folder / f"{self.name}.json"
        file.write_text(json.dumps({"application": self.application, "deployment_strategy": self.strategy}))
        return file

    def docc(self, *words: str, **env: str) -> Ended:
        run = subprocess.run(
            self._command(*words), capture_output=True, text=True, timeout=120, env=self._env(env), check=False
        )
        assert "Traceback" not in run.stderr, run.stderr
        return Ended(run.returncode, run.stdout, run.stderr)

    def deploy(self, image: str = "", *more: str, **env: str) -> Ended:
        return self.docc(*self._deploy(image, *more), **env)

    def start(self, image: str, *more: str, **env: str) -> subprocess.Popen[str]:
        """A deploy in the background."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(self._command(*self._deploy(image, *more)), text=True, env=self._env(env), **pipes)  # type: ignore[call-overload, no-any-return]

    def ended(self, driver: subprocess.Popen[str], seconds: float = 60) -> Ended:
        out, err = driver.communicate(timeout=seconds)
        assert "Traceback" not in err, err
        return Ended(driver.returncode, out, err)

    def _deploy(self, image: str, *more: str) -> tuple[str, ...]:
        return ("deploy", str(self.manifest), *(("--image", image) if image else ()), "-o", "json", *more)

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "docc", *words]

    def _env(self, more: dict[str, str]) -> dict[str, str]:
        prometheus = self.cluster.session.prometheus
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "DOCC_PROMETHEUS_URL": prometheus, **more}

    def serves(self, image: str = "demo:v1") -> None:
        """The first deploy; then other people put things of theirs beside what docc made."""
        ended = self.deploy(image)
        assert ended.code == 0, ended
        mine = {"metadata": {"labels": {"team": "blue"}, "annotations": {"team.example.com/note": "ours"}}}
        for plural, name in (("httproutes", self.name), ("services", self.name), ("deployments", f"{self.name}-v1")):
            self.cluster.admin.patch(plural, self.namespace, name, mine)
        self.edit_route({"op": "add", "path": "/spec/rules/0/filters", "value": [FOREIGN_FILTER]})

    def edit_route(self, *operations: Object) -> Object:
        """As somebody else, by JSON Patch."""
        form = {"Content-Type": "application/json-patch+json"}
        where = path("httproutes", self.namespace, self.name)
        return self.cluster.admin.send("PATCH", where, content=json.dumps(operations), headers=form)

    def assert_nobody_elses_fields_changed(self) -> None:
        for plural, name in (("httproutes", self.name), ("services", self.name), ("deployments", f"{self.name}-v1")):
            meta = self.cluster.admin.get(plural, self.namespace, name)["metadata"]
            assert meta["labels"]["team"] == "blue", (plural, meta)
            assert meta["annotations"]["team.example.com/note"] == "ours", (plural, meta)
        assert self.route["spec"]["rules"][0]["filters"] == [FOREIGN_FILTER]

    # --- what is there
    @property
    def route(self) -> Object:
        return self.cluster.admin.get("httproutes", self.namespace, self.name)

    @property
    def record(self) -> Object:
        found: Object = json.loads(self.route["metadata"]["annotations"]["docc.dev/rollout"])
        return found

    @property
    def weights(self) -> dict[str, int]:
        rules = self.route["spec"]["rules"]
        backends: list[Object] = next((rule["backendRefs"] for rule in rules if rule.get("backendRefs")), [])
        return {backend["name"].rsplit("-", 1)[1]: backend.get("weight", 1) for backend in backends}

    @property
    def status(self) -> Object:
        found: Object = self.docc("status", self.name, "-o", "json").document
        return found

    def deployment(self, revision: int) -> Object:
        return self.cluster.admin.get("deployments", self.namespace, f"{self.name}-v{revision}")

    def front_selects(self) -> str:
        selector = self.cluster.admin.get("services", self.namespace, self.name)["spec"]["selector"]
        return str(selector.get("docc.dev/revision"))

    def pods(self, revision: int) -> list[Object]:
        labels = f"docc.dev/app={self.name},docc.dev/revision=v{revision}"
        return self.cluster.admin.list("pods", self.namespace, labels)

    def until(self, condition: Callable[[], Any], seconds: float = 60) -> Any:
        return self.cluster.until(condition, seconds)

    def until_weight(self, revision: int, weight: int, seconds: float = 60) -> None:
        self.until(lambda: self.weights.get(f"v{revision}") == weight, seconds)

    def api_requests(self, since: int = 0) -> Counter[str]:
        """docc's requests by verb in the API server's audit log, Lease renewals apart. since: a former count of entries."""
        return Counter(
            "renew" if entry["verb"] == "patch" and entry["objectRef"].get("resource") == "leases" else entry["verb"]
            for entry in self._audited()[since:]
        )

    def audited(self) -> int:
        return len(self._audited())

    def _audited(self) -> list[Object]:
        entries = self.cluster.audit(agent="docc/")
        return [e for e in entries if e["user"].get("username", "").endswith(f":{self.namespace}:docc-{self.name}")]

    # --- traffic
    @contextmanager
    def traffic(self, rate: int = RATE, door: tuple[str, str] | None = None) -> Iterator[Traffic]:
        """Users, all the while. Whatever else a test says: no request is lost, both counts agree, nobody's field is changed.
        door: an Envoy's address and the host to ask it for, if not the Gateway's."""
        address, host = door or (self.cluster.session.gateway, self.host)
        out, began = self.folder / f"{host}.load", time.time()
        watch = RouteWatch(self.cluster, self.namespace, self.name)
        words = ["-m", "docc.sandbox.load", address, str(rate), str(out), host]
        load = subprocess.Popen([sys.executable, *words])
        seen = Traffic(watch)
        try:
            self.until(lambda: out.exists() and out.read_text().count("\n") > 20)
            yield seen
        finally:
            load.terminate()
            load.wait(20)
            watch.stop()
        seen.rows = [json.loads(row) for row in out.read_text().splitlines()]
        assert watch.broken is None, watch.broken
        weights = [
            (sight.at, name.rsplit("-", 1)[1], weight)
            for sight in watch.sights for name, weight in sight.weights.items() if sight.at >= began
        ]  # fmt: skip
        seen.account = accounts.of_load(seen.rows, weights)
        self.until(lambda: accounts.of_access_log(self.cluster.access_log(host), weights).requests >= len(seen.rows))
        logged = accounts.of_access_log(self.cluster.access_log(host), weights)
        assert seen.account.failed == 0, _failures(seen, weights)
        assert logged.same_as(seen.account), (logged, seen.account)
        assert seen.account.requests >= 0.95 * rate * (seen.account.last - seen.account.first)
        self.assert_nobody_elses_fields_changed()


def _failures(seen: Traffic, weights: list[tuple[float, str, int]]) -> str:
    bad = [row for row in seen.rows if accounts.of_load([row], weights).failed]
    return f"{len(bad)} of {len(seen.rows)} requests failed, the first: {bad[:3]}\nweights: {weights}"
