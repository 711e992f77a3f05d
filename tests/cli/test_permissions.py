"""docc before an API server that does not let it do everything: said at once, with exit 4, and nothing was written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from docc.core.permissions import DRIVE, LIST, LOOK, NEEDED, Permission, role
from docc.model.moves import Object

MANIFEST = {"application": {"name": "shop", "containers": {"web": {"image": "a:1", "ports": [{"port": 80}]}}}}
ROUTES = "gateway.networking.k8s.io"
LACKING = (Permission("", "services", "delete"), Permission(ROUTES, "httproutes", "patch"))


class Served:
    """An API server that answers reviews, and keeps what else it was asked for."""

    def __init__(self, server: HTTPServer, granted: list[Permission], *, incomplete: bool) -> None:
        self.rules, self.incomplete = role("r", "web", granted)["rules"], incomplete
        self.others: list[str] = []
        self.reviews: list[str] = []
        server.expect_request(re.compile(".*")).respond_with_handler(self._answer)
        self.url = server.url_for("")

    def _answer(self, request: Request) -> Response:
        kind = request.path.rsplit("/", 1)[-1]
        status: dict[str, Any]
        if kind == "selfsubjectrulesreviews":
            status = {"resourceRules": self.rules, "nonResourceRules": [], "incomplete": self.incomplete}
        elif kind == "selfsubjectaccessreviews":
            asked = request.get_json()["spec"]["resourceAttributes"]
            status = {"allowed": asked["verb"] != "delete"}  # what the list of rules does not tell
        elif kind == "selfsubjectreviews":
            status = {"userInfo": {"username": "system:serviceaccount:web:ci"}}
        elif request.method == "GET" and "/namespaces/web/" in request.path:
            self.others.append(f"{request.method} {request.path}")
            return Response(json.dumps({"kind": "List", "metadata": {}, "items": []}), 200)
        else:
            self.others.append(f"{request.method} {request.path}")
            return Response(json.dumps({"kind": "Status", "code": 403, "message": 'User "u" cannot do this'}), 403)
        self.reviews.append(kind)
        return Response(json.dumps({**request.get_json(), "status": status}), 201)


def run(served: Served, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    config: Object = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": served.url}}],
        "users": [{"name": "u", "user": {"token": "s3cret"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "web"}}],
    }  # fmt: skip
    (folder / "config").write_text(json.dumps(config))
    (folder / "m.json").write_text(json.dumps(MANIFEST))
    command = [sys.executable, "-m", "docc", *words, "--kubeconfig", str(folder / "config")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("verb", ["deploy", "rollback"])
def test_all_that_is_missing_is_told_at_once_and_nothing_is_touched(
    httpserver: HTTPServer, tmp_path: Path, verb: str
) -> None:
    served = Served(httpserver, [need for need in DRIVE if need not in LACKING], incomplete=False)
    told = run(served, tmp_path, verb, str(tmp_path / "m.json") if verb == "deploy" else "shop")
    assert told.returncode == 4, told.stderr
    assert f"docc {verb} needs {len(NEEDED[verb])} permissions in namespace web, 2 are missing" in told.stderr
    assert "delete services, patch httproutes.gateway.networking.k8s.io" in told.stderr
    assert "user system:serviceaccount:web:ci" in told.stderr and "docc rbac -n web" in told.stderr
    assert told.stderr.rstrip().endswith("nothing was touched") and "s3cret" not in told.stderr
    assert served.others == []


def test_where_the_list_is_incomplete_each_doubtful_one_is_asked(httpserver: HTTPServer, tmp_path: Path) -> None:
    served = Served(httpserver, [need for need in DRIVE if need not in LACKING], incomplete=True)
    told = run(served, tmp_path, "deploy", str(tmp_path / "m.json"))
    assert told.returncode == 4 and "1 are missing" not in told.stderr
    assert "1 is missing" in told.stderr and "delete services" in told.stderr and "patch" not in told.stderr
    assert served.reviews.count("selfsubjectaccessreviews") == len(LACKING)


def test_a_complete_list_costs_one_request(httpserver: HTTPServer, tmp_path: Path) -> None:
    served = Served(httpserver, list(DRIVE), incomplete=False)
    told = run(served, tmp_path, "deploy", str(tmp_path / "m.json"))
    assert served.reviews == ["selfsubjectrulesreviews"]
    assert told.returncode == 4 and "you may not look for a Gateway" in told.stderr, told.stderr
    assert "docc rbac --discover" in told.stderr


@pytest.mark.parametrize(
    ("words", "needed"), [(["status", "shop"], LOOK), (["history", "shop"], LOOK), (["list"], LIST)]
)
def test_those_who_only_look_are_told_as_early(
    httpserver: HTTPServer, tmp_path: Path, words: list[str], needed: tuple[Permission, ...]
) -> None:
    served = Served(
        httpserver, [need for need in needed if need != Permission("", "services", "list")], incomplete=False
    )
    told = run(served, tmp_path, *words)
    assert told.returncode == 4 and f"docc {words[0]} needs {len(needed)} permissions" in told.stderr, told.stderr
    assert "you may not: list services" in told.stderr and served.others == []
