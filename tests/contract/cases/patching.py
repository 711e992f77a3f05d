"""JSON Patch with its tests, merge patch, PUT: docc's fences are made of these."""

from __future__ import annotations

from typing import Any

from tests.contract.api import JSON, JSON_PATCH, Ask, Object
from tests.contract.objects import config_map, deployment, lease, route, service
from tests.contract.talk import Talk

RECORD = "/metadata/annotations/docc.dev~1rollout"


def _op(name: str, path: str, value: Any = None) -> Object:
    return {"op": name, "path": path, **({} if name == "remove" else {"value": value})}


def _patch(talk: Talk, step: str, plural: str, *operations: Object, show: tuple[str, ...] = ()) -> Object:
    query = {"fieldManager": "docc", "fieldValidation": "Strict"}
    return talk.ask(step, Ask("PATCH", talk.at(plural, "shop"), list(operations), query=query), show)


def a_test_that_fails_is_422_without_causes_and_nothing_is_written(talk: Talk) -> None:
    for plural, body in (("configmaps", config_map("shop")), ("httproutes", route("shop"))):
        body["metadata"]["annotations"] = {"docc.dev/rollout": "one"}
        talk.make(plural, body)
        write = _op("add", RECORD, "three")
        _patch(talk, f"{plural}: another value", plural, _op("test", RECORD, "two"), write)
        _patch(talk, f"{plural}: null", plural, _op("test", RECORD, None), write)
        _patch(talk, f"{plural}: write first", plural, write, _op("test", RECORD, "one"))
        _patch(talk, f"{plural}: an absent key", plural, _op("test", f"{RECORD}x", "one"), write)
        talk.ask(plural, Ask("GET", talk.at(plural, "shop")), ("metadata/annotations",))


def a_test_that_holds_lets_the_patch_through(talk: Talk) -> None:
    talk.make("configmaps", config_map("shop", annotations={"docc.dev/rollout": "one"}))
    tested, write = _op("test", RECORD, "one"), _op("add", RECORD, "two")
    _patch(talk, "the record", "configmaps", tested, write, show=("metadata/annotations",))


def a_test_of_null_passes_where_the_key_is_absent(talk: Talk) -> None:
    for plural, body in (
        ("configmaps", config_map("shop")),
        ("services", service("shop")),
        ("httproutes", route("shop")),
    ):
        body["metadata"]["annotations"] = {"other": "1"}
        talk.make(plural, body)
        write = _op("add", RECORD, "one")
        _patch(talk, plural, plural, _op("test", RECORD, None), write, show=("metadata/annotations",))


def a_test_of_null_passes_where_there_are_no_annotations_at_all(talk: Talk) -> None:
    for plural, body in (
        ("configmaps", config_map("shop")),
        ("services", service("shop")),
        ("httproutes", route("shop")),
    ):
        talk.make(plural, body)
        write = _op("add", "/metadata/annotations", {"docc.dev/rollout": "one"})
        _patch(talk, f"{plural}: the key", plural, _op("test", RECORD, None))
        _patch(talk, f"{plural}: the map", plural, _op("test", "/metadata/annotations", None), write)
        _patch(talk, f"{plural}: once more", plural, _op("test", "/metadata/annotations", None), write)


def an_emptied_map_of_annotations_is_none(talk: Talk) -> None:
    for plural, body in (
        ("configmaps", config_map("shop")),
        ("services", service("shop")),
        ("httproutes", route("shop")),
    ):
        body["metadata"] |= {"annotations": {}, "labels": {"x": "1"}}
        talk.make(plural, body)
        shown = ("metadata/annotations", "metadata/labels")
        talk.ask(f"{plural}: born so", Ask("GET", talk.at(plural, "shop")), shown)
        both = (_op("add", "/metadata/annotations", {"docc.dev/rollout": "one"}), _op("remove", "/metadata/labels/x"))
        _patch(talk, f"{plural}: filled", plural, *both, show=shown)
        _patch(talk, f"{plural}: emptied", plural, _op("remove", RECORD), show=shown)
        _patch(talk, f"{plural}: into nothing", plural, _op("add", RECORD, "two"), show=shown)


def adding_below_an_absent_map_is_refused(talk: Talk) -> None:
    talk.make("configmaps", config_map("shop"))
    _patch(talk, "annotations", "configmaps", _op("add", RECORD, "one"))


def an_operation_on_what_is_not_there_is_refused(talk: Talk) -> None:
    talk.make("configmaps", config_map("shop"))
    for operation in ("remove", "replace"):
        _patch(talk, operation, "configmaps", _op(operation, "/data/none", "1"))
        _patch(talk, f"{operation} in nothing", "configmaps", _op(operation, "/none/none", "1"))
    talk.ask("at last", Ask("GET", talk.at("configmaps", "shop")), ("data",))


def a_stale_generation_is_noticed(talk: Talk) -> None:
    talk.make("httproutes", route("shop"))
    host = _op("add", "/spec/hostnames", ["a.example"])
    shown = ("metadata/generation", "spec/hostnames")
    _patch(talk, "the first writer", "httproutes", _op("test", "/metadata/generation", 1), host, show=shown)
    other = _op("add", "/spec/hostnames", ["b.example"])
    _patch(talk, "the second", "httproutes", _op("test", "/metadata/generation", 1), other)
    _patch(talk, "who has looked", "httproutes", _op("test", "/metadata/generation", 2), other, show=shown)
    talk.note("as text", _code(talk, _op("test", "/metadata/generation", "3")))


def _code(talk: Talk, *operations: Object) -> int:
    return talk.send(Ask("PATCH", talk.at("httproutes", "shop"), list(operations))).code


def a_stale_version_is_noticed_by_its_test(talk: Talk) -> None:
    version = talk.make("services", service("shop"))["metadata"]["resourceVersion"]
    test, select = _op("test", "/metadata/resourceVersion", version), _op("add", "/spec/selector", {"app": "v2"})
    _patch(talk, "the first writer", "services", test, select, show=("spec/selector",))
    _patch(talk, "the second", "services", test, _op("add", "/spec/selector", {"app": "v3"}))


def a_uid_can_be_tested(talk: Talk) -> None:
    uid = talk.make("configmaps", config_map("shop"))["metadata"]["uid"]
    _patch(talk, "its own", "configmaps", _op("test", "/metadata/uid", uid), show=("metadata/uid",))
    _patch(talk, "another's", "configmaps", _op("test", "/metadata/uid", "00000000-0000-0000-0000-000000000000"))


def only_a_changed_spec_is_a_new_generation(talk: Talk) -> None:
    shown = ("metadata/generation",)
    for plural, body, spec in (
        ("deployments", deployment("shop"), _op("add", "/spec/minReadySeconds", 1)),
        ("httproutes", route("shop"), _op("add", "/spec/hostnames", ["a.example"])),
    ):
        talk.make(plural, body)
        marked = _op("add", "/metadata/annotations", {"docc.dev/rollout": "one"})
        _patch(talk, f"{plural}: a record", plural, marked, show=shown)
        _patch(talk, f"{plural}: a spec", plural, spec, show=shown)
        both = (
            _op("add", "/spec/paused", True)
            if plural == "deployments"
            else _op("add", "/spec/hostnames", ["b.example"])
        )
        _patch(talk, f"{plural}: record and spec", plural, _op("add", RECORD, "two"), both, show=shown)
        _patch(talk, f"{plural}: the same again", plural, _op("add", RECORD, "two"), both, show=shown)


def what_changes_nothing_is_no_new_version(talk: Talk) -> None:
    before = talk.make("configmaps", config_map("shop"))["metadata"]["resourceVersion"]
    after = talk.change(talk.at("configmaps", "shop"), {"data": {"a": "1"}})["metadata"]["resourceVersion"]
    later = talk.change(talk.at("configmaps", "shop"), {"data": {"a": "2"}})["metadata"]["resourceVersion"]
    talk.note("versions", {"the same": before == after, "then higher": int(later) > int(after)})


def an_object_made_invalid_by_a_patch_is_422_with_causes(talk: Talk) -> None:
    talk.make("httproutes", route("shop"))
    _patch(talk, "a weight", "httproutes", _op("add", "/spec/rules/0/backendRefs/0/weight", -1))
    _patch(talk, "no port", "httproutes", _op("remove", "/spec/rules/0/backendRefs/0/port"))
    body = deployment("shop")
    body["spec"]["template"]["metadata"]["labels"]["tier"] = "x"
    talk.make("deployments", body)
    _patch(talk, "replicas", "deployments", _op("add", "/spec/replicas", -1))
    _patch(talk, "the selector", "deployments", _op("add", "/spec/selector", {"matchLabels": {"tier": "x"}}))


def what_is_no_json_patch_is_refused(talk: Talk) -> None:
    talk.make("configmaps", config_map("shop"))
    where = talk.at("configmaps", "shop")
    for step, body in (("an object", {"a": 1}), ("no JSON", "["), ("words", ["put"]),
                       ("an unknown operation", [_op("put", "/data", {})]), ("no path", [{"op": "remove"}])):  # fmt: skip
        talk.ask(step, Ask("PATCH", where, body, media=JSON_PATCH), words=False)
    talk.ask("another media type", Ask("PATCH", where, {}, media=JSON), words=False)


def a_merge_patch_sets_keys_and_null_takes_them_away(talk: Talk) -> None:
    talk.make("configmaps", config_map("shop", {"a": "1", "b": "2"}, labels={"x": "1"}))
    patch = {"metadata": {"labels": {"x": None}}, "data": {"a": None, "c": "3", "none": None}}
    shown = ("data", "metadata/labels")
    talk.ask("both", Ask("PATCH", talk.at("configmaps", "shop"), patch), shown)
    talk.ask("all data", Ask("PATCH", talk.at("configmaps", "shop"), {"data": None}), shown)


def a_merge_patch_replaces_lists_whole(talk: Talk) -> None:
    talk.make("httproutes", route("shop", hostnames=["a.example", "b.example"]))
    patch = {"spec": {"hostnames": ["c.example"]}}
    talk.ask("hostnames", Ask("PATCH", talk.at("httproutes", "shop"), patch), ("spec/hostnames",))


def a_merge_patch_with_an_old_version_is_a_conflict(talk: Talk) -> None:
    for plural, body in (("configmaps", config_map("shop")), ("httproutes", route("shop"))):
        talk.make(plural, body)
        version = talk.quiet(talk.at(plural, "shop"))["metadata"]["resourceVersion"]
        patch = {"metadata": {"resourceVersion": version, "labels": {"x": "1"}}}
        talk.ask(f"{plural}: the first", Ask("PATCH", talk.at(plural, "shop"), patch), ("metadata/labels",))
        patch["metadata"]["labels"] = {"x": "2"}
        talk.ask(f"{plural}: the second", Ask("PATCH", talk.at(plural, "shop"), patch))


def a_put_with_an_old_version_is_a_conflict(talk: Talk) -> None:
    for plural, body in (
        ("configmaps", config_map("shop")),
        ("leases", lease("shop", "me")),
        ("httproutes", route("shop")),
    ):
        talk.make(plural, body)
        made = talk.quiet(talk.at(plural, "shop"))
        made["metadata"]["labels"] = {"x": "1"}
        talk.ask(f"{plural}: the first", Ask("PUT", talk.at(plural, "shop"), made), ("metadata/labels",))
        made["metadata"]["labels"] = {"x": "2"}
        talk.ask(f"{plural}: the second", Ask("PUT", talk.at(plural, "shop"), made))


def a_put_without_a_version_overwrites_some_kinds_and_is_refused_for_others(talk: Talk) -> None:
    for plural, body in (
        ("configmaps", config_map("shop")), ("deployments", deployment("shop")), ("leases", lease("shop", "me")),
        ("httproutes", route("shop")),
    ):  # fmt: skip
        talk.make(plural, body)
        body["metadata"]["labels"] = {"x": "1"}
        talk.ask(plural, Ask("PUT", talk.at(plural, "shop"), body), ("metadata/labels",))


def a_put_of_something_that_was_made_anew_is_a_conflict(talk: Talk) -> None:
    made = talk.make("configmaps", config_map("shop"))
    made["metadata"].pop("resourceVersion")
    talk.send(Ask("DELETE", talk.at("configmaps", "shop")))
    talk.make("configmaps", config_map("shop"))
    talk.ask("another uid", Ask("PUT", talk.at("configmaps", "shop"), made), words=False)


def status_and_spec_are_written_apart(talk: Talk) -> None:
    talk.make("httproutes", route("shop"))
    condition: Object = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "observedGeneration": 1,
    }
    condition["lastTransitionTime"] = "2026-01-02T03:04:05Z"
    parent = {"parentRef": {"name": "x"}, "controllerName": "contract.example/x", "conditions": [condition]}
    both: Object = {"spec": {"hostnames": ["a.example"]}, "status": {"parents": [parent]}}
    shown = ("metadata/generation", "spec/hostnames", "status/parents/0/controllerName")
    talk.ask("the object", Ask("PATCH", talk.at("httproutes", "shop"), both), shown)
    both["spec"]["hostnames"] = ["b.example"]
    talk.ask("its status", Ask("PATCH", talk.at("httproutes", "shop", "status"), both), shown)


def a_lease_is_taken_only_as_it_was_seen(talk: Talk) -> None:
    """As docc takes, renews and gives back its own."""
    version = talk.make("leases", lease("shop", "me"))["metadata"]["resourceVersion"]
    renewed = _op("add", "/spec/renewTime", "2026-01-02T03:04:10.000006Z")
    _patch(talk, "renewed", "leases", _op("test", "/spec/holderIdentity", "me"), renewed, show=("spec",))
    theirs = _op("add", "/spec", lease("shop", "you", leaseTransitions=1)["spec"])
    _patch(talk, "taken as it was", "leases", _op("test", "/metadata/resourceVersion", version), theirs)
    version = talk.until(talk.at("leases", "shop"), bool)["metadata"]["resourceVersion"]
    taken = _op("test", "/metadata/resourceVersion", version)
    _patch(talk, "taken as it is", "leases", taken, theirs, show=("spec/holderIdentity", "spec/leaseTransitions"))
    _patch(talk, "renewed by who had it", "leases", _op("test", "/spec/holderIdentity", "me"), renewed)
    free = _op("add", "/spec/holderIdentity", "")
    none = _op("test", "/spec/none", None)
    _patch(
        talk,
        "given back",
        "leases",
        _op("test", "/spec/holderIdentity", "you"),
        none,
        free,
        show=("spec/holderIdentity",),
    )
