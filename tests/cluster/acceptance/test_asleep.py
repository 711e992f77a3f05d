"""Acceptance: a driver that stands still (a suspended machine, a laptop that was closed) while somebody else takes over, and
then goes on where it was. What it has sent already is the worst: only the epoch in the record keeps that from being obeyed.
"""

from __future__ import annotations

import signal
import time

import pytest

from tests.cluster.acceptance.app import App, Ended
from tests.cluster.acceptance.killing import behind
from tests.cluster.conftest import Figure
from tests.sandbox.door import HELD, Door, Trap

ASLEEP_SECONDS = 20.0
"""Longer than the Lease lives without its holder."""


@pytest.mark.parametrize("taken", ["when its Lease has run out", "at once"])
def test_a_write_of_a_sleeper_that_comes_late_changes_nothing(app: App, door: Door, figure: Figure, taken: str) -> None:
    """It stops between its look and its write, which is all traffic for v2; the heir has promoted v3 when the write comes."""
    app.strategy["canary"] = {"increment": 50, "interval": 4}
    app.serves()
    direct = app.kubeconfig
    behind(app, door)
    with app.traffic() as seen:
        sleeper = app.start("demo:v2")
        app.until_weight(2, 50)
        door.trap = Trap("record baking", HELD, lambda: sleeper.send_signal(signal.SIGSTOP))
        assert door.sprung.wait(60)
        app.kubeconfig = direct
        heir = app.deploy("demo:v3", *(("--take-over", "--yes") if taken == "at once" else ()))
        assert heir.code == 0, heir
        before = app.route
        door.release.set()
        app.until(lambda: refused(app))
        sleeper.send_signal(signal.SIGCONT)
        woken = app.ended(sleeper)
        after = app.route
    assert woken.code in (7, 10), woken
    assert before["spec"] == after["spec"] and before["metadata"]["generation"] == after["metadata"]["generation"]
    assert seen.steps(2) == [50, 0] and seen.steps(3) == [50, 100] and app.weights["v3"] == 100
    assert app.record["stable"] == 3 and app.front_selects() == "v3"
    figure(f"the late write got {refused(app)[0]}; the sleeper ends with {woken.code}: {last_words(woken)}")


def refused(app: App) -> list[int]:
    """The API server's answers to writes of routes that it did not take."""
    patches = (e for e in app.audited() if e["verb"] == "patch" and e["objectRef"]["resource"] == "httproutes")
    return [e["responseStatus"]["code"] for e in patches if e["responseStatus"]["code"] == 422]


def last_words(ended: Ended) -> str:
    return ended.err.strip().splitlines()[-1].strip()


def test_a_sleeper_that_wakes_after_the_heir_is_done_leaves_it_as_it_is(app: App, figure: Figure) -> None:
    """What it wanted has come about, so its job is not red."""
    app.strategy["canary"] = {"increment": 50, "interval": 4}
    app.serves()
    with app.traffic() as seen:
        sleeper = app.start("demo:v2")
        app.until_weight(2, 50)
        sleeper.send_signal(signal.SIGSTOP)
        slept = time.monotonic()
        heir = app.deploy("demo:v2")
        assert heir.code == 0 and "taking over the rollout of v2" in heir.err, heir
        time.sleep(max(0.0, ASLEEP_SECONDS - (time.monotonic() - slept)))
        before = app.route
        sleeper.send_signal(signal.SIGCONT)
        woken = app.ended(sleeper)
    assert woken.code == 0 and "has finished it" in woken.err + woken.out, woken
    assert before["metadata"]["resourceVersion"] == app.route["metadata"]["resourceVersion"]
    assert seen.steps(2) == [50, 100] and app.record["stable"] == 2
    figure(f"the sleeper ends with {woken.code}: {last_words(woken)}")
