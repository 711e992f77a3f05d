"""A process that waits for its end as docc does: `python -m tests.adapters.waiting`. It tells what it sees, a line each.

"storm": signals arrive as fast as they can while it sleeps, wakes and is woken; it tells "weathered" when it has lived through.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

from docc.adapters.clock import ServerClock
from docc.adapters.signals import Signals

STORM_SIGNALS, STORM_SECONDS = 20_000, 0.000_05


def tell(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def wait_for_a_stop() -> None:
    clock = ServerClock()
    with Signals(clock.ring) as signals:
        tell("ready")
        while signals.asked() is None:
            clock.sleep_until(clock.now() + 3600)
        tell(f"asked {signals.asked()}")
        sys.stdin.readline()
        tell(f"asked {signals.asked()}")
    tell("without")
    sys.stdin.readline()
    tell("end")


def storm() -> None:
    clock, count = ServerClock(), 0

    def heed(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        clock.ring()

    signal.signal(signal.SIGALRM, heed)
    signal.setitimer(signal.ITIMER_REAL, STORM_SECONDS, STORM_SECONDS)
    while count < STORM_SIGNALS:
        clock.sleep_until(clock.now() + 3600)
        clock.ring()
    signal.setitimer(signal.ITIMER_REAL, 0)
    tell("weathered")


if __name__ == "__main__":
    storm() if sys.argv[1:] == ["storm"] else wait_for_a_stop()
