"""Acceptance: other people's fields, conflicts, more ports and containers."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
import time
from typing import Any

from tests.cluster.acceptance.app import FOREIGN_FILTER, App
from tests.cluster.acceptance.killing import behind
from tests.cluster.conftest import Figure
from tests.sandbox.door import HELD, Door, Trap

ROBOT: dict[str, Any] = {
    "matches": [{"path": {"type": "Exact", "value": "/robots.txt"}}],
    "filters": [{"type": "RequestRedirect", "requestRedirect": {"hostname": "static.example.org", "statusCode": 301}}],
}


def test_case_25_what_others_write_onto_the_route_in_mid_rollout_stays(app: App) -> None:
    app.strategy["canary"] = {"increment": 30, "interval": 3}
    app.serves()
    tracked = "argocd.argoproj.io/tracking-id"
    new = ("metadata/labels/cost-centre", f"metadata/annotations/{tracked}", "spec/rules/1")
    with app.traffic(changed=[f"httproutes/shop/{path}" for path in new]) as seen:
        driver = app.start("demo:v2")
        app.until_weight(2, 30)
        app.edit_route({"op": "add", "path": "/spec/rules/-", "value": ROBOT})
        label = {"metadata": {"labels": {"cost-centre": "7"}, "annotations": {tracked: "x"}}}
        app.cluster.admin.patch("httproutes", app.namespace, "shop", label)
        ended = app.ended(driver)
        assert ended.code == 0, ended
    assert seen.steps(2) == [30, 60, 90, 100]
    route = app.route
    assert route["metadata"]["labels"]["cost-centre"] == "7"
    assert route["metadata"]["annotations"][tracked] == "x"
    (robots,) = [rule for rule in route["spec"]["rules"] if rule["matches"] == ROBOT["matches"]]
    assert robots["filters"] == ROBOT["filters"] and not robots.get("backendRefs")


def test_case_26_conflicts_are_looked_at_again_and_end_nothing(app: App, door: Door, figure: Figure) -> None:
    """Somebody edits the route all the time, and once more when docc's first weights are on their way."""
    app.serves()
    behind(app, door)
    ended, count = threading.Event(), itertools.count()

    def edit() -> None:
        names = [{"name": "x-team", "value": "blue"}, {"name": "x-n", "value": str(next(count))}]
        value = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": names}}
        app.edit_route({"op": "replace", "path": "/spec/rules/0/filters/0", "value": value})

    def disturb() -> None:
        while not ended.wait(0.25):  # istiod hands nothing on before it has been left in peace for a tenth of a second
            edit()

    door.trap = Trap("record shifting", HELD, edit)
    door.release.set()  # as soon as the edit is done
    with app.traffic() as seen:
        rival = threading.Thread(target=disturb)
        rival.start()
        try:
            good = app.deploy("demo:v2")
        finally:
            ended.set()
            rival.join()
        app.edit_route({"op": "replace", "path": "/spec/rules/0/filters/0", "value": FOREIGN_FILTER})
    assert good.code == 0, good
    assert seen.steps(2) == [50, 100]
    refused = [e for e in app.audited() if e["responseStatus"]["code"] in (409, 422)]
    assert door.sprung.is_set() and refused
    figure(f"{len(refused)} of docc's writes met a conflict")


def test_case_28_two_containers_and_two_ports_roll_as_one(app: App) -> None:
    side = {"image": "side:v1", "ports": [{"port": 9000, "app_protocol": "tcp"}]}
    app.application["containers"] = {"web": app.application["containers"]["web"], "side": side}
    app.serves("web=demo:v1")
    service = app.cluster.admin.get("services", app.namespace, "shop-v1")
    assert [port["port"] for port in service["spec"]["ports"]] == [8080, 9000]
    with app.traffic() as seen:
        app.application["containers"]["side"]["image"] = "side:v2"
        ended = app.deploy("web=demo:v2")
        assert ended.code == 0, ended
    containers = app.deployment(2)["spec"]["template"]["spec"]["containers"]
    assert [container["image"] for container in containers] == ["demo:v2", "side:v2"]
    assert seen.steps(2) == [50, 100]
    backend = app.route["spec"]["rules"][0]["backendRefs"][-1]
    assert (backend["name"], backend["port"]) == ("shop-v2", 8080)


def kubectl(app: App, *words: str, given: Any = None) -> None:
    """As the cluster's administrator."""
    config = str(app.cluster.session.kubeconfig)
    command = [app.cluster.session.kubectl, "--kubeconfig", config, "-n", app.namespace, *words]
    text = None if given is None else json.dumps(given)
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def by_hand(app: App, **weights: int) -> None:
    """kubectl patch, of each backend's weight."""
    backends = app.route["spec"]["rules"][0]["backendRefs"]
    changes = [
        {
            "op": "add",
            "path": f"/spec/rules/0/backendRefs/{at}/weight",
            "value": weights[backend["name"].rsplit("-", 1)[1]],
        }
        for at, backend in enumerate(backends)
    ]
    kubectl(app, "patch", "httproute", app.name, "--type=json", "-p", json.dumps(changes))


def test_weights_changed_by_kubectl_are_named_held_and_gone_on_from(app: App, figure: Figure) -> None:
    app.strategy["canary"] = {"increment": 50, "interval": 4}
    app.serves()
    with app.traffic() as seen:
        driver = app.start("demo:v2")
        app.until_weight(2, 50)
        by_hand(app, v1=90, v2=10)
        told = app.until(lambda: app.status["others"])
        assert (told[0]["manager"], told[0]["theirs"]) == ("kubectl-patch", "shop-v1 90, shop-v2 10")
        time.sleep(6)  # longer than the step: nothing may happen
        assert app.weights == {"v1": 90, "v2": 10}
        by_hand(app, v1=50, v2=50)
        ended = app.ended(driver, 90)
    assert ended.code == 0, ended
    assert "by kubectl-patch at" in ended.err and "as docc wrote it again" in ended.err
    assert seen.steps(2) == [50, 10, 50, 100]
    figure(f"told as {told[0]['field']}: {told[0]['theirs']} instead of {told[0]['ours']}")


def test_an_emergency_stop_by_kubectl_ends_the_rollout(app: App) -> None:
    app.serves()
    with app.traffic() as seen:
        driver = app.start("demo:v2")
        app.until_weight(2, 50)
        by_hand(app, v1=100, v2=0)
        ended = app.ended(driver, 60)
    assert ended.code == 10 and ended.document["reason"] == "kubectl-patch took v2's traffic and gave it to v1", ended
    assert seen.steps(2) == [50, 0] and app.record["phase"] == "reverted"


def test_a_tool_that_applies_its_own_route_again_and_again_loses_to_force_conflicts(app: App, figure: Figure) -> None:
    """Server-side apply, as a GitOps tool does it: the whole list of rules is git's, docc's record stays."""
    app.strategy["canary"] = {"increment": 50, "interval": 9}
    app.serves()
    spec = app.route["spec"]
    git = {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": app.name, "namespace": app.namespace}, "spec": spec,
    }  # fmt: skip
    words = ("apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller", "-f", "-")
    with app.traffic():
        driver = app.start("demo:v2", "--force-conflicts")
        app.until_weight(2, 50)
        kubectl(app, *words, given=git)
        app.until_weight(2, 50)
        ended = app.ended(driver, 90)
        kubectl(app, *words, given=git)  # at rest: v1, which git has, still stands by
        app.until(lambda: app.weights == {"v1": 100})
        refused, repaired = app.deploy("demo:v3"), app.deploy("demo:v2", "--force-conflicts")
    assert ended.code == 0, ended
    assert "docc has written its weights again" in ended.err and "by argocd-controller" in ended.err
    assert refused.code == 7 and "argocd-controller has changed" in refused.err, refused
    assert repaired.code == 0 and app.weights["v2"] == 100, repaired
    figure(f"at rest: {refused.err.splitlines()[1].strip()}")


def test_a_rule_of_a_platform_team_s_route_is_all_that_docc_writes(app: App) -> None:
    """And the rules stay when the team's tool leaves them out from now on, since docc owns them."""
    plain = {"matches": [{"path": {"type": "Exact", "value": "/other"}}]}
    rule = {"name": "shop", "matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "filters": [FOREIGN_FILTER]}
    gateway = {"name": "public", "namespace": "ingress"}
    route: dict[str, Any] = {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "public", "namespace": app.namespace, "labels": {"team": "platform"}},
        "spec": {"parentRefs": [gateway], "hostnames": [app.host], "rules": [plain, ROBOT, rule]},
    }  # fmt: skip
    kubectl(app, "apply", "--server-side", "-f", "-", given=route)
    before = app.cluster.admin.get("httproutes", app.namespace, "public")
    del app.application["hosts"], app.strategy["failure_conditions"]  # without traffic nothing could be judged
    app.application["route"] = {"name": "public", "rule": "shop"}
    for image in ("demo:v1", "demo:v2"):
        ended = app.deploy(image)
        assert ended.code == 0, ended
    assert app.status["stable"] == "v2"
    after = app.cluster.admin.get("httproutes", app.namespace, "public")
    backends = after["spec"]["rules"][2].pop("backendRefs")
    assert {backend["name"]: backend["weight"] for backend in backends} == {"shop-v1": 0, "shop-v2": 100}
    before["spec"]["rules"][2].pop("backendRefs", None)
    assert after["spec"] == before["spec"] and after["metadata"]["labels"] == {"team": "platform"}
    assert list(after["metadata"]["annotations"]) == ["rollout.docc.dev/shop"]
    (owned,) = [each["fieldsV1"] for each in after["metadata"]["managedFields"] if each["manager"] == "docc"]
    record = owned["f:metadata"]["f:annotations"].keys() - {"."}
    assert (record, owned["f:spec"]) == ({"f:rollout.docc.dev/shop"}, {"f:rules": {}})
    without_rules = {name: value for name, value in route["spec"].items() if name != "rules"}
    kubectl(
        app, "apply", "--server-side", "-f", "-", given={**route, "spec": without_rules}
    )  # as docs/gitops.md has it for Flux
    left = app.cluster.admin.get("httproutes", app.namespace, "public")["spec"]["rules"]
    assert left[2].pop("backendRefs") == backends and left == after["spec"]["rules"]
    admin = str(app.cluster.session.kubeconfig)
    assert app.docc("delete", "shop", "-n", app.namespace, "--yes", KUBECONFIG=admin).code == 0
    left = app.cluster.admin.get("httproutes", app.namespace, "public")
    assert not left["spec"]["rules"][2].get("backendRefs") and "annotations" not in left["metadata"]
