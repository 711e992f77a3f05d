"""Two kept manifests: what differs, by the names of their fields."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docc.core.difference import SHOWN_MAX, differences, in_words

WEB = {"image": "acme/shop:1", "env": {"A": "***"}, "args": ["--key", "s3cr3t"]}
STRATEGY = {"canary": {"increment": 20}, "bake": "1m"}


def kept(web: dict[str, Any], strategy: dict[str, Any] | None = None, **application: Any) -> str:
    application = {"name": "shop", "containers": {"web": web}, **application}
    return json.dumps({"application": application, "deployment_strategy": STRATEGY if strategy is None else strategy})


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (kept(WEB), ""),
        (kept({**WEB, "image": "acme/shop:2"}), "containers.web.image acme/shop:1 to acme/shop:2"),
        (kept(WEB, {"canary": {"increment": 50}}), "bake removed; canary.increment 20 to 50"),
        (kept({**WEB, "env": {"A": "***", "B": "***"}}), "containers.web.env.B added"),
        (kept({**WEB, "args": ["--key", "another"]}), "containers.web.args changed"),
        (kept(WEB, hosts=["a.example.com"]), "hosts added"),
        (kept({**WEB, "image": "x" * 61}), "containers.web.image changed"),
    ],
)
def test_a_change_is_told_by_its_field(after: str, told: str) -> None:
    assert in_words(differences(kept(WEB), after)) == told


def test_the_strategys_two_places_are_the_same() -> None:
    inside = {"application": {**json.loads(kept(WEB))["application"], "deployment_strategy": STRATEGY}}
    assert differences(kept(WEB), json.dumps(inside)) == {}


def test_of_very_many_changes_some_are_told() -> None:
    many = {"env": {f"V{n:02}": "***" for n in range(20)}}
    told = in_words(differences(kept(WEB), kept({**WEB, **many})))
    assert told.count(" added") + told.count(" removed") == SHOWN_MAX and told.endswith("; and 13 more")


@given(st.one_of(st.text(), st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps)))
def test_an_annotation_that_is_no_manifest_differs_in_nothing_that_can_be_told(junk: str) -> None:
    assert differences(junk, kept(WEB)) == differences(kept(WEB), junk) == {}
