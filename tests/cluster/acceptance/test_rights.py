"""Acceptance: docc with the Role that it prints: that is enough, none of it is in vain, and what is missing is told first.

What docc asked for is read from the API server's audit log, not from docc.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from docc.core.cooling import REVISIONS_KEPT
from docc.core.permissions import (
    DELETE,
    DISCOVER,
    DRIVE,
    EXPLAIN,
    LIST,
    LOOK,
    NEEDED,
    TURN_BACK,
    Permission,
    role,
)  # fmt: skip
from tests.cluster.acceptance.app import App
from tests.cluster.acceptance.credentials import Login, Relay
from tests.cluster.rig import layout

Object = dict[str, Any]
GATEWAY = {"name": layout.GATEWAY_NAME, "namespace": layout.INGRESS}
WRITES = ("create", "update", "patch", "delete", "deletecollection")
REVIEWS = ("selfsubjectrulesreviews", "selfsubjectaccessreviews", "selfsubjectreviews")


def account(
    app: App, name: str, permissions: Iterable[Permission], everywhere: Iterable[Permission] = DISCOVER
) -> Path:
    """The kubeconfig of a ServiceAccount that may do just this."""
    found = tuple(everywhere)
    rules = role("docc", app.namespace, permissions)["rules"]
    return app.cluster.service_account(app.namespace, name, rules, role("docc", None, found)["rules"] if found else ())


def asked(app: App, user: str) -> list[Object]:
    """The user's requests about objects, oldest first; the log is written a moment after the answer."""
    time.sleep(0.5)
    entries = [entry for entry in app.cluster.audit(agent="docc/") if "objectRef" in entry]
    return [entry for entry in entries if entry["user"].get("username", "").endswith(f":{app.namespace}:{user}")]


def cell(entry: Object) -> Permission:
    ref = entry["objectRef"]
    resource = ref["resource"] + (f"/{ref['subresource']}" if ref.get("subresource") else "")
    return Permission(ref.get("apiGroup", ""), resource, entry["verb"])


def used(entries: list[Object]) -> set[Permission]:
    return {cell(entry) for entry in entries if entry["objectRef"]["resource"] not in REVIEWS}


def refused(entries: list[Object]) -> list[str]:
    return [str(cell(entry)) for entry in entries if entry["responseStatus"]["code"] in (401, 403)]


def written(entries: list[Object]) -> list[str]:
    return [
        str(cell(entry))
        for entry in entries
        if entry["verb"] in WRITES and entry["objectRef"]["resource"] not in REVIEWS
    ]


def test_each_missing_permission_is_told_before_anything_is_touched(app: App) -> None:
    """One ServiceAccount for each permission, which lacks just that one."""
    for at, lacking in enumerate(DRIVE):
        lent, found = ([need for need in some if need != lacking] for some in ((*DRIVE, *EXPLAIN), DISCOVER))
        kubeconfig = account(app, f"lacks-{at}", lent, found)
        ended = app.deploy("demo:v1", "--kubeconfig", str(kubeconfig))
        assert ended.code == 4 and f"you may not: {lacking}\n" in ended.err, (lacking, ended)
        assert f"needs {len(DRIVE)} permissions in namespace {app.namespace}, 1 is missing" in ended.err, ended
        assert f"{app.namespace}:lacks-{at}" in ended.err and "nothing was touched" in ended.err, ended
        entries = asked(app, f"lacks-{at}")
        assert entries and written(entries) == [] and refused(entries) == [], (lacking, entries)
    assert app.cluster.admin.list("httproutes", app.namespace) == []


def test_all_that_is_missing_is_told_at_once(app: App) -> None:
    nobody = account(app, "nobody", [], [])
    ended = app.deploy("demo:v1", "--kubeconfig", str(nobody))
    assert ended.code == 4 and f"{len(DRIVE)} are missing" in ended.err, ended
    assert all(str(need) in ended.err for need in DRIVE), ended
    for verb in NEEDED.keys() - {"deploy", "list", "rollback to a cold revision"}:
        sure = ("--yes",) if verb in ("delete", "resume") else ()
        told = app.docc(*verb.split(), app.name, *sure, "--kubeconfig", str(nobody))
        assert told.code == 4 and f"{len(NEEDED[verb])} are missing" in told.err, told
    listed = app.docc("list", "--kubeconfig", str(nobody))
    assert listed.code == 4, listed


def foreign(app: App, plural: str, name: str) -> None:
    """An object of that name which somebody else has made."""
    labels = {"who": "others"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "a:theirs"}]}}
    spec: Object = {"selector": labels, "ports": [{"port": 80}]}
    if plural == "deployments":
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}
    app.cluster.admin.create(plural, app.namespace, {"metadata": {"name": name}, "spec": spec})


def beaten(app: App, plural: str, name: str) -> None:
    """Preflight finds nothing; then, while docc watches whether somebody else's Lease is alive, somebody takes the name."""
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    spec = {"holderIdentity": "somebody", "leaseDurationSeconds": 5, "renewTime": now, "acquireTime": now}
    lease, before = f"docc-{app.name}", len(asked(app, f"docc-{app.name}"))
    if any(found["metadata"]["name"] == lease for found in app.cluster.admin.list("leases", app.namespace)):
        app.cluster.admin.delete("leases", app.namespace, lease)
    app.cluster.admin.create("leases", app.namespace, {"metadata": {"name": lease}, "spec": spec})
    driver = app.start("demo:v1")
    app.until(lambda: any(cell(entry).resource == "leases" for entry in asked(app, f"docc-{app.name}")[before:]))
    foreign(app, plural, name)
    ended = app.ended(driver)
    assert (ended.code == 7) is (plural == "deployments"), ended


def live(app: App) -> None:
    """All that can come an application's way: a first deploy, a canary, other people's edits of the route in the midst of
    it, one that fails, rollbacks, SIGTERM, and revisions that are let go."""
    app.strategy["canary"] = {"increment": 50, "interval": 3}
    app.serves()
    with app.traffic(50, changed=["httproutes/shop/metadata/labels/edited"]):
        driver = app.start("demo:v2")
        app.until_weight(2, 50)
        app.edit_route({"op": "add", "path": "/metadata/labels/edited", "value": "yes"})
        note = {"data": {"2": "{}"}}  # docc does not watch its history: it finds out by a conflict
        app.cluster.admin.patch("configmaps", app.namespace, f"docc-{app.name}", note)
        rule = {
            "matches": [{"path": {"type": "Exact", "value": "/x"}}],
            "filters": [{"type": "RequestRedirect", "requestRedirect": {"hostname": "x.example.org"}}],
        }
        while driver.poll() is None:  # until one of docc's writes has met a conflict
            app.edit_route({"op": "add", "path": "/spec/rules/1", "value": rule})
            app.edit_route({"op": "remove", "path": "/spec/rules/1"})
        good = app.ended(driver)
        assert good.code == 0, good
        bad = app.deploy("demo:v3-err50")
        assert bad.code == 10, bad
        back = app.docc("rollback", app.name)
        assert back.code == 0, back
        driver = app.start("demo:v4")
        app.until_weight(4, 50)
        driver.send_signal(signal.SIGTERM)
        parked = app.ended(driver)
        assert parked.code == 143, parked
        again = app.deploy("demo:v4")
        assert again.code == 0, again
    crashed = app.deploy("demo:v5-crash")
    assert crashed.code == 10 and crashed.document["evidence"], crashed
    assert app.docc("status", app.name).code == 0 and app.docc("list").code == 0
    assert app.docc("wait", app.name).code == 10  # as the crashed one ended
    for words, code in (
        (["history"], 0), (["gc"], 0), (["rollback", "--to", "v1"], 0), (["abort"], 6), (["resume", "--yes"], 6),
        (["unlock"], 0),
    ):  # fmt: skip
        ended = app.docc(words[0], app.name, *words[1:])
        assert ended.code == code, ended


def crowded(app: App, count: int) -> None:
    """As if docc had brought out that many more versions: Deployments at 0, as it leaves them."""
    made = app.deployment(1)
    for number in range(3, 3 + count):
        name, version = f"{app.name}-v{number}", f"v{number}"
        text = json.dumps(made["spec"]).replace(f'"{version[0]}1"', f'"{version}"')
        meta = {key: {**made["metadata"][key]} for key in ("labels", "annotations")}
        meta["labels"]["docc.dev/revision"] = version
        spec = {**json.loads(text), "replicas": 0}
        app.cluster.admin.create("deployments", app.namespace, {"metadata": {"name": name, **meta}, "spec": spec})


def test_the_printed_role_is_enough_and_none_of_it_is_in_vain(app: App, tmp_path: Path) -> None:
    live(app)
    plain = App(app.cluster, app.namespace, tmp_path, "plain")  # without a route: its front Service carries it
    plain.application["containers"]["web"]["ports"] = [{"port": 9000, "app_protocol": "tcp"}]
    del plain.application["containers"]["web"]["readiness"], plain.application["hosts"]
    plain.strategy = {"drain": 2}
    for image in ("demo:v1", "demo:v2"):
        ended = plain.deploy(image)
        assert ended.code == 0, ended
    back = plain.docc("rollback", plain.name)
    assert back.code == 0 and plain.front_selects() == "v1", back
    crowded(plain, REVISIONS_KEPT)
    many = plain.deploy(f"demo:v{REVISIONS_KEPT + 3}")
    assert many.code == 0, many
    squatted = App(app.cluster, app.namespace, tmp_path, "squatted")
    for plural, name in (("deployments", "squatted-v1"), ("services", "squatted")):
        beaten(squatted, plural, name)
        app.cluster.admin.delete(plural, app.namespace, name)
    entries = [entry for name in ("shop", "plain", "squatted") for entry in asked(app, f"docc-{name}")]
    granted = {*DRIVE, *EXPLAIN, *DISCOVER}
    assert refused(entries) == []
    assert sorted(map(str, used(entries) - granted)) == [], "asked for, and not printed"
    assert sorted(map(str, granted - used(entries))) == [], "printed, and never asked for"


def test_the_role_with_delete_is_enough_to_leave_nothing(app: App) -> None:
    app.serves()
    kubeconfig = str(account(app, "remover", DELETE, []))
    gone = app.docc("delete", app.name, "--yes", "--kubeconfig", kubeconfig)
    entries = asked(app, "remover")
    assert gone.code == 0 and refused(entries) == [], gone
    in_vain = (
        {*DELETE} - {*TURN_BACK} - used(entries)
    )  # the others are what every verb may need, and shown to be used above
    assert in_vain == set() and used(entries) <= {*DELETE}, sorted(map(str, used(entries)))
    for plural in ("httproutes", "deployments", "services", "leases"):
        assert app.cluster.admin.list(plural, app.namespace, f"docc.dev/app={app.name}") == [], plural


def test_without_the_right_to_discover_a_named_gateway_is_used_and_none_is_looked_for(app: App) -> None:
    kubeconfig = str(account(app, "at-home", (*DRIVE, *EXPLAIN), []))
    ended = app.deploy("demo:v1", "--kubeconfig", kubeconfig)
    assert ended.code == 4 and "you may not look for a Gateway, and the manifest names none" in ended.err, ended
    assert "docc rbac --discover" in ended.err and "nothing was touched" in ended.err, ended
    assert written(asked(app, "at-home")) == []
    app.application["gateway"] = f"{layout.INGRESS}/{layout.GATEWAY_NAME}"
    named = app.deploy("demo:v1", "--kubeconfig", kubeconfig)
    assert named.code == 0, named
    (parent,) = app.route["spec"]["parentRefs"]
    assert {key: parent[key] for key in GATEWAY} == GATEWAY
    app.until(lambda: app.cluster.fetch(app.host) == {(200, "v1"): 1})


def test_without_the_right_to_explain_docc_works_and_says_less(app: App) -> None:
    kubeconfig = str(account(app, "mute", DRIVE))
    first = app.deploy("demo:v1", "--kubeconfig", kubeconfig)
    assert first.code == 0, first
    ended = app.deploy("demo:v2-crash", "--kubeconfig", kubeconfig)
    assert ended.code == 10 and ended.document["evidence"] == [] and "crash" in ended.err.lower(), ended.err
    full = app.deploy("demo:v3-crash")
    assert full.code == 10 and "panics" in str(full.document["evidence"]), full


def test_who_is_on_call_turns_back_without_the_right_to_make_anything(app: App) -> None:
    app.serves()
    kubeconfig = str(account(app, "on-call", TURN_BACK, []))
    refused_deploy = app.deploy("demo:v9", "--kubeconfig", kubeconfig)
    assert refused_deploy.code == 4 and "create deployments.apps" in refused_deploy.err, refused_deploy
    app.strategy["canary"] = {"increment": 50, "interval": 60}
    app.strategy["failure_conditions"] = []
    driver = app.start("demo:v2")
    app.until_weight(2, 50)
    back = app.docc("rollback", app.name, "--kubeconfig", kubeconfig)
    assert back.code == 0, back
    assert app.ended(driver).code == 10
    assert refused(asked(app, "on-call")) == [] and app.weights == {"v1": 100}


def test_those_who_only_look_need_no_more_than_to_look(app: App) -> None:
    app.serves()
    looks, lists = str(account(app, "looks", LOOK, [])), str(account(app, "lists", LIST, []))
    status = app.docc("status", app.name, "--kubeconfig", looks)
    assert status.code == 0 and "v1" in status.out, status
    for kubeconfig in (looks, lists):
        listed = app.docc("list", "--kubeconfig", kubeconfig)
        assert listed.code == 0 and app.name in listed.out, listed
    assert app.docc("status", app.name, "--kubeconfig", lists).code == 4
    everywhere = app.docc("list", "-A", "--kubeconfig", lists)
    assert everywhere.code == 4 and "you may not list" in everywhere.err, everywhere
    entries = asked(app, "looks")
    assert written(entries) == [] and refused(entries) == []
    assert used(entries) == set(LOOK), (sorted(map(str, used(entries))), sorted(map(str, LOOK)))
    assert "you may not: watch" in app.docc("status", "--watch", app.name, "--kubeconfig", looks).err


def test_the_printed_yaml_is_what_the_api_server_takes(app: App) -> None:
    printed = app.docc("rbac", "--discover", "-n", app.namespace)
    assert printed.code == 0, printed
    command = [app.cluster.session.kubectl, "apply", "--dry-run=server", "-f", "-"]
    done = subprocess.run(
        command, input=printed.out, env={"KUBECONFIG": app.cluster.session.kubeconfig, "HOME": str(app.folder)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "role.rbac" in done.stdout and "clusterrole.rbac" in done.stdout, done


# --- a login that is lost in mid-rollout
@pytest.fixture
def relay() -> Iterator[Relay]:
    made = Relay()
    yield made
    made.close()


def statuses(entries: list[Object], verb: str) -> list[int]:
    return [entry["responseStatus"]["code"] for entry in entries if entry["verb"] == verb]


def refusals(app: App, since: float) -> int:
    """Requests that the API server did not know the sender of; it cannot say whose they were."""
    entries = app.cluster.audit(agent="docc/", namespace=app.namespace)
    return sum(1 for entry in entries if entry["responseStatus"]["code"] == 401 and began(entry) >= since)


def began(entry: Object) -> float:
    return datetime.fromisoformat(entry["requestReceivedTimestamp"].replace("Z", "+00:00")).timestamp()


def test_a_token_that_is_refused_in_mid_rollout_is_minted_anew_and_the_rollout_goes_on(app: App, relay: Relay) -> None:
    """In all of its parts: the driver, and the watches, whose connections are cut as well."""
    app.strategy["canary"] = {"increment": 50, "interval": 16}  # the API server believes a token for ten seconds
    app.serves()
    login = Login(app, relay)
    with app.traffic(50) as seen:
        driver = app.start("demo:v2", "--kubeconfig", str(login.kubeconfig))
        app.until_weight(2, 50)
        runs, at = login.runs, time.time()
        old = login.secret
        login.renew()
        login.revoke(old)
        relay.cut()
        app.until(lambda: refusals(app, at) > 0)
        relay.cut()
        ended = app.ended(driver)
    assert ended.code == 0, ended
    assert seen.steps(2) == [50, 100] and login.runs > runs
    entries = [entry for entry in asked(app, "docc-shop") if began(entry) > at]
    assert statuses(entries, "watch").count(200) >= 4 and 200 in statuses(entries, "patch")
    assert refused(entries) == []


def test_a_login_that_is_lost_for_a_while_holds_the_rollout_and_no_more(app: App, relay: Relay) -> None:
    app.strategy["canary"] = {"increment": 50, "interval": 16}
    app.serves()
    login = Login(app, relay)
    with app.traffic(50) as seen:
        driver = app.start("demo:v2", "--kubeconfig", str(login.kubeconfig))
        app.until_weight(2, 50)
        login.spoil("sealed")
        login.revoke(login.secret)
        relay.cut()
        time.sleep(app.strategy["canary"]["interval"] + 8)  # the next step is due, and cannot be taken
        assert app.weights == {"v1": 50, "v2": 50} and driver.poll() is None
        login.renew()
        login.mend("sealed")
        ended = app.ended(driver)
    assert ended.code == 0 and "the vault is sealed" in ended.err, ended
    assert seen.steps(2) == [50, 100]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["sealed", "hangs"])
def test_a_login_that_does_not_come_back_leaves_the_traffic_as_it_is_and_says_so(
    app: App, relay: Relay, how: str
) -> None:
    app.strategy["canary"] = {"increment": 50, "interval": 12}
    app.serves()
    login = Login(app, relay)
    with app.traffic(50) as seen:
        driver = app.start("demo:v2", "--kubeconfig", str(login.kubeconfig))
        app.until_weight(2, 50)
        login.spoil(how)
        login.revoke(login.secret)
        relay.cut()
        ended = app.ended(driver)
    assert ended.code == 11 and ended.document["result"] == "stuck", ended
    words = "the vault is sealed" if how == "sealed" else "did not end within"
    assert words in ended.document["reason"] and "docc rollback shop" in ended.err, ended
    assert seen.steps(2) == [50] and app.weights == {"v1": 50, "v2": 50}
    back = app.docc("rollback", "shop")
    assert back.code == 0 and app.weights["v1"] == 100, back


def test_a_login_that_is_lost_before_the_candidate_has_traffic_leaves_users_where_they_were(
    app: App, relay: Relay
) -> None:
    app.serves()
    app.strategy["progress_deadline"] = 12
    login = Login(app, relay)
    driver = app.start("demo:v2-late60", "--kubeconfig", str(login.kubeconfig))
    app.until(lambda: len(app.pods(2)) > 0)
    login.spoil("sealed")
    login.revoke(login.secret)
    relay.cut()
    ended = app.ended(driver)
    assert ended.code == 10 and "the vault is sealed" in ended.err and "v1 serves 100 %, as before" in ended.err, ended
    assert app.weights == {"v1": 100}
    app.application["containers"]["web"]["env"] = {"READY_AFTER": "0"}
    app.strategy["failure_conditions"] = []
    again = app.deploy("demo:v2")
    assert again.code == 0 and app.weights["v2" if "v2" in app.weights else "v3"] == 100, again
