"""Manifests as nobody should write them: docc reads a Manifest that can be carried out, or tells what is wrong with it and
touches nothing. And what of a manifest is kept in the cluster: no secret."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docc.cli.planning import planned
from docc.model.errors import LockedError, ManifestError, UsageError
from docc.model.manifest import GatewayName, Manifest
from docc.model.secrets import MASK
from docc.spec.build import read
from docc.spec.load import BYTES_MAX
from docc.spec.recorded import kept, read_back
from tests.unit.core.around import NOTHING
from tests.unit.core.test_untrusted import ANYTHING, paths, replaced

GATEWAY = GatewayName("gw")
WHOLE: dict[str, Any] = {
    "application": {
        "name": "shop", "namespace": "web", "scale": 3,
        "containers": {
            "web": {
                "image": "acme/shop:2", "env": {"MODE": "fast"}, "command": ["sh"], "args": ["-c", "sleep 1"],
                "ports": [{"port": 8080, "protocol": "TCP", "app_protocol": "http"}],
                "readiness": {"path": "/healthz", "port": 8080},
                "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
            },
            "side": {"image": "acme/side:1"},
        },
        "gateway": {"name": "public", "namespace": "infra", "section": "web"},
        "hosts": ["shop.test"], "paths": ["/", "/cart"], "mesh": True,
    },
    "deployment_strategy": {
        "canary": {"increment": 20, "interval": "2m"}, "bake": 60, "poll": 5, "no_data_limit": "5m",
        "progress_deadline": 120, "drain": 30, "keep_warm": "10m", "outcome_labels": ["grade"],
        "failure_conditions": [{"name": "E", "expression": "sum(rate(x{code='500'}[5m])) / sum(rate(x[5m])) > 0.05"}],
        "prometheus": {"url": "http://prometheus:9090", "token_env": "TOKEN"},
    },
    "maintainer": "shop@acme.test",
}  # fmt: skip
PLACES = [at for at in paths(WHOLE) if at]
ODD = [
    "",
    " ",
    "-",
    "/",
    "//",
    "*",
    "x" * 300,
    "1h1h",
    "-5s",
    "1e999",
    "$(id)",
    "{{ 7 }}",
    "\u0000",
    "\ud800",
    "٣",
    "a/b:",
    "://",
]
NUMBERS = [-1, 0, 1.5, 1e308, 10**17, True]
ODDITIES: st.SearchStrategy[Any] = st.sampled_from([None, [], {}, [[]], [None], {"": None}, *ODD, *NUMBERS]) | ANYTHING
READ = settings(max_examples=300)


def carried_out(raw: bytes, images: tuple[str, ...] = ()) -> Manifest | None:
    """None for what was refused as it should be. What is taken can be planned and rendered, kept, and read back the same."""
    try:
        found = read(raw, "m.json", images)
    except ManifestError as error:
        assert error.problems and all(problem.line >= 1 and problem.column >= 1 for problem in error.problems)
        return None
    except UsageError as error:
        assert images and error.what
        return None
    planned(found, "web", NOTHING, GATEWAY)
    text = kept(found, None)
    assert kept(read_back(text, "shop-v1", found.spec_hash), None) == text
    return found


def test_the_manifest_that_is_broken_here_is_a_good_one() -> None:
    assert carried_out(json.dumps(WHOLE).encode()) is not None and len(PLACES) > 50


@READ
@given(st.binary(max_size=400) | st.text(max_size=400).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_refused_with_a_place(raw: bytes) -> None:
    assert carried_out(raw) is None


@READ
@given(ANYTHING | st.dictionaries(st.sampled_from(["application", "deployment_strategy", "maintainer"]), ANYTHING))
def test_any_json_is_a_manifest_or_refused(value: Any) -> None:
    assert carried_out(json.dumps(value).encode()) is None


@READ
@given(st.lists(st.tuples(st.sampled_from(PLACES), ODDITIES), min_size=1, max_size=3))
def test_a_manifest_with_anything_in_any_place_is_carried_out_or_refused(changes: list[tuple[Any, Any]]) -> None:
    broken = WHOLE
    for at, junk in changes:
        with contextlib.suppress(KeyError, IndexError, TypeError):  # an earlier change has taken the place away
            broken = replaced(broken, at, junk)
    carried_out(json.dumps(broken).encode())


@pytest.mark.parametrize("junk", [None, "", "x\ny", -1, 1e308, True, [], {}, [None], {"": 0}, "\ud800"], ids=repr)
def test_each_place_of_a_manifest_takes_each_kind_of_junk_or_refuses_it(junk: Any) -> None:
    for at in PLACES:
        carried_out(json.dumps(replaced(WHOLE, at, junk)).encode())


@READ
@given(st.integers(0, len(json.dumps(WHOLE))), st.integers(0, 40), st.text(max_size=6))
def test_a_manifest_that_was_cut_or_typed_into_is_carried_out_or_refused(at: int, gone: int, typed: str) -> None:
    text = json.dumps(WHOLE)
    carried_out((text[:at] + typed + text[at + gone :]).encode("utf-8", "surrogatepass"))


@READ
@given(st.lists(st.text(max_size=20) | st.text(max_size=12).map(lambda text: f"web={text}"), min_size=1, max_size=2))
def test_an_image_of_the_command_line_is_put_in_or_refused(images: list[str]) -> None:
    found = carried_out(json.dumps(WHOLE).encode(), tuple(images))
    assert found is None or found.application.containers[0].image == images[-1].partition("=")[2]


@READ
@given(st.text() | ANYTHING.map(json.dumps) | st.tuples(st.sampled_from(PLACES), ODDITIES))
def test_what_the_cluster_keeps_is_read_back_or_refused(text: Any) -> None:
    """Others may have written into the annotation."""
    if isinstance(text, tuple):
        text = json.dumps(replaced(json.loads(kept(read(json.dumps(WHOLE).encode(), "m.json"), None)), *text))
    try:
        found = read_back(text, "shop-v1", "hash")
    except LockedError as error:
        assert "shop-v1" in error.what and error.why and error.state == "nothing was touched"
        return
    planned(found, "web", NOTHING, GATEWAY)


@pytest.mark.parametrize("letter", ["x", "é", "\U0001f600"])
def test_a_manifest_is_at_most_so_many_bytes_long(letter: str) -> None:
    def padded(bytes_long: int) -> bytes:
        body = copy.deepcopy(WHOLE)
        body["application"]["containers"]["web"]["env"]["MODE"] = ""
        room = bytes_long - len(json.dumps(body, ensure_ascii=False).encode())
        wide = len(letter.encode())
        body["application"]["containers"]["web"]["env"]["MODE"] = letter * (room // wide) + "x" * (room % wide)
        raw = json.dumps(body, ensure_ascii=False).encode()
        assert len(raw) == bytes_long
        return raw

    assert read(padded(BYTES_MAX), "m.json").application.name == "shop"
    with pytest.raises(ManifestError) as caught:
        read(padded(BYTES_MAX + 1), "m.json")
    assert f"longer than {BYTES_MAX} bytes" in str(caught.value.problems[0])


# --- secrets
SECRET = "Hunter2Hunter2"


def test_no_value_of_the_environment_is_kept() -> None:
    body = copy.deepcopy(WHOLE)
    for container in body["application"]["containers"].values():
        container["env"] = {"DB_PASSWORD": SECRET, "MODE": SECRET}
    manifest = read(json.dumps(body).encode(), "m.json")
    text = kept(manifest, GATEWAY)
    assert SECRET in json.dumps(manifest.values) and SECRET not in text, "the manifest itself stays as it was read"
    back = read_back(text, "shop-v1", manifest.spec_hash)
    assert [container.env for container in back.application.containers] == [(("DB_PASSWORD", MASK), ("MODE", MASK))] * 2


def test_a_url_with_a_password_is_refused_and_the_password_not_quoted() -> None:
    body = copy.deepcopy(WHOLE)
    body["deployment_strategy"]["prometheus"] = {"url": f"http://ops:{SECRET}@prometheus:9090"}
    with pytest.raises(ManifestError) as caught:
        read(json.dumps(body).encode(), "m.json")
    (problem,) = caught.value.problems
    assert "without user and password" in problem.message and SECRET not in str(problem)
