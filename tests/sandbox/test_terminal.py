"""A person at a terminal: what is asked and shown there, in 80 columns, and what each answer does to the traffic."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import pytest

from docc.sandbox import session
from tests.emulator import emulated
from tests.sandbox.live import App, a_person_s, counted, until

pytestmark = pytest.mark.timeout(300)
COLUMNS = 80
INTERVAL = 2
PARK_SECONDS_MAX = 5.0
"""Until docc has parked and ended. It takes a third of a second; the limit is generous, because machines are slow at times."""
QUESTION = r"\[c\]ontinue, \[h\]old"
TO_BE_COPIED = ("undo:", "try again:", "go on:", "try:", "by hand:", "next:")
"""A command stays whole."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """v1 serves, before each test and after it. A step every two seconds, fifty of them: there is always one to come."""
    folder = tmp_path_factory.mktemp("terminal")
    made = App(session.up(folder / "s"), folder, "shop")
    made.write(INTERVAL, canary={"increment": 2, "interval": INTERVAL}, failure_conditions=[])
    assert made.deploy("demo:v1").returncode == 0
    with made.traffic(folder) as load:
        yield made
    assert counted(load).failed == 0, "users noticed nothing of all this"
    session.down(folder / "s")


@contextmanager
def typed(app: App, *more: str) -> Iterator[Any]:
    """`docc deploy` of v2 in a terminal of its own."""
    command = app.command(
        "deploy", str(app.path), "--image", "demo:v2", "--prometheus-url", app.world.prometheus, *more
    )
    env: Any = a_person_s(os.environ)
    child = pexpect.spawn(
        command[0], command[1:], env=env, dimensions=(24, COLUMNS), encoding="utf-8",
        codec_errors="replace", timeout=60,  # the terminal echoes ^C in the middle of anything
    )  # fmt: skip
    child.delaybeforesend = None
    with tempfile.NamedTemporaryFile("w+", encoding="utf-8", dir=app.path.parent, suffix=".screen") as screen:
        child.logfile_read = screen
        try:
            yield child
        finally:
            child.close(force=True)


def code(child: Any) -> int:
    """How it ended, when all that it had to say has been read; what it said fits the screen."""
    child.expect(pexpect.EOF)
    child.wait()
    reads_well(shown(child))
    return int(child.exitstatus if child.exitstatus is not None else -child.signalstatus)


def shown(child: Any) -> str:
    """All that has been read from the screen."""
    child.logfile_read.flush()
    return "\n".join([*emulated(Path(child.logfile_read.name).read_bytes()), ""])


def reads_well(text: str) -> None:
    for row in text.splitlines():
        assert "\x1b" not in row and "Traceback" not in row, row
        assert len(row) <= COLUMNS or row.strip().startswith(TO_BE_COPIED), f"{len(row)} columns: {row}"


def weight(app: App) -> int:
    return int(app.status()["weight"])


def under_way(child: Any) -> None:
    """The second step has been made."""
    child.expect(r"4 % to v2")


def interrupt(child: Any) -> None:
    """What the terminal makes of Ctrl-C; asked about it, docc asks back."""
    child.sendintr()
    child.expect(QUESTION)


def grows_no_more(app: App) -> int:
    """The weight, which is the same several intervals later."""
    time.sleep(1)  # a write that was under way
    before = weight(app)
    time.sleep(3 * INTERVAL)
    assert weight(app) == before > 0
    return before


def test_ctrl_c_asks_and_no_weight_grows_until_the_answer_is_to_go_on(app: App) -> None:
    with typed(app, "--yes") as child:
        under_way(child)
        interrupt(child)
        held = grows_no_more(app)
        child.sendline("what?")
        child.expect(QUESTION)
        child.sendline("c")
        until(lambda: weight(app) > held, 60)
        interrupt(child)
        child.sendline("h")
        child.expect("wait")
        held = grows_no_more(app)
        interrupt(child)
        child.sendline("c")
        until(lambda: weight(app) > held, 60)
        interrupt(child)
        child.sendline("r")
        assert code(child) == 10
        assert "rolled back by" in shown(child) and "v1 serves 100 %, as before" in shown(child)
    assert app.ask() == "v1" and app.status()["phase"] == "reverted"


def test_r_rolls_back_at_once(app: App) -> None:
    with typed(app, "--yes") as child:
        under_way(child)
        interrupt(child)
        child.sendline("r")
        until(lambda: app.status()["phase"] in ("reverting", "reverted"), 20)
        assert weight(app) == 0
        assert code(child) == 10
        question, picture = shown(child).index("[r]oll back?"), shown(child).rindex("shop in default: ")
        assert "v2 candidate" in shown(child)[:question], "the picture stood above the question"
        assert shown(child).count("v1 stable") == 2 and question < picture, "and there is a last one"


def test_a_second_ctrl_c_parks(app: App) -> None:
    with typed(app, "--yes") as child:
        under_way(child)
        interrupt(child)
        began = time.monotonic()
        child.sendintr()
        assert code(child) == 130
        assert time.monotonic() - began < PARK_SECONDS_MAX
        assert "parked: stopped by SIGINT" in shown(child) and "v1 serves 100 %, as before" in shown(child)
    assert (app.status()["phase"], weight(app)) == ("parked", 0)


def test_a_third_ctrl_c_ends_docc_at_once_whatever_it_is_waiting_for(app: App) -> None:
    with typed(app, "--yes") as child:
        under_way(child)
        os.kill(app.world.pid, signal.SIGSTOP)  # so that the park cannot come to its end
        try:
            interrupt(child)
            child.sendintr()
            time.sleep(0.3)  # of two that wait to be delivered, one arrives
            child.sendintr()
            assert code(child) == 130
        finally:
            os.kill(app.world.pid, signal.SIGCONT)
        assert "NOT CLEAN" not in shown(child), "it did not wait for the end of the park"
    assert app.run("abort").returncode == 0 and app.status()["phase"] == "reverted"


def test_sigterm_parks_without_a_question(app: App) -> None:
    with typed(app, "--yes") as child:
        under_way(child)
        child.kill(signal.SIGTERM)
        assert code(child) == 143
        assert "[c]ontinue" not in shown(child) and "parked: stopped by SIGTERM" in shown(child)
    assert (app.status()["phase"], weight(app)) == ("parked", 0)


def test_closing_the_terminal_parks(app: App) -> None:
    with typed(app, "--yes") as child:
        under_way(child)
        with Path(os.devnull).open() as nowhere:
            os.dup2(
                nowhere.fileno(), child.child_fd
            )  # the last that held the terminal's other end: the kernel sends SIGHUP
        until(lambda: not child.isalive(), 30)
        assert child.exitstatus == 130
    assert (app.status()["phase"], weight(app)) == ("parked", 0)
    assert app.status()["reason"] == "parked by SIGHUP"


def test_deploy_asks_before_it_begins_and_y_begins(app: App) -> None:
    with typed(app) as child:
        child.expect(r"Go on\?")
        assert app.status()["phase"] != "preparing", "nothing has begun yet"
        child.sendline("y")
        under_way(child)
        interrupt(child)
        child.sendintr()
        assert code(child) == 130


@pytest.mark.parametrize(
    ("answer", "ends", "told"), [("n\n", 2, "not confirmed"), ("\x03", 130, "interrupted")], ids=["n", "ctrl-c"]
)
def test_deploy_touches_nothing_without_a_yes(app: App, answer: str, ends: int, told: str) -> None:
    before = app.status()
    with typed(app) as child:
        child.expect(r"Go on\?")
        child.send(answer)
        assert code(child) == ends
        assert f"error: {told}\n" in shown(child) and "state: nothing was touched" in shown(child)
        assert "[c]ontinue" not in shown(child)
    after = app.status()
    assert {**after, "at": 0} == {**before, "at": 0}


@pytest.fixture
def driver(app: App) -> Iterator[subprocess.Popen[bytes]]:
    """Somebody else's, who is under way."""
    started = app.start("demo:v2")
    until(lambda: weight(app) > 0, 60)
    yield started
    started.terminate()
    assert started.wait(30) in (143, 7)


@pytest.mark.parametrize(
    ("answer", "ends", "told"),
    [("n\n", 7, "is being deployed by"), ("\x03", 130, "error: interrupted")],
    ids=["n", "ctrl-c"],
)
def test_a_living_driver_is_not_taken_over_without_a_yes(
    app: App, driver: subprocess.Popen[bytes], answer: str, ends: int, told: str
) -> None:
    with typed(app, "--take-over") as child:
        child.expect(r"Go on\?")
        child.sendline("")
        child.expect(r"is alive and drives it[^?]*Take over\?")
        child.send(answer)
        assert code(child) == ends and told in shown(child), shown(child)
    assert driver.poll() is None


def test_a_living_driver_is_taken_over_with_a_yes(app: App, driver: subprocess.Popen[bytes]) -> None:
    with typed(app, "--take-over") as child:
        child.expect(r"Go on\?")
        child.sendline("y")
        child.expect(r"Take over\?")
        child.sendline("y")
        child.expect("taking over the rollout of v2")
        assert driver.wait(30) == 7
        interrupt(child)
        child.sendline("r")
        assert code(child) == 10


def test_ctrl_c_ends_a_wait_for_the_lock_without_a_question(app: App, driver: subprocess.Popen[bytes]) -> None:
    """There is no weight of one's own yet to be held or taken back."""
    with typed(app, "--yes", "--lock-wait", "5m") as child:
        child.expect("waiting up to 300 s")
        child.sendintr()
        assert code(child) == 130
        assert "nothing was touched" in shown(child) and "[c]ontinue" not in shown(child)
    assert driver.poll() is None
