"""Who is on trial: which requests go to the candidate whatever its weight is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """A request has this header with this value. name: lower case. regex: value is a regular expression (RE2) that the whole
    header must match."""

    name: str
    value: str
    regex: bool = False


Trial = tuple[tuple[HeaderMatch, ...], ...]
"""A request is on trial if it has all the headers of any one of them; () is nobody."""
