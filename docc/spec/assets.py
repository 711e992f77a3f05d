"""Finds schemas/ and templates/: at the top of a checkout, or inside the wheel under docc/_assets."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def folder(name: str) -> Path:
    """schemas or templates. Raises FileNotFoundError for a broken installation."""
    for place in (_PACKAGE / "_assets" / name, _PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise FileNotFoundError(f"docc's own folder {name} is missing from this installation")
