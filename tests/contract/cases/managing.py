"""metadata.managedFields of an HTTPRoute: who wrote which field last, and when. Of the status, which a controller may write at
any time, nothing is noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.contract.api import Ask, Object
from tests.contract.objects import route
from tests.contract.talk import Talk, refusal

DOCC, KUBECTL = {"fieldManager": "docc"}, {"fieldManager": "kubectl-edit"}
RECORD = "/metadata/annotations/docc.dev~1rollout"


def _born(talk: Talk) -> None:
    body = route("shop", hostnames=["a.example"])
    body["metadata"] |= {"labels": {"team": "blue"}, "annotations": {"docc.dev/rollout": "one"}}
    _told(talk, "docc creates it", Ask("POST", talk.at("httproutes"), body, query=DOCC))


def _patched(talk: Talk, step: str, patch: Any, by: Mapping[str, str]) -> None:
    _told(talk, step, Ask("PATCH", talk.at("httproutes", "shop"), patch, query=by))


def _told(talk: Talk, step: str, ask: Ask) -> None:
    answer = talk.send(ask)
    entries = [e for e in answer.body.get("metadata", {}).get("managedFields", []) if "subresource" not in e]
    talk.note(step, sorted(entries, key=lambda e: str(e["manager"])) if entries else refusal(answer.body))


def _weights(weight: int) -> Object:
    return {
        "op": "add",
        "path": "/spec/rules",
        "value": [{"backendRefs": [{"name": "x", "port": 80, "weight": weight}]}],
    }


def the_creator_manages_what_it_wrote(talk: Talk) -> None:
    _born(talk)


def who_changes_the_rules_manages_all_of_them(talk: Talk) -> None:
    """A rule has no owner of its own."""
    _born(talk)
    _patched(talk, "kubectl edits a weight", [_weights(5)], KUBECTL)
    _patched(talk, "docc writes the same", [_weights(5)], DOCC)
    _patched(talk, "docc writes another", [_weights(6), {"op": "add", "path": RECORD, "value": "two"}], DOCC)


def labels_and_annotations_have_each_a_manager(talk: Talk) -> None:
    _born(talk)
    more = {"metadata": {"labels": {"cost": "7"}, "annotations": {"note": "x"}}}
    _patched(talk, "kubectl adds some", more, KUBECTL)
    _patched(talk, "and changes docc's", {"metadata": {"annotations": {"docc.dev/rollout": "two"}}}, KUBECTL)
    _patched(talk, "and takes it away", [{"op": "remove", "path": RECORD}], KUBECTL)
    _patched(talk, "and its own", {"metadata": {"labels": {"cost": None}, "annotations": {"note": None}}}, KUBECTL)


def what_changes_nothing_is_nobodys(talk: Talk) -> None:
    _born(talk)
    _patched(talk, "the same host", {"spec": {"hostnames": ["a.example"]}}, KUBECTL)
    _patched(talk, "another host", {"spec": {"hostnames": ["b.example"]}}, KUBECTL)
    _patched(talk, "no host", {"spec": {"hostnames": None}}, KUBECTL)


def a_whole_object_is_managed_where_it_differs(talk: Talk) -> None:
    _born(talk)
    where = talk.at("httproutes", "shop")
    found = talk.quiet(where)
    found["spec"]["rules"][0]["backendRefs"][0]["weight"] = 7
    del found["metadata"]["annotations"], found["metadata"]["managedFields"]
    _told(talk, "kubectl replaces it", Ask("PUT", where, found, query={"fieldManager": "kubectl-replace"}))


def a_client_that_names_no_manager_is_named_by_its_agent(talk: Talk) -> None:
    _born(talk)
    _patched(talk, "a host", {"spec": {"hostnames": ["c.example"]}}, {})


def a_status_is_not_its_objects(talk: Talk) -> None:
    _born(talk)
    query = {"fieldManager": "a-controller"}
    patch = {"metadata": {"labels": {"x": "1"}}, "status": {"parents": []}}
    _told(talk, "a status", Ask("PATCH", talk.at("httproutes", "shop", "status"), patch, query=query))
