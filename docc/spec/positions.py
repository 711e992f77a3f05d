"""Where a value of a JSON text stands: a path -> line and column, both from 1. Loaded only when something is wrong."""

from __future__ import annotations

from typing import Any

Path = tuple[str | int, ...]


class Positions:
    """Reads the text once more, with the one library that keeps positions of keys and values (YAML holds JSON)."""

    def __init__(self, text: str) -> None:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        reader = YAML(typ="rt")
        reader.allow_duplicate_keys = True  # the first counts, as it does for load.py
        try:
            self._root: Any = reader.load(text)
        except (YAMLError, ValueError):
            self._root = None  # valid JSON that the YAML reader refuses (lone surrogates, say): 1:1 is all we know

    def of_value(self, path: Path) -> tuple[int, int]:
        return self._find(path, key=None)

    def of_key(self, path: Path, key: str) -> tuple[int, int]:
        return self._find(path, key=key)

    def _find(self, path: Path, key: str | None) -> tuple[int, int]:
        node = self._root
        try:
            line, column = node.lc.line, node.lc.col
            for part in path:
                line, column = node.lc.value(part) if isinstance(part, str) else node.lc.item(part)
                node = node[part]
            if key is not None:
                line, column = node.lc.key(key)
        except (AttributeError, KeyError, IndexError, TypeError):
            return 1, 1
        return line + 1, column + 1
