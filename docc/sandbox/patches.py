"""JSON Patch and merge patch as the Kubernetes API server applies them. Pure: documents in, a new document out.

JSON Patch is RFC 6902 by the jsonpatch library, with the API server's deviation: a `test` of null passes where the key, or
the whole path to it, is absent (its library reads an absent member as null).
"""

from __future__ import annotations

import copy
from types import MappingProxyType
from typing import Any

import jsonpatch
import jsonpointer


class FailedTest(Exception):
    """A `test` did not hold, or a path does not exist: the API server says 422 without causes."""


class _Test(jsonpatch.TestOperation):
    def apply(self, obj: Any) -> Any:
        try:
            return super().apply(obj)
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException):
            if self.operation.get("value") is None and self.pointer.resolve(obj, None) is None:
                return obj
            raise


class _Patch(jsonpatch.JsonPatch):
    operations = MappingProxyType({**jsonpatch.JsonPatch.operations, "test": _Test})


def json_patch(document: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Raises FailedTest; ValueError for something that is no JSON Patch."""
    try:
        patch = _Patch(operations)
        result = patch.apply(document)
    except (jsonpatch.InvalidJsonPatch, TypeError, KeyError) as error:
        raise ValueError(f"not a JSON Patch: {error}") from error
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
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
