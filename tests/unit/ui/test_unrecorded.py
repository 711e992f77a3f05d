"""What is said of an application that serves without a record: who serves, and what to do."""

from __future__ import annotations

import pytest

from docc.model.world import Front, Revision, Routed, Seen
from docc.ui.unrecorded import goes_on, unrecorded

LABELS = {"app.kubernetes.io/managed-by": "docc"}
GONE = Routed("HTTPRoute", name="shop")
THERE = Routed("HTTPRoute", True, name="shop", body={"metadata": {"labels": LABELS}})
V1 = Revision(1, exists=True, replicas=3, ready=2, has_service=True)
UP = "v1 has 2 of 3 pods ready"


@pytest.mark.parametrize(
    ("seen", "said", "fix"),
    [
        (Seen(GONE), "", "begins anew"),
        (
            Seen(GONE, {1: V1}, Front(True, 1, 2)),
            f"there is no HTTPRoute shop with docc's record; Service shop leads to v1, 2 pods ready behind it; {UP}",
            "v1 serves, and is what it returns to",
        ),
        (
            Seen(Routed("HTTPRoute", True, name="shop", weights={1: 50, 2: 50}), {1: V1}, Front(True, 1, 2)),
            "HTTPRoute shop gives v1 50 %, v2 50 %, but docc's record on it has been removed; "
            f"Service shop leads to v1, 2 pods ready behind it; {UP}",
            "give one of them all traffic",
        ),
        (
            Seen(THERE, {1: V1}),
            f"HTTPRoute shop gives nobody anything, but docc's record on it has been removed; {UP}",
            "begins anew",
        ),
    ],
    ids=["nothing", "route gone", "at 50 %", "backends gone"],
)  # fmt: skip
def test_who_serves_and_what_to_do_is_said(seen: Seen, said: str, fix: str) -> None:
    assert unrecorded("shop", seen) == said
    assert fix in goes_on("shop", seen)
