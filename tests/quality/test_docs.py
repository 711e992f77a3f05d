"""The docs are true to the code, their links lead somewhere, and all of them are to be found."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docc import __version__
from docs import draw, events

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DRAWN = (*draw.DRAWINGS, "exit-codes.md")
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", DRAWN)
def test_what_comes_from_the_code_is_fresh(page: str) -> None:
    text = text_of(ROOT / "docs" / page)
    assert draw.drawn(page, text) == text, "run: make docs"


def test_the_schema_of_events_is_fresh() -> None:
    assert text_of(events.SCHEMA) == events.text(), "run: make docs"


def test_no_terminal_locale_or_home_has_a_say_in_a_drawing() -> None:
    code = "from docs.draw import DRAWINGS; print([d() for page in DRAWINGS.values() for d in page.values()])"
    odd = {
        "COLUMNS": "20",
        "LC_ALL": "C",
        "HOME": "/nonexistent",
        "TERM": "dumb",
        "GITHUB_ACTIONS": "1",
        "DOCC_CONTEXT": "x",
    }
    bare = {"PATH": os.environ["PATH"]}
    told = [
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=True)
        for env in ({**bare, **odd}, {**bare, "COLUMNS": "300", "PYTHONUTF8": "1"})
    ]  # fmt: skip
    assert told[0].stdout == told[1].stdout and "docc deploy" in told[0].stdout


def links(page: Path) -> Iterator[str]:
    """Relative links and pictures, without those in code."""
    for target in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", text_of(page))):
        if "://" not in target:
            yield target


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *$", re.sub(r"^```.*?^```", "", text_of(page), flags=re.M | re.S), re.M):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        again = sum(1 for known in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", known))
        found.add(f"{slug}-{again}" if slug in found else slug)
    return found


def destination(page: Path, target: str) -> tuple[Path, str]:
    name, _, anchor = target.partition("#")
    return (page.parent / name).resolve() if name else page, anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        path, anchor = destination(page, target)
        assert path.is_relative_to(ROOT) and path.exists(), target
        assert not anchor or anchor in anchors(path), target


def test_every_page_is_reached_from_the_readme() -> None:
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            ahead += [destination(page, target)[0] for target in links(page)]
    assert set(PAGES) == reached


def test_the_changelog_has_an_unreleased_part() -> None:
    assert "## [Unreleased]" in text_of(ROOT / "CHANGELOG.md") and __version__.count(".") == 2
