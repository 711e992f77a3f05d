"""Which cases there are, how one is run, and what was recorded of them. Knows no server."""

from __future__ import annotations

import importlib
import itertools
import json
import pkgutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.contract import cases
from tests.contract.api import Api, Ask, Object, path
from tests.contract.talk import Talk

RECORDED = Path(__file__).parent / "recorded"
_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class Case:
    """differs: why the sandbox answers otherwise, and says so in docs/sandbox.md; "" where it must not."""

    area: str
    name: str
    play: Callable[[Talk], None]
    differs: str = ""

    @property
    def about(self) -> str:
        return f"{self.area}: {self.name.replace('_', ' ')}"


def all_cases() -> list[Case]:
    found = []
    for module in sorted(pkgutil.iter_modules(cases.__path__), key=lambda module: module.name):
        inside = importlib.import_module(f"{cases.__name__}.{module.name}")
        differs = getattr(inside, "DIFFERS", {})
        for name, play in vars(inside).items():
            if callable(play) and getattr(play, "__module__", "") == inside.__name__ and not name.startswith("_"):
                found.append(Case(module.name, name, play, differs.get(name, "")))
    return found


def played(case: Case, api: Api) -> list[Object]:
    """The transcript, in a namespace that ends with it."""
    name = f"contract-{time.time_ns() // 1_000_000:x}-{next(_NUMBERS)}"
    api.good(Ask("POST", path("namespaces", ""), {"metadata": {"name": name}}))
    try:
        talk = Talk(api, name)
        case.play(talk)
        return talk.transcript
    finally:
        api.send(Ask("DELETE", path("namespaces", "", name)))


def recorded(case: Case) -> list[Object]:
    """Raises KeyError or OSError for a case that was never recorded."""
    file = RECORDED / f"{case.area}.json"
    found: list[Object] = json.loads(file.read_text(encoding="utf-8"))["cases"][case.name]
    return found


def write(area: str, server: Object, transcripts: dict[str, list[Object]]) -> None:
    """One line for each step, so that a diff shows what a server says otherwise."""
    blocks = []
    for name, steps in transcripts.items():
        lines = ",\n".join(f"    {json.dumps(step, ensure_ascii=False)}" for step in steps)
        blocks.append(f"  {json.dumps(name)}: [\n{lines}\n  ]")
    text = f'{{"server": {json.dumps(server)},\n "cases": {{\n' + ",\n".join(blocks) + "\n}}\n"
    (RECORDED / f"{area}.json").write_text(text, encoding="utf-8")
