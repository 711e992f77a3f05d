"""docc killed in the midst of a canary, then the same command again: `python -m tests.sandbox.killing [MOMENTS [LANES]]`.

Several applications side by side in one sandbox, each under 100 requests a second: whoever goes on after a kill first waits
15 s for the dead one's Lease. Prints each moment, and what came of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from docc.sandbox import accounts, session
from tests.sandbox.door import BEFORE, UNANSWERED, Door, Trap
from tests.sandbox.live import App, until

LANES = 4
STALL_SECONDS = 2.0
"""A busy machine may stop Envoy for so long; docc is not to blame, and drains for longer."""
WRITES = (
    "lease taken", "record preparing", "deployment created", "service created", "record shifting", "deployment scaled up",
    "record baking", "record promoting", "service changed", "record succeeded", "configmap changed", "service deleted",
    "deployment taken down", "lease given back",
)  # fmt: skip
"""Of a canary that goes well, in this order."""


@dataclass(frozen=True)
class Moment:
    """ms: after docc got the answer to this write; BEFORE: the API server never got it; UNANSWERED: docc never got the answer.
    aborted: somebody types `docc abort` at 50 %, and is killed, too; then the same command ends the revert, which is 10, and
    tries again when it is typed once more."""

    write: str
    ms: int
    aborted: bool = False

    def __str__(self) -> str:
        when = {BEFORE: "before", UNANSWERED: "during"}.get(self.ms, f"{self.ms} ms after")
        return f"{when} {self.write}" + (" (docc abort)" if self.aborted else "")


MOMENTS = (
    *(Moment(write, ms) for write in WRITES for ms in (BEFORE, UNANSWERED, 3)),
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


class Lane:
    """One application, whose versions follow each other; nobody talks to the API server for it but through its door."""

    def __init__(self, world: session.Session, folder: Path, name: str) -> None:
        self.door = Door(world.api)
        threading.Thread(target=self.door.serve_forever, daemon=True).start()
        kubeconfig = folder / f"{name}.kubeconfig"
        kubeconfig.write_text(Path(world.kubeconfig).read_text().replace(world.api, self.door.url))
        self.app = App(replace(world, kubeconfig=str(kubeconfig)), folder, name)
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
        running = [self.app.start(image)]
        door.sprung.clear()
        door.trap = Trap(moment.write, moment.ms, lambda: _kill(running))
        if moment.aborted:
            until(lambda: door.weight == 50 or door.sprung.is_set(), 60)
            abort = self.app.command("abort", self.app.name)
            running.append(subprocess.Popen(abort, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        came = door.sprung.wait(90)
        phase, weight = door.phase, door.weight
        _kill(running)
        for each in running:
            each.wait(10)
        if not came:
            return Played(moment, phase, weight, "it did not come")
        self._write(2)
        wrong = self._again(image, 10, "reverted", self.version - 1) if moment.aborted else ""
        return Played(moment, phase, weight, wrong or self._again(image, 0, "succeeded", self.version))

    def _again(self, image: str, code: int, phase: str, version: int) -> str:
        """The same command ends with this code and leaves this version serving; otherwise, what came of it."""
        again = self.app.deploy(image)
        if again.returncode != code:
            return f"exit {again.returncode}: {again.stderr}"
        found, serving = self.app.status(), self.app.ask()
        return "" if (found["phase"], serving) == (phase, f"v{version}") else f"{found['phase']}, {serving} serves"

    def weights(self) -> list[tuple[float, str, int]]:
        heard = [(at if weight else at + STALL_SECONDS, version, weight) for at, version, weight in self.door.weights]
        return sorted(heard)

    def close(self) -> None:
        self.door.shutdown()
        self.door.server_close()


def _kill(running: Sequence[subprocess.Popen[bytes]]) -> None:
    for each in running:
        each.kill()


def play(
    world: session.Session, folder: Path, moments: Sequence[Moment], lanes: int = LANES
) -> tuple[list[Played], list[accounts.Account]]:
    """What came of each moment, and each lane's traffic."""
    waiting, played, seen = deque(moments), list[Played](), list[accounts.Account]()

    def run(number: int) -> None:
        lane = Lane(world, folder, f"lane{number}")
        try:
            lane.begin()
            with lane.app.traffic(folder) as load:
                while waiting:
                    played.append(lane.play(waiting.popleft()))
            rows = [json.loads(row) for row in load.read_text().splitlines()]
            seen.append(accounts.of_load(rows, lane.weights()))
        finally:
            lane.close()

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
            played, seen = play(world, Path(folder), bounded(count), lanes)
        finally:
            session.down(Path(folder) / "s")
    good = sum(not each.wrong for each in played)
    requests, failed = sum(each.requests for each in seen), sum(each.failed for each in seen)
    told = [words for each in seen for words in each.told]
    rows = [*map(str, played), f"{good} of {len(played)} end right; {failed} of {requests} requests failed", *told]
    sys.stdout.write("\n".join(rows) + "\n")
    return 0 if good == len(played) and not failed else 1


if __name__ == "__main__":
    sys.exit(main(*[int(word) for word in sys.argv[1:]], *[len(MOMENTS), LANES][len(sys.argv) - 1 :]))
