r"""Label matchers' regular expressions, in Python's `re` with RE2's meaning. Knows nothing of series.

Prometheus compiles `^(?s:PATTERN)$` with Go's RE2. Python agrees with RE2 on a core of constructs; that core is translated
token by token, and anything else is refused: flags, back references, look-around, `\b`, POSIX classes, `{,n}`. Nested
unbounded repetition is refused too: RE2 is linear, Python's matcher would not return.
"""

from __future__ import annotations

import re
from functools import lru_cache

from docc.sandbox.promql.values import Unspoken

_REPEATS_MAX = 1000
_SPACE = r"\t\n\f\r "
_TOKEN = re.compile(
    r"""
      (?P<quantifier> [*+?]\?? | \{\d+(?:,\d*)?\}\?? )
    | (?P<escape> \\[^a-zA-Z0-9] | \\[dDwW] )
    | (?P<space> \\s ) | (?P<no_space> \\S )
    | (?P<set> \[\^? (?: [^\[\]\\] | \\[^a-zA-Z0-9SbB] | \\[dws] )+ \] )
    | (?P<open> \((?:\?:)?(?!\?) ) | (?P<close> \) ) | (?P<bar> \| )
    | (?P<start> \^ ) | (?P<end> \$ ) | (?P<any> \. )
    | (?P<literal> [^\\*+?{(\[^$.|)] )
    """,
    re.VERBOSE | re.DOTALL,
)
_AMBIGUOUS_IN_SET = re.compile(r"&&|\|\||~~|--")
_ATOMS = frozenset({"escape", "space", "no_space", "set", "close", "any", "literal"})


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """To be used with fullmatch. Raises Unspoken."""
    parts: list[str] = []
    unbounded = [False]  # for each open group: does it hold an unbounded repetition?
    last, last_unbounded, at = "", False, 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        kind, text = (token.lastgroup or "", token.group()) if token else ("", "")
        if token is None or (kind == "quantifier" and last not in _ATOMS) or (kind == "close" and len(unbounded) == 1):
            raise Unspoken(f"this part of a regular expression: {pattern[at:]!r} in {pattern!r}")
        if kind == "quantifier":
            endless = text[0] in "*+" or ",}" in text
            if (endless and last == "close" and last_unbounded) or _repeats(text) > _REPEATS_MAX:
                raise Unspoken(f"nested or very long repetition in a regular expression: {pattern!r}")
            unbounded[-1] |= endless
        elif kind == "open":
            unbounded.append(False)
        elif kind == "close":
            last_unbounded = unbounded.pop()
            unbounded[-1] |= last_unbounded
        parts.append(_translated(kind, text, pattern))
        last, at = kind, token.end()
    try:
        return re.compile("".join(parts), re.DOTALL | re.ASCII)
    except re.error as error:
        raise Unspoken(f"the regular expression {pattern!r} ({error})") from error


def _repeats(quantifier: str) -> int:
    return max((int(number) for number in re.findall(r"\d+", quantifier)), default=0)


def _translated(kind: str, text: str, pattern: str) -> str:
    match kind:
        case "space":
            return f"[{_SPACE}]"
        case "no_space":
            return f"[^{_SPACE}]"
        case "start":
            return r"\A"
        case "end":
            return r"\Z"  # Python's $ also matches before a last newline
        case "literal":
            return re.escape(text)
        case "open":
            return "(?:"
        case "set":
            if _AMBIGUOUS_IN_SET.search(text):
                raise Unspoken(f"the set {text!r} in the regular expression {pattern!r}")
            return text.replace(r"\s", _SPACE)
        case _:
            return text
