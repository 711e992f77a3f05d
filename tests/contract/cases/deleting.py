"""Deleting: preconditions, what goes with an object, and how a pod takes its leave."""

from __future__ import annotations

from tests.contract.api import Ask, Object, path
from tests.contract.objects import config_map, deployment, gateway, lease, route, service
from tests.contract.talk import Talk

NOBODY = "00000000-0000-0000-0000-000000000000"


def _owner(body: Object, uid: str = "") -> Object:
    meta = body["metadata"]
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "name": meta["name"], "uid": uid or meta["uid"]}


def _conditions(uid: str = "", version: str = "") -> Object:
    wanted = {**({"uid": uid} if uid else {}), **({"resourceVersion": version} if version else {})}
    return {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": wanted}


def what_is_deleted_is_named(talk: Talk) -> None:
    for plural, body in (
        ("configmaps", config_map("shop")), ("deployments", deployment("shop")), ("services", service("shop")),
        ("leases", lease("shop", "me")), ("httproutes", route("shop")), ("gateways", gateway("shop")),
    ):  # fmt: skip
        talk.make(plural, body)
        talk.ask(plural, Ask("DELETE", talk.at(plural, "shop")), ("kind", "metadata/name"))
        talk.ask(f"{plural}, again", Ask("DELETE", talk.at(plural, "shop")))


def a_delete_with_preconditions_spares_another_or_a_changed_object(talk: Talk) -> None:
    for plural, body in (("services", service("shop")), ("httproutes", route("shop"))):
        made = talk.make(plural, body)
        uid, version = made["metadata"]["uid"], made["metadata"]["resourceVersion"]
        where = talk.at(plural, "shop")
        talk.ask(f"{plural}: another uid", Ask("DELETE", where, _conditions(uid=NOBODY)))
        talk.change(where, {"metadata": {"labels": {"x": "1"}}})
        talk.ask(f"{plural}: an old version", Ask("DELETE", where, _conditions(uid, version)))
        version = talk.quiet(where)["metadata"]["resourceVersion"]
        answer = talk.send(Ask("DELETE", where, _conditions(uid, version)))
        talk.note(f"{plural}: as it is", answer.code)
        talk.ask(f"{plural}: gone", Ask("DELETE", where, _conditions(uid, version)))


def a_deployment_goes_only_as_it_was_seen(talk: Talk) -> None:
    """As docc lets an old revision go: at 0 pods, and nobody has touched it since."""
    where, made = talk.at("deployments", "shop"), talk.make("deployments", deployment("shop"))
    uid, version = made["metadata"]["uid"], talk.quiet(where)["metadata"]["resourceVersion"]
    talk.change(where, [{"op": "replace", "path": "/spec/replicas", "value": 1}])
    talk.ask("scaled up meanwhile", Ask("DELETE", where, _conditions(uid, version)), words=False)
    talk.change(where, [{"op": "replace", "path": "/spec/replicas", "value": 0}])
    talk.until(talk.at("pods"), lambda found: not found["items"])
    version = talk.quiet(where)["metadata"]["resourceVersion"]
    talk.ask("another uid", Ask("DELETE", where, _conditions(NOBODY, version)))
    talk.note("as it is", talk.send(Ask("DELETE", where, _conditions(uid, version))).code)
    talk.until(where, lambda found: found.get("code") == 404)
    talk.ask("gone", Ask("DELETE", where, _conditions(uid, version)))


def what_an_object_owned_goes_with_it(talk: Talk) -> None:
    owner = talk.make("configmaps", config_map("owner"))
    other = talk.make("configmaps", config_map("other"))
    talk.make("services", {**service("one"), "metadata": {"name": "one", "ownerReferences": [_owner(owner)]}})
    both = [_owner(owner), _owner(other)]
    talk.make("configmaps", config_map("two", ownerReferences=both))
    talk.send(Ask("DELETE", talk.at("configmaps", "owner"), {"propagationPolicy": "Background"}))
    talk.until(talk.at("services", "one"), lambda found: found.get("code") == 404)
    talk.ask("with another owner", Ask("GET", talk.at("configmaps", "two")), ("metadata/name",))
    talk.send(Ask("DELETE", talk.at("configmaps", "other")))
    talk.until(talk.at("configmaps", "two"), lambda found: found.get("code") == 404)
    talk.ask("without any", Ask("GET", talk.at("configmaps", "two")))


def what_is_owned_by_nobody_that_exists_is_collected(talk: Talk) -> None:
    gone = talk.make("configmaps", config_map("owner"))
    talk.send(Ask("DELETE", talk.at("configmaps", "owner")))
    talk.make("configmaps", config_map("late", ownerReferences=[_owner(gone)]))
    talk.until(talk.at("configmaps", "late"), lambda found: found.get("code") == 404)
    talk.make("configmaps", config_map("owner"))
    talk.make("configmaps", config_map("mistaken", ownerReferences=[_owner(gone)]))
    talk.until(talk.at("configmaps", "mistaken"), lambda found: found.get("code") == 404)
    talk.ask("of an owner's name, but not its uid", Ask("GET", talk.at("configmaps", "mistaken")))


def with_a_deployment_go_its_services_and_pods(talk: Talk) -> None:
    made = talk.make("deployments", deployment("shop", replicas=1))
    talk.make("services", {**service("shop"), "metadata": {"name": "shop", "ownerReferences": [_owner(made)]}})
    talk.until(talk.at("pods"), lambda found: found["items"])
    talk.send(Ask("DELETE", talk.at("deployments", "shop"), {"propagationPolicy": "Foreground"}))
    for plural in ("deployments", "services"):
        talk.until(talk.at(plural, "shop"), lambda found: found.get("code") == 404)
    talk.until(talk.at("pods"), lambda found: not found["items"])
    talk.ask("pods", Ask("GET", talk.at("pods")), ("items",))


def nothing_is_made_in_a_namespace_that_is_being_terminated(talk: Talk) -> None:
    """A pod that takes its time holds it."""
    name = f"{talk.namespace}-2"
    where = path("namespaces", "", name)
    talk.send(Ask("POST", path("namespaces", ""), {"metadata": {"name": name}}))
    slow = deployment("slow", replicas=1, lifecycle={"preStop": {"sleep": {"seconds": 4}}})
    slow["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 8
    talk.send(Ask("POST", path("deployments", name), slow))
    talk.until(path("pods", name), lambda found: found["items"] and _runs(found["items"][0]))
    talk.note("deleted", talk.send(Ask("DELETE", where)).code)
    talk.ask("the namespace", Ask("GET", where), ("status/phase",))
    for plural, body in (
        ("configmaps", config_map("shop")), ("deployments", deployment("shop")), ("services", service("shop")),
        ("leases", lease("shop", "me")), ("httproutes", route("shop")),
    ):  # fmt: skip
        talk.ask(plural, Ask("POST", path(plural, name), body))
    talk.until(where, lambda found: found.get("code") == 404)
    talk.ask("then", Ask("POST", path("configmaps", name), config_map("shop")))


def _runs(pod: Object) -> bool:
    return all("running" in each.get("state", {}) for each in pod.get("status", {}).get("containerStatuses") or [{}])


def a_namespace_takes_all_with_it(talk: Talk) -> None:
    name = f"{talk.namespace}-2"
    where, inside = f"/api/v1/namespaces/{name}", f"/api/v1/namespaces/{name}/configmaps"
    made = talk.ask("made", Ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}}), ("metadata/name",))
    assert made["metadata"]["uid"]
    talk.send(Ask("POST", inside, config_map("one")))
    talk.note("deleted", talk.send(Ask("DELETE", where)).code)
    talk.until(where, lambda found: found.get("code") == 404)
    talk.ask("then", Ask("GET", f"{inside}/one"))
