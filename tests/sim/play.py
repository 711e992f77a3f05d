"""Plays scenes to their end, with faults; what was wrong is told with a trace in words and what repeats it.

`python -m tests.sim.play --seeds N [--from S]` plays N random plays; `--seed S` one of them, with its trace; `--case NAME` one
single fault; without any of them every single fault is played.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from docc.model.moves import Create, Delete, Outcome, Patch
from tests.sim import exits, told, verbs
from tests.sim.auditor import Auditor, record_of, traffic
from tests.sim.faults import FAULTS, PROCESS, RIVALS, SLEEPER, WORLD
from tests.sim.hands import HANDS, taken_back
from tests.sim.scenes import SCENES, Scene
from tests.sim.stage import Crash, Process, Stage, Written
from tests.sim.verbs import Verb, enter
from tests.sim.world import START, Violation, World

AGAIN_MAX = 8


@dataclass
class Play:
    """One case. faults: by write of the main process; again: of the process that types the same again. others: who
    else comes, and when; killed: when the main process is. stopped_at: how many writes it had made when the scene's
    SIGTERM came."""

    name: str
    scene: Scene
    faults: dict[tuple[str, int], str] = field(default_factory=dict)
    others: list[tuple[float, Verb, dict[tuple[str, int], str]]] = field(default_factory=list)
    offsets: list[float] = field(default_factory=list)
    killed: float | None = None
    again: dict[tuple[str, int], str] = field(default_factory=dict)
    world: World = field(init=False)
    excused: set[str] = field(default_factory=lambda: {"somebody"})
    codes: list[int] = field(default_factory=list)
    writes: dict[str, int] = field(default_factory=dict)
    rewrites: dict[str, int] = field(default_factory=dict)
    stopped_at: int = 0

    @property
    def audit(self) -> Auditor:
        assert isinstance(self.world.audit, Auditor)
        return self.world.audit

    def run(self) -> None:
        """Raises Violation, with everything that happened."""
        self.world = self.scene.world()
        try:
            self._acts()
        except Violation as violation:
            told = "\n".join([f"{self.name}: {violation}", *trace(self.world)])
            raise Violation(told) from None
        except Exception as error:
            told = "\n".join([f"{self.name}: docc ends with {type(error).__name__}: {error}", *trace(self.world)])
            raise Violation(told) from error

    def _acts(self) -> None:
        first, *rest = self._act(self.scene.verb, self.faults, self.others, self.killed, self.scene.stopped)
        self.writes = first.writes
        for turn in range(AGAIN_MAX):  # who was killed, or stopped, or has logged in anew, types the same again
            if not self._to_be_repeated(first):
                break
            self.world.now += 7
            paused = record_of(self.world).get("request") == "pause"  # and somebody will think of it
            verb = verbs.GO_ON if paused else self.scene.verb
            first, *rest = self._act(verb, self.again if turn == 0 else {}, [], None)
            self.rewrites = self.rewrites or first.writes
        else:
            raise Violation("it does not settle, however often it is typed")
        if not self.faults and not self.others and self.killed is None:
            exits.promptly(self.world, self.audit, self.scene.verb)
        self._tidy()

    def _to_be_repeated(self, process: Process) -> bool:
        code = None if process.outcome is None else int(process.outcome.exit_code)
        locked_out = code == 11 and self.world.now < process.locked[1]
        return not self.world.weather.ending and (code is None or code in (130, 143) or locked_out)

    def _act(
        self,
        verb: Verb,
        faults: dict[tuple[str, int], str],
        others: list[tuple[float, Verb, dict[tuple[str, int], str]]],
        killed: float | None,
        stopped: float | None = None,
    ) -> list[Process]:
        stage = _Audited(self)
        process = enter(stage, verb)
        process.faults = {at: FAULTS[name] for at, name in faults.items()}
        for delay, other, theirs in others:
            enter(stage, other, delay).faults = {at: FAULTS[name] for at, name in theirs.items()}
        for each, offset in zip(stage.processes, self.offsets, strict=False):
            each.offset = offset
        if killed is not None:
            self.world.agenda.append((self.world.now + killed, lambda world: stage.kill(process)))
        if stopped is not None:
            self.world.agenda.append((self.world.now + stopped, lambda world: self._stop(stage, process)))
        stage.everybody = list(stage.processes)
        stage.play()
        told.truly(self.world, alone=True)
        for each in stage.everybody:
            if each.outcome is None or int(each.outcome.exit_code) in (4, 5, 11):
                self.excused.add(each.name)
        if process.outcome is not None:
            self.codes.append(int(process.outcome.exit_code))
        return stage.everybody

    def _stop(self, stage: Stage, process: Process) -> None:
        self.stopped_at = process.writes["write"]
        stage.stop(process, "SIGTERM")

    def _tidy(self) -> None:
        """The skies clear. What is left undecided is given up, what is left over is taken down; then gc has nothing to do."""
        world = self.world
        if world.weather.ending:
            return
        world.now += 10
        world.happen()
        world.weather.away = 0.0
        world.weather.refused.clear()
        taken_back(world)
        world.now += 20
        for tag, (since, until) in list(world.weather.down.items()):
            world.weather.down[tag] = (since, min(until, world.now))
        world.weather.metrics.clear()
        world.weather_changed()
        world.now += 10
        if record_of(world).get("phase") in exits.MIDWAY:
            self._act(verbs.ABORT, {}, [], None)
        for _ in range(2):  # one ends what nobody had ended, the other cools it
            world.now += 100
            self._act(verbs.GC, {}, [], None)
        serial = world.serial
        self._act(verbs.GC, {}, [], None)
        if world.serial != serial:
            raise Violation("gc finds something to do twice")
        exits.at_rest(world, self.audit, self.excused | world.hindered)


class _Audited(Stage):
    """Each exit is judged at its instant."""

    def __init__(self, play: Play) -> None:
        super().__init__(play.world)
        self.play_, self.everybody = play, list[Process]()
        self._before: dict[str, dict[str, int]] = {}

    def enter(self, process: Process, delay: float = 0.0) -> Process:
        entered = super().enter(process, delay)
        verb = process.run
        if isinstance(verb, Verb) and verb.option == verbs.FORCED:
            self.play_.audit.forced.add(entered.name)

        def judged(process: Process) -> Outcome:
            before, ways = traffic(self.world), list[int | None]()
            process.looked = lambda: ways.append(exits.way_back(self.world))
            try:
                outcome = process.outcome = verb(process)
            except Crash:
                if not self.closing:
                    told.truly(self.world, alone=False)
                raise
            process.run = verb
            exits.ended(self.world, self.play_.audit, process, before)
            told.truly(self.world, alone=False)
            exits.back_as_typed(self.world, process, ways[0] if ways else None)
            return outcome

        process.run = judged
        self.everybody.append(process)
        return entered


CORE = (
    "good canary", "bad trial", "approved trial", "warm rollback", "cold rollback", "gc", "delete",
    "without a route: deploy", "without a route: cold rollback", "SIGTERM at 50 %", "SIGTERM of a trial",
)  # fmt: skip
REMEMBERED = (
    ("nothing kept warm", "sleeps through a rollback --to v1", 10), ("nothing kept warm", "written late", 4),
    ("warm rollback", "rollback", 0), ("warm rollback of what nobody noted", "sleeps through a rollback", 0),
    ("gc", "sleeps through a rollback", 1), ("gc", "sleeps through a rollback --to v1", 2),
    ("stable dies and then the candidate", "sleeps through a deploy of another", 6),
    ("delete", "sleeps through a rollback and the same deploy", 3), ("resume what is parked", "candidate scaled to 0", 0),
    ("without a route: first", "sleeps through a deploy of another", 0),
    ("good canary", "sleeps through a delete --keep-workload", 11),
    ("the same deploy of what was left waiting", "Prometheus fails", 0), ("warm rollback", "answer lost, API away 40 s", 0),
    ("supersede", "route deleted", 1), ("fast return", "route deleted", 1), ("fast return", "route replaced", 0),
    ("promote what was left waiting", "pause", 1),
    ("approved trial of sticky users", "Prometheus fails", 3), ("stable is down", "refused once", 4),
    ("the same deploy of what was left waiting", "record wiped", 0),
    ("delete in mid-rollout", "sleeps through the same deploy", 1),
    ("delete in mid-rollout", "sleeps through the same deploy", 2), ("nobody approves it in time", "laptop closed 200 s", 5),
    ("route gone: bad deploy", "candidate's container crashes", 4),
)  # fmt: skip
"""Plays that have found something once, outside the core too: scene, fault, number of the write."""
DYING = "sleeps through a deploy that dies"
AT_THE_LEASE = (
    "crash after", "answer lost", "unreachable", "written late", "stands still 20 s", DYING,
    "refused from here on",
)  # fmt: skip
RIVALLED = ("bad canary", "approved trial of sticky users")
"""Scenes outside the core into which others' commands come at every write."""
ANYWHERE = ("crash before", "crash after", "answer lost", "written late", "SIGTERM")


def singles(scene: Scene, *, all_of_them: bool, part: tuple[int, int] = (0, 1)) -> Iterator[Play]:
    """The scene undisturbed, then with one fault at each of its writes: of all kinds, or of those that are played anywhere.
    part: every so manieth of them, and from which on."""
    clean = Play(scene.name, scene)
    yield clean
    if clean.codes[:1] != [scene.code]:
        raise Violation(f"{scene.name} ends with {clean.codes}, not {scene.code}\n" + "\n".join(trace(clean.world)))
    kinds = [*ANYWHERE, *(RIVALS if scene.name in RIVALLED else ())]
    if all_of_them:
        kinds = [*PROCESS, *WORLD, *RIVALS, *(SLEEPER if scene.stopped is None else ())]
    places = [("write", kind, at) for kind in kinds for at in range(clean.stopped_at, clean.writes.get("write", 0))]
    if all_of_them and scene.stopped is None:
        places += [("lease", kind, at) for kind in AT_THE_LEASE for at in range(clean.writes.get("lease", 0))]
    for where, kind, at in places[part[0] :: part[1]]:
        yield Play(
            f"{scene.name}, {kind} at {'Lease ' if where == 'lease' else ''}write {at}", scene, {(where, at): kind}
        )


MEDDLED = (
    "good canary", "good canary --force-conflicts", "bad trial", "pods die at 50 %", "warm rollback",
    "without a route: deploy",
)  # fmt: skip


def meddled(scene: Scene) -> Iterator[Play]:
    """Each other hand at each write, and soon after."""
    clean = Play(scene.name, scene)
    yield clean
    for kind in HANDS:
        for at in range(clean.stopped_at, clean.writes.get("write", 0)):
            yield Play(f"{scene.name}, {kind} at write {at}", scene, {("write", at): kind})


TWICE = ("good canary", "bad trial", "warm rollback", "cold rollback", "without a route: deploy", "delete")


def killed_twice(scene: Scene) -> Iterator[Play]:
    """Killed after one of its writes; then whoever types the same again is killed, too, after each of theirs."""
    clean = Play(scene.name, scene)
    yield clean
    for at in range(clean.writes.get("write", 0)):
        once = Play(f"{scene.name}, crash after at write {at}", scene, {("write", at): "crash after"})
        yield once
        for then in range(once.rewrites.get("write", 0)):
            name = f"{once.name}, and again at write {then}"
            yield Play(name, scene, once.faults, again={("write", then): "crash after"})


def remembered() -> Iterator[Play]:
    yield Play(f"gc, {DYING} at Lease write 0", SCENES["gc"], {("lease", 0): DYING})
    for scene, kind, at in REMEMBERED:
        yield Play(f"{scene}, {kind} at write {at}", SCENES[scene], {("write", at): kind})


def seeded(seed: int) -> Play:
    """Several faults, several people."""
    chance = random.Random(seed)
    scene = chance.choice(list(SCENES.values()))
    routed = not scene.name.startswith("without")

    def faults(most: int) -> dict[tuple[str, int], str]:
        places = [(chance.choice(("write", "write", "write", "lease")), chance.randrange(16)) for _ in range(most)]
        return {place: chance.choice(list(FAULTS)) for place in places}

    people = [
        verbs.ROLLBACK,
        verbs.ABORT,
        verbs.UNWATCHED,
        verbs.GC,
        verbs.DELETE,
        verbs.WAIT,
        verbs.RESUME,
        verbs.back_to(1),
    ]
    people += [verbs.deploy(verbs.want(tag)) for tag in (1, 2, 3, 9)]
    others = [
        (
            chance.choice((0.0, 0.01, chance.uniform(0, 60))),
            chance.choice(people).at(routed=routed),
            faults(chance.randrange(2)),
        )
        for _ in range(chance.randrange(3))
    ]
    offsets = [chance.choice((0.0, chance.uniform(-1.9, 1.9))) for _ in range(3)]
    killed = chance.uniform(0, 60) if chance.random() < 0.3 else None
    play = Play(f"seed {seed}: {scene.name}", scene, faults(chance.randrange(4)), others, offsets, killed)
    for place, kind in play.faults.items():
        play.name += f"; {kind} at {place[0]} {place[1]}"
    for delay, verb, theirs in others:
        play.name += f"; {verb} after {delay:.2f} s" + "".join(
            f" with {kind} at {at[0]} {at[1]}" for at, kind in theirs.items()
        )
    return play


def trace(world: World) -> Iterator[str]:
    """Who did and saw what, and when."""
    for at, who, what in world.trace:
        yield f"{at - START:9.2f} s  {who:<16} {_words(what)}"


def _words(what: object) -> str:
    if not isinstance(what, Written):
        return str(what)
    effect = what.effect
    if isinstance(effect, Delete):
        text = f"deletes {effect.ref}"
    elif isinstance(effect, Create):
        text = f"creates {effect.ref}"
    elif isinstance(effect, Patch):
        changes = [
            f"{o['path'].rpartition('/')[2]}={str(o.get('value'))[:420]}"
            for o in effect.operations
            if o["op"] != "test"
        ]
        text = f"patches {effect.ref}: {', '.join(changes)}"
    return f"{text}  -- {what.error}" if what.error else text


def caught() -> int:
    """1 if any play finds something wrong: a mutant must not get through."""
    runs, several = 0, list[Play]()
    try:
        for scene in SCENES.values():
            hands = meddled(scene) if scene.name in MEDDLED else ()
            for play in itertools.chain(singles(scene, all_of_them=scene.name in CORE), hands):
                if play.faults:
                    several.append(play)
                else:
                    runs += all_of([play])
        random.Random(1).shuffle(several)
        for play in itertools.chain(remembered(), several, map(seeded, range(1000))):
            runs += all_of([play])
    except Exception as found:  # a mutant may break docc in any way, but must not be stale itself
        if isinstance(found, LookupError):
            raise
        sys.stdout.write(f"caught after {runs} plays: {str(found).splitlines()[0]}\n")
        return 1
    sys.stdout.write(f"{runs} plays, nothing wrong\n")
    return 0


def all_of(plays: Iterable[Play]) -> int:
    """How many were played. Raises the first Violation."""
    runs = 0
    for play in plays:
        play.run()
        runs += 1
    return runs


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.play")
    parser.add_argument("--seeds", type=int, help="how many random plays")
    parser.add_argument("--from", type=int, default=0, dest="start", help="the first seed")
    parser.add_argument("--seed", type=int, help="one of them, with its trace")
    parser.add_argument("--case", help="one single fault by its name, with its trace")
    parser.add_argument("--all", action="store_true", help="do not stop at the first violation; one line each")
    given = parser.parse_args(arguments)
    plays = itertools.chain.from_iterable(
        itertools.chain(singles(scene, all_of_them=True), meddled(scene)) for scene in SCENES.values()
    )
    if given.seed is not None:
        plays = itertools.chain([seeded(given.seed)])
    elif given.seeds is not None:
        plays = itertools.chain(seeded(seed) for seed in range(given.start, given.start + given.seeds))
    wrong = 0

    if given.case:
        name = max((each for each in SCENES if f"{given.case}, ".startswith(f"{each}, ")), key=len)
        scene, rest = SCENES[name], given.case[len(name) + 2 :]
        kind, _, at = rest.rpartition(" at ")
        place = ("lease" if "Lease" in at else "write", int(at.split()[-1])) if rest else None
        plays = itertools.chain([Play(given.case, scene, {place: kind} if place else {})])
    begun = time.monotonic()

    one = next(plays) if given.case or given.seed is not None else None
    runs = 0
    for play in [one] if one else plays:
        runs += 1
        try:
            play.run()
        except Violation as violation:
            wrong += 1
            sys.stdout.write(str(violation).splitlines()[0] + "\n" if given.all else f"{violation}\n")
            if not given.all:
                break
    if one is not None and not wrong:
        sys.stdout.write("\n".join(trace(one.world)) + "\n")
    sys.stdout.write(f"{runs} plays in {time.monotonic() - begun:.0f} s, {wrong} wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
