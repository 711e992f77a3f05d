"""How a command ends: golden texts of each ending, the one document, and the commands that help when docc cannot."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonpatch
import pytest

from docc.core.names import labels
from docc.core.trial import ABOVE_WEIGHT, DEFAULT_HEADER
from docc.model.errors import ExitCode
from docc.model.facts import Parked, Weighted
from docc.model.moves import Object, Outcome
from docc.model.record import Phase, Record
from docc.model.world import Revision, Routed, Seen
from docc.ui import final, rescue
from docc.ui.final import Ending, document, text, undo
from tests.unit.ui.story import BAD, GOOD, RATIO, T0, Told, check

Golden = Callable[[str, str], None]
EARLIER = "HTTPErrorRate was failing before this rollout"
BREACH = "HTTPErrorRate is 0.31 > 0.05 at 30 %"
LOST = "HTTPErrorRate is 0.31 > 0.05 at 30 %, and v1 has no ready endpoint to return to"


def ended(result: str, code: ExitCode, reason: str = "", *, facts: Told | None = None, **fields: Any) -> Ending:
    """fields: seen, remembered, or the record and weights of a route whose revisions all have pods."""
    seen = fields.get("seen")
    if "record" in fields:
        weights = fields.get("weights", {})
        routed = Routed(fields.get("kind", "HTTPRoute"), exists=True, record=fields["record"], weights=weights)
        warm = {number: Revision(number, exists=True, replicas=2, ready=2) for number in (1, 2)}
        seen = Seen(routed, warm)
    return Ending(
        "shop", "web", Outcome(result, code, reason), seen, facts or [],
        {"GET": 3, "PATCH": 9}, "manifest.json --image shop:2", remembered=fields.get("remembered"),
    )  # fmt: skip


def record(phase: Phase, **fields: Any) -> Record:
    return Record(epoch=3, phase=phase, by="ci#1", since=T0, started=T0, **fields)


def backend(revision: int, weight: int) -> Object:
    return {"name": f"shop-v{revision}", "port": 8080, "weight": weight}


HEADER_RULE: Object = {
    "matches": [{"headers": [{"name": DEFAULT_HEADER.name, "value": DEFAULT_HEADER.value}]}],
    "backendRefs": [backend(2, ABOVE_WEIGHT)],
}
FOREIGN_RULE: Object = {"backendRefs": [{"name": "elsewhere", "port": 80}]}
ROUTE: Object = {
    "metadata": {"labels": labels("shop")},
    "spec": {"rules": [FOREIGN_RULE, {"backendRefs": [backend(1, 70), backend(2, 30)]}]},
}


def divided(ready: int, kind: Any = "HTTPRoute", route: Object = ROUTE) -> Seen:
    """v1 has 70 %, v2 30 %, and nobody puts it right."""
    stuck = record(Phase.STUCK, stable=1, candidate=2, weight=30)
    routed = Routed(kind, exists=True, record=stuck, weights={1: 70, 2: 30}, body=route)
    return Seen(routed, {1: Revision(1, exists=True, replicas=2, ready=ready), 2: Revision(2, exists=True, ready=2)})


LIVE = record(Phase.SUCCEEDED, stable=2, previous=1, cool_after=T0 + 754)
BACK = record(Phase.REVERTED, stable=1, candidate=2, reason=BREACH)
NEVER = record(Phase.REVERTED, candidate=1)
ENDINGS = {
    "promoted": ended("promoted", ExitCode.DONE, record=LIVE, weights={1: 0, 2: 100}, facts=GOOD),
    "first": ended("promoted", ExitCode.DONE, record=record(Phase.SUCCEEDED, stable=1), weights={1: 100}),
    "updated": ended("updated", ExitCode.DONE, record=LIVE, weights={1: 0, 2: 100}),
    "unchanged": ended("unchanged", ExitCode.DONE, record=LIVE, weights={2: 100}),
    "without-route": ended("promoted", ExitCode.DONE, record=LIVE, weights={2: 100}, kind="Service", facts=GOOD),
    "returned": ended("returned", ExitCode.DONE, "rolled back by ann@host", record=LIVE, weights={1: 0, 2: 100}),
    "reverted": ended("reverted", ExitCode.FAILED_SAFE, BREACH, record=BACK, weights={1: 100}, facts=BAD),
    "baseline": ended("reverted", ExitCode.UNUSABLE, EARLIER, record=BACK, weights={1: 100}),
    "parked": ended("parked", ExitCode.TERMINATED, "parked by SIGTERM", record=BACK, weights={1: 100, 2: 0}),
    "first-failed": ended("reverted", ExitCode.FAILED_SAFE, "image shop:2 cannot be pulled", record=NEVER),
    "superseded": ended("superseded", ExitCode.FAILED_SAFE, "ann@host took over: broken", record=BACK, weights={1: 100}),
    "foreign": ended("refused", ExitCode.LOCKED, "HTTPRoute shop exists and docc did not make it"),
    "stuck": ended("stuck", ExitCode.FAILED_NOT_CLEAN, BREACH, seen=divided(2)),
    "stuck-stable-down": ended("stuck", ExitCode.FAILED_NOT_CLEAN, LOST, seen=divided(0)),
    "stuck-unseen": ended("stuck", ExitCode.FAILED_NOT_CLEAN, "the API server does not answer"),
    "stuck-remembered": ended("stuck", ExitCode.FAILED_NOT_CLEAN, "the API server does not answer", remembered=divided(2)),
}  # fmt: skip


def test_last_words_of_each_ending(golden: Golden) -> None:
    golden("final.txt", "\n".join(f"--- {name}\n{final.text(ending)}\n" for name, ending in ENDINGS.items()))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("reverted", ""),
        ("parked", "docc resume shop -n web"),
        ("baseline", ""),
        ("promoted", "docc rollback shop -n web"),
    ],
)
def test_what_came_through_a_pipe_cannot_be_typed_again(name: str, told: str) -> None:
    ending = replace(ENDINGS[name], source=None)
    assert final.undo(ending) == told and "docc deploy" not in final.text(ending)
    assert ("try again: with --baseline=ignore" in final.text(ending)) is (name == "baseline")


@pytest.mark.parametrize("name", ENDINGS)
def test_last_line_says_who_serves(name: str) -> None:
    last = final.text(ENDINGS[name]).splitlines()[-1]
    assert last.startswith("shop in web: ") and "serve" in last


def test_document_of_a_reverted_canary(golden: Golden) -> None:
    golden("final-reverted.json", json.dumps(final.document(ENDINGS["reverted"]), indent=2) + "\n")


def test_document_is_json_even_when_a_value_is_not() -> None:
    told: Told = [(T0, check(float("inf"), "FAIL")), (T0 + 1, check(float("nan"), "FAIL"))]
    found = final.document(ended("reverted", ExitCode.FAILED_SAFE, facts=told))
    assert json.loads(json.dumps(found, allow_nan=False))["checks"][0]["value"] == "NaN"
    assert found["checks"][0]["query"] == RATIO and len(found["checks"]) == 1


@pytest.mark.parametrize("name", ENDINGS)
def test_document_and_text_agree(name: str) -> None:
    ending = ENDINGS[name]
    found = json.loads(json.dumps(final.document(ending), allow_nan=False))
    assert found["serving"] == {f"v{n}": weight for n, weight in ending.weights.items() if weight}
    assert found["undo"] in final.text(ending) or ending.seen is None or not ending.clean
    assert found["exit_code"] == int(ending.outcome.exit_code)


def test_patch_by_hand_gives_stable_everything_and_leaves_what_is_foreign() -> None:
    alien = {"name": "mirror", "port": 80, "weight": 7}
    weighted = {"backendRefs": [backend(1, 70), backend(2, 30), alien]}
    without_stable = {"backendRefs": [{"name": "shop-v2", "port": 8080}]}
    route: Object = {"spec": {"rules": [HEADER_RULE, FOREIGN_RULE, weighted, HEADER_RULE, without_stable]}}
    patched = jsonpatch.apply_patch(route, rescue.operations("shop", 1, route["spec"]["rules"]))
    assert patched["spec"]["rules"] == [
        FOREIGN_RULE,
        {"backendRefs": [backend(1, 100), backend(2, 0), alien]},
        {"backendRefs": [backend(1, 100)]},
    ]


def test_by_hand_without_a_route_the_service_selects_stable() -> None:
    *_, by_hand = rescue.steps("shop", "-n web", divided(2, kind="Service", route={"spec": {}}))
    assert by_hand == (
        'by hand: kubectl -n web patch service shop -p \'{"spec":{"selector":'
        '{"docc.dev/app":"shop","docc.dev/revision":"v1"}}}\''
    )


def test_traffic_is_never_sent_by_hand_to_pods_that_are_not_ready() -> None:
    assert not any("patch" in step for step in rescue.steps("shop", "-n web", divided(0)))


def test_who_gave_a_rollout_up_is_not_sent_back_another_version() -> None:
    """`docc rollback` would go on to the version before the one that serves."""
    kept = record(Phase.REVERTED, stable=2, previous=1, candidate=3)
    told = text(ended("returned", ExitCode.DONE, "rolled back by me", record=kept, weights={2: 100, 1: 0}))
    assert "undo" not in told and "docc rollback" not in told
    assert "try again: docc deploy manifest.json --image shop:2" in told
    back = record(Phase.SUCCEEDED, stable=1, previous=2)
    told = text(ended("returned", ExitCode.DONE, "rolled back by me", record=back, weights={2: 0, 1: 100}))
    assert "undo: docc rollback shop -n web" in told


def test_commands_go_to_the_cluster_that_was_named() -> None:
    back = record(Phase.SUCCEEDED, stable=1, previous=2)
    ending = ended("promoted", ExitCode.DONE, "", record=back, weights={2: 0, 1: 100})
    named = replace(ending, place="-n web --context prod")
    assert undo(named) == "docc rollback shop -n web --context prod"
    lost = replace(named, outcome=Outcome("stuck", ExitCode.FAILED_NOT_CLEAN, "no"))
    assert "kubectl -n web --context prod patch" in text(lost) and "rollback shop -n web --context prod" in text(lost)


def test_a_condition_that_failed_before_is_told_with_the_way_around_it() -> None:
    kept = record(Phase.REVERTED, stable=1, candidate=2, request="baseline")
    told = text(ended("reverted", ExitCode.UNUSABLE, "E was failing before", record=kept, weights={1: 100}))
    assert told.startswith("not begun: E") and "--baseline=ignore" in told
    kept = record(Phase.REVERTED, stable=1, candidate=2)
    assert "--baseline" not in text(ended("reverted", ExitCode.FAILED_SAFE, "E", record=kept, weights={1: 100}))


def test_the_document_says_when_a_park_took_the_traffic() -> None:
    facts: Told = [(T0, Weighted(2, 1, 50, 1, 2)), (T0 + 3, Parked(2, 1, "parked by SIGTERM"))]
    kept = record(Phase.PARKED, stable=1, candidate=2)
    made = document(ended("parked", ExitCode.TERMINATED, "x", record=kept, weights={1: 100}, facts=facts))
    assert [(entry["at"] - T0, entry["revision"], entry["weight"]) for entry in made["weights"]] == [
        (0, "v2", 50),
        (3, "v2", 0),
    ]


def kept(**application: Any) -> str:
    return json.dumps({"application": {"name": "shop", **application}})


@pytest.mark.parametrize(
    ("former", "later", "told"),
    [
        (kept(paths=["/"]), kept(paths=["/"]), ""),
        (kept(paths=["/"]), kept(paths=["/", "/more"]), 'paths ["/"] to ["/", "/more"]'),
        (kept(scale=2), kept(hosts=["a.test"], scale=3), "hosts added; scale 2 to 3"),
        (kept(containers={"web": {"image": "a:1"}}), kept(containers={"web": {"image": "a:2"}}), ""),
        ("", kept(scale=3), ""),
    ],
    ids=["the same", "paths", "hosts and scale", "an image", "nothing is kept"],
)
def test_a_warm_rollback_says_what_it_has_not_brought_back(former: str, later: str, told: str) -> None:
    back = record(Phase.SUCCEEDED, stable=1, previous=2, cool_after=T0 + 600, verb="rollback")
    warm = {n: Revision(n, exists=True, replicas=2, ready=2, manifest=text) for n, text in ((1, former), (2, later))}
    seen = Seen(Routed("HTTPRoute", exists=True, record=back, weights={1: 100, 2: 0}), warm)
    rows = [row for row in final.text(ended("returned", ExitCode.DONE, seen=seen)).splitlines() if "note:" in row]
    assert len(rows) == bool(told) and all(f"as v2 has it: {told}; docc deploy of v1's" in row for row in rows)
    promoted = final.text(ended("promoted", ExitCode.DONE, seen=seen))
    assert "note:" not in promoted, "a cold one, and a deploy, bring all of it"
