"""The sandbox's API over real HTTP, as any Kubernetes client meets it: reading, watching, refusing."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docc.sandbox.kinds import KINDS
from docc.sandbox.store import HISTORY_MAX
from tests.sandbox.api_server import JSON, JSON_PATCH, MERGE, TOKEN, Api, served
from tests.sandbox.objects import COLLECTIONS, OBJECTS, path_of

Object = dict[str, Any]
MAPS = path_of("ConfigMap")
PODS = path_of("Pod")
DEPLOYMENTS = path_of("Deployment")


@pytest.fixture
def api() -> Iterator[Api]:
    with served() as running:
        yield running


def config(name: str, **labels: str) -> Object:
    return {"metadata": {"name": name, "labels": labels}, "data": {"a": "1"}}


def test_every_kind_of_the_sandbox_is_tried_below() -> None:
    assert sorted(body["kind"] for body in OBJECTS.values()) == sorted(kind.kind for kind in KINDS)


@pytest.mark.parametrize("path", COLLECTIONS)
def test_each_kind_is_created_read_listed_watched_changed_replaced_and_deleted(api: Api, path: str) -> None:
    wanted = OBJECTS[path]
    name = wanted["metadata"]["name"]
    before = api.good("GET", path)
    created = api.good("POST", path, wanted)
    assert (created["apiVersion"], created["kind"]) == (wanted["apiVersion"], wanted["kind"])
    assert created["metadata"]["uid"] and created["metadata"]["creationTimestamp"].endswith("Z")
    assert api.good("GET", f"{path}/{name}") == created
    listing = api.good("GET", path)
    assert (listing["kind"], listing["apiVersion"]) == (f"{wanted['kind']}List", wanted["apiVersion"])
    assert len(listing["items"]) == len(before["items"]) + 1 and created in listing["items"]
    merged = api.good("PATCH", f"{path}/{name}", {"metadata": {"annotations": {"by": "merge"}}}, MERGE)
    tested = {"op": "test", "path": "/metadata/annotations/by", "value": "merge"}
    replaced = {"op": "replace", "path": "/metadata/annotations/by", "value": "json"}
    changed = api.good("PATCH", f"{path}/{name}", [tested, replaced], JSON_PATCH)
    assert (merged["metadata"]["annotations"], changed["metadata"]["annotations"]) == ({"by": "merge"}, {"by": "json"})
    put = copy.deepcopy(changed)
    put["metadata"]["annotations"] = {"by": "put"}
    put = api.good("PUT", f"{path}/{name}", put)
    versions = [int(body["metadata"]["resourceVersion"]) for body in (created, merged, changed, put)]
    assert versions == sorted(set(versions)), "each write has a version of its own, and later ones have higher ones"
    generations = [body["metadata"].get("generation") for body in (created, put)]
    assert generations == [1, 4] if wanted["kind"] == "Deployment" else generations in ([1, 1], [None, None])
    gone = api.good("DELETE", f"{path}/{name}")
    assert (gone.get("details") or gone["metadata"])["uid"] == created["metadata"]["uid"]
    if wanted["kind"] == "Pod":
        assert gone["metadata"]["deletionTimestamp"], "a pod is there until its node is done with it"
        api.do(lambda store: store.finish_delete("Pod", "default", name, gone["metadata"]["uid"]))
    missing = api.refused(404, "GET", f"{path}/{name}")
    assert missing["reason"] == "NotFound" and missing["details"]["name"] == name
    group = wanted["apiVersion"].rpartition("/")[0]
    resource = f"{path.rsplit('/', 1)[1]}{'.' if group else ''}{group}"
    assert missing["message"] == f'{resource} "{name}" not found'
    with api.watch(path, resourceVersion=listing["metadata"]["resourceVersion"]) as events:
        told = [next(events) for _ in range(5 if wanted["kind"] == "Pod" else 4)]
    assert [event["type"] for event in told] == ["MODIFIED"] * (len(told) - 1) + ["DELETED"]
    assert [event["object"]["metadata"]["annotations"]["by"] for event in told[:3]] == ["merge", "json", "put"]


def test_a_watch_tells_what_happens_while_it_is_open_and_ends_by_its_timeout(api: Api) -> None:
    version = api.good("GET", MAPS)["metadata"]["resourceVersion"]
    with api.watch(MAPS, resourceVersion=version, timeoutSeconds=2, allowWatchBookmarks="true") as events:
        api.good("POST", MAPS, config("one"))
        api.good("POST", PODS, OBJECTS[PODS])
        api.good("DELETE", f"{MAPS}/one")
        told = list(events)
    last = api.good("GET", MAPS)["metadata"]["resourceVersion"]
    assert [event["type"] for event in told] == ["ADDED", "DELETED", "BOOKMARK"]
    assert told[2]["object"] == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"resourceVersion": last}}
    assert int(told[1]["object"]["metadata"]["resourceVersion"]) > int(told[0]["object"]["metadata"]["resourceVersion"])


def test_without_bookmarks_a_quiet_watch_says_nothing(api: Api) -> None:
    version = api.good("GET", MAPS)["metadata"]["resourceVersion"]
    with api.watch(MAPS, resourceVersion=version, timeoutSeconds=1) as events:
        assert list(events) == []


@pytest.mark.parametrize("query", [{}, {"resourceVersion": "0"}], ids=["no version", "version 0"])
def test_a_watch_from_no_version_begins_with_what_there_is(api: Api, query: dict[str, str]) -> None:
    api.good("POST", MAPS, config("one"))
    with api.watch(MAPS, timeoutSeconds=5, **query) as events:
        first = next(events)
        api.good("POST", MAPS, config("two"))
        second = next(events)
    assert [(e["type"], e["object"]["metadata"]["name"]) for e in (first, second)] == [
        ("ADDED", "one"),
        ("ADDED", "two"),
    ]


def test_a_watch_with_a_selector_tells_of_coming_into_sight_and_leaving_it(api: Api) -> None:
    version = api.good("GET", MAPS)["metadata"]["resourceVersion"]
    api.good("POST", MAPS, config("one"))
    for team in ("a", "a2", "b"):
        api.good("PATCH", f"{MAPS}/one", {"metadata": {"labels": {"team": team[:1]}}, "data": {"a": team}}, MERGE)
    with api.watch(MAPS, resourceVersion=version, labelSelector="team=a") as events:
        told = [next(events) for _ in range(3)]
    assert [event["type"] for event in told] == ["ADDED", "MODIFIED", "DELETED"]


def test_a_version_that_is_too_old_is_410_and_the_list_leads_on(api: Api) -> None:
    old = api.good("GET", MAPS)["metadata"]["resourceVersion"]
    api.good("POST", MAPS, config("one"))

    def age(store: Any) -> None:
        for at in range(HISTORY_MAX):
            store.patch("ConfigMap", "default", "one", {"data": {"a": str(at)}}, form="merge")

    api.do(age)
    with api.watch(MAPS, resourceVersion=old) as events:
        (event,) = list(events)
    assert event["type"] == "ERROR" and event["object"]["message"].startswith(f"too old resource version: {old}")
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    fresh = api.good("GET", MAPS)["metadata"]["resourceVersion"]
    with api.watch(MAPS, resourceVersion=fresh, timeoutSeconds=5) as events:
        api.good("DELETE", f"{MAPS}/one")
        assert next(events)["type"] == "DELETED"


def test_a_version_that_is_yet_to_come_is_refused_and_not_waited_for(api: Api) -> None:
    for query in ({"watch": "true"}, {}):
        refused = api.refused(504, "GET", MAPS, resourceVersion="999999", **query)
        assert refused["message"].startswith("Too large resource version: 999999, current: ")
    assert api.refused(410, "GET", MAPS, resourceVersion="1", resourceVersionMatch="Exact")["reason"] == "Expired"


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ({"labelSelector": "team=a"}, "one two"), ({"labelSelector": "team==a,tier"}, "two"),
        ({"labelSelector": "team!=a"}, "four three"), ({"labelSelector": "!team"}, "four"),
        ({"labelSelector": "team in (a, b),!tier"}, "one three"), ({"labelSelector": "team notin (a)"}, "four three"),
        ({"labelSelector": "tier="}, ""), ({"fieldSelector": "metadata.name=one"}, "one"),
        ({"fieldSelector": "metadata.name!=one,metadata.namespace==default"}, "four three two"),
        ({"labelSelector": "team=a", "fieldSelector": "metadata.name=three"}, ""),
    ],
)  # fmt: skip
def test_selectors_choose(api: Api, selector: dict[str, str], names: str) -> None:
    for body in (config("one", team="a"), config("two", team="a", tier="x"), config("three", team="b"), config("four")):
        api.good("POST", MAPS, body)
    assert " ".join(item["metadata"]["name"] for item in api.good("GET", MAPS, **selector)["items"]) == names


@pytest.mark.parametrize(
    "selector",
    [
        {"labelSelector": "a in (b"}, {"labelSelector": "a("}, {"labelSelector": "a>1"}, {"labelSelector": "!a=b"},
        {"fieldSelector": "status.phase=Running"}, {"fieldSelector": "involvedObject.name=x"}, {"fieldSelector": "x"},
        {"limit": "-1"}, {"limit": "many"}, {"continue": "nonsense"}, {"continue": "WzEsIC0xXQ=="},
        {"resourceVersion": "new"}, {"watch": "true", "timeoutSeconds": "soon"}, {"watch": "true", "resourceVersion": "-1"},
    ],
)  # fmt: skip
def test_what_is_no_selector_version_or_page_is_refused(api: Api, selector: dict[str, str]) -> None:
    refused = api.call("GET", MAPS, query=selector)
    assert refused[0] in (400, 410) and len(refused[1]["message"]) > 10


def test_events_are_found_by_what_they_are_about(api: Api) -> None:
    events = path_of("Event")
    api.good("POST", events, OBJECTS[events])
    for name, count in (("shop-x1", 1), ("other", 0)):
        found = api.good("GET", events, fieldSelector=f"involvedObject.name={name},involvedObject.kind=Pod")
        assert len(found["items"]) == count


def test_pages_of_a_list_join_into_the_whole_and_expire_when_it_changes(api: Api) -> None:
    for at in range(7):
        api.good("POST", MAPS, config(f"c{at}"))
    first = api.good("GET", MAPS, limit=3)
    assert first["metadata"]["remainingItemCount"] == 4
    second = api.good("GET", MAPS, limit=3, **{"continue": first["metadata"]["continue"]})
    third = api.good("GET", MAPS, limit=3, **{"continue": second["metadata"]["continue"]})
    names = [item["metadata"]["name"] for part in (first, second, third) for item in part["items"]]
    assert names == [f"c{at}" for at in range(7)] and "continue" not in third["metadata"]
    assert len(api.good("GET", MAPS, limit=500)["items"]) == 7
    api.good("POST", MAPS, config("late"))
    refused = api.refused(410, "GET", MAPS, limit=3, **{"continue": first["metadata"]["continue"]})
    assert refused["reason"] == "Expired" and "without the continue parameter" in refused["message"]


def test_a_list_without_a_namespace_has_all_of_them(api: Api) -> None:
    api.good("POST", "/api/v1/namespaces", {"metadata": {"name": "other"}})
    api.good("POST", MAPS, config("here"))
    api.good("POST", "/api/v1/namespaces/other/configmaps", config("there"))
    assert [i["metadata"]["name"] for i in api.good("GET", "/api/v1/configmaps")["items"]] == ["here", "there"]
    assert [i["metadata"]["name"] for i in api.good("GET", MAPS)["items"]] == ["here"]


def test_a_logs_container_run_and_length_are_the_ones_asked_for(api: Api) -> None:
    api.good("POST", PODS, OBJECTS[PODS])
    for query, said in (("", "previous=False lines=None"), ("?previous=true&tailLines=5", "previous=True lines=5")):
        status, _, text = api.raw("GET", f"{PODS}/shop-x1/log{query}")
        assert (status, text.decode()) == (200, f"default/shop-x1/web {said}\n")
    assert "container x is not valid" in api.refused(400, "GET", f"{PODS}/shop-x1/log", container="x")["message"]
    assert "does not follow" in api.refused(400, "GET", f"{PODS}/shop-x1/log", follow="true")["message"]
    assert "tailLines" in api.refused(422, "GET", f"{PODS}/shop-x1/log", tailLines="-1")["message"]
    assert api.refused(404, "GET", f"{PODS}/none/log")["message"] == 'pods "none" not found'


def test_the_scale_of_a_deployment_is_read_patched_and_put(api: Api) -> None:
    scale = f"{DEPLOYMENTS}/shop/scale"
    made = api.good("POST", DEPLOYMENTS, OBJECTS[DEPLOYMENTS])
    found = api.good("GET", scale)
    assert (found["apiVersion"], found["kind"], found["spec"]) == ("autoscaling/v1", "Scale", {"replicas": 2})
    assert found["status"] == {"replicas": 0, "selector": "app=shop"}
    assert api.good("PATCH", scale, {"spec": {"replicas": 3}}, MERGE)["spec"] == {"replicas": 3}
    by_json = [
        {"op": "test", "path": "/spec/replicas", "value": 3},
        {"op": "replace", "path": "/spec/replicas", "value": 0},
    ]
    assert api.good("PATCH", scale, by_json, JSON_PATCH)["spec"] == {}, "a real server leaves a 0 out"
    assert api.refused(422, "PATCH", scale, by_json, JSON_PATCH)["details"] == {}, "a failed test has no causes"
    stale = {
        "metadata": {"name": "shop", "resourceVersion": made["metadata"]["resourceVersion"]},
        "spec": {"replicas": 9},
    }
    assert api.refused(409, "PUT", scale, stale)["reason"] == "Conflict"
    assert api.refused(422, "PATCH", scale, {"spec": {"replicas": -1}}, MERGE)["details"]["causes"]
    assert api.good("PUT", scale, {"spec": {}})["spec"] == {}
    assert api.refused(400, "PUT", scale, {"spec": {"replica": 1}})["reason"] == "BadRequest"
    assert api.good("GET", f"{DEPLOYMENTS}/shop")["metadata"]["generation"] == 3
    assert api.refused(415, "PATCH", scale, {"spec": {"replicas": 1}}, JSON)


def test_the_caller_may_do_everything(api: Api) -> None:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": "default"},
    }
    answer = api.good("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)
    assert (answer["kind"], answer["spec"]) == ("SelfSubjectRulesReview", {"namespace": "default"})
    (rule,) = answer["status"]["resourceRules"]
    assert rule == {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]} and answer["status"]["incomplete"] is False


def test_discovery_names_every_kind_and_its_group(api: Api) -> None:
    groups = {group["name"] for group in api.good("GET", "/apis")["groups"]}
    found = {(r["name"], r["kind"]) for r in api.good("GET", "/api/v1")["resources"]}
    for group in groups:
        found |= {(r["name"], r["kind"]) for r in api.good("GET", f"/apis/{group}/v1")["resources"]}
    assert {(kind.plural, kind.kind) for kind in KINDS} <= found and ("deployments/status", "Deployment") in found
    assert api.good("GET", "/api")["versions"] == ["v1"] and api.good("GET", "/version")["major"] == "1"
    assert api.raw("GET", "/readyz")[2] == b"ok"


@pytest.mark.parametrize(
    ("code", "method", "path", "said"),
    [
        (404, "GET", "/nothing/here", "the sandbox speaks get, list, watch"),
        (404, "GET", "/api/v1/namespaces/default/secrets", "the sandbox has no such resource; it has namespaces, deployments"),
        (404, "GET", "/apis/apps/v1/namespaces/default/replicasets", "the sandbox has no such resource"),
        (404, "GET", "/apis/gateway.networking.k8s.io/v1beta1/httproutes", "the sandbox has no such resource"),
        (404, "GET", "/apis/none/v1", "no API group none/v1"),
        (404, "GET", "/api/v1/namespaces/default/namespaces", "the sandbox has no such resource"),
        (404, "GET", f"{MAPS}/x/status", "the sandbox has no status of configmaps"),
        (404, "GET", f"{PODS}/x/exec", "the sandbox has no exec of pods"),
        (404, "PATCH", f"{MAPS}/x/scale", "the sandbox has no scale of configmaps"),
        (405, "DELETE", MAPS, "DELETE of a collection: the sandbox speaks"),
        (405, "PUT", MAPS, "PUT of a collection: the sandbox speaks"),
        (405, "POST", f"{MAPS}/x", "POST of an object: the sandbox speaks"),
        (405, "DELETE", f"{DEPLOYMENTS}/x/scale", "DELETE of scale is not spoken here"),
        (405, "POST", "/version", "the sandbox speaks"),
        (503, "GET", "/api/v1/namespaces/default/services/shop:80/proxy/x", "the sandbox proxies nothing"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused_with_a_sentence(api: Api, code: int, method: str, path: str, said: str) -> None:
    refused = api.refused(code, method, path)
    assert said in refused["message"] and "name" not in refused["details"], "an unknown path is no missing object"


@pytest.mark.parametrize(
    ("method", "media", "said"),
    [
        ("PATCH", "application/apply-patch+yaml", "server-side apply"),
        ("PATCH", "application/strategic-merge-patch+json", "strategic merge patch"),
        ("PATCH", "application/json", "application/json-patch+json, application/merge-patch+json"),
        ("POST", "application/yaml", "application/yaml"), ("PUT", "application/vnd.kubernetes.protobuf", "protobuf"),
        ("DELETE", "text/plain", "text/plain"),
    ],
)  # fmt: skip
def test_other_media_types_are_refused_with_a_sentence(api: Api, method: str, media: str, said: str) -> None:
    api.good("POST", MAPS, config("one"))
    refused = api.refused(415, method, MAPS if method == "POST" else f"{MAPS}/one", {"data": {}}, media)
    assert refused["reason"] == "UnsupportedMediaType" and said in refused["message"]
    assert api.good("GET", f"{MAPS}/one")["data"] == {"a": "1"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b'{"data":{"a":NaN}}',
        b'{"a":' * 100_000,
        b"\xff\xfe",
        b'{"metadata":1}',
        b'{"metadata":[]}',
    ],
    ids=["nothing", "half", "list", "number", "NaN", "deep", "not UTF-8", "metadata 1", "metadata []"],
)
def test_a_body_that_is_no_object_is_a_bad_request(api: Api, body: bytes) -> None:
    status, _, text = api.raw("POST", MAPS, body, headers={"Content-Type": JSON})
    assert status == 400 and json.loads(text)["reason"] == "BadRequest"


def test_a_body_without_a_media_type_is_json_and_a_huge_one_is_refused(api: Api) -> None:
    assert api.raw("POST", MAPS, json.dumps(config("plain")).encode())[0] == 201
    assert api.raw("POST", MAPS, b'"' + b"x" * (4 << 20) + b'"', headers={"Content-Type": JSON})[0] == 413


def test_nobody_is_answered_without_the_token_and_every_answer_has_a_date(api: Api) -> None:
    wrong = ("Bearer other", TOKEN, "", "Basic", "Basic !", basic("other"), basic(""))
    for header in ({"Authorization": text} for text in wrong):
        status, headers, text = api.raw("GET", MAPS, headers=header)
        assert status == 401 and json.loads(text)["reason"] == "Unauthorized"
        assert parsedate_to_datetime(str(headers["Date"])).tzinfo is not None


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"docc-sandbox:{password}".encode()).decode()


def test_the_token_may_be_the_password_of_the_url_as_kubectl_needs_it_without_tls(api: Api) -> None:
    status, _, text = api.raw("GET", MAPS, headers={"Authorization": basic(TOKEN)})
    assert status == 200 and json.loads(text)["kind"] == "ConfigMapList"


def test_discovery_tells_the_short_names_that_people_type(api: Api) -> None:
    told = {path: api.good("GET", path)["resources"] for path in ("/api/v1", "/apis/apps/v1")}
    short = {each["name"]: each["shortNames"] for found in told.values() for each in found if "shortNames" in each}
    assert short["pods"] == ["po"] and short["services"] == ["svc"] and short["deployments"] == ["deploy"]


def test_each_request_leaves_one_line_in_the_audit(api: Api) -> None:
    api.good("POST", MAPS, config("one"))
    api.good("GET", f"{MAPS}/one")
    with api.watch(MAPS, timeoutSeconds=1) as events:
        list(events)
    api.refused(409, "POST", MAPS, config("one"))
    api.good("DELETE", f"{MAPS}/one")
    told = [(entry["verb"], entry["resource"], entry["name"], entry["code"]) for entry in api.audit]
    assert told == [
        ("create", "configmaps", "", 201), ("get", "configmaps", "one", 200), ("watch", "configmaps", "", 200),
        ("create", "configmaps", "", 409), ("delete", "configmaps", "one", 200),
    ]  # fmt: skip


_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-2, 99999), st.text(max_size=5), st.just("10s"), st.just("/"))
_KEYS = st.sampled_from(
    [
        "metadata",
        "name",
        "namespace",
        "labels",
        "annotations",
        "spec",
        "status",
        "replicas",
        "selector",
        "template",
        "matchLabels",
        "containers",
        "data",
        "uid",
        "resourceVersion",
        "parentRefs",
        "rules",
        "matches",
        "path",
        "type",
        "value",
        "timeouts",
        "request",
        "listeners",
        "op",
        "from",
        "a",
    ]
)
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12
)


@pytest.fixture(scope="module")
def lasting() -> Iterator[Api]:
    with served() as running:
        for path, body in OBJECTS.items():
            running.good("POST", path, body)
        yield running


@settings(max_examples=400)
@given(
    path=st.sampled_from(COLLECTIONS),
    how=st.sampled_from([("POST", JSON), ("PUT", JSON), ("PATCH", MERGE), ("PATCH", JSON_PATCH), ("DELETE", JSON)]),
    sub=st.sampled_from(["", "/status", "/scale"]),
    body=st.one_of(_JSON, st.lists(st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "remove", "replace", "test", "move", "copy", "x"]),
         "path": st.sampled_from(["/metadata", "/spec", "/spec/-", "/metadata/labels/a", "", "/", "x"])},
        optional={"value": _JSON, "from": st.sampled_from(["/spec", "/metadata/labels"])}), max_size=3)),
)  # fmt: skip
def test_no_body_whatever_is_answered_with_a_breakdown(
    lasting: Api, path: str, how: tuple[str, str], sub: str, body: Any
) -> None:
    method, media = how
    name = OBJECTS[path]["metadata"]["name"]
    address = path if method == "POST" else f"{path}/{name}{sub}"
    status, answer = lasting.call(method, address, body, media, {"dryRun": "All"})
    assert status < 500, answer
    assert status < 300 or len(answer["message"]) > 10
    assert lasting.call("GET", f"{path}/{name}")[0] == 200, "a dry run has changed nothing"
