"""docc killed in the midst of a canary, then the same command again: `python -m tests.sandbox.killing [MOMENTS [LANES]]`.

Several applications side by side in one sandbox, each under 100 requests a second: whoever goes on after a kill first waits
15 s for the dead one's Lease. Prints each moment, and what came of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from docc.sandbox import accounts, session
from tests.sandbox.door import BEFORE, UNANSWERED, Door, Trap
from tests.sandbox.live import App, until

LANES = 4
STALL_SECONDS = 2.0
"""A busy machine may keep Envoy, and who tells it, for so long. Whoever is not answered then is lost all the same."""
WRITES = (
    "lease taken", "record preparing", "deployment created", "service created", "record shifting", "deployment scaled up",
    "record baking", "record promoting", "service changed", "record succeeded", "configmap changed", "service deleted",
    "deployment taken down", "lease given back",
)  # fmt: skip
"""Of a canary that goes well, in this order."""


@dataclass(frozen=True)
class Moment:
    """ms: after docc got the answer to this write; BEFORE: the API server never got it; UNANSWERED: docc never got the answer.
    twice: the write after which whoever types the same command again is killed, too; then it is typed once more.
    aborted: somebody types `docc abort` at 50 %, and is killed, too; then the same command ends the revert, which is 10, and
    tries again when it is typed once more."""

    write: str
    ms: int
    aborted: bool = False
    twice: str = ""

    def __str__(self) -> str:
        when = {BEFORE: "before", UNANSWERED: "during"}.get(self.ms, f"{self.ms} ms after")
        return (
            f"{when} {self.write}"
            + (" (docc abort)" if self.aborted else "")
            + (f", and after {self.twice}" if self.twice else "")
        )


TWICE = {
    ("record preparing", UNANSWERED): "lease taken", ("deployment created", 3): "record shifting",
    ("record shifting", UNANSWERED): "record baking", ("record promoting", UNANSWERED): "record succeeded",
    ("record baking", BEFORE): "record promoting", ("configmap changed", UNANSWERED): "lease taken",
}  # fmt: skip
MOMENTS = (
    *(Moment(write, ms, twice=TWICE.get((write, ms), "")) for write in WRITES for ms in (BEFORE, UNANSWERED, 3)),
    Moment("record preparing", 800), Moment("record shifting", 900), Moment("record baking", 400),
    Moment("record promoting", 900), Moment("record reverting", 1, aborted=True),
    Moment("record reverting", 400, aborted=True), Moment("record reverting", 1200, aborted=True),
    Moment("record reverted", BEFORE, aborted=True),
)  # fmt: skip


@dataclass(frozen=True)
class Played:
    """phase, weight: of the record at the kill. wrong: what came of the same command, if that is not a promotion."""

    moment: Moment
    phase: str
    weight: int
    wrong: str

    def __str__(self) -> str:
        return f"{self.phase:<10} {self.weight:>3} %  {self.moment}: {self.wrong or 'promoted'}"


PHASES = ("preparing", "shifting", "baking", "promoting", "succeeded", "reverting")
"""Of the record, that a canary passes through, and one that is taken back."""
KILLS_MIN, NEAR_MS_MAX = 3, 5


class Subject(Protocol):
    """An application whose docc goes through a door."""

    def write(self, interval: int, **strategy: Any) -> None:
        """The manifest that is deployed from now on."""

    def deploy(self, image: str) -> subprocess.CompletedProcess[str]: ...

    def start(self, image: str) -> subprocess.Popen[Any]: ...

    def abort(self) -> subprocess.Popen[Any]: ...

    def status(self) -> dict[str, Any]: ...

    def ask(self) -> str:
        """The version that answers a user."""

    def traffic(self, folder: Path) -> AbstractContextManager[Path]:
        """Users, who write a line for each answer (docc.sandbox.load)."""


Make = Callable[[Door, str], Subject]
"""Given a door that is open, and a name."""


class Sandboxed(App):
    def abort(self) -> subprocess.Popen[Any]:
        command = self.command("abort", self.name)
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Lane:
    """One application, whose versions follow each other; nobody talks to the API server for it but through its door."""

    def __init__(self, door: Door, make: Make, name: str) -> None:
        self.door = door
        self.app = make(door, name)
        self._write(2)
        self.version = 1

    def _write(self, interval: int) -> None:
        self.app.write(interval, bake=1, keep_warm=0, drain=4)

    def begin(self) -> None:
        done = self.app.deploy("demo:v1")
        assert done.returncode == 0, done.stderr

    def play(self, moment: Moment) -> Played:
        self.version += 1
        image, door = f"demo:v{self.version}", self.door
        self._write(300 if moment.aborted else 2)  # whoever aborts has the time to do so
        running = self._started(image, moment.write, moment.ms)
        if moment.aborted:
            until(lambda: door.weight == 50 or door.sprung.is_set() or running[0].poll() is not None, 90)
            running.append(self.app.abort())
        came = door.sprung.wait(90)
        phase, weight = door.phase, door.weight
        codes = [each.poll() for each in running]
        _kill(running)
        for each in running:
            each.wait(10)
        if not came:
            return Played(moment, phase, weight, f"it did not come; docc had ended with {codes}")
        if moment.twice and not self._killed_again(image, moment.twice):
            return Played(moment, phase, weight, "the second one did not come")
        self._write(2)
        wrong = self._again(image, 10, "reverted", self.version - 1) if moment.aborted else ""
        return Played(moment, phase, weight, wrong or self._again(image, 0, "succeeded", self.version))

    def _started(self, image: str, write: str, ms: int) -> list[subprocess.Popen[Any]]:
        """Whoever is in the list when the moment comes, is killed."""
        running = list[subprocess.Popen[Any]]()
        self.door.sprung.clear()
        self.door.trap = Trap(write, ms, lambda: _kill(running))
        running.append(self.app.start(image))
        return running

    def _killed_again(self, image: str, write: str) -> bool:
        running = self._started(image, write, 3)
        came = self.door.sprung.wait(90)
        _kill(running)
        running[0].wait(10)
        return came

    def _again(self, image: str, code: int, phase: str, version: int) -> str:
        """The same command ends with this code and leaves this version serving; otherwise, what came of it."""
        again = self.app.deploy(image)
        if again.returncode != code:
            return f"exit {again.returncode}: {again.stderr}"
        found, serving = self.app.status(), self.app.ask()
        return "" if (found["phase"], serving) == (phase, f"v{version}") else f"{found['phase']}, {serving} serves"

    def weights(self) -> list[tuple[float, str, int]]:
        """In the order in which they were given: an end that is heard late does not undo the next beginning."""
        return [(at if weight else at + STALL_SECONDS, version, weight) for at, version, weight in self.door.weights]


def _kill(running: Sequence[subprocess.Popen[Any]]) -> None:
    for each in running:
        each.kill()


def in_sandbox(world: session.Session, folder: Path) -> tuple[Callable[[], Door], Make]:
    def make(door: Door, name: str) -> Subject:
        kubeconfig = folder / f"{name}.kubeconfig"
        there, here = (urlsplit(url).netloc for url in (world.api, door.url))
        kubeconfig.write_text(Path(world.kubeconfig).read_text().replace(there, here))
        return Sandboxed(replace(world, kubeconfig=str(kubeconfig)), folder, name)

    return lambda: Door(world.api), make


def play(
    world: tuple[Callable[[], Door], Make],
    folder: Path,
    moments: Sequence[Moment],
    lanes: int = LANES,
    heard: Callable[[Played], None] = lambda _: None,
) -> tuple[list[Played], list[accounts.Account]]:
    """What came of each moment, which is heard of as soon as it is known; and each lane's traffic."""
    waiting, played, seen = deque(moments), list[Played](), list[accounts.Account]()
    opened, make = world

    def run(number: int) -> None:
        with (door := opened()).serving():
            lane = Lane(door, make, f"lane{number}")
            lane.begin()
            with lane.app.traffic(folder) as load:
                while waiting:
                    played.append(lane.play(waiting.popleft()))
                    heard(played[-1])
            rows = [json.loads(row) for row in load.read_text().splitlines()]
            seen.append(accounts.of_load(rows, lane.weights()))

    with ThreadPoolExecutor(lanes) as pool:
        list(pool.map(run, range(lanes)))
    order = {moment: at for at, moment in enumerate(moments)}
    played.sort(key=lambda each: order[each.moment])
    return played, seen


def bounded(count: int) -> tuple[Moment, ...]:
    """So many of them, evenly spread, the first and the last among them."""
    return tuple(MOMENTS[at * (len(MOMENTS) - 1) // max(count - 1, 1)] for at in range(count))


def main(count: int, lanes: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        world = session.up(Path(folder) / "s")
        try:
            return tell(*play(in_sandbox(world, Path(folder)), Path(folder), bounded(count), lanes, say))
        finally:
            session.down(Path(folder) / "s")


def say(what: object) -> None:
    """Two lanes' lines never mix."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def tell(played: Sequence[Played], seen: Sequence[accounts.Account]) -> int:
    """Prints what came of all; 0 if that is what should. All the moments must have been where they were to be, too."""
    good = sum(not each.wrong for each in played)
    requests, failed = sum(each.requests for each in seen), sum(each.failed for each in seen)
    phases, near = in_phases(played), near_writes(played)
    say("killed in " + ", ".join(f"{phase} {count}" for phase, count in phases.items()))
    say(f"within {NEAR_MS_MAX} ms around: " + ", ".join(f"{write} {count}" for write, count in near.items()))
    say(f"{good} of {len(played)} end right; {failed} of {requests} requests failed")
    missing = gaps(played) if len(played) == len(MOMENTS) else []
    for words in [*missing, *(words for each in seen for words in each.told)]:
        say(words)
    return 0 if good == len(played) and not failed and not missing else 1


def in_phases(played: Sequence[Played]) -> Counter[str]:
    return Counter(each.phase for each in played)


def near_writes(played: Sequence[Played]) -> Counter[str]:
    """Before it, while it is answered, or right afterwards."""
    return Counter(each.moment.write for each in played if each.moment.ms < NEAR_MS_MAX)


def gaps(played: Sequence[Played]) -> list[str]:
    """The phases and the kinds of writes in which too few kills fell."""
    phases, near = in_phases(played), near_writes(played)
    return [
        *(f"only {phases[phase]} kills while {phase}" for phase in PHASES if phases[phase] < KILLS_MIN),
        *(f"only {near[write]} kills near {write}" for write in WRITES if near[write] < KILLS_MIN),
    ]


if __name__ == "__main__":
    sys.exit(main(*[int(word) for word in sys.argv[1:]], *[len(MOMENTS), LANES][len(sys.argv) - 1 :]))
