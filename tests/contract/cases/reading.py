"""Lists and their selectors, watches, and what a client asks before it asks for objects."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from tests.contract.api import Ask, Object
from tests.contract.objects import config_map, deployment, route
from tests.contract.talk import ABSENT, Talk, picked, refusal


def a_list_says_of_what_it_is(talk: Talk) -> None:
    talk.make("configmaps", config_map("one"))
    found = talk.api.good(Ask("GET", talk.at("leases")))
    version = str(found["metadata"]["resourceVersion"])
    talk.note("leases", {**{key: found[key] for key in ("kind", "apiVersion", "items")}, "version": version.isdigit()})


def label_selectors_choose(talk: Talk) -> None:
    for name, labels in (
        ("one", {"app": "a"}),
        ("two", {"app": "a", "tier": "x"}),
        ("three", {"app": "b"}),
        ("four", {}),
    ):
        talk.make("leases", {"metadata": {"name": name, "labels": labels}, "spec": {}})
    for selector in (
        "app=a", "app==a,tier", "app!=a", "tier", "!tier", "app in (a,b)", "app notin (a)", "app=none", "docc.dev/app=a",
    ):  # fmt: skip
        found = talk.api.good(Ask("GET", talk.at("leases"), query={"labelSelector": selector}))
        talk.note(selector, [item["metadata"]["name"] for item in found["items"]])
    for selector in ("app=a=b", "app in a", "=a"):
        talk.ask(selector, Ask("GET", talk.at("leases"), query={"labelSelector": selector}), words=False)


def field_selectors_choose_by_name(talk: Talk) -> None:
    for name in ("one", "two"):
        talk.make("leases", {"metadata": {"name": name}, "spec": {}})
        talk.make("httproutes", route(name))
    for plural in ("leases", "httproutes"):
        for selector in ("metadata.name=two", "metadata.name!=two", f"metadata.namespace={talk.namespace}"):
            found = talk.api.good(Ask("GET", talk.at(plural), query={"fieldSelector": selector}))
            talk.note(f"{plural} {selector}", [item["metadata"]["name"] for item in found["items"]])
        talk.ask(
            f"{plural}: unknown", Ask("GET", talk.at(plural), query={"fieldSelector": "spec.colour=red"}), words=False
        )


def every_answer_has_a_date(talk: Talk) -> None:
    for step, where in (("an object", "/api/v1/namespaces/default"), ("a refusal", talk.at("pods", "none"))):
        answer = talk.send(Ask("GET", where))
        talk.note(step, {"code": answer.code, "zone": str(parsedate_to_datetime(answer.headers["date"]).tzinfo)})


def who_has_no_valid_token_is_401(talk: Talk) -> None:
    answer = talk.api.send(Ask("GET", talk.at("pods")), token="wrong")
    talk.note("another token", {"code": answer.code, "reason": answer.body["reason"]})


def the_servers_version_has_numbers(talk: Talk) -> None:
    found = talk.api.good(Ask("GET", "/version"))
    talk.note("numbers", {"major": found["major"], "minor": found["minor"].isdigit(), "v": found["gitVersion"][:3]})


def a_rules_review_lists_what_the_caller_may_do(talk: Talk) -> None:
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": "default"}}
    where = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    found = talk.ask("review", Ask("POST", where, body), ("kind", "apiVersion", "status/incomplete"))
    rules = found["status"]["resourceRules"]
    talk.note(
        "rules", {"keys": all({"verbs", "apiGroups", "resources"} <= rule.keys() for rule in rules), "any": bool(rules)}
    )


def the_caller_is_told_who_they_are_and_whether_they_may(talk: Talk) -> None:
    who = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    found = talk.ask(
        "who", Ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", who), ("kind", "apiVersion")
    )
    talk.note("a name", bool(found["status"]["userInfo"]["username"]))
    attributes = {"namespace": talk.namespace, "group": "apps", "resource": "deployments", "verb": "patch"}
    may = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    where = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    talk.ask("may", Ask("POST", where, may), ("kind", "status/allowed"))


# --- watches
def _told(event: Object) -> Object:
    body = event["object"]
    if event["type"] == "ERROR" or body.get("kind") == "Status":
        return {"type": event["type"], "code": body.get("code"), **refusal(body, words=False)}
    return {"type": event["type"], "name": picked(body, "metadata/name"), "data": picked(body, "data")}


def _version(talk: Talk, plural: str = "configmaps") -> str:
    return str(talk.api.good(Ask("GET", talk.at(plural)))["metadata"]["resourceVersion"])


def a_watch_tells_what_has_happened_since_a_version(talk: Talk) -> None:
    version = _version(talk)
    talk.make("configmaps", config_map("one"))
    talk.change(talk.at("configmaps", "one"), {"data": {"a": "2"}})
    before = talk.send(Ask("GET", talk.at("configmaps", "one"))).body["metadata"]["resourceVersion"]
    talk.send(Ask("DELETE", talk.at("configmaps", "one")))
    query = {"resourceVersion": version, "timeoutSeconds": "10", "fieldSelector": "metadata.name=one"}
    with talk.api.watch(talk.at("configmaps"), **query) as events:
        told = [next(events) for _ in range(3)]
        talk.make("configmaps", config_map("one", {"a": "3"}))
        told.append(next(events))
    for event in told:
        talk.note("event", _told(event))
    newer = int(told[2]["object"]["metadata"]["resourceVersion"]) > int(before)
    talk.note("a deleted object's version is that of its end", newer)


def a_watch_from_no_version_begins_with_what_there_is(talk: Talk) -> None:
    for name in ("one", "two"):
        talk.make("leases", {"metadata": {"name": name}, "spec": {}})
    for query in ({}, {"resourceVersion": "0"}):
        talk.until(talk.at("leases"), lambda found: len(found["items"]) == 2, resourceVersion="0")
        with talk.api.watch(talk.at("leases"), timeoutSeconds="10", **query) as events:
            told = [next(events) for _ in range(2)]
        told.sort(key=lambda event: str(event["object"]["metadata"]["name"]))
        talk.note(f"{query}", [_told(event) for event in told])


def a_watch_by_name_sees_nothing_else(talk: Talk) -> None:
    version = _version(talk, "httproutes")
    query = {"resourceVersion": version, "timeoutSeconds": "10", "fieldSelector": "metadata.name=two"}
    with talk.api.watch(talk.at("httproutes"), **query) as events:
        talk.make("httproutes", route("one"))
        talk.make("httproutes", route("two"))
        talk.note("event", _told(next(events)))


def a_watch_by_labels_tells_of_coming_into_sight_and_leaving_it(talk: Talk) -> None:
    version = _version(talk)
    talk.make("configmaps", config_map("one"))
    for at, team in enumerate(("a", "a", "b")):
        talk.change(talk.at("configmaps", "one"), {"metadata": {"labels": {"team": team}}, "data": {"a": str(at)}})
    query = {"resourceVersion": version, "timeoutSeconds": "10", "labelSelector": "team=a"}
    with talk.api.watch(talk.at("configmaps"), **query) as events:
        for _ in range(3):
            event = next(events)
            event["object"].pop("data")  # of an object that leaves, servers show the one or the other state
            talk.note("event", _told(event))


def a_watch_ends_by_its_timeout(talk: Talk) -> None:
    with talk.api.watch(talk.at("leases"), resourceVersion=_version(talk, "leases"), timeoutSeconds="1") as events:
        talk.note("events", list(events))


def a_bookmark_tells_the_version_before_the_watch_ends(talk: Talk) -> None:
    talk.make("leases", {"metadata": {"name": "one"}, "spec": {}})
    version = _version(talk, "leases")
    query = {"resourceVersion": version, "timeoutSeconds": "8", "allowWatchBookmarks": "true"}
    with talk.api.watch(talk.at("leases"), **query) as events:
        told = list(events)
    last = told[-1]["object"]
    said = {key: last.get(key, ABSENT) for key in ("kind", "apiVersion")}
    talk.note("types", sorted({event["type"] for event in told}))
    talk.note("the last", {**said, "not older": int(last["metadata"]["resourceVersion"]) >= int(version)})


def a_watch_from_a_version_that_is_too_old_ends_with_410(talk: Talk) -> None:
    for plural in ("configmaps", "httproutes", "deployments"):
        with talk.api.watch(talk.at(plural), resourceVersion="1", timeoutSeconds="10") as events:
            talk.note(plural, [_told(event) for event in events])


def a_version_yet_to_come_is_refused(talk: Talk) -> None:
    query = {"resourceVersion": "999999999999", "timeoutSeconds": "5"}
    answer = talk.send(Ask("GET", talk.at("configmaps"), query=query))
    talk.note("list", {"code": answer.code, **refusal(answer.body, words=False)})
    talk.ask("no number", Ask("GET", talk.at("configmaps"), query={"resourceVersion": "new"}), words=False)


def a_patched_object_is_seen_by_a_watch_as_it_was_answered(talk: Talk) -> None:
    """docc keeps the answer of its own write and must find the watch's event to be the same version."""
    talk.make("deployments", deployment("shop"))
    talk.until(talk.at("deployments", "shop"), lambda found: picked(found, "status/observedGeneration") == 1)
    version = _version(talk, "deployments")
    patch = [{"op": "add", "path": "/metadata/annotations/x", "value": "1"}]
    written = talk.change(talk.at("deployments", "shop"), patch)["metadata"]["resourceVersion"]
    with talk.api.watch(talk.at("deployments"), resourceVersion=version, timeoutSeconds="10") as events:
        seen = next(event for event in events if picked(event["object"], "metadata/annotations/x") == "1")
    talk.note("the same", int(seen["object"]["metadata"]["resourceVersion"]) == int(written))
