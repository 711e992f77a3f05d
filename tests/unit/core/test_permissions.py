"""What RBAC's rules grant, and the Role that docc prints."""

from __future__ import annotations

import pytest

from docc.core.permissions import (
    DELETE,
    DISCOVER,
    DRIVE,
    EXPLAIN,
    GATEWAY,
    NEEDED,
    PREFLIGHT,
    Permission,
    missing,
    role,
)  # fmt: skip
from docc.model.moves import Object

LOG = Permission("", "pods/log", "get")
PATCH = Permission("apps", "deployments", "patch")


def rule(groups: list[str], resources: list[str], verbs: list[str], **more: list[str]) -> Object:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs, **more}


@pytest.mark.parametrize(
    ("need", "rules", "granted"),
    [
        (PATCH, [], False),
        (PATCH, [rule(["apps"], ["deployments"], ["patch"])], True),
        (PATCH, [rule(["apps"], ["deployments"], ["*"])], True),
        (PATCH, [rule(["*"], ["*"], ["*"])], True),
        (PATCH, [rule([""], ["deployments"], ["patch"])], False),
        (PATCH, [rule(["apps"], ["deployments"], ["get", "update"])], False),
        (PATCH, [rule(["apps"], ["deployments/scale"], ["patch"])], False),
        (PATCH, [rule(["apps"], ["deployments"], ["patch"], resourceNames=["shop-v1"])], False),
        (PATCH, [rule(["apps"], ["pods"], ["patch"]), rule(["apps", "x"], ["a", "deployments"], ["patch"])], True),
        (LOG, [rule([""], ["pods"], ["get"])], False),
        (LOG, [rule([""], ["pods/log"], ["get"])], True),
        (LOG, [rule([""], ["*/log"], ["get"])], True),
        (LOG, [rule([""], ["*"], ["get"])], True),
        (PATCH, [{}], False),
    ],
)
def test_what_a_rule_grants(need: Permission, rules: list[Object], granted: bool) -> None:
    assert missing([need], rules) == (() if granted else (need,))


def test_the_role_grants_all_that_the_verbs_need_and_nothing_with_a_star() -> None:
    printed = role("docc", "web", (*DRIVE, *EXPLAIN))
    for verb, needed in NEEDED.items():
        assert (missing(needed, printed["rules"]) == ()) is (verb != "delete"), verb
    assert missing(DELETE, role("docc", "web", (*DRIVE, *EXPLAIN, *DELETE))["rules"]) == ()
    assert set(DISCOVER) - set(missing(DISCOVER, printed["rules"])) == {Permission(GATEWAY, "httproutes", "list")}
    assert missing(PREFLIGHT, printed["rules"]) == PREFLIGHT
    assert "*" not in str(printed) and "secrets" not in str(printed) and "update" not in str(printed)


def test_without_one_of_its_rules_something_is_missing() -> None:
    rules = role("docc", "web", DRIVE)["rules"]
    for left_out in rules:
        assert missing(DRIVE, [kept for kept in rules if kept is not left_out])


def test_a_permission_reads_like_kubectl() -> None:
    assert str(PATCH) == "patch deployments.apps" and str(LOG) == "get pods/log"
