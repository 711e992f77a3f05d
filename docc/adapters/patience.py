"""How long a call may block: as it likes, until somebody is in a hurry; then one deadline holds for all calls together, and
what has been under way gets half of it at most: the rest is for what the hurry is about.

A signal's handler may say so (it only sets a number). A call that is abandoned goes on in its thread, and what it may still
bring about is fenced like any late write.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
SLICE_SECONDS = 0.2
"""How soon a blocked call learns of the hurry."""
LEAST_SECONDS = 0.3
"""What every call gets, even when the deadline is over."""


class OutOfTime(TimeoutError):
    """The deadline is over: another try would get no more than LEAST_SECONDS."""


class Patience:
    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._deadline = self._limit = self._half = self._hurried = float("inf")

    def allow(self, seconds: float) -> None:
        """So long from now for all calls together; math.inf: as they like again."""
        self._limit = self._now() + seconds

    def end_within(self, seconds: float) -> None:
        now = self._now()
        self._deadline = min(self._deadline, now + seconds)
        self._half, self._hurried = min(self._half, now + seconds / 2), min(self._hurried, now)

    @property
    def hurried(self) -> bool:
        return self._deadline != float("inf")

    def over(self, began: float) -> bool:
        """Whether a call that began then (by the monotonic clock) has had its time."""
        return self._now() >= (self._half if began < self._hurried else max(self._deadline, began + LEAST_SECONDS))

    def run(self, call: Callable[[], T]) -> T:
        """The call's own result or exception. Raises TimeoutError when its time is over, OutOfTime when everybody's is."""
        began, asked = self._now(), Asked(call)
        while not asked.answered(SLICE_SECONDS):
            if self.over(began):
                raise self.spent()
            if self._now() >= self._limit:
                raise TimeoutError("the time for all that is looked at beforehand was over")
        return asked.result()

    def spent(self) -> TimeoutError:
        kind = OutOfTime if self._now() >= self._deadline else TimeoutError
        return kind("there was no time to wait for the answer")


class Asked(Generic[T]):
    """A call in a thread of its own, begun at once; it keeps nobody from ending."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._found: list[T] = []
        self._raised: list[BaseException] = []
        self._done = threading.Event()
        threading.Thread(target=self._work, args=(call,), name="request", daemon=True).start()

    def _work(self, call: Callable[[], T]) -> None:
        try:
            self._found.append(call())
        except BaseException as error:
            self._raised.append(error)
        finally:
            self._done.set()

    def answered(self, seconds: float) -> bool:
        """Within so many."""
        return self._done.wait(seconds)

    def result(self) -> T:
        """When it is there; its exception is raised here."""
        while not self.answered(SLICE_SECONDS):
            pass
        if self._raised:
            raise self._raised[0]
        return self._found[0]
