"""The two streams: results on stdout, everything else on stderr; and whether a stream may have colour.

Foreign text (log lines, a server's words, image names) is neutralised before it is shown: escapes cannot reach a terminal,
and no line can be read as a workflow command by a CI system.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import Any, TextIO

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_WORKFLOW_COMMAND = re.compile(r"^(\s*)(::|##\[)", re.MULTILINE)


def neutral(text: str) -> str:
    """Control characters made visible, CI workflow commands defused; tabs and line breaks stay."""
    shown = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return _WORKFLOW_COMMAND.sub("\\1\u200b\\2", shown)


def coloured(stream: TextIO, *, allowed: bool = True) -> bool:
    """Colour only on a terminal that did not refuse it (NO_COLOR, TERM=dumb, --no-color); each stream for itself."""
    if not allowed or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


class Console:
    """Writes lines. A stream whose reader has gone is written to no more, and nothing is raised."""

    def __init__(self, *, colour: bool = True, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out, self._err = out or sys.stdout, err or sys.stderr
        self._rich = self._terminal() if coloured(self._err, allowed=colour) else None

    def _terminal(self) -> Any:
        from rich.console import Console as Rich

        return Rich(file=self._err, highlight=False, soft_wrap=True, force_interactive=False, legacy_windows=False)

    def out(self, text: str) -> None:
        """A result."""
        self._write(self._out, text)

    def err(self, text: str, style: str = "") -> None:
        """Progress, warnings, errors. style: a rich style, for a terminal only."""
        if self._rich is None:
            self._write(self._err, text)
            return
        from rich.text import Text

        with contextlib.suppress(OSError, ValueError):
            self._rich.print(Text(text, style=style))

    def _write(self, stream: TextIO, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            stream.write(text + "\n")
            stream.flush()
