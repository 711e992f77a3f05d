"""How long a call may block: as it likes, until somebody is in a hurry; then one deadline holds for all calls together.

A signal's handler may say so (it only sets a number). A call that is abandoned goes on in its thread, and what it may still
bring about is fenced like any late write.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
SLICE_SECONDS = 0.2
"""How soon a blocked call learns of the hurry."""
LEAST_SECONDS = 0.3
"""What every call gets, even when the deadline is over."""


class Patience:
    def __init__(self) -> None:
        self._deadline = float("inf")

    def end_within(self, seconds: float) -> None:
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    @property
    def hurried(self) -> bool:
        return self._deadline != float("inf")

    def over(self, began: float) -> bool:
        """Whether a call that began then (time.monotonic) has had its time."""
        return time.monotonic() >= max(self._deadline, began + LEAST_SECONDS)

    def run(self, call: Callable[[], T]) -> T:
        """The call's own result or exception. Raises TimeoutError when its time is over."""
        found: list[T] = []
        raised: list[BaseException] = []
        done = threading.Event()

        def work() -> None:
            try:
                found.append(call())
            except BaseException as error:
                raised.append(error)
            finally:
                done.set()

        began = time.monotonic()
        threading.Thread(target=work, name="request", daemon=True).start()
        while not done.wait(SLICE_SECONDS):
            if self.over(began):
                raise TimeoutError("there was no time to wait for the answer")
        if raised:
            raise raised[0]
        return found[0]
