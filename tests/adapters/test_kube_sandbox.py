"""KubeCluster against a real API with real versions, conflicts, preconditions and watches: the sandbox's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from docc.adapters.kube import KubeCluster
from docc.adapters.kube_connection import Connection
from docc.adapters.prometheus import by_service
from docc.core.verdict import Answer, Series
from docc.model.errors import Conflict, CredentialsError, DoccError, Gone, Refused, Unreachable, UnusableError
from docc.model.moves import Create, Delete, Object, Operation, Patch, Ref
from docc.sandbox.store import HISTORY_MAX, Store
from tests.adapters.fake_api import end_of_watches
from tests.adapters.kubeconfig import TOKEN, connect, entries, write
from tests.adapters.sandbox_api import SandboxApi, sandbox
from tests.adapters.server import serve
from tests.adapters.test_kube import Bell
from tests.adapters.test_prometheus import closing, vector

WEB, NONE = Ref("Deployment", "web"), Ref("Deployment", "none")


def deployment(name: str = "web", replicas: int = 1) -> Object:
    labels = {"docc.dev/app": "shop"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "demo:v1"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod}
    meta = {"name": name, "namespace": "default", "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def lease(holder: str) -> Object:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15}
    meta = {"name": "docc-shop", "namespace": "default"}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}


def scale(replicas: object, *tests: Operation) -> Patch:
    return Patch(WEB, (*tests, {"op": "replace", "path": "/spec/replicas", "value": replicas}))


def at_generation(generation: int) -> Operation:
    return {"op": "test", "path": "/metadata/generation", "value": generation}


class Drivers:
    """One namespace, and as many clusters as there are drivers that look at it."""

    def __init__(self, api: SandboxApi, folder: Path, ending: contextlib.ExitStack) -> None:
        self.api, self._folder, self._ending = api, folder, ending

    def cluster(self) -> tuple[KubeCluster, Bell]:
        bell = Bell()
        cluster = KubeCluster(connect(self._folder, self.api.url), "default", bell.ring)
        self._ending.callback(cluster.close)
        return cluster, bell


@pytest.fixture
def drivers(tmp_path: Path) -> Iterator[Drivers]:
    with sandbox() as api, contextlib.ExitStack() as ending:
        ending.callback(end_of_watches)  # after the clusters have been closed
        yield Drivers(api, tmp_path, ending)


def replicas(cluster: KubeCluster) -> int | None:
    found = cluster.observe("shop").deployments.get("web")
    return found["spec"]["replicas"] if found else None


def test_one_driver_sees_what_another_writes(drivers: Drivers) -> None:
    (mine, _), (other, bell) = drivers.cluster(), drivers.cluster()
    assert replicas(mine) is None and replicas(other) is None
    made = mine.create(Create(WEB, deployment()))
    assert replicas(mine) == 1 and made["metadata"]["uid"]
    bell.until(lambda: replicas(other) == 1)
    mine.patch(scale(2))
    assert replicas(mine) == 2
    bell.until(lambda: replicas(other) == 2)
    found = mine.observe("shop").deployments["web"]["metadata"]
    mine.delete(Delete(WEB, found["uid"], found["resourceVersion"]))
    assert replicas(mine) is None
    bell.until(lambda: replicas(other) is None)
    assert mine.connection.requests["list"] == 6 and mine.connection.requests["get"] == 0


def test_objects_come_into_sight_and_leave_it_by_their_label(drivers: Drivers) -> None:
    mine, bell = drivers.cluster()
    mine.observe("shop")
    drivers.api.do(lambda store: store.create("Deployment", deployment()))
    bell.until(lambda: replicas(mine) == 1)
    other = {"metadata": {"labels": {"docc.dev/app": "another"}}}
    drivers.api.do(lambda store: store.patch("Deployment", "default", "web", other, form="merge"))
    bell.until(lambda: replicas(mine) is None)


CONFLICTS: dict[str, Callable[[KubeCluster, Object], object]] = {
    "a name that is taken": lambda cluster, known: cluster.create(Create(WEB, deployment())),
    "a test that fails": lambda cluster, known: cluster.patch(scale(3, at_generation(1))),
    "another resourceVersion": lambda cluster, known: cluster.delete(
        Delete(WEB, known["uid"], known["resourceVersion"])
    ),
    "another uid": lambda cluster, known: cluster.delete(Delete(WEB, "another", "1")),
}


@pytest.mark.parametrize("write", CONFLICTS.values(), ids=CONFLICTS)
def test_a_lost_race_is_a_conflict_and_the_next_look_sees_the_winner(
    write: Callable[[KubeCluster, Object], object], drivers: Drivers
) -> None:
    (mine, _), (other, _) = drivers.cluster(), drivers.cluster()
    known = other.create(Create(WEB, deployment()))["metadata"]
    assert replicas(mine) == 1
    other.patch(scale(2))
    with pytest.raises(Conflict) as caught:
        write(mine, known)
    assert caught.value.what and replicas(mine) == 2


REFUSALS: dict[str, tuple[Callable[[KubeCluster], object], type[DoccError], str]] = {
    "a value that is not allowed": (lambda cluster: cluster.patch(scale(-1)), Refused, "replicas"),
    "an unknown field": (lambda cluster: cluster.create(Create(WEB, {**deployment(), "foo": 1})), Refused, "foo"),
    "an unknown object": (lambda cluster: cluster.patch(Patch(NONE, scale(1).operations)), Gone, '"none"'),
    "an unknown namespace": (lambda c: KubeCluster(c.connection, "none").namespace_labels(), UnusableError, '"none"'),
}  # fmt: skip


@pytest.mark.parametrize(("act", "kind", "said"), REFUSALS.values(), ids=REFUSALS)
def test_what_is_refused_says_what_and_why(
    act: Callable[[KubeCluster], object], kind: type[DoccError], said: str, drivers: Drivers
) -> None:
    mine, _ = drivers.cluster()
    mine.create(Create(WEB, deployment()))
    with pytest.raises(kind) as caught:
        act(mine)
    assert type(caught.value) is kind and said in caught.value.what + caught.value.why
    assert replicas(mine) == 1


def test_the_guarded_write_that_fits_is_done_once(drivers: Drivers) -> None:
    mine, _ = drivers.cluster()
    mine.create(Create(WEB, deployment()))
    mine.patch(scale(2, at_generation(1)))
    with pytest.raises(Conflict):
        mine.patch(scale(2, at_generation(1)))  # the same again, as after a lost answer
    assert replicas(mine) == 2


def test_of_two_drivers_one_gets_the_lease(drivers: Drivers) -> None:
    (mine, _), (other, _) = drivers.cluster(), drivers.cluster()
    ref = Ref("Lease", "docc-shop")
    assert mine.read(ref) is None
    mine.create(Create(ref, lease("me")))
    with pytest.raises(Conflict):
        other.create(Create(ref, lease("other")))
    held: Operation = {"op": "test", "path": "/spec/holderIdentity", "value": "me"}
    renew: Operation = {"op": "add", "path": "/spec/renewTime", "value": "2026-01-01T00:00:00.000000Z"}
    assert mine.patch(Patch(ref, (held, renew)))["spec"]["renewTime"].startswith("2026-01-01")
    other.patch(Patch(ref, ({"op": "add", "path": "/spec/holderIdentity", "value": "other"},)))
    with pytest.raises(Conflict):
        mine.patch(Patch(ref, (held, renew)))
    found = mine.read(ref)
    assert found is not None and found["spec"]["holderIdentity"] == "other"


def test_what_happened_while_nobody_answered_is_seen_afterwards(drivers: Drivers) -> None:
    mine, bell = drivers.cluster()
    mine.create(Create(WEB, deployment()))
    assert replicas(mine) == 1
    drivers.api.down()
    with pytest.raises(Unreachable):
        mine.patch(scale(5))
    drivers.api.do(lambda store: store.patch("Deployment", "default", "web", {"spec": {"replicas": 3}}, form="merge"))
    drivers.api.do(lambda store: store.create("Deployment", deployment("second")))
    drivers.api.up()
    bell.until(lambda: "second" in mine.observe("shop").deployments)  # by the watch; web by being read afresh
    assert replicas(mine) == 3 and mine.connection.requests["list"] == 6, "nothing was listed anew"


def test_after_too_long_an_absence_everything_is_listed_anew(drivers: Drivers) -> None:
    def forget_history(store: Store) -> None:
        store.delete("Deployment", "default", "web")
        store.create("Deployment", deployment("second"))
        for number in range(HISTORY_MAX + 1):
            store.patch("Lease", "default", "docc-shop", {"spec": {"leaseTransitions": number}}, form="merge")

    mine, bell = drivers.cluster()
    mine.create(Create(WEB, deployment()))
    mine.create(Create(Ref("Lease", "docc-shop"), lease("me")))
    mine.observe("shop")
    drivers.api.down()
    drivers.api.do(forget_history)
    drivers.api.up()
    bell.until(lambda: list(mine.observe("shop").deployments) == ["second"])
    assert mine.connection.requests["list"] > 6
    drivers.api.do(
        lambda store: store.patch("Deployment", "default", "second", {"spec": {"replicas": 4}}, form="merge")
    )
    bell.until(lambda: mine.observe("shop").deployments["second"]["spec"]["replicas"] == 4)


def test_who_is_not_let_in_is_told_so(drivers: Drivers, tmp_path: Path) -> None:
    path = write(tmp_path, entries(drivers.api.url, {"token": f"not-{TOKEN}"}))
    with pytest.raises(CredentialsError) as caught:
        KubeCluster(Connection(kubeconfig=path), "default").observe("shop")
    assert "(401)" in caught.value.what and TOKEN not in str(vars(caught.value))


def test_logs_by_way_of_the_api(drivers: Drivers) -> None:
    mine, _ = drivers.cluster()
    pod = {
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "demo:v1"}]},
    }
    drivers.api.do(lambda store: store.create("Pod", pod))
    assert mine.logs("p", "c", True, 20) == "default p c True 20"
    assert mine.logs("none", "c", True, 20) == ""


def test_prometheus_behind_the_services_proxy(tmp_path: Path) -> None:
    with (
        serve(lambda x: x.reply(200, vector(({"a": "b"}, "1")))) as prometheus,
        sandbox({"monitoring/prom:9090": prometheus.url}) as api,
    ):
        found = closing(by_service(connect(tmp_path, api.url), "monitoring", "prom", 9090), 'up{a="é"} + 1')
        unknown = closing(by_service(connect(tmp_path, api.url), "monitoring", "none", 9090))
    assert found == Answer((Series((("a", "b"),), 1.0),)) and prometheus.asked[0].query == {"query": 'up{a="é"} + 1'}
    assert "HTTP 503" in unknown.error and "proxies" in unknown.error
