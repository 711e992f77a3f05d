"""One application on the cluster: docc as its users run it, with the Role that docc prints and no more, under live traffic; and
what came of it, as others than docc counted it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docc.core.permissions import DISCOVER, DRIVE, EXPLAIN, Permission, role
from docc.sandbox.processes import tied
from tests.cluster.acceptance import others
from tests.cluster.acceptance.clients import through
from tests.cluster.acceptance.traffic import (
    FEW_COUNT_MIN,
    Traffic,
    assert_frugal,
    assert_nobody_lost,
    assert_shares,
    assert_soon_over,
)
from tests.cluster.acceptance.watching import watching, weights_of
from tests.cluster.rig.cluster import UNTIL_SECONDS, Cluster, path
from tests.cluster.rig.session import ROOT

Object = dict[str, Any]
Tally = Callable[[str, int], None]
RATE = 100
ENDED_SECONDS_MAX = 300.0
ERRORS = (
    "sum(rate(http_requests_total{namespace='$namespace',revision='$revision',code='500'}[4s])) / "
    "sum(rate(http_requests_total{namespace='$namespace',revision='$revision'}[4s])) > 0.05"
)
FOREIGN_FILTER: Object = {
    "type": "RequestHeaderModifier",
    "requestHeaderModifier": {"set": [{"name": "x-team", "value": "blue"}]},
}


@dataclass(frozen=True, slots=True, repr=False)
class Ended:
    """How a docc command ended. document: its one JSON object."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Object:
        found: Object = json.loads(self.out)
        return found

    def __repr__(self) -> str:
        return f"exit {self.code}\n{self.err}\n{self.out}"


class App:
    """rights: of docc's login. tally: takes what all cases add to, by its name (conftest)."""

    def __init__(
        self, cluster: Cluster, namespace: str, folder: Path, name: str = "shop", *,
        rights: Sequence[Permission] = (*DRIVE, *EXPLAIN), tally: Tally = lambda *_: None,
    ) -> None:  # fmt: skip
        self.cluster, self.namespace, self.folder, self.name, self._tally = cluster, namespace, folder, name, tally
        self.commands = 0
        self.versions: dict[str, str] = {}
        """What each revision's image calls itself, where that is not the revision's name."""
        self._begun: list[subprocess.Popen[str]] = []
        rules, found = role("docc", namespace, tuple(rights))["rules"], role("docc", None, DISCOVER)["rules"]
        self.kubeconfig = cluster.service_account(namespace, f"docc-{name}", rules, found)
        self.host = f"{name}.{namespace}.test"
        container = {"image": "demo:v1", "ports": [{"port": 8080}], "readiness": {"path": "/"}}
        self.application: Object = {"name": name, "scale": 2, "hosts": [self.host], "containers": {"web": container}}
        self.strategy: Object = {
            "canary": {"increment": 50, "interval": 3}, "bake": 2, "poll": 1, "drain": 2, "progress_deadline": 60,
            "failure_conditions": [{"name": "Errors", "expression": ERRORS}],
        }  # fmt: skip

    # --- docc
    @property
    def manifest(self) -> Path:
        file = self.folder / f"{self.name}.json"
        file.write_text(json.dumps({"application": self.application, "deployment_strategy": self.strategy}))
        return file

    def docc(self, *words: str, **env: str) -> Ended:
        return self.ended(self.begin(*words, **env))

    def deploy(self, image: str = "", *more: str, **env: str) -> Ended:
        return self.ended(self.start(image, *more, **env))

    def start(self, image: str, *more: str, **env: str) -> subprocess.Popen[str]:
        """A deploy in the background; it ends with this process."""
        chosen = ("--image", image) if image else ()
        return self.begin("deploy", str(self.manifest), *chosen, "-o", "json", *more, **env)

    def ended(self, command: subprocess.Popen[str], seconds: float = ENDED_SECONDS_MAX) -> Ended:
        """Raises subprocess.TimeoutExpired; its words are shown if the test fails."""
        try:
            out, err = command.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            command.kill()
            sys.stderr.write("--- docc does not end: {}{}\n".format(*command.communicate()))
            raise
        ended = Ended(command.returncode, out, err)
        sys.stderr.write(f"--- docc: {ended}\n")
        assert "Traceback" not in err
        return ended

    def close(self) -> None:
        """Ends what a failed test has left running, and shows what it said."""
        for command in self._begun:
            if command.stdout is not None and not command.stdout.closed:
                command.kill()
                self.ended(command)

    def killed_at(self, weight: int, image: str = "demo:v2", revision: int = 2) -> None:
        """A deploy whose driver is killed as soon as the revision has that weight."""
        driver = self.start(image)
        self.until_weight(revision, weight)
        driver.kill()
        self.ended(driver)

    def begin(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """more: of the environment."""
        self.commands += 1
        prometheus = self.cluster.session.prometheus
        env = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "DOCC_PROMETHEUS_URL": prometheus, **more}
        command = tied([sys.executable, "-m", "docc", *words])
        begun = subprocess.Popen(command, text=True, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._begun.append(begun)
        return begun

    def serves(self, image: str = "demo:v1") -> None:
        """The first deploy; then other people put things of theirs beside what docc made."""
        ended = self.deploy(image)
        assert ended.code == 0, ended
        self.others_come()

    def others_come(self) -> None:
        mine = {"metadata": {"labels": {"team": "blue"}, "annotations": {"team.example.com/note": "ours"}}}
        for plural, name in (("httproutes", self.name), ("services", self.name), ("deployments", f"{self.name}-v1")):
            self.cluster.admin.patch(plural, self.namespace, name, mine)
        self.edit_route({"op": "add", "path": "/spec/rules/0/filters", "value": [FOREIGN_FILTER]})
        if any(parent["kind"] == "Gateway" for parent in self.route["spec"]["parentRefs"]):
            first = (200, self.versions.get("v1", "v1"))
            self.until(lambda: set(self.cluster.fetch(self.host, 3)) == {first})  # Envoy has heard of the host

    def edit_route(self, *operations: Object) -> Object:
        """As somebody else, by JSON Patch."""
        form = {"Content-Type": "application/json-patch+json"}
        where = path("httproutes", self.namespace, self.name)
        return self.cluster.admin.send("PATCH", where, content=json.dumps(operations), headers=form)

    @contextmanager
    def nobody_elses_fields_change(self, changed: Sequence[str] = ()) -> Iterator[None]:
        """In the namespace, from the beginning of the block to its end. changed: what the case itself changes (others.py)."""
        before = self._snapshot()
        yield
        assert others.differences(before, self._snapshot(), self.name, changed) == []

    def _snapshot(self) -> others.Snapshot:
        there = {plural: self.cluster.admin.list(plural, self.namespace) for plural in others.KINDS}
        return others.taken(there, self.name)

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
        return {name.rsplit("-", 1)[1]: weight for name, weight in weights_of(self.route).items()}

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

    def until(self, condition: Callable[[], Any], seconds: float = UNTIL_SECONDS) -> Any:
        return self.cluster.until(condition, seconds)

    def until_weight(self, revision: int, weight: int, seconds: float = UNTIL_SECONDS) -> None:
        self.until(lambda: self.weights.get(f"v{revision}") == weight, seconds)

    def audited(self) -> list[Object]:
        """docc's requests in the API server's audit log, each once: a watch has an entry when it begins, and when it ends."""
        mine = f":{self.namespace}:docc-{self.name}"
        entries = (e for e in self.cluster.audit(agent="docc/") if e["user"].get("username", "").endswith(mine))
        return list({entry["auditID"]: entry for entry in entries}.values())

    # --- traffic
    @contextmanager
    def traffic(
        self, rate: int = RATE, door: tuple[str, str] | None = None, header: tuple[str, str] | None = None,
        changed: Sequence[str] = (),
    ) -> Iterator[Traffic]:  # fmt: skip
        """Users, all the while, and afterwards what holds in every case (traffic.py); nobody else's field is changed.
        door: an Envoy's address and the host to ask it for, if not the Gateway's. header: name and value of what every tenth
        request has besides. changed: of others' fields, what the case itself changes (others.py)."""
        address, host = door or (self.cluster.session.gateway, self.host)
        earlier, commands = len(self.audited()), self.commands
        with self.nobody_elses_fields_change(changed), watching(self.cluster, self.namespace, self.name) as sights:
            seen = Traffic(sights, versions=self.versions)
            with through(address, host, rate, self.folder / f"{host}.load", header) as users:
                yield seen
        seen.rows = [row for row in users.rows if not row["header"]]
        seen.tried = [row for row in users.rows if row["header"]]
        shares = sum(share.count >= FEW_COUNT_MIN for share in seen.shares())
        for what, count in (("requests", len(seen.rows)), ("late answers", seen.late), ("shares", shares)):
            self._tally(what, count)
        self.until(lambda: sum(1 for row in self.cluster.access_log(host) if row["tag"]) >= len(users.rows))
        assert_nobody_lost(seen, self.cluster.access_log(host))
        assert_shares(seen)
        assert_soon_over(seen)
        assert_frugal(self.audited()[earlier:], self.commands - commands)
