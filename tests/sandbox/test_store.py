"""The rules that an API server keeps: conflicts, generations, status, owners, validity, over real HTTP."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Iterator
from typing import Any

import pytest

from docc.sandbox.store import Store
from tests.sandbox.api_server import JSON_PATCH, MERGE, Api, served
from tests.sandbox.objects import COLLECTIONS, OBJECTS, path_of

Object = dict[str, Any]
MAPS, PODS, DEPLOYMENTS = path_of("ConfigMap"), path_of("Pod"), path_of("Deployment")
SERVICES, ROUTES, LEASES, GATEWAYS = path_of("Service"), path_of("HTTPRoute"), path_of("Lease"), path_of("Gateway")
LABELS_FIELD = "spec.template.metadata.labels"
SHOP = f"{DEPLOYMENTS}/shop"
OF_THE_SERVER = {"kubernetes.io/metadata.name"}


@pytest.fixture
def api() -> Iterator[Api]:
    with served() as running:
        yield running


def config(name: str, **meta: Any) -> Object:
    return {"metadata": {"name": name, **meta}, "data": {"a": "1"}}


def changed(path: str, *keys: str | int, value: Any = None) -> Object:
    """The example object of the collection, with one field set."""
    body = copy.deepcopy(OBJECTS[path])
    place: Any = body
    for key in keys[:-1]:
        place = place.setdefault(key, {}) if isinstance(key, str) else place[key]
    place[keys[-1]] = value
    return body


def causes(status: Object) -> dict[str, str]:
    """field -> reason"""
    return {cause["field"]: cause["reason"] for cause in status["details"]["causes"]}


@pytest.mark.parametrize("path", COLLECTIONS)
def test_what_exists_is_not_created_again(api: Api, path: str) -> None:
    created = api.good("POST", path, OBJECTS[path])
    name = created["metadata"]["name"]
    refused = api.refused(409, "POST", path, OBJECTS[path])
    assert refused["reason"] == "AlreadyExists" and refused["message"].endswith(f'"{name}" already exists')
    assert refused["details"]["name"] == name
    assert api.good("GET", f"{path}/{name}") == created


@pytest.mark.parametrize("path", COLLECTIONS)
def test_an_old_version_or_another_uid_never_writes(api: Api, path: str) -> None:
    created = api.good("POST", path, OBJECTS[path])
    address = f"{path}/{created['metadata']['name']}"
    newer = api.good("PATCH", address, {"metadata": {"labels": {"new": "er"}}}, MERGE)
    stale = {"metadata": {"resourceVersion": created["metadata"]["resourceVersion"], "labels": {"a": "b"}}}
    tested = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": created["metadata"]["resourceVersion"]},
        {"op": "add", "path": "/metadata/labels/a", "value": "b"},
    ]
    other = copy.deepcopy(newer)
    other["metadata"]["uid"] = "another"
    modified = "the object has been modified; please apply your changes to the latest version and try again"
    assert modified in api.refused(409, "PATCH", address, stale, MERGE)["message"]
    assert modified in api.refused(409, "PUT", address, created)["message"]
    assert "UID in precondition: another" in api.refused(409, "PUT", address, other)["message"]
    failed = api.refused(422, "PATCH", address, tested, JSON_PATCH)
    assert failed["reason"] == "Invalid" and failed["details"] == {}, "a failed test has no causes"
    for wanted, said in (
        ({"uid": "another"}, "UID in the precondition (another)"),
        (stale["metadata"], "ResourceVersion"),
    ):
        conditions = {key: wanted[key] for key in ("uid", "resourceVersion") if key in wanted}
        refused = api.refused(409, "DELETE", address, {"preconditions": conditions})
        assert refused["reason"] == "Conflict" and said in refused["message"]
    assert api.good("GET", address) == newer
    known = {key: newer["metadata"][key] for key in ("uid", "resourceVersion")}
    api.good("DELETE", address, {"preconditions": known})


@pytest.mark.parametrize("path", COLLECTIONS)
def test_a_replacement_without_a_version_is_taken_only_where_a_real_server_takes_it(api: Api, path: str) -> None:
    created = api.good("POST", path, OBJECTS[path])
    wanted = copy.deepcopy(created)
    del wanted["metadata"]["resourceVersion"]
    wanted["metadata"]["labels"] = {"by": "put"}
    address = f"{path}/{created['metadata']['name']}"
    if path in (LEASES, ROUTES, GATEWAYS):
        refused = api.refused(422, "PUT", address, wanted)
        assert refused["message"].endswith(
            'metadata.resourceVersion: Invalid value: "": must be specified for an update'
        )
    else:
        assert api.good("PUT", address, wanted)["metadata"]["labels"].items() >= {"by": "put"}.items()
    api.refused(404, "PUT", f"{path}/none", changed(path, "metadata", value={"name": "none", "resourceVersion": "1"}))


@pytest.mark.parametrize("path", COLLECTIONS)
def test_a_dry_run_answers_as_the_write_would_and_writes_nothing(api: Api, path: str) -> None:
    name = OBJECTS[path]["metadata"]["name"]
    assert api.good("POST", path, OBJECTS[path], dryRun="All")["metadata"]["uid"]
    api.refused(404, "GET", f"{path}/{name}")
    created = api.good("POST", path, OBJECTS[path])
    api.refused(409, "POST", path, OBJECTS[path], dryRun="All")
    labels = {"metadata": {"labels": {"dry": "run"}}}
    assert api.good("PATCH", f"{path}/{name}", labels, MERGE, dryRun="All")["metadata"]["labels"]["dry"] == "run"
    put = {**created, "metadata": {**created["metadata"], "labels": {}}}
    assert api.good("PUT", f"{path}/{name}", put, dryRun="All")["metadata"].get("labels", {}).keys() <= OF_THE_SERVER
    api.good("DELETE", f"{path}/{name}", dryRun="All")
    api.good("DELETE", f"{path}/{name}", {"dryRun": ["All"]})
    assert api.good("GET", f"{path}/{name}") == created
    listing = api.good("GET", path)
    assert listing["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]
    refused = api.refused(422, "DELETE", f"{path}/{name}", dryRun="Some")
    assert causes(refused) == {"dryRun": "FieldValueNotSupported"}


def test_a_dry_run_of_a_scale_and_a_status_writes_nothing(api: Api) -> None:
    created = api.good("POST", DEPLOYMENTS, OBJECTS[DEPLOYMENTS])
    assert api.good("PATCH", f"{SHOP}/scale", {"spec": {"replicas": 7}}, MERGE, dryRun="All")["spec"] == {"replicas": 7}
    api.good("PATCH", f"{SHOP}/status", {"status": {"replicas": 7}}, MERGE, dryRun="All")
    assert api.good("GET", SHOP) == created


def test_a_name_is_generated_from_its_beginning(api: Api) -> None:
    made = [api.good("POST", MAPS, {"metadata": {"generateName": "shop-"}}) for _ in range(3)]
    names = {body["metadata"]["name"] for body in made}
    assert len(names) == 3 and all(name.startswith("shop-") and len(name) == 10 for name in names)
    refused = api.refused(422, "POST", MAPS, {"metadata": {}})
    assert causes(refused) == {"metadata.name": "FieldValueRequired"}
    assert "name or generateName is required" in refused["message"]


def test_a_generated_name_is_always_a_free_one(api: Api) -> None:
    """Five letters are not many: of 3,000 names two would often be the same."""
    made = [api.good("POST", MAPS, {"metadata": {"generateName": "shop-"}}) for _ in range(3000)]
    assert len({body["metadata"]["name"] for body in made}) == 3000


def test_a_namespace_that_does_not_exist_takes_nothing_and_its_end_takes_everything(api: Api) -> None:
    there = "/api/v1/namespaces/other/configmaps"
    refused = api.refused(404, "POST", there, config("one"))
    assert refused["message"] == 'namespaces "other" not found' and refused["details"]["kind"] == "namespaces"
    assert api.good("GET", there)["items"] == []
    assert api.refused(400, "POST", MAPS, config("one", namespace="other"))["message"].startswith(
        "the namespace of the"
    )
    api.good("POST", "/api/v1/namespaces", {"metadata": {"name": "other"}})
    api.good("POST", there, config("one"))
    api.good("POST", MAPS, config("one"))
    pod = api.good("POST", "/api/v1/namespaces/other/pods", OBJECTS[PODS])
    api.good("DELETE", "/api/v1/namespaces/other")
    assert [item["metadata"]["namespace"] for item in api.good("GET", "/api/v1/configmaps")["items"]] == ["default"]
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    assert api.good("GET", f"/api/v1/namespaces/other/pods/{name}")["metadata"]["deletionTimestamp"]
    assert api.good("GET", "/api/v1/namespaces/other")["status"]["phase"] == "Terminating"
    assert "is being terminated" in api.refused(403, "POST", there, config("one"))["message"]
    api.do(lambda store: store.finish_delete("Pod", "other", name, uid))
    api.refused(404, "GET", "/api/v1/namespaces/other")
    api.refused(404, "POST", there, config("one"))
    assert "may not be deleted" in api.refused(403, "DELETE", "/api/v1/namespaces/default")["message"]


@pytest.mark.parametrize(
    ("path", "patch", "more"),
    [
        (DEPLOYMENTS, {"spec": {"replicas": 5}}, 1), (DEPLOYMENTS, {"spec": {"replicas": 2}}, 0),
        (DEPLOYMENTS, {"metadata": {"labels": {"a": "b"}}}, 0), (DEPLOYMENTS, {"metadata": {"generation": 77}}, 0),
        (ROUTES, {"spec": {"hostnames": ["a.b"]}}, 1), (GATEWAYS, {"spec": {"gatewayClassName": "y"}}, 1),
        (PODS, {"spec": {"nodeName": "n"}}, 1),
        (path_of("EndpointSlice"), {"endpoints": [{"addresses": ["127.0.0.9"]}]}, 1),
        (path_of("EndpointSlice"), {"metadata": {"labels": {"a": "b"}}}, 0),
    ],
)  # fmt: skip
def test_the_generation_counts_changes_of_what_is_wanted(api: Api, path: str, patch: Object, more: int) -> None:
    created = api.good("POST", path, OBJECTS[path])
    assert created["metadata"]["generation"] == 1
    after = api.good("PATCH", f"{path}/{created['metadata']['name']}", patch, MERGE)
    assert after["metadata"]["generation"] == 1 + more


@pytest.mark.parametrize("path", [SERVICES, MAPS, LEASES, path_of("Namespace"), path_of("Event")])
def test_kinds_without_a_generation_have_none_as_in_a_real_cluster(api: Api, path: str) -> None:
    created = api.good("POST", path, changed(path, "metadata", "generation", value=3))
    assert "generation" not in created["metadata"]


def test_a_write_that_changes_nothing_makes_no_version_and_no_event(api: Api) -> None:
    created = api.good("POST", DEPLOYMENTS, OBJECTS[DEPLOYMENTS])
    assert api.good("PATCH", SHOP, {"spec": {"replicas": 2}}, MERGE) == created
    assert api.good("PUT", SHOP, created) == created
    assert api.good("GET", MAPS)["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


def test_spec_and_status_are_written_apart(api: Api) -> None:
    created = api.good("POST", DEPLOYMENTS, {**OBJECTS[DEPLOYMENTS], "status": {"replicas": 9}})
    assert "status" not in created
    both = {"spec": {"replicas": 5}, "status": {"replicas": 5}}
    by_status = api.good("PATCH", f"{SHOP}/status", both, MERGE)
    assert (by_status["spec"]["replicas"], by_status["status"]) == (2, {"replicas": 5})
    assert by_status["metadata"]["generation"] == 1
    by_spec = api.good("PATCH", SHOP, {"spec": {"replicas": 3}, "status": {"replicas": 0}}, MERGE)
    assert (by_spec["spec"]["replicas"], by_spec["status"]) == (3, {"replicas": 5})
    put = {**by_spec, "spec": {**by_spec["spec"], "replicas": 8}, "status": {"replicas": 1}}
    replaced = api.good("PUT", f"{SHOP}/status", put)
    assert (replaced["spec"]["replicas"], replaced["status"]) == (3, {"replicas": 1})
    assert api.refused(409, "PUT", f"{SHOP}/status", put)["reason"] == "Conflict"
    assert api.good("GET", f"{SHOP}/status") == replaced == api.good("GET", SHOP)
    removed = api.good("PUT", SHOP, {key: value for key, value in replaced.items() if key != "status"})
    assert removed["status"] == {"replicas": 1}


def test_what_an_object_owned_goes_with_its_last_owner(api: Api) -> None:
    first, second = api.good("POST", MAPS, config("first")), api.good("POST", MAPS, config("second"))

    def owned_by(*owners: Object) -> list[Object]:
        return [
            {"apiVersion": "v1", "kind": "ConfigMap", **{k: o["metadata"][k] for k in ("name", "uid")}} for o in owners
        ]

    one = api.good("POST", MAPS, config("one", ownerReferences=owned_by(first)))
    api.good("POST", MAPS, config("below-one", ownerReferences=owned_by(one)))
    api.good("POST", MAPS, config("both", ownerReferences=owned_by(first, second)))
    api.good("POST", PODS, changed(PODS, "metadata", value={"name": "pod", "ownerReferences": owned_by(second)}))
    api.good("DELETE", f"{MAPS}/first", {"propagationPolicy": "Foreground"})
    assert [item["metadata"]["name"] for item in api.good("GET", MAPS)["items"]] == ["both", "second"]
    api.good("DELETE", f"{MAPS}/second", {"propagationPolicy": "Background"})
    assert api.good("GET", MAPS)["items"] == []
    assert api.good("GET", f"{PODS}/pod")["metadata"]["deletionTimestamp"], "a pod ends as any pod does"


@pytest.mark.parametrize(
    "options",
    [{"propagationPolicy": "Orphan"}, {"orphanDependents": True}, {"gracePeriodSeconds": 0}, {"preconditions": 1}],
)
def test_a_deletion_otherwise_than_the_sandbox_deletes_is_refused(api: Api, options: Object) -> None:
    api.good("POST", MAPS, config("one"))
    assert api.refused(400, "DELETE", f"{MAPS}/one", options)["reason"] == "BadRequest"
    if isinstance(next(iter(options.values())), str):
        api.refused(400, "DELETE", f"{MAPS}/one", **options)
    api.good("GET", f"{MAPS}/one")


def test_a_pod_is_marked_once_and_keeps_its_first_time(api: Api) -> None:
    api.good("POST", PODS, OBJECTS[PODS])
    first = api.good("DELETE", f"{PODS}/shop-x1")
    assert api.good("DELETE", f"{PODS}/shop-x1") == first
    patched = api.good("PATCH", f"{PODS}/shop-x1", {"metadata": {"deletionTimestamp": None}}, MERGE)
    assert patched["metadata"]["deletionTimestamp"] == first["metadata"]["deletionTimestamp"]


@pytest.mark.parametrize(
    ("path", "keys", "field"),
    [
        (DEPLOYMENTS, ("spec", "replica"), "spec.replica"), (DEPLOYMENTS, ("stats",), "stats"),
        (DEPLOYMENTS, ("spec", "template", "spec", "containers", 0, "lifecyle"), "spec.template.spec.containers[0].lifecyle"),
        (ROUTES, ("spec", "rules", 0, "retry"), "spec.rules[0].retry"), (MAPS, ("spec",), "spec"),
        (SERVICES, ("metadata", "label"), "metadata.label"), (LEASES, ("spec", "strategy"), "spec.strategy"),
    ],
)  # fmt: skip
def test_unknown_fields_are_refused_as_a_strict_server_words_it(
    api: Api, path: str, keys: tuple[str | int, ...], field: str
) -> None:
    kind, name = OBJECTS[path]["kind"], OBJECTS[path]["metadata"]["name"]
    wrong = changed(path, *keys, value={"x": 1})
    said = f'{kind} in version "v1" cannot be handled as a {kind}: strict decoding error: unknown field "{field}"'
    assert api.refused(400, "POST", path, wrong)["message"] == said
    created = api.good("POST", path, OBJECTS[path])
    wrong["metadata"]["resourceVersion"] = created["metadata"]["resourceVersion"]
    assert api.refused(400, "PUT", f"{path}/{name}", wrong)["message"] == said
    refused = api.refused(422, "PATCH", f"{path}/{name}", wrong, MERGE)
    assert refused["message"].endswith(f'strict decoding error: unknown field "{field}"')
    assert causes(refused) == {"patch": "FieldValueInvalid"}
    assert api.good("GET", f"{path}/{name}") == created


@pytest.mark.parametrize(
    ("path", "keys", "value", "field", "reason"),
    [
        (DEPLOYMENTS, ("spec", "replicas"), -1, "spec.replicas", "FieldValueInvalid"),
        (DEPLOYMENTS, ("spec", "selector"), {"matchLabels": {"app": "x"}}, LABELS_FIELD, "FieldValueInvalid"),
        (DEPLOYMENTS, ("spec", "selector"), {}, LABELS_FIELD, "FieldValueInvalid"),
        (DEPLOYMENTS, ("spec", "strategy"), {"type": "Recreate"}, "spec.strategy.type", "FieldValueNotSupported"),
        (DEPLOYMENTS, ("spec",), {"replicas": 1}, "spec.selector", "FieldValueRequired"),
        (PODS, ("spec", "containers"), [], "spec.containers", "FieldValueInvalid"),
        (MAPS, ("metadata", "name"), "A", "metadata.name", "FieldValueInvalid"),
        (MAPS, ("metadata", "name"), "a\n", "metadata.name", "FieldValueInvalid"),
        (MAPS, ("metadata", "finalizers"), ["x/y"], "metadata.finalizers", "FieldValueForbidden"),
        (SERVICES, ("metadata", "name"), "shop.v1", "metadata.name", "FieldValueInvalid"),
        (SERVICES, ("metadata", "name"), "s" * 64, "metadata.name", "FieldValueInvalid"),
        (SERVICES, ("spec", "ports"), [{"port": 0}], "spec.ports[0].port", "FieldValueInvalid"),
        (path_of("Namespace"), ("metadata", "name"), "a.b", "metadata.name", "FieldValueInvalid"),
        (GATEWAYS, ("spec", "listeners"), [], "spec.listeners", "FieldValueInvalid"),
    ],
)  # fmt: skip
def test_values_that_are_not_allowed_are_told_by_field_and_reason(
    api: Api, path: str, keys: tuple[str, ...], value: Any, field: str, reason: str
) -> None:
    refused = api.refused(422, "POST", path, changed(path, *keys, value=value))
    assert refused["reason"] == "Invalid" and causes(refused)[field] == reason, refused
    kind, group = OBJECTS[path]["kind"], OBJECTS[path]["apiVersion"].rpartition("/")[0]
    assert (
        refused["message"].startswith(f"{kind}.{group} " if group else f"{kind} ")
        and " is invalid: " in refused["message"]
    )
    assert refused["details"]["kind"] == kind


@pytest.mark.parametrize(
    ("path", "patch", "field"),
    [
        (DEPLOYMENTS, {"metadata": {"name": "other"}}, "metadata.name"),
        (DEPLOYMENTS, {"metadata": {"namespace": "other"}}, "metadata.namespace"),
        (DEPLOYMENTS, {"metadata": {"uid": "other"}}, "metadata.uid"),
        (DEPLOYMENTS, {"spec": {"template": {"metadata": {"labels": {"more": "x"}}}}}, "spec.template"),
        (MAPS, {"data": {"a": "2"}}, "data"), (MAPS, {"immutable": None}, "immutable"),
    ],
)  # fmt: skip
def test_what_may_not_change_does_not(api: Api, path: str, patch: Object, field: str) -> None:
    created = api.good("POST", path, changed(path, "immutable", value=True) if path == MAPS else OBJECTS[path])
    refused = api.refused(422, "PATCH", f"{path}/shop", patch, MERGE)
    assert field in causes(refused) and api.good("GET", f"{path}/shop") == created


def test_a_selector_does_not_change_even_to_one_that_fits(api: Api) -> None:
    body = changed(DEPLOYMENTS, "spec", "template", "metadata", "labels", value={"app": "shop", "more": "x"})
    created = api.good("POST", DEPLOYMENTS, body)
    refused = api.refused(422, "PATCH", SHOP, {"spec": {"selector": {"matchLabels": {"more": "x"}}}}, MERGE)
    assert causes(refused) == {"spec.selector": "FieldValueInvalid"} and "field is immutable" in refused["message"]
    assert api.good("GET", SHOP) == created


@pytest.mark.parametrize(
    ("patch", "media", "code"),
    [
        ([{"op": "test", "path": "/data/b", "value": None}, {"op": "add", "path": "/data/b", "value": "2"}], JSON_PATCH, 200),
        ([{"op": "test", "path": "/data/a", "value": None}], JSON_PATCH, 422),
        ([{"op": "remove", "path": "/data/none"}], JSON_PATCH, 422),
        ([{"op": "replace", "path": "/none/none", "value": "x"}], JSON_PATCH, 422),
        ([{"op": "x", "path": "/data/a"}], JSON_PATCH, 422), ({"op": "add"}, JSON_PATCH, 400), (["x"], JSON_PATCH, 400),
        ([{"op": "replace", "path": "", "value": []}], JSON_PATCH, 400), (5, JSON_PATCH, 400),
        ([{"op": "remove", "path": "/metadata"}], JSON_PATCH, 400),
        ({"data": {"a": None}}, MERGE, 200), (["x"], MERGE, 400), ("x", MERGE, 400), ({"metadata": None}, MERGE, 400),
    ],
)  # fmt: skip
def test_patches_do_all_or_nothing(api: Api, patch: Any, media: str, code: int) -> None:
    created = api.good("POST", MAPS, config("one"))
    status, answer = api.call("PATCH", f"{MAPS}/one", patch, media)
    assert status == code, answer
    assert (api.good("GET", f"{MAPS}/one") == created) is (code != 200)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"kind": "Pod"}, "it is v1 Pod, not v1 ConfigMap"), ({"apiVersion": "v2"}, "it is v2 ConfigMap"),
        ({"metadata": {"name": "two"}}, "the name of the object (two) does not match the name on the URL (one)"),
        ({"metadata": {"namespace": "other"}}, "does not match the namespace sent on the request"),
    ],
)  # fmt: skip
def test_a_replacement_is_of_the_object_that_the_path_names(api: Api, body: Object, said: str) -> None:
    created = api.good("POST", MAPS, config("one"))
    assert said in api.refused(400, "PUT", f"{MAPS}/one", {**created, **body})["message"]
    assert api.good("GET", f"{MAPS}/one") == created


def test_an_object_to_be_created_has_no_version_yet(api: Api) -> None:
    status, refused = api.call("POST", MAPS, config("one", resourceVersion="7"))
    assert (status, refused["message"]) == (500, "resourceVersion should not be set on objects to be created")
    born = api.good("POST", MAPS, config("one", uid="mine", deletionTimestamp="2020-01-01T00:00:00Z"))["metadata"]
    assert born["uid"] != "mine" and "deletionTimestamp" not in born


def test_defaults_of_a_real_server_are_written_into_objects(api: Api) -> None:
    deployment = api.good("POST", DEPLOYMENTS, OBJECTS[DEPLOYMENTS])["spec"]
    assert (deployment["progressDeadlineSeconds"], deployment["strategy"]["type"]) == (600, "RollingUpdate")
    backend = api.good("POST", ROUTES, OBJECTS[ROUTES])["spec"]["rules"][0]
    assert backend["backendRefs"] == [{"group": "", "kind": "Service", "name": "shop", "port": 80, "weight": 1}]
    assert backend["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert api.good("POST", SERVICES, OBJECTS[SERVICES])["spec"]["ports"][0]["targetPort"] == 80
    listener = api.good("POST", GATEWAYS, OBJECTS[GATEWAYS])["spec"]["listeners"][0]
    assert listener["allowedRoutes"] == {"namespaces": {"from": "Same"}}


@pytest.mark.parametrize(
    ("target", "kept"), [(0, 80), ("", 80), (8080, 8080), ("web", "web"), (-1, None), (65536, None)]
)
def test_a_services_target_is_a_port_or_a_name_and_none_is_its_own_port(
    api: Api, target: int | str, kept: int | str | None
) -> None:
    body = copy.deepcopy(OBJECTS[SERVICES])
    body["spec"]["ports"][0]["targetPort"] = target
    if kept is None:
        assert "targetPort" in api.refused(422, "POST", SERVICES, body)["message"]
    else:
        assert api.good("POST", SERVICES, body)["spec"]["ports"][0]["targetPort"] == kept


def test_who_waits_for_a_change_is_told_or_cancelled_never_both_forgotten() -> None:
    """A cancellation that comes in the same breath as the change: Python 3.11's wait_for would lose it."""

    async def play() -> None:
        store = Store(time.time)
        for later in range(4):
            waiting = asyncio.create_task(store.changed(store.version, 60))
            await asyncio.sleep(0)
            store.create("Namespace", {"metadata": {"name": f"n{later}"}})
            for _ in range(later):
                await asyncio.sleep(0)
            cancelled = waiting.cancel()
            done, _ = await asyncio.wait([waiting], timeout=10)
            assert done == {waiting} and waiting.cancelled() is cancelled
        assert await store.changed(store.version, 0.01) is False
        assert await store.changed(store.version - 1, 60) is True

    asyncio.run(play())


@pytest.mark.parametrize(
    ("path", "keys", "value", "field"),
    [
        (DEPLOYMENTS, ("spec", "replicas"), True, "spec.replicas"), (MAPS, ("data",), {"a": 1}, "data.a"),
        (LEASES, ("spec", "renewTime"), "yesterday", "spec.renewTime"),
    ],
)  # fmt: skip
def test_what_a_built_in_kinds_decoder_cannot_read_is_a_bad_request(
    api: Api, path: str, keys: tuple[str, ...], value: Any, field: str
) -> None:
    refused = api.refused(400, "POST", path, changed(path, *keys, value=value))
    assert "json: cannot unmarshal" in refused["message"] and field in refused["message"]
