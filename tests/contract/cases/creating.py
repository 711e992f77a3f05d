"""Creating objects: what a server adds, what it refuses, and in which words."""

from __future__ import annotations

from typing import Any

from tests.contract.api import Ask, Object, path
from tests.contract.objects import config_map, deployment, gateway, lease, named, route, service
from tests.contract.talk import Talk

STRICT = {"fieldManager": "docc", "fieldValidation": "Strict"}
KINDS: dict[str, Object] = {
    "configmaps": config_map("shop"),
    "deployments": deployment("shop"),
    "services": service("shop"),
    "leases": lease("shop", "me"),
    "httproutes": route("shop"),
    "gateways": gateway("shop"),
}


def a_created_object_has_what_the_server_adds(talk: Talk) -> None:
    for plural, body in KINDS.items():
        shown = ("apiVersion", "kind", "metadata/uid", "metadata/namespace", "metadata/creationTimestamp")
        more = ("metadata/resourceVersion", "metadata/generation")
        talk.ask(plural, Ask("POST", talk.at(plural), body, query=STRICT), (*shown, *more))


def a_second_create_of_the_same_name_is_already_exists(talk: Talk) -> None:
    for plural, body in KINDS.items():
        talk.make(plural, body)
        talk.ask(plural, Ask("POST", talk.at(plural), body, query=STRICT))


def a_create_in_a_namespace_that_does_not_exist_is_not_found(talk: Talk) -> None:
    for plural, body in KINDS.items():
        talk.ask(plural, Ask("POST", path(plural, f"{talk.namespace}-not"), body, query=STRICT))


def a_namespace_that_does_not_exist_is_not_found_and_its_lists_are_empty(talk: Talk) -> None:
    talk.ask("the namespace", Ask("GET", path("namespaces", "", f"{talk.namespace}-not")))
    for plural in KINDS:
        talk.ask(plural, Ask("GET", path(plural, f"{talk.namespace}-not")), ("items",))


def a_namespace_carries_its_name_as_a_label(talk: Talk) -> None:
    talk.ask("the namespace", Ask("GET", path("namespaces", "", talk.namespace)), ("metadata/labels", "status/phase"))


def a_missing_object_is_not_found_whatever_is_asked_of_it(talk: Talk) -> None:
    patch = [{"op": "add", "path": "/metadata/labels", "value": {}}]
    for plural in KINDS:
        talk.ask(f"get of {plural}", Ask("GET", talk.at(plural, "none")))
        talk.ask(f"patch of {plural}", Ask("PATCH", talk.at(plural, "none"), patch))
        talk.ask(f"delete of {plural}", Ask("DELETE", talk.at(plural, "none")))


def a_kind_that_the_server_does_not_know_is_404_without_a_name(talk: Talk) -> None:
    for where in (
        "/apis/nothing.example/v1/namespaces/default/things",
        talk.at("configmapz"),
        talk.at("configmapz", "x"),
    ):
        answer = talk.send(Ask("GET", where))
        talk.note("asked", {"code": answer.code, "name": (answer.body.get("details") or {}).get("name", "(absent)")})


def a_version_can_not_be_given_to_a_new_object(talk: Talk) -> None:
    talk.ask("a version", Ask("POST", talk.at("configmaps"), config_map("shop", resourceVersion="1")))


def an_object_belongs_into_the_namespace_of_its_path(talk: Talk) -> None:
    talk.ask("another", Ask("POST", talk.at("configmaps"), config_map("shop", namespace="default")))


def what_is_sent_is_of_the_kind_of_its_path(talk: Talk) -> None:
    talk.ask("another kind", Ask("POST", talk.at("configmaps"), service("shop")), words=False)
    talk.ask("another name", Ask("PUT", talk.at("configmaps", "other"), config_map("shop")), words=False)


def a_name_is_given_or_made_from_a_prefix(talk: Talk) -> None:
    talk.ask("no name", Ask("POST", talk.at("configmaps"), {"metadata": {}}))
    made = talk.api.good(Ask("POST", talk.at("configmaps"), {"metadata": {"generateName": "shop-"}}))["metadata"]
    rest = made["name"].removeprefix("shop-")
    talk.note("a prefix", {"starts": made["name"].startswith("shop-"), "and then": len(rest), "more": rest.isalnum()})


def a_name_that_is_none_is_refused(talk: Talk) -> None:
    for plural, body in KINDS.items():
        for name in ("Shop", "shop_1", "-shop", "s" * 254, *(("1shop", "s" * 64) if plural == "services" else ())):
            answer = talk.send(Ask("POST", talk.at(plural), {**body, **named(name)}))
            said = talk.told(answer, words=False)
            talk.note(f"{plural} {name[:10]}", {key: value for key, value in said.items() if key != "name"})


def an_unknown_field_is_refused_by_name(talk: Talk) -> None:
    """Strict validation, as docc asks for: a built-in kind and one of a CustomResourceDefinition."""
    for plural, spec in (("deployments", "spec"), ("services", "spec"), ("leases", "spec"), ("httproutes", "spec")):
        body: Object = {**KINDS[plural], spec: {**KINDS[plural][spec], "colour": "red"}}
        talk.ask(plural, Ask("POST", talk.at(plural), body, query=STRICT))
    talk.ask("at the top", Ask("POST", talk.at("configmaps"), {**config_map("shop"), "colour": "red"}, query=STRICT))


def an_unknown_field_of_a_patch_is_refused_by_name(talk: Talk) -> None:
    patch = [{"op": "add", "path": "/spec/colour", "value": "red"}]
    for plural in ("deployments", "services", "leases", "httproutes"):
        talk.make(plural, KINDS[plural])
        talk.ask(plural, Ask("PATCH", talk.at(plural, "shop"), patch, query=STRICT), words=False)


def a_value_that_is_not_valid_is_422_with_its_field(talk: Talk) -> None:
    other = {"selector": {"matchLabels": {"app": "other"}}}
    refs = [{"name": "shop", "port": 80, "weight": 2_000_000}]
    for step, plural, body in (
        ("replicas", "deployments", deployment("shop", replicas=-1)),
        ("a selector that misses its template", "deployments", _with(deployment("shop"), **other)),
        ("no image", "deployments", deployment("shop", image="")),
        ("a port's number", "services", service("shop", ports=[{"port": 70000, "targetPort": 80}])),
        ("two ports without names", "services", service("shop", ports=[{"port": 80}, {"port": 81}])),
        ("a lease of no seconds", "leases", lease("shop", "me", leaseDurationSeconds=0)),
        ("a weight", "httproutes", route("shop", backends=refs)),
        ("a backend without port", "httproutes", route("shop", backends=[{"name": "shop"}])),
        ("a host", "httproutes", route("shop", hostnames=["no_host"])),
    ):
        talk.ask(step, Ask("POST", talk.at(plural), body, query=STRICT))


def a_patch_that_puts_a_value_of_another_type_is_refused(talk: Talk) -> None:
    for plural, where in (
        ("deployments", "/spec/replicas"),
        ("leases", "/spec/renewTime"),
        ("httproutes", "/spec/hostnames"),
    ):
        talk.make(plural, KINDS[plural])
        patch = [{"op": "add", "path": where, "value": "two"}]
        answer = talk.send(Ask("PATCH", talk.at(plural, "shop"), patch, query=STRICT))
        talk.note(plural, {"code": answer.code, "causes": bool((answer.body.get("details") or {}).get("causes"))})


def a_value_of_another_type_is_refused(talk: Talk) -> None:
    labels: Any = {"n": 1}
    for step, plural, body in (
        ("replicas", "deployments", _with(deployment("shop"), replicas="two")),
        ("labels", "configmaps", config_map("shop", labels=labels)),
        ("renewTime", "leases", lease("shop", "me", renewTime="yesterday")),
        ("renewTime without microseconds", "leases", lease("shop", "me", renewTime="2026-01-02T03:04:05Z")),
        ("weight", "httproutes", route("shop", backends=[{"name": "shop", "port": 80, "weight": "1"}])),
        ("no JSON", "configmaps", "{"),
    ):
        answer = talk.send(Ask("POST", talk.at(plural), body, query=STRICT))
        talk.note(step, {"code": answer.code, "causes": bool((answer.body.get("details") or {}).get("causes"))})


def a_dry_run_answers_like_a_run_and_leaves_nothing(talk: Talk) -> None:
    for plural, body in KINDS.items():
        talk.ask(f"{plural}", Ask("POST", talk.at(plural), body, query={"dryRun": "All", **STRICT}), ("metadata/name",))
        talk.ask(f"{plural}, then", Ask("GET", talk.at(plural, "shop")))
    talk.make("configmaps", config_map("shop"))
    talk.ask("exists", Ask("POST", talk.at("configmaps"), config_map("shop"), query={"dryRun": "All"}))
    patch = {"data": {"a": "2"}}
    talk.ask("patch", Ask("PATCH", talk.at("configmaps", "shop"), patch, query={"dryRun": "All"}), ("data",))
    talk.ask("delete", Ask("DELETE", talk.at("configmaps", "shop"), query={"dryRun": "All"}))
    talk.ask("after all", Ask("GET", talk.at("configmaps", "shop")), ("data",))
    talk.ask(
        "half a run", Ask("POST", talk.at("configmaps"), config_map("other"), query={"dryRun": "Some"}), words=False
    )


def _with(body: Object, **spec: Any) -> Object:
    return {**body, "spec": {**body["spec"], **spec}}
