"""Deployments, their pods, and the endpoints of Services: the status that docc waits for and diagnoses from."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from tests.contract.api import Ask, Object
from tests.contract.objects import deployment, service
from tests.contract.talk import ABSENT, Talk, picked

COUNTS = (
    "replicas",
    "readyReplicas",
    "availableReplicas",
    "updatedReplicas",
    "unavailableReplicas",
    "observedGeneration",
)
PROBE = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}


def _ready(count: int) -> Any:
    return lambda found: picked(found, "status/availableReplicas") == (count or ABSENT) and _observed(found)


def _observed(found: Object) -> bool:
    return bool(picked(found, "status/observedGeneration") == picked(found, "metadata/generation"))


def _counts(talk: Talk, step: str, found: Object) -> None:
    conditions = {c["type"]: [c["status"], c["reason"]] for c in found["status"].get("conditions") or []}
    talk.note(step, {name: picked(found, f"status/{name}") for name in COUNTS} | {"conditions": conditions})


def _condition(found: Object, kind: str, status: str) -> bool:
    conditions = picked(found, "status/conditions")
    return conditions != ABSENT and any((c["type"], c["status"]) == (kind, status) for c in conditions)


def _pod(talk: Talk) -> Object:
    (found,) = talk.until(talk.at("pods"), lambda found: len(found["items"]) == 1)["items"]
    return dict(found)


def _container(found: Object) -> Object:
    """The only container of the newest look at the only pod; {} without one."""
    items = found.get("items") or []
    statuses = picked(items[0], "status/containerStatuses") if items else ABSENT
    return dict(statuses[0]) if isinstance(statuses, list) and statuses else {}


def a_deployment_goes_from_none_to_two_and_back(talk: Talk) -> None:
    where, pods = talk.at("deployments", "shop"), talk.at("pods")
    talk.ask("made", Ask("POST", talk.at("deployments"), deployment("shop")), ("spec/replicas",))
    _counts(talk, "none", talk.until(where, lambda found: _condition(found, "Available", "True") and _observed(found)))
    talk.change(where, {"spec": {"replicas": 2}})
    talk.until(where, _ready(2))
    _counts(talk, "two", talk.quiet(where))
    talk.note("pods", len(talk.until(pods, bool)["items"]))
    talk.change(where, {"spec": {"replicas": 0}})
    talk.until(where, lambda found: _ready(0)(found) and picked(found, "status/replicas") == ABSENT)
    _counts(talk, "none again", talk.quiet(where))
    talk.until(pods, lambda found: not found["items"])


def a_deployment_without_replicas_gets_one(talk: Talk) -> None:
    body = deployment("shop")
    del body["spec"]["replicas"]
    talk.ask("made", Ask("POST", talk.at("deployments"), body), ("spec/replicas", "spec/progressDeadlineSeconds"))


def a_deployment_that_never_gets_ready_says_so(talk: Talk) -> None:
    body = deployment("shop", "demo:v1-neverready", 1, readinessProbe=PROBE)
    body["spec"]["progressDeadlineSeconds"] = 1
    body["spec"]["minReadySeconds"] = 0
    talk.make("deployments", body)
    where = talk.at("deployments", "shop")
    talk.until(where, lambda found: _condition(found, "Progressing", "False"))
    _counts(talk, "late", talk.quiet(where))


def a_deployments_controller_leaves_a_note_that_is_no_new_generation(talk: Talk) -> None:
    """So there is always a map of annotations to write an epoch into."""
    talk.make("deployments", deployment("shop"))
    found = talk.until(talk.at("deployments", "shop"), lambda found: picked(found, "metadata/annotations") != ABSENT)
    talk.note("annotations", found["metadata"]["annotations"])
    talk.show("deployment", talk.quiet(talk.at("deployments", "shop")), "metadata/generation")


def a_scale_is_read_and_written_apart(talk: Talk) -> None:
    talk.make("deployments", deployment("shop"))
    where = talk.at("deployments", "shop", "scale")
    shown = ("kind", "apiVersion", "spec", "status/selector")
    talk.ask("read", Ask("GET", where), shown)
    talk.ask("written", Ask("PATCH", where, {"spec": {"replicas": 1}}), shown)
    empty = {"metadata": {"name": "shop", "namespace": talk.namespace}, "spec": {}}
    talk.ask("deployment", Ask("GET", talk.at("deployments", "shop")), ("spec/replicas", "metadata/generation"))
    talk.ask("no number", Ask("PUT", where, empty), shown)
    talk.ask("deployment", Ask("GET", talk.at("deployments", "shop")), ("spec/replicas", "metadata/generation"))


def pods_carry_the_templates_labels_and_an_owner(talk: Talk) -> None:
    body = deployment("shop", replicas=1)
    body["spec"]["template"]["metadata"] |= {"annotations": {"note": "1"}}
    body["spec"]["template"]["metadata"]["labels"] |= {"docc.dev/app": "shop", "docc.dev/revision": "v1"}
    talk.make("deployments", body)
    pod = _pod(talk)
    labels = {name: value for name, value in pod["metadata"]["labels"].items() if name != "pod-template-hash"}
    talk.note("labels", labels)
    talk.show("pod", pod, "metadata/annotations/note", "spec/terminationGracePeriodSeconds", "spec/restartPolicy")
    (owner,) = pod["metadata"]["ownerReferences"]
    talk.note("owner", {"controller": owner["controller"], "group": owner["apiVersion"]})
    talk.note("name", pod["metadata"]["name"].startswith("shop-"))


def a_ready_pods_status_is_whole(talk: Talk) -> None:
    talk.make("deployments", deployment("shop", replicas=1, readinessProbe=PROBE))
    talk.until(talk.at("deployments", "shop"), _ready(1))
    pod = _pod(talk)
    talk.show("status", pod, "status/phase", "status/podIP")
    (container,) = pod["status"]["containerStatuses"]
    talk.show("container", container, "name", "image", "ready", "started", "restartCount", "lastState", "state")
    conditions = {c["type"]: c["status"] for c in pod["status"]["conditions"]}
    talk.note(
        "conditions", {name: conditions[name] for name in ("PodScheduled", "Initialized", "ContainersReady", "Ready")}
    )


def a_missing_image_is_told_as_waiting(talk: Talk) -> None:
    talk.make("deployments", deployment("shop", "demo:v1-missing", replicas=1))
    for reason in ("ErrImagePull", "ImagePullBackOff"):
        found = talk.until(talk.at("pods"), partial(_waits, reason))
        talk.note(reason, {"message": bool(_container(found)["state"]["waiting"]["message"]), **_brief(found)})
    pod = _pod(talk)["metadata"]["name"]
    selector = {"fieldSelector": f"involvedObject.name={pod}"}
    events = talk.until(talk.at("events"), lambda found: _reasons(found) >= {"Failed"}, **selector)["items"]
    failed = next(event for event in events if event["reason"] == "Failed")
    talk.show("event", failed, "type", "involvedObject/kind")
    keys = ("metadata/creationTimestamp", "lastTimestamp", "message")
    talk.note("event's times", {key: picked(failed, key) not in (ABSENT, None, "") for key in keys})
    other = talk.api.good(Ask("GET", talk.at("events"), query={"fieldSelector": "involvedObject.name=none"}))
    talk.note("of another", other["items"])
    answer = talk.send(Ask("GET", talk.at("pods", pod, "log"), query={"tailLines": "5", "container": "web"}))
    talk.note("log", {"code": answer.code, "waits": "is waiting to start" in str(answer.body.get("message"))})


def _waits(reason: str, found: Object) -> bool:
    return bool(picked(_container(found), "state/waiting/reason") == reason)


def _brief(found: Object) -> Object:
    status = _container(found)
    (pod,) = found["items"]
    phase = pod["status"]["phase"]
    return {"phase": phase, "ready": status["ready"], "restarts": status["restartCount"], "last": status["lastState"]}


def _reasons(found: Object) -> set[str]:
    return {event["reason"] for event in found.get("items") or []}


def a_crash_loop_keeps_how_the_last_run_ended(talk: Talk) -> None:
    script = "echo first; echo last; exit 3"
    talk.make("deployments", deployment("shop", replicas=1, command=["sh", "-c"], args=[script]))
    status = _container(talk.until(talk.at("pods"), partial(_waits, "CrashLoopBackOff")))
    talk.note(
        "waiting", {"message": bool(status["state"]["waiting"]["message"]), "restarted": status["restartCount"] >= 0}
    )
    talk.show("last", status["lastState"], "terminated/exitCode", "terminated/reason")
    ended = status["lastState"]["terminated"]
    talk.show("times", ended, "startedAt", "finishedAt")
    pod = _pod(talk)["metadata"]["name"]
    for query in ({"previous": "true"}, {"previous": "true", "tailLines": "1"}, {"tailLines": "1"}):
        answer = talk.send(Ask("GET", talk.at("pods", pod, "log"), query={"container": "web", **query}))
        talk.note(f"log {query}", {"code": answer.code, "text": answer.text})


def logs_are_refused_where_there_are_none(talk: Talk) -> None:
    talk.ask("no pod", Ask("GET", talk.at("pods", "none", "log")))
    talk.make(
        "deployments", deployment("shop", replicas=1, command=["sh", "-c"], args=["echo one; echo two; exec sleep 600"])
    )
    talk.until(talk.at("deployments", "shop"), _ready(1))
    where = talk.at("pods", _pod(talk)["metadata"]["name"], "log")
    talk.api.until(Ask("GET", where), lambda _: talk.send(Ask("GET", where)).text == "one\ntwo\n")
    for query in ({}, {"tailLines": "1"}, {"tailLines": "0"}, {"tailLines": "9"}):
        answer = talk.send(Ask("GET", where, query=query))
        talk.note(f"log {query}", {"code": answer.code, "text": answer.text})
    for step, query in (
        ("no container", {"container": "none"}), ("no previous run", {"previous": "true"}), ("lines", {"tailLines": "-1"}),
    ):  # fmt: skip
        answer = talk.send(Ask("GET", where, query=query))
        talk.note(step, {"code": answer.code, "reason": answer.body.get("reason")})


def a_deleted_pod_is_marked_and_takes_its_leave(talk: Talk) -> None:
    """It is no ready endpoint from the moment it is marked, though it still serves."""
    slow: Object = {"lifecycle": {"preStop": {"sleep": {"seconds": 3}}}, "readinessProbe": PROBE}
    body = deployment("shop", replicas=1, **slow)
    body["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 5
    talk.make("services", service("shop"))
    talk.make("deployments", body)
    talk.until(talk.at("deployments", "shop"), _ready(1))
    talk.until(talk.at("endpointslices"), lambda found: _conditions(found) == [(True, True, False)])
    talk.change(talk.at("deployments", "shop"), {"spec": {"replicas": 0}})
    found = talk.until(talk.at("pods"), lambda found: all("deletionTimestamp" in p["metadata"] for p in found["items"]))
    slices = talk.until(talk.at("endpointslices"), lambda found: _conditions(found) != [(True, True, False)])
    talk.note("endpoint: ready, serving, terminating", _conditions(slices))
    (pod,) = found["items"]
    talk.show("pod", pod, "metadata/deletionTimestamp", "metadata/deletionGracePeriodSeconds", "status/phase")
    deployed = talk.until(talk.at("deployments", "shop"), lambda found: picked(found, "status/replicas") == ABSENT)
    talk.note("the deployment", {name: picked(deployed, f"status/{name}") for name in COUNTS[:4]})
    again = talk.send(Ask("DELETE", talk.at("pods", pod["metadata"]["name"])))
    same = picked(again.body, "metadata/uid") == pod["metadata"]["uid"]
    talk.note("deleted again", {"code": again.code, "the pod": same})
    seconds = _seconds(picked(again.body, "metadata/deletionTimestamp"), pod["metadata"]["deletionTimestamp"])
    talk.note("its time stays", seconds)
    talk.until(talk.at("pods"), lambda found: not found["items"])
    talk.until(talk.at("endpointslices"), lambda found: _conditions(found) == [])


def _seconds(later: str, earlier: str) -> float:
    return (_instant(later) - _instant(earlier)).total_seconds()


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def the_time_of_a_deletion_is_when_the_grace_ends(talk: Talk) -> None:
    body = deployment("shop", replicas=1, command=["sh", "-c"], args=["trap '' TERM; while :; do sleep 0.1; done"])
    body["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 4
    talk.make("deployments", body)
    talk.until(talk.at("deployments", "shop"), _ready(1))
    pod = _pod(talk)
    answer = talk.send(Ask("DELETE", talk.at("pods", pod["metadata"]["name"])))
    talk.show("deleted", answer.body, "kind", "metadata/deletionGracePeriodSeconds")
    date = parsedate_to_datetime(answer.headers["date"])
    ends = _instant(answer.body["metadata"]["deletionTimestamp"])
    talk.note("seconds from now, about", 3 <= (ends - date).total_seconds() <= 5)


# --- endpoints
def _conditions(found: Object) -> list[tuple[Any, ...]]:
    endpoints = [e for piece in found.get("items") or [] for e in piece.get("endpoints") or []]
    return [tuple(e["conditions"].get(name, ABSENT) for name in ("ready", "serving", "terminating")) for e in endpoints]


def a_service_gets_a_slice_with_its_labels_and_name(talk: Talk) -> None:
    body = service("shop")
    body["metadata"]["labels"] = {"docc.dev/app": "shop"}
    talk.make("services", body)
    (piece,) = talk.until(talk.at("endpointslices"), lambda found: len(found["items"]) == 1)["items"]
    labels = {name: piece["metadata"]["labels"].get(name) for name in ("docc.dev/app", "kubernetes.io/service-name")}
    talk.note("labels", labels)
    talk.note("endpoints", {"is": piece.get("endpoints") or None, "type": piece["addressType"]})
    (owner,) = piece["metadata"]["ownerReferences"]
    talk.show("owner", owner, "kind", "name", "uid", "controller")


def a_service_without_a_selector_gets_no_slice(talk: Talk) -> None:
    body = service("bare")
    del body["spec"]["selector"]
    talk.make("services", body)
    talk.make("services", service("shop"))
    found = talk.until(talk.at("endpointslices"), lambda found: found["items"])
    talk.note("slices of", [piece["metadata"]["labels"]["kubernetes.io/service-name"] for piece in found["items"]])


def an_endpoint_is_ready_when_its_pod_is(talk: Talk) -> None:
    talk.make("services", service("shop"))
    talk.make("deployments", deployment("shop", "demo:v1-late2", 1, readinessProbe=PROBE))
    slices = talk.at("endpointslices")
    talk.note("before", _conditions(talk.until(slices, _conditions)))
    found = talk.until(slices, lambda found: _conditions(found)[0][0])
    talk.note("then", _conditions(found))
    (piece,) = found["items"]
    (endpoint,) = piece["endpoints"]
    pod = _pod(talk)
    talk.note("the pod's", [endpoint["targetRef"]["name"] == pod["metadata"]["name"], endpoint["targetRef"]["kind"]])
    talk.note("address", endpoint["addresses"] == [pod["status"]["podIP"]])
    talk.note("ports", [[port["name"], port["protocol"]] for port in piece["ports"]])


def a_changed_selector_changes_the_endpoints(talk: Talk) -> None:
    for name in ("one", "two"):
        talk.make("deployments", deployment(name, replicas=1))
    talk.make("services", service("front", selector={"app": "one"}))
    slices = talk.at("endpointslices")
    talk.note("one", _targets(talk.until(slices, lambda found: _targets(found) == ["one"])))
    patch = [{"op": "add", "path": "/spec/selector", "value": {"app": "two"}}]
    talk.change(talk.at("services", "front"), patch)
    talk.note("two", _targets(talk.until(slices, lambda found: _targets(found) == ["two"])))
    talk.change(talk.at("services", "front"), {"spec": {"selector": {"app": "none"}}})
    talk.note("none", _targets(talk.until(slices, lambda found: not _targets(found))))


def _targets(found: Object) -> list[str]:
    endpoints = [e for piece in found["items"] for e in piece.get("endpoints") or [] if e["conditions"]["ready"]]
    return sorted(endpoint["targetRef"]["name"].split("-")[0] for endpoint in endpoints)


def a_deleted_services_slice_goes_too(talk: Talk) -> None:
    talk.make("services", service("shop"))
    talk.until(talk.at("endpointslices"), lambda found: len(found["items"]) == 1)
    talk.send(Ask("DELETE", talk.at("services", "shop")))
    talk.until(talk.at("endpointslices"), lambda found: not found["items"])
    talk.ask("slices", Ask("GET", talk.at("endpointslices")), ("items",))
