"""Quantities, and what fits into a quota."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity

from docc.core.quota import exceeded, peak, quantity, written
from docc.model.errors import ExitCode, Obstacle
from docc.model.moves import Object
from docc.model.record import Phase
from docc.model.world import Seen
from tests.unit.core.around import NOTHING, live, plan_for, thing

REQUESTS = {"resources": {"requests": {"cpu": "250m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}}


def quota(hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> Object:
    return thing("compute", spec=spec, status={"hard": hard, "used": used or {}})


def found(*quotas: Object, seen: Seen | None = None, **application: Any) -> list[Obstacle]:
    seen = live() if seen is None else seen
    return list(exceeded(plan_for(seen, container=REQUESTS, **application), seen, quotas))


@given(
    st.decimals(min_value=0, max_value=10**6, places=3, allow_nan=False),
    st.sampled_from(["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E-2"]),
)
def test_a_quantity_is_what_kubernetes_takes_it_for(digits: Any, unit: str) -> None:
    text = f"{digits:f}"
    if unit in ("e3", "E-2"):  # the reference does not know exponents
        assert quantity(text + unit) == Fraction(text) * (1000 if unit == "e3" else Fraction(1, 100))
    else:
        assert quantity(text + unit) == Fraction(parse_quantity(text + unit))


@pytest.mark.parametrize("text", ["", "many", "1.2.3", "12Q", "--1"])
def test_what_is_no_quantity(text: str) -> None:
    assert quantity(text) is None


@given(st.integers(min_value=1, max_value=10**12))
def test_what_is_written_reads_as_the_same(value: int) -> None:
    assert quantity(written(Fraction(value))) == value


@pytest.mark.parametrize(
    ("hard", "used", "words"),
    [
        ({"pods": "6"}, {"pods": "3"}, []),
        ({"pods": "5"}, {"pods": "3"}, ["3 of 5 are used", "3 more pods are needed", "1 too many"]),
        ({"count/pods": "5"}, {"count/pods": "3"}, ["count/pods"]),
        ({"requests.cpu": "1500m"}, {"requests.cpu": "750m"}, []),
        ({"requests.cpu": "1"}, {"requests.cpu": "750m"}, ["3 more pods of 250m each", "500m too many"]),
        ({"cpu": "1"}, {"cpu": "750m"}, ["cpu"]),
        ({"limits.memory": "512Mi"}, {"limits.memory": "384Mi"}, ["3 more pods of 128Mi each", "256Mi too many"]),
        ({"requests.memory": "1Gi"}, {"requests.memory": "192Mi"}, []),
        ({"count/deployments.apps": "1"}, {"count/deployments.apps": "1"}, ["1 more are needed"]),
        ({"services": "3"}, {"services": "2"}, ["2 more are needed", "1 too many"]),
        ({"secrets": "0"}, {"secrets": "5"}, []),
        ({"pods": "nonsense"}, {}, []),
    ],
)
def test_what_does_not_fit_is_refused_with_its_numbers(
    hard: dict[str, str], used: dict[str, str], words: list[str]
) -> None:
    told = found(quota(hard, used))
    assert [o.exit_code for o in told] == ([ExitCode.UNUSABLE] if words else [])
    for word in words:
        assert word in f"{told[0].what} {told[0].why}", told


def test_pods_of_the_candidate_that_run_already_are_not_needed_again() -> None:
    seen = live(Phase.REVERTED)
    plan = plan_for(seen, container=REQUESTS)
    again = live(Phase.REVERTED, plan.spec_hash, pods=2)  # v1 is the candidate's own template: two of three run
    assert list(exceeded(plan_for(again, container=REQUESTS), again, [quota({"pods": "3"}, {"pods": "2"})])) == []


def test_a_resource_that_the_pods_do_not_name_is_told() -> None:
    (told,) = found(quota({"limits.cpu": "8"}, {"limits.cpu": "1"}))
    assert told.exit_code is None and "limits.cpu" in told.what and "LimitRange" in told.why


@pytest.mark.parametrize(
    ("spec", "counts"),
    [
        ({"scopes": ["BestEffort"]}, False),
        ({"scopes": ["NotBestEffort"]}, True),
        ({"scopes": ["Terminating"]}, False),
        ({"scopes": ["NotTerminating", "NotBestEffort"]}, True),
        ({"scopes": ["PriorityClass"]}, False),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]}}, False),
    ],
)
def test_scopes_say_which_pods_a_quota_counts(spec: Object, counts: bool) -> None:
    assert bool(found(quota({"pods": "1"}, {"pods": "1"}, **spec))) is counts


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 9), st.integers(0, 9))
def test_refused_is_just_what_is_more_than_the_quota(hard: int, used: int, scale: int, running: int) -> None:
    told = found(quota({"pods": str(hard)}, {"pods": str(used)}), seen=live(pods=running), scale=scale)
    assert bool(told) is (used + scale > hard)


def test_the_peak_is_the_candidate_beside_what_runs() -> None:
    assert peak(plan_for(live(pods=4)), live(pods=4)) == 7 and peak(plan_for(), NOTHING) == 3
