"""docs/gitops.md: its manifest rolls out on its route, and what it tells GitOps tools to ignore is all that docc
writes there."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from docc.sandbox import session
from tests.documented import gitops
from tests.sandbox.live import App
from tests.sandbox.test_other_hands import ROUTES, ask

Object = dict[str, Any]
MANIFEST, GIT, ARGO, ONCE, FLUX = gitops()
HOME = "/api/v1/namespaces/default"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Object, Object]]:
    """The page's route as it was made, and after the page's manifest was deployed and rolled out."""
    folder = tmp_path_factory.mktemp("sandbox")
    world = session.up(folder / "s")
    try:
        backend = {"metadata": {"name": "website"}, "spec": {"selector": {"app": "website"}, "ports": [{"port": 80}]}}
        ask(world, "POST", f"{HOME}/services", backend, "kustomize-controller")
        spec = {**GIT["spec"], "parentRefs": [{"name": "sandbox"}]}
        made = ask(
            world, "POST", ROUTES, {"metadata": {"name": GIT["metadata"]["name"]}, "spec": spec}, "argocd-controller"
        )
        app = App(world, folder, MANIFEST["application"]["name"])
        app.path.write_text(
            json.dumps({**MANIFEST, "deployment_strategy": {"canary": {"increment": 50, "interval": 1}}})
        )
        for image in ("demo:v1", "demo:v2"):
            done = app.deploy(image)
            assert done.returncode == 0, done.stderr
        yield made, ask(world, "GET", f"{ROUTES}/{GIT['metadata']['name']}")
    finally:
        session.down(folder / "s")


def test_all_blocks_are_about_the_same_route_and_rule() -> None:
    route = MANIFEST["application"]["route"]
    assert [each["kind"] for each in (GIT, ARGO, ONCE, FLUX)] == [
        "HTTPRoute",
        "Application",
        "HTTPRoute",
        "Kustomization",
    ]
    (rule,) = [each for each in GIT["spec"]["rules"] if each.get("name") == route["rule"]]
    assert "backendRefs" not in rule and ONCE["spec"]["rules"] == [rule]
    (argo,), (flux,) = ARGO["spec"]["ignoreDifferences"], FLUX["spec"]["ignore"]
    names = {each["metadata"]["name"] for each in (GIT, ONCE)} | {argo["name"], flux["target"]["name"]}
    assert names == {route["name"]} and argo["kind"] == flux["target"]["kind"] == "HTTPRoute"
    assert f"{argo['group']}/v1" == GIT["apiVersion"] == ONCE["apiVersion"]


def test_argo_cd_sees_no_difference_and_would_without_the_rule(written: tuple[Object, Object]) -> None:
    made, live = written
    (rule,) = ARGO["spec"]["ignoreDifferences"]
    assert made["spec"] != live["spec"]
    assert ignoring(made, rule["jqPathExpressions"])["spec"] == ignoring(live, rule["jqPathExpressions"])["spec"]
    assert made["metadata"].get("labels") == live["metadata"].get("labels")


def test_what_docc_owns_is_what_flux_is_told_to_ignore_and_its_record(written: tuple[Object, Object]) -> None:
    _, live = written
    ((fields),) = [each["fieldsV1"] for each in live["metadata"]["managedFields"] if each["manager"] == "docc"]
    owned = set(paths(fields))
    (rule,) = FLUX["spec"]["ignore"]
    assert owned == {*rule["paths"], f"/metadata/annotations/rollout.docc.dev/{MANIFEST['application']['name']}"}


def ignoring(body: Object, expressions: list[str]) -> Object:
    """Without what these jq paths lead to. Of jq: fields, all elements of a list, and select by a field's text."""
    found = copy.deepcopy(body)
    for expression in expressions:
        *way, last = expression.split(" | ")
        nodes: list[Any] = [found]
        for step in way:
            nodes = [inner for node in nodes for inner in taken(step, node)]
        assert nodes, f"{expression} leads nowhere"
        for node in nodes:
            node.pop(last.removeprefix("."), None)
    return found


def taken(step: str, node: Any) -> list[Any]:
    if chosen := re.fullmatch(r'select\(\.(\w+) == "(\w+)"\)', step):
        return [node] if node.get(chosen[1]) == chosen[2] else []
    assert re.fullmatch(r"(\.\w+)+\[\]", step), step
    for name in step.removeprefix(".").removesuffix("[]").split("."):
        node = node[name]
    return list(node)


def paths(fields: Object, before: str = "") -> Iterator[str]:
    """The leaves of a FieldsV1, as JSON pointers."""
    for name, inner in fields.items():
        if name.startswith("f:"):
            where = f"{before}/{name.removeprefix('f:')}"
            yield from paths(inner, where) if set(inner) - {"."} else [where]
