"""The live picture: golden texts of each state at two widths, and what bars, sparklines and cuts do at their edges."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len

from docc.core.steps import AwaitApproval, Bake, Hold, SetWeight, Step, digest
from docc.engine.lease import holder_of
from docc.model import facts
from docc.model.facts import CheckSeen
from docc.model.record import Phase
from docc.model.world import Objects, Seen
from docc.ui.live import ASCII, COLUMNS_MIN, SPARK_MAX, UNICODE, bar, glyphs_for, painter, picture, sparkline
from docc.ui.scene import SAMPLES_MAX, Gathering, Scene
from docc.ui.status import lines, status_view
from tests.unit.ui.story import T0
from tests.unit.ui.test_status import NOW, REASON, STATES, pods, record
from tests.unit.ui.test_status import seen as saw

Golden = Callable[[str, str], None]
STEPS: tuple[Step, ...] = (
    SetWeight(10), Hold(120.0), AwaitApproval(), SetWeight(30), Hold(120.0), SetWeight(60), Hold(120.0),
    SetWeight(100), Bake(180.0),
)  # fmt: skip
LONG = "a-condition-with-a-name-that-is-longer-than-anybody-would-think"


def sample(
    value: float | None, verdict: str = "OK", operator: str = ">", threshold: float = 0.05, why: str = ""
) -> CheckSeen:
    return CheckSeen("HTTPErrorRate", verdict, value, operator, threshold, why, 30, "q", "", "about 1204 requests")


CHECKS = {
    "HTTPErrorRate": tuple(sample(value) for value in (None, 0.0, 0.001, 0.02, 0.045, 0.01, 0.0, 0.004)),
    "Latency": (sample(None, "NO-DATA", ">", 2, "no series for latency_bucket"),),
    LONG: (sample(0.31, "FAIL", ">=", 0.05, "the threshold is crossed"),),
}


def scene(name: str, **fields: Any) -> Scene:
    found, lease = STATES[name]
    view = status_view("shop", "web", found, lease, NOW)
    assert view is not None and found.record is not None
    title = next(lines("shop", "web", found, lease, NOW))
    steps = STEPS if found.record.phase is Phase.PREPARING else ()
    values: dict[str, Any] = {"steps": steps, "checks": {}, "waiting": "", "held": False, **fields}
    values = {"driving": False, "asks": values.get("driving", False), **values}
    return Scene(title=title, view=view, record=found.record, now=NOW, **values)


STEPPED = replace(scene("shifting").record, step=3, plan=digest(STEPS))
SCENES: dict[str, Scene] = {
    **{name: scene(name) for name in STATES},
    "driving": scene("shifting", checks=CHECKS, driving=True, waiting="v2: 1/2 pods ready: pod shop-v2-x2 is pending"),
    "held": replace(scene("shifting", steps=STEPS, checks=CHECKS, driving=True, held=True), record=STEPPED),
    "stepping": replace(scene("shifting", steps=STEPS, checks=CHECKS, driving=True), record=STEPPED),
}


def shown(found: Scene, columns: int, **more: Any) -> list[str]:
    return [row.plain for row in picture(found, columns, **more)]


@pytest.mark.parametrize("columns", [80, 140])
def test_pictures_of_all_states(columns: int, golden: Golden) -> None:
    golden(
        f"live-{columns}.txt",
        "".join(f"--- {name}\n" + "\n".join(shown(found, columns)) + "\n\n" for name, found in SCENES.items()),
    )


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_a_picture(phase: Phase) -> None:
    found = saw(record(phase, stable=1, candidate=2, plan=digest(STEPS)), {1: 100, 2: 0}, pods(1), pods(2))
    gathering = Gathering(("shop", "web", ""), "me@host#1", lambda seen: STEPS)
    rows = [row.plain for row in picture(gathered(gathering, found), 100)]
    assert rows[0].startswith("shop in web: ") and sum("pods ready" in row for row in rows) == 2


def gathered(gathering: Gathering, found: Seen) -> Scene:
    """As if it had been looked at."""
    gathering._seen = (gathering._objects, found)
    made = gathering.scene(NOW)
    assert made is not None
    return made


@pytest.mark.parametrize("columns", [COLUMNS_MIN, 80, 97, 140, 400])
@pytest.mark.parametrize("name", SCENES)
def test_no_row_is_wider_than_it_may_be_and_commands_are_whole(name: str, columns: int) -> None:
    rows = shown(SCENES[name], columns)
    assert rows and max(map(cell_len, rows)) <= columns
    joined = "".join(row.strip() for row in rows).replace(" ", "").replace("next", "")
    for command in SCENES[name].view.next:
        assert command.replace(" ", "").replace("next", "") in joined


def test_narrow_terminal_has_no_picture() -> None:
    assert picture(SCENES["shifting"], COLUMNS_MIN - 1) == []


def test_without_unicode_the_picture_is_ascii() -> None:
    assert (glyphs_for("ascii"), glyphs_for("latin-1"), glyphs_for("utf-8"), glyphs_for("no such")) == (
        ASCII, ASCII, UNICODE, ASCII,
    )  # fmt: skip
    for found in SCENES.values():
        assert "\n".join(shown(found, 80, glyphs=ASCII)).isascii()


def test_foreign_text_moves_no_cursor_and_is_cut_by_cells() -> None:
    bad = replace(
        scene("shifting"), title="sh\x1b[2Jop", waiting="日本語" * 60 + "\x1b]0;x\x07\tend\nnext",
        checks={"a\x1b[1mb\tc": CHECKS["Latency"]},
    )  # fmt: skip
    rows = shown(bad, 81)
    assert max(map(cell_len, rows)) <= 81
    assert not any(character in "".join(rows) for character in "\x1b\x07\t\n\r")
    assert any("日本語" in row and row.endswith("…") for row in rows)


@pytest.mark.parametrize(
    ("percent", "width", "full"),
    [(0, 10, 0), (100, 10, 10), (1, 10, 1), (99, 10, 9), (50, 10, 5), (5, 100, 5), (1, 0, 0), (130, 10, 10), (-5, 10, 0),
     (50, 1, 0)],
)  # fmt: skip
def test_only_nothing_is_empty_and_only_all_is_full(percent: int, width: int, full: int) -> None:
    assert bar(percent, width) == ("█" * full, "░" * (width - full))


@pytest.mark.parametrize(
    ("values", "operator", "threshold", "drawn"),
    [
        ([0.0, 0.05], ">", 0.05, "▁█"),
        ([0.0, 0.0], ">", 0.0, "▁▁"),
        ([None, float("nan"), 0.01], ">", 0.05, "··▂"),
        ([float("inf"), -float("inf")], ">", 1.0, "█▁"),
        ([5.0, 10.0, 2.5], "<", 5.0, "▅█▃"),
        ([-4.0, 4.0], ">", 4.0, "▁█"),
        ([0.5], ">", float("inf"), "█"),
        ([1e308, -1e308], ">", 0.0, "▁▁"),  # their distance is no number any more
        ([], ">", 1.0, ""),
    ],
)  # fmt: skip
def test_sparkline(values: list[float | None], operator: str, threshold: float, drawn: str) -> None:
    samples = [sample(value, operator=operator, threshold=threshold) for value in values]
    assert sparkline(samples, 20).plain == drawn


def test_sparkline_has_the_newest_samples_and_what_fires_is_red() -> None:
    samples = [sample(value / 100) for value in range(10)]
    line = sparkline(samples, 4)
    assert cell_len(line.plain) == 4 and {str(span.style) for span in line.spans} == {"red"}
    assert {str(span.style) for span in sparkline(samples[:5], 9).spans} == {"green"}
    assert sparkline(samples, 0).plain == "" and sparkline(samples, -3).plain == ""


def test_breach_is_seen_at_once() -> None:
    row = next(row for row in picture(SCENES["driving"], 140) if "FAIL" in row.plain)
    assert "bold red" in {str(span.style) for span in row.spans}


def test_approval_is_asked_for_with_the_command_to_type() -> None:
    """And told once: the title says it, and what to type."""
    for name, verb in (("awaiting", "promote"), ("paused", "resume")):
        rows = "\n".join(shown(replace(SCENES[name], waiting=f"docc {verb} shop"), 80))
        assert rows.count(f"docc {verb} shop") == rows.count(f"next     docc {verb} shop -n web") == 1
    held = replace(SCENES["paused"], view=replace(SCENES["paused"].view, others=SCENES["others-edited"].view.others))
    assert any("  waits    docc holds" in row for row in shown(replace(held, waiting="docc holds"), 80))


@pytest.mark.parametrize("columns", [66, 80, 140])
def test_a_shell_takes_the_curl_as_it_stands_in_the_picture(columns: int) -> None:
    command = """curl -X POST -H 'x-docc-release: canary' -H 'x-name: it'"'"'s' \
http://a-name-of-46-letters-in-a-zone.example.test/api"""
    found = scene("left-waiting")
    rows = shown(replace(found, view=replace(found.view, curl=command)), columns)
    (at,) = [at for at, row in enumerate(rows) if "curl " in row]
    last = next(n for n in range(at, len(rows)) if not rows[n].endswith("\\"))
    joined = "\n".join(rows[at : last + 1]).replace("\\\n", "")  # as a shell reads it
    assert shlex.split(joined) == shlex.split(command)


@pytest.mark.parametrize("name", ["reverted", "parked", "resting-warm"])
def test_nobody_drives_what_is_at_rest(name: str) -> None:
    onlooker = gathering(me="")
    onlooker.emit(T0, facts.Driven("ci@run/8812"))
    assert not any(row.lstrip().startswith("driver") for row in shown(gathered(onlooker, STATES[name][0]), 80))


# --- what is gathered


def gathering(me: str = "me@host#1", held: Callable[[], bool] = lambda: False) -> Gathering:
    return Gathering(("shop", "web", "-n web --context x"), me, lambda seen: STEPS, held)


def test_nothing_seen_is_no_picture() -> None:
    empty = gathering()
    assert empty.scene(NOW) is None and painter(empty, lambda: NOW, "utf-8")(100) == ()
    empty.looked(Objects())
    assert empty.scene(NOW) is None


def test_samples_are_kept_in_order_and_not_for_ever_and_a_new_rollout_begins_anew() -> None:
    found = gathering()
    for number in range(SAMPLES_MAX + 5):
        found.emit(T0, sample(float(number)))
    kept = gathered(found, STATES["shifting"][0]).checks["HTTPErrorRate"]
    assert [each.value for each in kept] == [float(number) for number in range(5, SAMPLES_MAX + 5)]
    found.emit(T0, facts.Began(3, 2, "deploy"))
    assert gathered(found, STATES["shifting"][0]).checks == {}


def test_a_wait_is_over_with_the_next_deed_but_not_with_a_sample() -> None:
    found = gathering()
    found.emit(T0, facts.Waiting("pods"))
    found.emit(T0, sample(0.1))
    assert gathered(found, STATES["shifting"][0]).waiting == "pods"
    found.emit(T0, facts.Weighted(2, 1, 30, 1, 2))
    assert gathered(found, STATES["shifting"][0]).waiting == ""


def test_a_hold_that_was_lifted_is_not_waited_for_any_more() -> None:
    holds = [True]
    found = gathering(held=lambda: holds[0])
    found.emit(T0, facts.Waiting("held at 30 %"))
    assert gathered(found, STATES["shifting"][0]).waiting == "held at 30 %"
    holds[0] = False
    assert gathered(found, STATES["shifting"][0]).waiting == ""


def test_who_drives_is_known_to_the_driver_and_told_to_an_onlooker() -> None:
    mine = gathered(gathering(), STATES["driver-lost"][0])
    assert mine.view.watched and mine.driving
    onlooker = gathering(me="")
    assert not gathered(onlooker, STATES["driver-lost"][0]).view.watched
    onlooker.emit(T0, facts.Driven("ci@run/8812"))
    theirs = gathered(onlooker, STATES["driver-lost"][0])
    assert theirs.view.driver == "ci@run/8812" and not theirs.driving
    lease = STATES["shifting"][1]
    assert lease is not None and holder_of(lease).startswith("ci@run/8812")


@pytest.mark.parametrize("asks", [True, False])
def test_keys_are_told_to_who_can_answer(asks: bool) -> None:
    told = "\n".join(row.plain for row in picture(replace(SCENES["driving"], asks=asks), 80))
    assert ("Ctrl-C asks" in told) is asks


def test_steps_of_another_plan_are_not_counted_in() -> None:
    other = replace(record(Phase.SHIFTING, stable=1, candidate=2, weight=30), plan="another")
    mine = replace(other, plan=digest(STEPS))
    views = [gathered(gathering(), saw(each, {1: 70, 2: 30}, pods(1), pods(2))).steps for each in (other, mine)]
    assert views == [(), STEPS]


def test_the_reason_of_a_revert_is_in_the_picture() -> None:
    assert any(REASON in row for row in shown(SCENES["reverting"], 80))
    assert SPARK_MAX < SAMPLES_MAX
