"""What others have around an application, in one round: nothing of it can end a deploy, and what was not seen is said."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from docc.adapters.kube import KINDS, KubeCluster
from docc.adapters.kube_around import look_around
from docc.core.obstacles import AROUND
from docc.core.permissions import PREFLIGHT, missing, role
from tests.adapters.fake_api import FakeApi, Object, end_of_watches, is_watch, thing
from tests.adapters.kubeconfig import connect
from tests.adapters.server import LIMIT_SECONDS, Exchange, Server, serve

Answer = Callable[[Exchange], None]
UNKNOWN = "404 page not found\n"
OURS = {"docc.dev/app": "shop", "app.kubernetes.io/managed-by": "docc"}


def forbidden(exchange: Exchange) -> None:
    words = 'things is forbidden: User "u" cannot list resource "things" in API group ""'
    exchange.reply(403, {"kind": "Status", "message": words, "reason": "Forbidden"})


class Around:
    """An API server that answers paths (by their end) as told, and lists of anything else."""

    def __init__(self, api: FakeApi, server: Server, folder: Path, ending: contextlib.ExitStack) -> None:
        self.api, self.server, self._ending = api, server, ending
        self.answers: dict[str, Answer] = {}
        api.before = self._before
        self._connection = connect(folder, server.url)

    def _before(self, exchange: Exchange) -> bool:
        answer = next((a for end, a in self.answers.items() if exchange.asked.path.endswith(end)), None)
        if answer is None or is_watch(exchange.asked):
            return False
        answer(exchange)
        return True

    def cluster(self, *, wide: bool = True) -> KubeCluster:
        found = KubeCluster(self._connection, "web", wide=wide)
        self._ending.callback(found.close)
        return found

    @property
    def paths(self) -> list[str]:
        return [asked.path for asked in self.server.asked if not is_watch(asked)]


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Around]:
    api = FakeApi()
    with serve(api) as server, contextlib.ExitStack() as ending:
        ending.callback(end_of_watches)
        yield Around(api, server, tmp_path, ending)


def test_every_kind_has_its_permission_and_its_address() -> None:
    """Held against each other, since each is a table of its own."""
    addresses = {f"{KINDS[kind].prefix.rpartition('/')[0]}/{KINDS[kind].plural}" for kind in AROUND}
    assert {f"/{'apis/' + need.group if need.group else 'api'}/{need.resource}" for need in PREFLIGHT} == addresses
    assert missing(PREFLIGHT, role("r", "web", PREFLIGHT)["rules"]) == ()


def test_all_is_asked_at_once(around: Around) -> None:
    """Each answer waits for the last question."""
    together = threading.Barrier(len(AROUND) + 1)

    def late(body: Object) -> Answer:
        def answer(exchange: Exchange) -> None:
            together.wait(LIMIT_SECONDS)
            exchange.reply(200, body)

        return answer

    for kind in AROUND:
        around.answers[KINDS[kind].plural] = late({"items": [thing(kind.lower(), 1)]})
    around.answers["/version"] = late({"gitVersion": "v1.36.0"})
    found = look_around(around.cluster(), AROUND, version=True)
    assert {kind: [o["metadata"]["name"] for o in found.of(kind)] for kind in AROUND} == {
        k: [k.lower()] for k in AROUND
    }
    assert found.version == "v1.36.0" and found.unseen == () and len(around.paths) == len(AROUND) + 1


def test_a_kind_that_the_cluster_does_not_have_is_none_of_it(around: Around) -> None:
    for kind in AROUND:
        around.answers[KINDS[kind].plural] = lambda exchange: exchange.reply(404, UNKNOWN)
    found = look_around(around.cluster(), AROUND)
    assert (found.unseen, [*found.of("ResourceQuota")]) == ((), [])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (forbidden, "you may not list resourcequotas"),
        (lambda exchange: exchange.reply(500, "oh"), "list resourcequotas: the API server answered 500"),
        (lambda exchange: exchange.drop(), "list resourcequotas: http"),
        (lambda exchange: exchange.hang(), "does not answer"),
        (lambda exchange: exchange.reply(200, "<html>"), "does not answer as an API server does"),
        (lambda exchange: exchange.reply(406, ""), "list resourcequotas: the API server cannot do this"),
    ],
)
def test_what_could_not_be_looked_at_is_said_and_the_rest_is_there(around: Around, answer: Answer, words: str) -> None:
    around.answers["resourcequotas"] = answer
    around.answers["poddisruptionbudgets"] = lambda exchange: exchange.reply(200, {"items": [thing("pdb", 1)]})
    found = look_around(around.cluster(), AROUND)
    (said,) = found.unseen
    assert words in said and len(found.of("PodDisruptionBudget")) == 1 and found.of("ResourceQuota") == ()


def test_what_the_rules_deny_is_not_even_asked(around: Around) -> None:
    denied = [need for need in PREFLIGHT if need.resource in ("resourcequotas", "destinationrules")]
    found = look_around(around.cluster(), AROUND, denied)
    assert found.unseen == ("you may not list resourcequotas", "you may not list destinationrules.networking.istio.io")
    assert len(around.paths) == len(AROUND) - 2


# --- the wide first look
def beside(around: Around) -> None:
    around.api.lists["services"] = [
        thing("shop", 1), thing("all", 2), {"metadata": {**thing("shop-v1", 3)["metadata"], "labels": OURS}}
    ]  # fmt: skip
    around.api.lists["deployments"] = [thing("shop-v2", 5)]
    around.api.lists["httproutes"] = [
        {"metadata": {**thing(name, 4, uid=f"{space}-{name}")["metadata"], "namespace": space}}
        for space, name in (("web", "shop"), ("team", "shop"), ("web", "blog"))
    ]


def test_a_wide_look_puts_neighbours_aside_and_costs_no_request_more(around: Around) -> None:
    beside(around)
    wide = around.cluster()
    seen = wide.observe("shop")
    assert len(around.paths) == 6 and "/apis/gateway.networking.k8s.io/v1/httproutes" in around.paths
    assert [*seen.services] == ["shop-v1"] and seen.route is not None and seen.deployments == {}
    found = look_around(wide, ())
    assert [s["metadata"]["name"] for s in found.of("Service")] == ["shop", "all"]
    assert [d["metadata"]["name"] for d in found.of("Deployment")] == ["shop-v2"]
    routes = [f"{r['metadata']['namespace']}/{r['metadata']['name']}" for r in found.of("HTTPRoute")]
    assert routes == ["team/shop", "web/blog"] and found.unseen == () and len(around.paths) == 6
    stream = around.api.watch("httproutes")
    assert stream.query["fieldSelector"] == "metadata.name=shop" and stream.version == "100"


def test_a_narrow_look_asks_for_its_own(around: Around) -> None:
    around.cluster(wide=False).observe("shop")
    assert all("/namespaces/web/" in path for path in around.paths)
    queries = [asked.query for asked in around.server.asked if not is_watch(asked)]
    assert all(query.get("labelSelector") or query.get("fieldSelector") for query in queries)


def test_who_may_not_see_the_routes_of_all_namespaces_sees_those_of_his_own(around: Around) -> None:
    beside(around)
    around.answers["/v1/httproutes"] = forbidden
    wide = around.cluster()
    assert wide.observe("shop").route is not None
    found = look_around(wide, ())
    assert found.unseen == ("you may not list httproutes.gateway.networking.k8s.io in other namespaces",)
    assert "/apis/gateway.networking.k8s.io/v1/namespaces/web/httproutes" in around.paths


def test_without_gateway_api_there_are_no_routes(around: Around) -> None:
    around.answers["/v1/httproutes"] = lambda exchange: exchange.reply(404, UNKNOWN)
    wide = around.cluster()
    assert wide.observe("shop").route is None and look_around(wide, ()).of("HTTPRoute") == []
