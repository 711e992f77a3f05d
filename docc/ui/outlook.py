"""What comes next in a rollout, in one line, and in how many seconds. Pure: the record, the steps and the time are arguments.

It tells what the plan says. Whether the next step may be taken when its time has come is the planner's to decide.
"""

from __future__ import annotations

from docc.core.steps import AwaitApproval, Bake, Hold, SetWeight, Step
from docc.model.record import Phase, Record
from docc.ui.words import duration

LATER_MAX = 5


def outlook(record: Record, steps: tuple[Step, ...], now: float, *, held: bool = False) -> str:
    """steps: () if they are not known. held: no weight grows, because somebody says so. "" where nothing comes any
    more, or people say what does."""
    match record.phase:
        case Phase.PROMOTING:
            return _draining(record.previous, record, now)
        case Phase.REVERTING:
            return _draining(record.candidate, record, now)
        case Phase.PREPARING:
            return f"when its pods are ready: {rest}" if (rest := _named(steps)) else ""
        case Phase.SHIFTING | Phase.BAKING if steps:
            return _after(record, steps, now, held=held)
        case _:
            return ""


def _draining(revision: int | None, record: Record, now: float) -> str:
    left = record.since + record.drain - now
    if revision is None or left <= 0:
        return "tidying up"
    return f"v{revision} drains, {duration(left)} left"


def _after(record: Record, steps: tuple[Step, ...], now: float, *, held: bool) -> str:
    present, later = steps[record.step + 1 : record.step + 2], steps[record.step + 1 :]
    seconds = sum(step.seconds for step in present if isinstance(step, Hold | Bake))
    first, *others = _names(later[1:] if seconds else later) or ["promotion"]
    left = record.since + seconds - now
    if record.paused:
        when = "when it goes on"
    elif held:
        when = "when you let it go on"
    elif left > 0:
        when = f"in {duration(max(1.0, left))}"
    else:
        when = "as soon as nothing speaks against it"
    return f"{first} {when}" + (f"; then {_joined(others)}" if others else "")


def _named(steps: tuple[Step, ...]) -> str:
    return _joined(_names(steps)) if steps else ""


def _joined(names: list[str]) -> str:
    if len(names) <= LATER_MAX:
        return ", ".join(names)
    return ", ".join([*names[: LATER_MAX - 2], "...", *names[-2:]])


def _names(steps: tuple[Step, ...]) -> list[str]:
    """The steps that people notice, and the promotion that ends them."""
    found = []
    for step in steps:
        if isinstance(step, SetWeight):
            found.append(f"{step.weight} %")
        elif isinstance(step, AwaitApproval):
            found.append("approval")
        elif isinstance(step, Bake):
            found.append(f"{duration(step.seconds)} of bake")
    return [*found, "promotion"]
