"""The sandbox against what a real control plane said: the same conversations, the same transcripts (tests/contract)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from docc.sandbox import session
from tests.contract.api import Api
from tests.contract.catalogue import RECORDED, Case, all_cases, played, recorded

CASES = all_cases()
ALIKE = [case for case in CASES if not case.differs]
APART = [case for case in CASES if case.differs]
DOCS = Path(__file__).parents[2] / "docs" / "sandbox.md"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("contract") / "sandbox"
    running = session.up(folder)
    try:
        config = json.loads(Path(running.kubeconfig).read_text(encoding="utf-8"))
        client = Api(running.api, config["users"][0]["user"]["token"], settled_seconds=0.3)
        yield client
        client.close()
    finally:
        session.down(folder)


@pytest.mark.parametrize("case", ALIKE, ids=lambda case: f"{case.area}.{case.name}")
def test_the_sandbox_answers_as_a_real_control_plane_did(api: Api, case: Case) -> None:
    assert played(case, api) == recorded(case)


@pytest.mark.parametrize("case", APART, ids=lambda case: f"{case.area}.{case.name}")
def test_what_the_sandbox_answers_otherwise_on_purpose_still_differs_and_users_are_told(api: Api, case: Case) -> None:
    assert played(case, api) != recorded(case)
    assert case.differs in " ".join(DOCS.read_text(encoding="utf-8").split())


def test_what_is_recorded_are_the_cases_that_there_are() -> None:
    found = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in RECORDED.glob("*.json")}
    names = {area: set(one["cases"]) for area, one in found.items()}
    assert names == {area: {case.name for case in CASES if case.area == area} for area in names}
    assert {case.area for case in CASES} == names.keys() and len(CASES) >= 80
    assert {one["server"]["kubernetes"].split(".")[0] for one in found.values()} == {"v1"}
    empty = [name for one in found.values() for name, steps in one["cases"].items() if not steps]
    assert empty == []
