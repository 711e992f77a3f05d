"""metadata.managedFields as the API server keeps it for writes that are no server-side apply: each field is of the manager
that changed it last. Of HTTPRoutes only, whose spec is simple: each of its fields is one list, which has one manager. Who
writes a status is not kept. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
Path = tuple[str, ...]
_MAPS = ("labels", "annotations")


def managed(before: Object | None, after: Object, manager: str, now: str) -> list[Object]:
    """The entries of `after`, which `manager` has made of `before` (None: of nothing). now: RFC 3339."""
    old, new = dict(_fields(before or {})), dict(_fields(after))
    changed = {path for path, value in new.items() if path not in old or old[path] != value}
    found: list[Object] = []
    mine: set[Path] = set(changed)
    for entry in (before or {}).get("metadata", {}).get("managedFields") or []:
        kept = set(_read(entry["fieldsV1"])) & set(new)
        if entry["manager"] == manager and changed:
            mine |= kept
        elif kept - changed:
            found.append({**entry, "fieldsV1": _written(kept - changed)})
    if changed:
        found.append(
            {
                "manager": manager, "operation": "Update", "apiVersion": after["apiVersion"], "time": now,
                "fieldsType": "FieldsV1", "fieldsV1": _written(mine),
            }
        )  # fmt: skip
    return sorted(found, key=lambda entry: (entry["time"], entry["manager"]))


def _fields(body: Object) -> Iterator[tuple[Path, Any]]:
    """Each field that has a manager, with its value; a map is one beside its keys."""
    for name in _MAPS:
        values = body.get("metadata", {}).get(name)
        if values:
            yield ("f:metadata", f"f:{name}"), True
            yield from ((("f:metadata", f"f:{name}", f"f:{key}"), value) for key, value in values.items())
    if "spec" in body:
        yield ("f:spec",), True
        yield from ((("f:spec", f"f:{key}"), value) for key, value in body["spec"].items())


def _written(paths: set[Path]) -> Object:
    """As FieldsV1: what is itself managed and has managed fields inside has "." beside them."""
    tree: Object = {}
    for path in sorted(paths):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
    for path in paths:
        node = tree
        for step in path:
            node = node[step]
        if node:
            node["."] = {}
    return tree


def _read(tree: Object, within: Path = ()) -> Iterator[Path]:
    for step, inside in tree.items():
        if step == ".":
            yield within
        elif inside:
            yield from _read(inside, (*within, step))
        else:
            yield (*within, step)
