from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.core.route import commit, edit_rules, guarded, weights_of
from docc.model.record import Phase, Record
from docc.model.world import Routed
from docc.sandbox.patches import FailedTest, json_patch

other = st.fixed_dictionaries({"name": st.sampled_from(["other", "shop", "shop-vx"]), "weight": st.integers(0, 9)})
foreign = st.fixed_dictionaries({"backendRefs": st.lists(other, min_size=1)})
ours = st.fixed_dictionaries(
    {
        "matches": st.just([{"path": {"type": "PathPrefix", "value": "/"}}]),
        "filters": st.lists(st.just({"type": "RequestHeaderModifier"}), max_size=2),
        "backendRefs": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from(["shop-v1", "shop-v2"]), "weight": st.integers(0, 100)}),
            min_size=1, max_size=2, unique_by=lambda b: b["name"],
        ),
    }
)  # fmt: skip


@given(st.lists(foreign | ours, max_size=5), st.integers(0, 100))
def test_weights_sum_to_100_and_foreign_rules_and_fields_stay(rules: list[dict[str, Any]], weight: int) -> None:
    before = copy.deepcopy(rules)
    edited = edit_rules("shop", rules, {1: 100 - weight, 2: weight}, port=80)
    assert rules == before and len(edited) == len(rules)
    for old, new in zip(rules, edited, strict=True):
        if any(backend["name"] in ("shop-v1", "shop-v2") for backend in old["backendRefs"]):
            assert {k: v for k, v in new.items() if k != "backendRefs"} == {
                k: v for k, v in old.items() if k != "backendRefs"
            }
            assert sum(b["weight"] for b in new["backendRefs"] if b["name"] in ("shop-v1", "shop-v2")) == 100
        else:
            assert new == old
    assert weights_of("shop", edited)[1]


def record(**changes: Any) -> Record:
    return Record(3, Phase.SHIFTING, "me#1", 1e9, 1e9 - 5, stable=1, candidate=2, weight=20, **changes)


@given(st.text(max_size=80))
def test_a_record_survives_its_annotation_and_is_ascii_without_html(reason: str) -> None:
    kept = record(reason=reason.encode("utf-8", "replace").decode())
    text = kept.to_text()
    assert Record.from_text(text) == kept
    assert text.isascii() and not set(text) & set("<>&")


def test_the_patch_applies_to_what_was_observed_and_to_nothing_else() -> None:
    body: dict[str, Any] = {"kind": "HTTPRoute", "metadata": {"name": "shop", "generation": 4}, "spec": {"rules": []}}
    first = commit("shop", Routed("HTTPRoute", True, generation=4, body=body), record())
    written = json_patch(body, list(first.operations))
    text = written["metadata"]["annotations"]["docc.dev/rollout"]
    seen = Routed("HTTPRoute", True, generation=4, record_text=text, has_annotations=True, body=written)
    second = list(commit("shop", seen, record(reason="x")).operations)
    assert json_patch(written, second) != written
    for changed in ({**written, "metadata": {**written["metadata"], "generation": 5}}, body):
        with pytest.raises(FailedTest):
            json_patch(changed, second)


@pytest.mark.parametrize("notes", [None, {"other": "1"}, {"docc.dev/rollout": "one"}])
def test_a_change_without_a_record_applies_with_and_without_annotations(notes: dict[str, str] | None) -> None:
    """On an API server not even a test of null passes below annotations that are not there (tests/contract)."""
    meta: dict[str, Any] = {"name": "shop", "generation": 4, **({"annotations": notes} if notes else {})}
    body: dict[str, Any] = {"kind": "HTTPRoute", "metadata": meta, "spec": {"hostnames": ["a.test"]}}
    text = (notes or {}).get("docc.dev/rollout")
    seen = Routed("HTTPRoute", True, generation=4, record_text=text, has_annotations=notes is not None, body=body)
    operations = list(guarded("shop", seen, {"op": "add", "path": "/spec/hostnames", "value": ["b.test"]}).operations)
    assert json_patch(body, operations)["spec"] == {"hostnames": ["b.test"]}
    recorded = {**body, "metadata": {**meta, "annotations": {**(notes or {}), "docc.dev/rollout": "two"}}}
    with pytest.raises(FailedTest):
        json_patch(recorded, operations)
