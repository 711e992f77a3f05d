"""The state machine's table: which phase follows which signal. Every phase that a record ever takes comes from here.

The drawing in docs/architecture.md is made from TRANSITIONS (docs/draw.py), and a test fails when it is stale.
"""

from __future__ import annotations

from enum import Enum

from docc.model.record import Phase


class Signal(Enum):
    """Why a record is written. A pair (phase, signal) that TRANSITIONS lacks is a bug, raised at one spot."""

    BEGIN = "a deploy begins"
    TAKE_OVER = "another driver takes over"
    STEP = "the candidate's next weight"
    FULL = "the last weight, with a bake to come"
    ASK = "approval is needed"
    PROMOTE = "all steps done"
    SETTLE = "drained"
    FAIL = "a condition fails, pods crash, or a deadline passes"
    RETURN = "docc rollback, or another manifest"
    LOSE = "a revert is due, but stable has no ready endpoint"
    PARK = "SIGINT or SIGTERM"


_AT_REST = tuple(phase for phase in Phase if phase.at_rest)
_RUNNING = tuple(phase for phase in Phase if phase.running)
_UNDECIDED = tuple(phase for phase in Phase if phase.undecided)

TRANSITIONS: dict[tuple[Phase | None, Signal], Phase] = {
    (None, Signal.BEGIN): Phase.PREPARING,
    **{(phase, Signal.BEGIN): Phase.PREPARING for phase in _AT_REST},
    **{(phase, Signal.TAKE_OVER): phase for phase in Phase},
    **{(phase, Signal.STEP): Phase.SHIFTING for phase in _RUNNING},
    **{(phase, Signal.FULL): Phase.BAKING for phase in _RUNNING},
    **{(phase, Signal.ASK): Phase.AWAITING for phase in (Phase.PREPARING, Phase.SHIFTING, Phase.AWAITING)},
    **{(phase, Signal.PROMOTE): Phase.PROMOTING for phase in _RUNNING},
    (Phase.PROMOTING, Signal.SETTLE): Phase.SUCCEEDED,
    (Phase.REVERTING, Signal.SETTLE): Phase.REVERTED,
    **{(phase, Signal.FAIL): Phase.REVERTING for phase in _UNDECIDED},
    **{(phase, Signal.RETURN): Phase.REVERTING for phase in (*_UNDECIDED, Phase.PARKED)},
    **{(phase, Signal.RETURN): Phase.PROMOTING for phase in (Phase.SUCCEEDED, Phase.REVERTED, Phase.PROMOTING)},
    **{(phase, Signal.LOSE): Phase.STUCK for phase in _RUNNING},
    **{(phase, Signal.PARK): Phase.PARKED for phase in _UNDECIDED},
}


class IllegalTransition(Exception):
    """A bug of docc's: the planner asked for a transition that the table does not have."""


def following(phase: Phase | None, signal: Signal) -> Phase:
    """The phase after `signal`. Raises IllegalTransition."""
    try:
        return TRANSITIONS[phase, signal]
    except KeyError:
        raise IllegalTransition(f"{signal.name} in phase {phase and phase.value}") from None
