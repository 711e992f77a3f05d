"""The two streams: results on stdout, everything else on stderr; what a stream may have (colour, a width), and what foreign
text may not do.

Foreign text (log lines, a server's words, image names) is neutralised before it is shown: escapes cannot reach a terminal,
no line can be read as a workflow command by a CI system, and secrets are left out (model/secrets.py). What is said, and when,
is not decided here.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable
from textwrap import wrap
from typing import Any, TextIO

from docc.model.secrets import masked
from docc.ui.documents import written

COLUMNS_FALLBACK, COLUMNS_MIN = 80, 40
# Control characters without tab and line feed, bidirectional marks, line separators, lone surrogates, invisible tags.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)
# GitHub reads "::command::" at a line's beginning, Azure, TeamCity and old GitHub "##name[" anywhere in a line. GitHub's runner
# compares as .NET does, for which characters without a width (Unicode's default ignorables) are not there.
_IGNORED = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\U000e0080-\U000e0fff"
)
_WORKFLOW_COMMAND = re.compile(
    rf"^([\s{_IGNORED}]*)(?=:[{_IGNORED}]*:)|(?<=#)(?=[{_IGNORED}]*#[\w{_IGNORED}]*\[)", re.MULTILINE
)


def neutral(text: str) -> str:
    """Secrets masked, control characters made visible (\\x1b), CI workflow commands defused by a backslash; tabs and line
    breaks stay. Neutral text is left as it is."""
    shown = _CONTROL.sub(_visible, masked(text).replace("\r\n", "\n"))
    return _WORKFLOW_COMMAND.sub(r"\1\\", masked(shown))


def _unsecret(value: Any) -> Any:
    """A document's values, without secrets and otherwise as they are."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {_unsecret(key): _unsecret(each) for key, each in value.items()}
    return [_unsecret(each) for each in value] if isinstance(value, list | tuple) else value


def _visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def coloured(stream: TextIO | None) -> bool:
    """Colour only on a terminal that did not refuse it (NO_COLOR, which --no-color sets, or TERM=dumb); each stream for
    itself. Nothing forces colour: FORCE_COLOR and CI systems that ask for it get plain lines."""
    if stream is None or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


class Console:
    """Writes lines. A stream that nobody reads any more is written to no more, and nothing is raised."""

    def __init__(self, *, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out: TextIO | None = out or sys.stdout  # None when the process was started with the stream closed
        self._err: TextIO | None = err or sys.stderr
        self._coloured = coloured(self._err)
        self._gone: set[TextIO] = set()
        self.painter: Callable[[str], None] | None = None
        """Who writes to the terminal of progress at the moment, if it is somebody else; must not wait for it."""

    @property
    def progress(self) -> TextIO | None:
        """Where progress is written."""
        return self._err

    @property
    def tells_a_terminal(self) -> bool:
        """Results are written to one."""
        return self._out is not None and self._out.isatty()

    @property
    def columns(self) -> int | None:
        """The width of the terminal that progress is shown on, as it is now; None if it is no terminal."""
        if self._err is None or not self._err.isatty():
            return None
        with contextlib.suppress(OSError, ValueError):
            return os.get_terminal_size(self._err.fileno()).columns or COLUMNS_FALLBACK
        return COLUMNS_FALLBACK

    def out(self, text: str) -> None:
        """A result, as it is: who makes a text result of foreign text neutralises it, a document must not be changed."""
        self._write(self._out, text)

    def document(self, value: Any, form: str = "json") -> None:
        """A result for programs, without secrets. form: as ui/documents.py has it."""
        self._write(self._out, written(_unsecret(value), form))

    def err(self, text: str, style: str = "") -> None:
        """Progress, warnings, errors; always neutralised. style: a rich style such as "bold red", for a terminal only."""
        shown = neutral(text)
        if style and self._coloured:
            shown = "\n".join(_styled(row, style) for row in shown.split("\n"))
        self._write(self._err, shown)

    def sentence(self, text: str, style: str = "") -> None:
        """As err(); on a terminal it is broken between words, and goes on further in. Elsewhere it is one line, for grep."""
        shown, columns = neutral(text), self.columns  # neutral first: half a secret is not known as one
        width, deeper = max(columns or 0, COLUMNS_MIN), " " * (len(text) - len(text.lstrip()) + 2)
        rows = [shown]
        if columns is not None and len(shown) > width:
            rows = wrap(shown, width, subsequent_indent=deeper, break_long_words=False, break_on_hyphens=False) or rows
        for row in rows:
            self.err(row, style)

    def command(self, text: str) -> None:
        """A line for a CI system itself, as it is: whoever makes it escapes what is foreign in it."""
        self._write(self._err, text)

    def _write(self, stream: TextIO | None, text: str) -> None:
        if stream is self._err and self.painter is not None:
            self.painter(text)
            return
        if stream is None or stream in self._gone:
            return
        encoding = stream.encoding or "utf-8"
        try:
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            stream.flush()
        except BlockingIOError:
            return  # a terminal that somebody made non-blocking: this line is late, the next may pass
        except (OSError, ValueError):
            self._gone.add(stream)
            _silence(stream)


def _styled(row: str, style: str) -> str:
    """One line in the terminal's own 16 colours. rich only spells the codes: its Console would end the process when the
    reader of a pipe has gone, in the middle of a rollout."""
    from rich.color import ColorSystem
    from rich.style import Style

    return Style.parse(style).render(row, color_system=ColorSystem.STANDARD)


def _silence(stream: TextIO) -> None:
    """What is still in the stream's buffer goes nowhere; otherwise the interpreter would fail on it at its end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
