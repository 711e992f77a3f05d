"""Whatever somebody else has put there is noticed when it changes; and nothing that is docc's, or a controller's."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.cluster.acceptance.others import differences, taken

Object = dict[str, Any]


def world() -> dict[str, list[Object]]:
    def meta(name: str, **more: Any) -> Object:
        labels = {"docc.dev/app": "shop", "team": "blue"}
        return {"name": name, "uid": f"uid-{name}", "resourceVersion": "1", "generation": 1, "labels": labels, **more}

    backends = [{"name": "shop-v1", "port": 80, "weight": 100}]
    trial = {"matches": [{"headers": [{"name": "x", "value": "1"}]}], "backendRefs": [{"name": "shop-v2", "port": 80}]}
    rule = {"matches": [{"path": {"value": "/"}}], "filters": [{"type": "a"}], "backendRefs": backends}
    robots = {"matches": [{"path": {"value": "/robots.txt"}}], "backendRefs": [{"name": "static", "port": 80}]}
    return {
        "httproutes": [
            {
                "metadata": meta("shop", annotations={"docc.dev/rollout": "{}", "note": "ours"}),
                "spec": {"hostnames": ["a.example"], "rules": [trial, rule, robots]}, "status": {"parents": []},
            }
        ],
        "services": [{"metadata": meta(name), "spec": {"selector": {"a": "1"}, "type": "X"}} for name in ("shop", "shop-v1")],
        "deployments": [{"metadata": meta("shop-v1"), "spec": {"replicas": 2, "paused": False}, "status": {}}],
    }  # fmt: skip


def found(change: str, changed: tuple[str, ...] = ()) -> list[str]:
    """What differs after one statement about `route`, `services` and `deployment`."""
    before, after = world(), copy.deepcopy(world())
    names = {"route": after["httproutes"][0], "services": after["services"], "deployment": after["deployments"][0]}
    exec(change, names)
    return differences(taken(before, "shop"), taken(after, "shop"), "shop", changed)


@pytest.mark.parametrize(
    "change",
    [
        "route['metadata']['annotations']['docc.dev/rollout'] = '{1}'", "route['status']['parents'] = [1]",
        "route['spec']['rules'].pop(0)", "route['spec']['rules'][1]['backendRefs'][0]['weight'] = 0",
        "route['spec']['rules'][1]['backendRefs'].append({'name': 'shop-v2', 'port': 80})",
        "services[0]['spec']['selector'] = {}", "services.pop(1)", "deployment['spec']['replicas'] = 0",
        "deployment['metadata']['resourceVersion'] = '2'",
    ],
)  # fmt: skip
def test_what_docc_and_controllers_write_is_nobody_elses(change: str) -> None:
    assert found(change) == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ("route['metadata']['annotations']['note'] = 'x'", "httproutes/shop/metadata/annotations/note"),
        ("del route['metadata']['labels']['team']", "httproutes/shop/metadata/labels/team"),
        ("route['spec']['hostnames'].append('b.example')", "httproutes/shop/spec/hostnames/1"),
        ("route['spec']['rules'][1]['filters'][0]['type'] = 'b'", "httproutes/shop/spec/rules/0/filters/0/type"),
        ("route['spec']['rules'][2]['backendRefs'][0]['weight'] = 5", "httproutes/shop/spec/rules/1/backendRefs/0/weight"),
        ("services[1]['spec']['type'] = 'NodePort'", "services/shop-v1/spec/type"),
        ("deployment['spec']['paused'] = True", "deployments/shop-v1/spec/paused"),
    ],
)  # fmt: skip
def test_anything_else_is_noticed_unless_the_case_has_changed_it(change: str, path: str) -> None:
    (told,) = found(change)
    assert told.startswith(f"{path}: ")
    assert found(change, (path,)) == [] and found(change, (path.rsplit("/", 1)[0],)) == []
    assert found(change, (path[:-1],)) == [told]


def test_an_object_that_is_gone_is_noticed_field_by_field_unless_it_is_a_revision_s_service() -> None:
    assert {told.split("/spec/")[0] for told in found("services.pop(0)") if "/spec/" in told} == {"services/shop"}


@pytest.mark.parametrize("newer", [9, 10])
def test_an_old_version_is_docc_s_to_delete_when_ten_newer_ones_are_kept(newer: int) -> None:
    before, after = world(), world()
    (first,) = before["deployments"]
    versions = [
        {**first, "metadata": {**first["metadata"], "name": f"shop-v{2 + n}", "uid": f"{n}"}} for n in range(newer)
    ]
    after["deployments"] = versions
    gone = differences(taken(before, "shop"), taken(after, "shop"), "shop")
    assert bool(gone) is (newer < 10)
