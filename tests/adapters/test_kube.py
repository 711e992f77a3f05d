"""engine.ports.Cluster as promised: kept objects cost no request, own writes are seen at once, nothing old comes back."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from docc.adapters.kube import KubeCluster
from docc.model.errors import Conflict, CredentialsError, DoccError, Gone, Refused, Unreachable, UnusableError
from docc.model.moves import Create, Delete, Patch, Ref
from tests.adapters.fake_api import FakeApi, Object, end_of_watches, is_watch, thing, watches
from tests.adapters.kubeconfig import connect
from tests.adapters.server import LIMIT_SECONDS, Exchange, Server, serve

WEB = Ref("Deployment", "web")
LEASE = Ref("Lease", "docc-shop")
SCALE = Patch(WEB, ({"op": "replace", "path": "/spec/replicas", "value": 2},))
WATCHED = ("httproutes", "deployments", "services", "endpointslices", "pods")


class Bell:
    """Rung by the cluster; a test waits for what a ring has made true."""

    def __init__(self) -> None:
        self._rung = threading.Condition()

    def ring(self) -> None:
        with self._rung:
            self._rung.notify_all()

    def until(self, condition: Callable[[], Any]) -> Any:
        with self._rung:
            assert self._rung.wait_for(condition, LIMIT_SECONDS)
            return condition()


class Here:
    def __init__(self, api: FakeApi, server: Server, cluster: KubeCluster, bell: Bell) -> None:
        self.api, self.server, self.cluster, self.bell = api, server, cluster, bell

    @property
    def deployment(self) -> Object | None:
        return self.cluster.observe("shop").deployments.get("web")

    @property
    def version(self) -> str | None:
        found = self.deployment
        return found["metadata"]["resourceVersion"] if found else None

    def see(self) -> dict[str, Any]:
        """The first look; the streams of its watches."""
        self.cluster.observe("shop")
        return {plural: self.api.watch(plural) for plural in WATCHED}

    def answering(self, *replies: tuple[str, int, Any]) -> None:
        """What methods answer next, in this order; code 0: the connection is dropped. Watches and the rest go on."""
        left = list(replies)

        def before(exchange: Exchange) -> bool:
            if is_watch(exchange.asked) or not left or left[0][0] != exchange.asked.method:
                return False
            _, code, body = left.pop(0)
            exchange.reply(code, body) if code else exchange.drop()
            return True

        self.api.before = before


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    api, bell = FakeApi(), Bell()
    with serve(api) as server, contextlib.ExitStack() as ending:
        cluster = KubeCluster(connect(tmp_path, server.url), "default", bell.ring)
        ending.callback(end_of_watches)
        ending.callback(cluster.close)
        yield Here(api, server, cluster, bell)


# --- looking
def test_the_first_look_lists_and_later_ones_cost_nothing(here: Here) -> None:
    for plural in ("deployments", "services", "endpointslices", "pods"):
        here.api.lists[plural] = [thing(f"{plural}-1", 90)]
    here.api.lists["httproutes"] = [thing("shop", 91)]
    streams = here.see()
    seen = here.cluster.observe("shop")
    assert seen.route == thing("shop", 91) and list(seen.deployments) == ["deployments-1"]
    assert (list(seen.services), list(seen.slices), list(seen.pods)) == (
        ["services-1"],
        ["endpointslices-1"],
        ["pods-1"],
    )
    assert here.cluster.connection.requests == {"list": 6, "watch": 5}
    selects = {plural: stream.query for plural, stream in streams.items()}
    assert selects["httproutes"]["fieldSelector"] == "metadata.name=shop"
    assert selects["pods"]["labelSelector"] == "docc.dev/app=shop" and selects["pods"]["resourceVersion"] == "100"
    paths = [asked.path.rpartition("/")[2] for asked in here.server.asked[:6]]  # at once, in any order
    assert sorted(paths) == ["configmaps", "deployments", "endpointslices", "httproutes", "pods", "services"]


def test_a_route_of_another_name_is_asked_for_when_the_newest_revision_has_told_it(here: Here) -> None:
    kept = json.dumps({"application": {"name": "shop", "route": {"name": "front-door"}}})
    named = thing("shop-v1", 90)
    named["metadata"] |= {"labels": {"docc.dev/app": "shop"}, "annotations": {"docc.dev/manifest": kept}}
    here.api.lists |= {"deployments": [named], "httproutes": [thing("front-door", 91)]}
    streams = here.see()
    assert here.cluster.observe("shop").route == thing("front-door", 91)
    asked = [found.query["fieldSelector"] for found in here.server.asked if found.path.endswith("/httproutes")]
    assert asked[:2] == ["metadata.name=shop", "metadata.name=front-door"]
    assert streams["httproutes"].query["fieldSelector"] == "metadata.name=front-door"


def test_who_looks_once_watches_nothing(here: Here) -> None:
    once = KubeCluster(here.cluster.connection, "default", watching=False)
    here.api.lists["deployments"] = [thing("shop-v1", 90)]
    assert list(once.observe("shop").deployments) == ["shop-v1"]
    assert here.cluster.connection.requests == {"list": 6}


def test_what_a_watch_tells_is_seen_and_rings(here: Here) -> None:
    streams = here.see()
    before = here.cluster.observe("shop")
    streams["deployments"].send("ADDED", thing("web", 101))
    here.bell.until(lambda: here.version == "101")
    streams["deployments"].send("MODIFIED", thing("web", 102))
    here.bell.until(lambda: here.version == "102")
    streams["deployments"].send("DELETED", thing("web", 103))
    here.bell.until(lambda: here.deployment is None)
    assert before.deployments == {}, "a snapshot stays what it was"


def test_an_app_without_a_route_has_none_and_one_that_is_deleted_too(here: Here) -> None:
    streams = here.see()
    streams["httproutes"].send("ADDED", thing("shop", 101))
    here.bell.until(lambda: here.cluster.observe("shop").route is not None)
    streams["httproutes"].send("DELETED", thing("shop", 102))
    here.bell.until(lambda: here.cluster.observe("shop").route is None)


def test_a_deletion_of_a_former_object_of_the_name_leaves_the_new_one(here: Here) -> None:
    here.api.lists["deployments"] = [thing("web", 99, uid="new")]
    streams = here.see()
    streams["deployments"].send("DELETED", thing("web", 98, uid="old"))
    streams["deployments"].send("ADDED", thing("other", 101))
    here.bell.until(lambda: "other" in here.cluster.observe("shop").deployments)
    assert here.version == "99"


def test_a_cluster_without_gateway_api_still_has_the_rest(here: Here) -> None:
    def before(exchange: Exchange) -> bool:
        if missing := "httproutes" in exchange.asked.path:
            exchange.reply(404, "404 page not found\n")
        return missing

    here.api.before = before
    assert here.cluster.observe("shop").route is None
    assert here.api.watch("pods").version == "100"
    assert here.cluster.connection.requests == {"list": 6, "watch": 4}


@pytest.mark.parametrize(
    ("code", "kind"), [(403, CredentialsError), (404, UnusableError), (500, Unreachable), (0, Unreachable)]
)
def test_a_first_look_that_fails_is_told_and_can_be_had_again(code: int, kind: type[DoccError], here: Here) -> None:
    def before(exchange: Exchange) -> bool:
        if broken := exchange.asked.path.endswith("/pods"):
            exchange.reply(code) if code else exchange.drop()
        return broken

    here.api.before = before
    with pytest.raises(kind):
        here.cluster.observe("shop")
    assert here.cluster.remembered("shop") is None
    here.api.before = lambda exchange: False
    here.see()
    assert here.cluster.connection.requests["watch"] == 5, "no watch was begun twice"


def test_a_list_after_410_replaces_what_was_kept(here: Here) -> None:
    here.api.lists["deployments"] = [thing("old", 90), thing("web", 91)]
    stream = here.see()["deployments"]
    here.api.lists["deployments"], here.api.version = [thing("web", 300)], 400
    stream.send("ERROR", {"code": 410, "message": "too old resource version"})
    here.bell.until(lambda: here.version == "300")
    assert list(here.cluster.observe("shop").deployments) == ["web"]
    assert here.api.watch("deployments").version == "400"


# --- writing
def test_an_own_write_is_seen_at_once_and_older_news_do_not_undo_it(here: Here) -> None:
    here.api.lists["deployments"] = [thing("web", 90)]
    stream = here.see()["deployments"]
    here.answering(("PATCH", 200, thing("web", 150)))
    assert here.cluster.patch(SCALE) == thing("web", 150)
    assert here.version == "150"
    stream.send("MODIFIED", thing("web", 140))
    stream.send("ADDED", thing("other", 151))
    here.bell.until(lambda: "other" in here.cluster.observe("shop").deployments)
    assert here.version == "150"
    stream.send("MODIFIED", thing("web", 152))
    here.bell.until(lambda: here.version == "152")


def test_an_own_write_outlives_a_list_that_is_older(here: Here) -> None:
    stream = here.see()["deployments"]
    here.answering(("POST", 201, thing("web", 450)))
    here.cluster.create(Create(WEB, {"kind": "Deployment"}))
    here.api.lists["deployments"], here.api.version = [thing("other", 300)], 400
    stream.send("ERROR", {"code": 410, "message": "too old resource version"})
    here.bell.until(lambda: "other" in here.cluster.observe("shop").deployments)
    assert here.version == "450"
    here.api.watch("deployments").send("DELETED", thing("web", 460))
    here.bell.until(lambda: here.deployment is None)


def test_what_was_deleted_does_not_come_back_by_old_news(here: Here) -> None:
    here.api.lists["deployments"] = [thing("web", 90, uid="u1")]
    stream = here.see()["deployments"]
    here.answering(("DELETE", 200, {"status": "Success"}))
    here.cluster.delete(Delete(WEB, "u1", "90"))
    assert here.deployment is None
    stream.send("MODIFIED", thing("web", 95, uid="u1"))
    here.api.lists["deployments"] = [thing("web", 95, uid="u1"), thing("other", 96)]
    stream.send("ERROR", {"code": 410, "message": "too old resource version"})
    here.bell.until(lambda: "other" in here.cluster.observe("shop").deployments)
    assert here.deployment is None
    here.api.watch("deployments").send("ADDED", thing("web", 120, uid="u2"))
    here.bell.until(lambda: here.version == "120")


def test_requests_are_what_the_api_server_wants(here: Here) -> None:
    here.answering(("POST", 201, thing("web", 1)), ("PATCH", 200, thing("web", 2)), ("DELETE", 200, {}))
    here.cluster.create(Create(WEB, {"kind": "Deployment"}))
    here.cluster.patch(SCALE)
    here.cluster.delete(Delete(WEB, "u1", "90"))
    create, patch, delete = here.server.asked
    path, how = "/apis/apps/v1/namespaces/default/deployments", {"fieldManager": "docc", "fieldValidation": "Strict"}
    assert (create.path, create.query, json.loads(create.body)) == (path, how, {"kind": "Deployment"})
    assert (patch.path, patch.query, json.loads(patch.body)) == (f"{path}/web", how, list(SCALE.operations))
    assert (create.headers["content-type"], patch.headers["content-type"]) == (
        "application/json",
        "application/json-patch+json",
    )
    assert delete.path == f"{path}/web"
    assert json.loads(delete.body)["preconditions"] == {"uid": "u1", "resourceVersion": "90"}


def test_a_delete_of_what_is_gone_is_done(here: Here) -> None:
    here.answering(("DELETE", 404, {"message": 'deployments "web" not found', "details": {"name": "web"}}))
    here.cluster.delete(Delete(WEB, "u1", "90"))


WRITES: dict[str, tuple[str, Callable[[KubeCluster], object]]] = {
    "create": ("POST", lambda cluster: cluster.create(Create(WEB, {"kind": "Deployment"}))),
    "patch": ("PATCH", lambda cluster: cluster.patch(SCALE)),
    "delete": ("DELETE", lambda cluster: cluster.delete(Delete(WEB, "uid-web", "90"))),
}
TEST_FAILED = {"message": "the server rejected our request", "details": {}}
CAUSES = {"message": "invalid", "details": {"causes": [{"field": "spec"}]}}


@pytest.mark.parametrize(("method", "write"), WRITES.values(), ids=WRITES)
@pytest.mark.parametrize(
    ("code", "body", "kind"),
    [
        (409, {}, Conflict),
        (422, TEST_FAILED, Conflict),
        (500, {}, Unreachable),
        (429, {}, Unreachable),
        (0, {}, Unreachable),
    ],
)
def test_after_a_conflict_or_no_answer_the_object_is_read_afresh(
    code: int, body: Object, kind: type[DoccError], method: str, write: Callable[[KubeCluster], object], here: Here
) -> None:
    here.api.lists["deployments"] = [thing("web", 90)]
    here.see()
    here.answering((method, code, body), ("GET", 503, {}), ("GET", 200, thing("web", 200)))
    with pytest.raises(kind):
        write(here.cluster)
    with pytest.raises(Unreachable):
        here.cluster.observe("shop")  # no look may be had on what is known to be stale
    remembered = here.cluster.remembered("shop")
    assert remembered is not None and remembered.deployments["web"]["metadata"]["resourceVersion"] == "90"
    assert here.version == "200"
    asked = len(here.server.asked)
    assert here.version == "200" and len(here.server.asked) == asked, "read once"


def test_a_reading_afresh_may_find_nothing_and_never_goes_back(here: Here) -> None:
    here.api.lists["deployments"] = [thing("web", 90)]
    stream = here.see()["deployments"]
    missing = {"message": 'deployments "web" not found', "details": {"name": "web"}}
    here.answering(("PATCH", 409, {}), ("GET", 404, missing))
    with pytest.raises(Conflict):
        here.cluster.patch(SCALE)
    assert here.deployment is None
    stream.send("ADDED", thing("web", 300, uid="u2"))
    here.bell.until(lambda: here.version == "300")
    here.answering(("PATCH", 409, {}), ("GET", 200, thing("web", 250, uid="u2")))
    with pytest.raises(Conflict):
        here.cluster.patch(SCALE)
    assert here.version == "300"


def test_a_patch_of_what_is_gone_is_told_and_not_seen_any_longer(here: Here) -> None:
    here.api.lists["deployments"] = [thing("web", 90)]
    here.see()
    missing = {"message": 'deployments "web" not found', "details": {"name": "web"}}
    here.answering(("PATCH", 404, missing), ("GET", 404, missing))
    with pytest.raises(Gone):
        here.cluster.patch(SCALE)
    assert here.deployment is None


@pytest.mark.parametrize(
    ("code", "body", "kind"),
    [(422, CAUSES, Refused), (400, {"message": "unknown field"}, Refused), (403, {"message": "x"}, Refused)],
)
def test_a_refused_write_is_not_a_reason_to_look_again(
    code: int, body: Object, kind: type[DoccError], here: Here
) -> None:
    here.api.lists["deployments"] = [thing("web", 90)]
    here.see()
    here.answering(("PATCH", code, body))
    with pytest.raises(kind):
        here.cluster.patch(SCALE)
    assert here.version == "90" and here.cluster.connection.requests["get"] == 0


def test_a_lease_is_written_and_read_past_the_kept_objects(here: Here) -> None:
    here.see()
    here.answering(("POST", 201, thing("docc-shop", 101)), ("PATCH", 409, {}), ("GET", 200, thing("docc-shop", 102)))
    here.cluster.create(Create(LEASE, {"kind": "Lease"}))
    with pytest.raises(Conflict):
        here.cluster.patch(Patch(LEASE, ()))
    here.cluster.observe("shop")  # reads no Lease: it is not kept
    assert here.cluster.connection.requests["get"] == 0
    assert here.cluster.read(LEASE) == thing("docc-shop", 102)
    here.answering(("GET", 404, {"message": "gone", "details": {"name": "docc-shop"}}))
    assert here.cluster.read(LEASE) is None


# --- evidence and the rest
@pytest.mark.parametrize("code", [400, 404, 500, 0])
def test_evidence_that_cannot_be_had_is_none(code: int, here: Here) -> None:
    here.answering(("GET", code, {"message": "no"}), ("GET", code, {"message": "no"}))
    assert here.cluster.logs("web-1", "web", True, 20) == ""
    assert here.cluster.events("web-1") == ()


def test_logs_and_events(here: Here) -> None:
    late, early = {**thing("e2", 2), "lastTimestamp": "2026-01-02T00:00:00Z"}, thing("e1", 1)
    early["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    here.answering(
        ("GET", 200, b"caf\xc3\xa9\n\xff"), ("GET", 200, {"items": [late, early]}), ("GET", 200, {"items": None})
    )
    assert here.cluster.logs("web-1", "web", True, 20) == "café\n\ufffd"
    assert here.cluster.events("web-1") == (early, late) and here.cluster.events("web-1") == ()
    log, events = here.server.asked[:2]
    assert log.path.endswith("/pods/web-1/log") and log.query == {
        "container": "web",
        "tailLines": "20",
        "previous": "true",
    }
    assert events.query == {"fieldSelector": "involvedObject.name=web-1"}


def test_find_namespace_and_version(here: Here) -> None:
    here.api.lists["gateways"] = [thing("public", 1)]
    assert (
        here.cluster.find("Gateway", everywhere=True, labels="a=b")
        == here.cluster.find("Gateway")
        == [thing("public", 1)]
    )
    everywhere, local = here.server.asked
    assert everywhere.path == "/apis/gateway.networking.k8s.io/v1/gateways" and everywhere.query == {
        "labelSelector": "a=b"
    }
    assert "/namespaces/default/" in local.path and local.query == {}
    missing = {"message": 'namespaces "default" not found', "details": {"name": "default"}}
    here.answering(
        ("GET", 200, {"metadata": {"name": "default", "labels": {"team": "a"}}}),
        ("GET", 200, {"metadata": {"name": "default"}}),
        ("GET", 404, missing),
    )
    assert here.cluster.namespace_labels() == {"team": "a"} and here.cluster.namespace_labels() == {}
    with pytest.raises(UnusableError) as caught:
        here.cluster.namespace_labels()
    assert caught.value.what == 'namespace "default" does not exist'
    assert caught.value.fix == "kubectl create namespace default" and caught.value.state == "nothing was touched"
    here.answering(("GET", 200, {"gitVersion": "v1.34.0"}))
    assert here.cluster.version() == {"gitVersion": "v1.34.0"}


def test_close_ends_every_watch(here: Here) -> None:
    here.see()
    assert len(watches()) == 5
    here.cluster.close()
    end_of_watches()


NAMELESS: tuple[Any, ...] = (
    [{"metadata": {}}],
    [{"metadata": {"name": "a", "labels": "x"}}],
    ["x"],
    [None],
    "x",
    {"a": 1},
)


@pytest.mark.parametrize("items", NAMELESS, ids=str)
def test_a_list_of_what_is_no_object_is_no_answer(items: Any, here: Here) -> None:
    here.answering(("GET", 200, {"items": items, "metadata": {"resourceVersion": "1"}}))
    with pytest.raises(Unreachable) as caught:
        here.cluster.find("Gateway")
    assert "does not answer as an API server does" in caught.value.what and "no name" in caught.value.why


def test_an_object_that_is_none_is_no_answer_and_looked_at_again(here: Here) -> None:
    here.see()
    here.answering(("PATCH", 200, {"kind": "Deployment"}))
    with pytest.raises(Unreachable):
        here.cluster.patch(SCALE)
