"""What is wrong with a regular expression that goes to Envoy, whose RE2 takes a whole configuration or none of it.

PromQL's reader says most of it, since its expressions are meant to be RE2's. But it puts them into a group first, and knows a
few things that RE2 does not; a group that is closed too often, and those, are found here. Plain text in, a sentence out.
"""

from __future__ import annotations

import re

from docc.promql import parse

REPETITIONS_MAX = 1000
"""RE2's, also of what is repeated within something repeated."""
_TOKEN = re.compile(
    r"""
      (?P<escape> \\[pP]\{[^}]*\} | \\. )
    | (?P<set> \[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\] )
    | (?P<flags> \(\?[^()<>:]*\) )
    | (?P<opens> \(\?P?<\w+> | \(\?[^()<>:]*: | \( )
    | (?P<closes> \) )
    | (?P<repeats> (?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\?? )
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
_FLAGS = re.compile(r"\(|\(\?[imsU]*(-[imsU]+)?[:)]|\(\?P?<\w+>")
_STRANGE_ESCAPE = re.compile(r"\\[uU]|\\[pP]\{(?!\^?[A-Z][a-z]?\})")
_STRANGE_SET = re.compile(r"--|&&|~~")


def irregular(text: str) -> str:
    """Why Envoy does not take it; "" if it does."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    try:
        parse(f'x{{y=~"{quoted}"}}')
    except ValueError as error:
        return str(error).splitlines()[-1]
    return _unknown(text) or _repeated(text)


def _unknown(text: str) -> str:
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += bool(token["opens"]) - bool(token["closes"])
        if depth < 0:
            return 'it closes a group with ")" that it has not opened'
        if (group := token["flags"] or token["opens"]) and not _FLAGS.fullmatch(group):
            return f"{group} is unknown there"
        strange = _STRANGE_ESCAPE.search(token["escape"] or token["set"] or "") or _STRANGE_SET.search(
            token["set"] or ""
        )
        if strange:
            return f"{strange[0]} is unknown there ({token[0]})"
    return ""


def _repeated(text: str) -> str:
    """What is repeated twice over, or too often. Of a text whose groups are balanced."""
    most, last, again = [1], 1, False  # by depth: how often something in this group is there; of the last piece
    for token in _TOKEN.finditer(text):
        if times := token["repeats"]:
            if again:
                return f"{times} repeats what is repeated already"
            last *= max(1, *(int(number) for number in re.findall("[0-9]+", times)), 1)
            if last > REPETITIONS_MAX:
                return f"{times} makes {last} repetitions, and {REPETITIONS_MAX} are allowed"
        elif token["opens"]:
            most.append(1)
            last = 1
        else:
            last = most.pop() if token["closes"] else 1
        again = bool(times)
        most[-1] = max(most[-1], last)
    return ""
