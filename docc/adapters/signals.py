"""What a person or a CI system says to a running docc: signals, and at a terminal a question.

The first signal asks for the park. Once docc drives at a terminal, Ctrl-C opens a question first, and nothing grows until it is
answered; a second Ctrl-C asks for the park, a third ends the process at once. A handler only sets values and puts into
SimpleQueues: whatever else the interrupted thread is just doing may hold a lock.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

from docc.engine.ports import HOLD, ROLL_BACK

IMPATIENT = 3
HURRY_SECONDS = 3.5
"""What is left for everything once docc was told to end: a park, the Lease, a last look."""
_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_QUESTION = """
[c]ontinue, [h]old the weights, [r]oll back?
No weight grows until you answer; Ctrl-C again parks the traffic and ends.
"""
_ANSWERS = {"c": "", "h": HOLD, "r": ROLL_BACK}


@dataclass(frozen=True, slots=True)
class Terminal:
    """File descriptors of the keyboard and of the screen."""

    keyboard: int
    screen: int


class Signals:
    """engine.ports.Stop, while the `with` block lasts. hurry: called once docc must end, with the seconds that are left."""

    def __init__(
        self,
        ring: Callable[[], None],
        hurry: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._ring, self._hurry = ring, hurry
        self._terminal: Terminal | None = None
        self._asked, self._count = "", 0
        self._questions: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._before: dict[int, Any] = {}

    def asked(self) -> str | None:
        return self._asked or None

    def converse(
        self, terminal: Terminal | None, alone: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        """From now on there is something to ask about: Ctrl-C opens the question there. alone: while it lasts, nobody else
        uses the terminal."""
        if terminal is not None:
            threading.Thread(target=self._converse, args=(terminal, alone), name="question", daemon=True).start()
            self._terminal = terminal

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """While docc itself waits for somebody's answer: signals do what they did before."""
        self._restore()
        try:
            yield
        finally:
            self._install()

    def __enter__(self) -> Signals:
        self._install()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _install(self) -> None:
        for number in _NUMBERS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, and shells that start something behind "&"
                self._before[number] = signal.signal(number, self._heed)

    def _restore(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _heed(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count >= IMPATIENT:
            os._exit(128 + number)
        if number == signal.SIGINT and self._terminal is not None and self._count == 1:
            self._asked = HOLD
            self._questions.put(None)
        else:
            if self._asked in ("", HOLD, ROLL_BACK):
                self._asked = signal.Signals(number).name
            self._hurry(HURRY_SECONDS)
        self._ring()

    def _converse(self, terminal: Terminal, alone: Callable[[], AbstractContextManager[None]]) -> None:
        """In a thread of its own, which ends with the process: a keyboard blocks whoever reads it."""
        with contextlib.suppress(OSError):
            while True:
                self._questions.get()
                with alone():
                    answer = self._answer(terminal)
                if answer is not None and self._asked == HOLD:
                    self._asked, self._count = answer, 0
                    self._ring()

    def _answer(self, terminal: Terminal) -> str | None:
        """None if it is too late for one. Raises OSError when nobody is there any more."""
        answer = None
        while answer is None and self._asked == HOLD:
            os.write(terminal.screen, _QUESTION.encode())
            typed = os.read(terminal.keyboard, 1024)
            if not typed:
                raise OSError("nobody is there any more")
            answer = _ANSWERS.get(typed.decode("utf-8", "replace").strip().lower()[:1])
        return answer


def terminal() -> Terminal | None:
    """Where a person can be asked; None in a pipe, or behind one."""
    with contextlib.suppress(OSError, ValueError):
        if os.isatty(0) and os.isatty(2):
            return Terminal(0, 2)
    return None
