"""Told to end while the API server takes requests and answers none: docc's own patience, in virtual time. What starts and ends
a process comes on top, and is measured, generously, in tests/sandbox/test_hanging.py."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from docc.adapters.patience import LEAST_SECONDS, SLICE_SECONDS, OutOfTime, Patience
from docc.adapters.signals import HURRY_SECONDS
from docc.model.errors import ExitCode, Unreachable
from tests.sim.auditor import traffic
from tests.sim.scenes import SCENES
from tests.sim.stage import Process, Stage
from tests.sim.verbs import Verb
from tests.sim.world import World

SECONDS_MAX = 5.0
LAST_LOOK = LEAST_SECONDS + SLICE_SECONDS
"""What the command line asks once more, to say how things stand."""


@dataclass(eq=False)
class Waiting(Process):
    """Its requests wait as adapters/patience.py has them wait. hangs: from when on; told: when it was told to end."""

    hangs: float = float("inf")
    told: float = float("inf")
    patience: Patience = field(init=False)

    def __post_init__(self) -> None:
        self.patience = Patience(lambda: self.world.now)

    def _ask(self) -> None:
        if (began := self.world.now) < self.hangs:
            super()._ask()
            return
        while not self.patience.over(began):
            self.stage.pause(self, self.world.now + SLICE_SECONDS)
        silence = Unreachable("there was no time to wait for the answer")
        silence.last = isinstance(self.patience.spent(), OutOfTime)
        raise silence


def ended(verb: Verb, world: World, *, hangs: float, told: float, signal: str = "SIGTERM") -> tuple[Waiting, float]:
    """Seconds from the beginning. Returns the process, and how long its end took."""
    stage, began = Stage(world), world.now
    process = Waiting(stage, verb.name, verb, hangs=began + hangs)
    stage.enter(process)

    def tell(world: World) -> None:
        process.told = world.now
        process.patience.end_within(HURRY_SECONDS)
        stage.stop(process, signal)
        process.wake = world.now  # a signal wakes whatever it sleeps for

    world.agenda.append((began + told, tell))
    world.agenda.append((began + hangs, lambda world: setattr(world.weather, "away", float("inf"))))
    stage.play()
    assert process.outcome is not None
    return process, world.now - process.told + LAST_LOOK


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("since", [0.1, 1, 3, 5.2, 7, 11, 20, 60])
def test_a_driver_ends_in_time_and_says_that_it_is_not_clean(since: float, signal: str) -> None:
    """since: how long the server has hung by then; it may be in the midst of a request, or have found nothing to ask."""
    scene = SCENES["good canary"]
    process, took = ended(scene.verb, scene.world(), hangs=13, told=13 + since, signal=signal)
    assert process.outcome is not None and process.outcome.exit_code is ExitCode.FAILED_NOT_CLEAN, process.outcome
    assert traffic(process.world).get("shop-v2"), "in mid-rollout"
    assert took <= SECONDS_MAX, took


@pytest.mark.parametrize("since", [0.1, 2, 8])
@pytest.mark.parametrize("name", ["rollback out of a rollout", "abort", "delete", "gc"])
def test_a_verb_ends_in_time(name: str, since: float) -> None:
    scene = SCENES[name]
    _, took = ended(scene.verb, scene.world(), hangs=0.02, told=0.02 + since)
    assert took <= SECONDS_MAX, took
