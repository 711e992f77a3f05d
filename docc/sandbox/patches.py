"""JSON Patch and merge patch as the Kubernetes API server applies them. Pure: documents in, a new document out.

JSON Patch is RFC 6902 by the jsonpatch library, with the API server's deviations: its library reads an absent member as null,
so that a `test` of null passes there, and `replace` puts one there. What the member would be in must exist.
"""

from __future__ import annotations

import copy
from types import MappingProxyType
from typing import Any

import jsonpatch
import jsonpointer


class FailedTest(Exception):
    """A `test` did not hold, a path does not exist, an operation is none: the API server says 422 without causes."""


class _Test(jsonpatch.TestOperation):
    def apply(self, obj: Any) -> Any:
        try:
            return super().apply(obj)
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException):
            if "value" in self.operation and self.operation["value"] is None and _lacks(self.pointer, obj):
                return obj
            raise


class _Replace(jsonpatch.ReplaceOperation):
    def apply(self, obj: Any) -> Any:
        if not _lacks(self.pointer, obj):
            return super().apply(obj)
        holder, key = self.pointer.to_last(obj)
        holder[key] = self.operation["value"]
        return obj


def _lacks(pointer: jsonpointer.JsonPointer, document: Any) -> bool:
    """The object is there, the key in it is not. Raises JsonPointerException where not even the object is."""
    holder, key = pointer.to_last(document)
    return isinstance(holder, dict) and key is not None and key not in holder


class _Patch(jsonpatch.JsonPatch):
    operations = MappingProxyType({**jsonpatch.JsonPatch.operations, "test": _Test, "replace": _Replace})


def json_patch(document: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Raises FailedTest; ValueError for something that is no list of operations."""
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise ValueError("a JSON Patch is a list of operations")
    try:
        patch = _Patch(operations)
        result = patch.apply(document)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError, ValueError) as error:
        raise FailedTest(str(error)) from error
    if not isinstance(result, dict):
        raise ValueError("a JSON Patch must leave an object")
    return result


def merge_patch(document: dict[str, Any], patch: Any) -> dict[str, Any]:
    """Raises ValueError for a patch that is no object: it would put itself in the document's place."""
    if not isinstance(patch, dict):
        raise ValueError("a merge patch of an object is an object")
    merged: dict[str, Any] = _merged(document, patch)
    return merged


def _merged(document: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result
