"""The live picture as people have it: docc on a terminal of its own, in the sandbox, under live traffic."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pexpect
import pytest

from docc.sandbox import session
from tests.emulator import emulated
from tests.sandbox.live import App, a_person_s, until

pytestmark = pytest.mark.timeout(300)
MOVES = re.compile(rb"\x1b\[[0-9;]*[A-HJKf]")
"""Escapes that move the cursor or erase: what nobody wants in a log."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("live")
    made = App(session.up(folder / "s"), folder, "shop")
    made.write(2)
    assert made.deploy("demo:v1").returncode == 0
    with made.traffic(folder):
        yield made
    session.down(folder / "s")


class Seat:
    """Somebody at a terminal, who has typed a command, or a line for the shell."""

    def __init__(
        self, app: App, *words: str, columns: int = 100, variables: Mapping[str, str] | None = None, shell: str = ""
    ) -> None:
        command = ["/bin/sh", "-c", shell] if shell else app.command(*words)
        env: Any = {**a_person_s(os.environ), "DOCC_PROMETHEUS_URL": app.world.prometheus, **(variables or {})}
        self.child: Any = pexpect.spawn(command[0], command[1:], env=env, dimensions=(40, columns), timeout=60)
        self.child.delaybeforesend = None
        self._log = app.path.with_suffix(f".{time.monotonic_ns()}.screen")
        self.child.logfile_read = self._log.open("wb")

    @property
    def raw(self) -> bytes:
        if not self.child.logfile_read.closed:
            self.child.logfile_read.flush()
        return self._log.read_bytes()

    @property
    def said(self) -> str:
        """Everything, with all that has been painted over, and no colours."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.raw.decode())

    def ended(self) -> int:
        """By itself."""
        self.child.expect(pexpect.EOF)
        self.child.wait()
        self.child.logfile_read.close()
        return int(self.child.exitstatus if self.child.exitstatus is not None else -self.child.signalstatus)

    def rows(self) -> list[str]:
        return emulated(self.raw, rows=40)


def deploy(app: App, image: str) -> tuple[str, ...]:
    return "deploy", str(app.path), "--image", image, "--yes"


def kinds(rows: list[str]) -> list[str]:
    """Of the log lines: the words that say what has happened to the rollout (what is tidied up depends on those before)."""
    found = [match[1] for row in rows if (match := re.match(r" *\+[0-9.]+s  (\w+) ", row))]
    return [kind for kind in found if kind not in ("check", "wait", "scale", "delete")]


def pictures(rows: list[str]) -> list[int]:
    """Where each begins."""
    return [at for at, row in enumerate(rows) if row.startswith("shop in default: ") and "serves" not in row]


def test_a_canary_is_a_tree_that_ends_by_itself_and_an_onlooker_sees_the_same(app: App) -> None:
    seat = Seat(app, *deploy(app, "demo:v2"))
    seat.child.expect("v2 candidate")
    onlooker = Seat(app, "status", "shop", "--watch", "--exit-status")
    onlooker.child.expect("v2 candidate .*? 50 %")
    assert onlooker.ended() == 0 and seat.ended() == 0
    rows, theirs = seat.rows(), onlooker.rows()
    assert "50 % to v2" in seat.said and re.search("Errors.* OK .* fires at > 0.05", seat.said)
    assert re.search("Errors.* OK .* fires at > 0.05", onlooker.said) and re.search(
        "then .* in [0-9]+ s", onlooker.said
    )
    assert "Ctrl-C asks" in seat.said and "Ctrl-C asks" not in onlooker.said
    for last in (rows, theirs):
        (at,) = pictures(last)
        assert last[at].startswith("shop in default: at rest")
        assert re.match(r"├─ v2 stable +█+  100 %  2/2 pods ready", last[at + 1])
        assert last[at - 1].lstrip().startswith("+"), "the log stands above"
    assert rows[-1].startswith("shop in default: v2 serves 100 %")
    said = "\n".join(theirs[pictures(theirs)[0] :])
    assert "  next     docc rollback shop" in said and "serves" not in said, "nothing is told twice"


def test_the_same_lines_stand_above_the_picture_as_in_a_pipe(app: App) -> None:
    app.run("rollback", "--yes")
    seat = Seat(app, *deploy(app, "demo:v3"))
    assert seat.ended() == 0
    piped = subprocess.run(
        app.command(*deploy(app, "demo:v4")), capture_output=True, timeout=150,
        env={**a_person_s(os.environ), "DOCC_PROMETHEUS_URL": app.world.prometheus},
    )  # fmt: skip
    assert piped.returncode == 0 and b"\x1b" not in piped.stderr
    told = kinds(seat.rows())
    assert told == kinds(piped.stderr.decode().splitlines()) and {"begin", "traffic", "promote", "rest"} <= set(told)


@pytest.mark.parametrize(
    ("words", "variables"),
    [(("--no-live",), {}), ((), {"CI": "true"}), ((), {"TERM": "dumb"}), (("-o", "json"), {})],
    ids=["no-live", "ci", "dumb", "json"],
)
def test_where_no_picture_is_wanted_no_cursor_moves(
    app: App, words: tuple[str, ...], variables: dict[str, str]
) -> None:
    seat = Seat(app, "status", "shop", "-w", *words, variables=variables)
    assert seat.ended() == 0
    assert not MOVES.search(seat.raw) and b"sees" in seat.raw


def test_who_keeps_the_document_elsewhere_sees_the_picture_and_keys_only_with_a_keyboard(
    app: App, tmp_path: Path
) -> None:
    words = app.command(*deploy(app, "demo:v8"), "-o", "json")
    script = f"{shlex.join(words)} < /dev/null > {tmp_path / 'said.json'}"
    seat = Seat(app, shell=script)
    assert seat.ended() == 0 and MOVES.search(seat.raw)
    assert "█" in seat.said and "Ctrl-C asks" not in seat.said
    assert json.loads((tmp_path / "said.json").read_text())["result"] == "promoted"


def test_a_revert_is_a_picture_with_its_reason_and_ctrl_c_ends_an_onlooker_at_once(app: App) -> None:
    seat = Seat(app, *deploy(app, "demo:v5-err60"), columns=140)
    seat.child.expect("v[0-9]+ candidate")
    onlooker = Seat(app, "status", "shop", "-w")
    onlooker.child.expect("v[0-9]+ candidate")
    onlooker.child.sendintr()
    assert onlooker.ended() == 130
    assert seat.ended() == 10
    rows = seat.rows()
    (at,) = pictures(rows)
    assert rows[at + 1].startswith("  reason   Errors is ") and re.search("FAIL.*█", "\n".join(rows[at:]))
    assert max(map(len, rows[at:-2])) < 140


def test_a_terminal_that_nobody_reads_holds_up_no_rollout(app: App) -> None:
    """Its buffer is full in a second or two; the rollout goes on to its end, and gives its lock back."""
    master, slave = pty.openpty()
    env = {**a_person_s(os.environ), "DOCC_PROMETHEUS_URL": app.world.prometheus}
    stable = app.status()["stable"]
    driver = subprocess.Popen(
        app.command(*deploy(app, "demo:v6")), env=env, stdin=slave, stdout=subprocess.DEVNULL, stderr=slave
    )
    os.close(slave)
    try:
        until(lambda: app.status()["phase"] == "succeeded" and app.status()["stable"] != stable, 120)
        until(lambda: not app.status()["driver"], 60)
        assert driver.poll() is None, "it has more to say than the terminal took"
        said = b""
        while piece := read(master):
            said += piece
        assert driver.wait(60) == 0
    finally:
        driver.kill()
        os.close(master)
    assert kinds(emulated(said))[-1] == "rest" and emulated(said)[-1].startswith("shop in default: ")


def read(master: int, bytes_max: int = 65536) -> bytes:
    try:
        return os.read(master, bytes_max)
    except OSError:  # nobody has the other end any more
        return b""


def test_the_picture_follows_the_terminal_s_width(app: App) -> None:
    seat = Seat(app, *deploy(app, "demo:v7"), columns=80)
    seat.child.expect("█".encode())
    seat.child.setwinsize(40, 140)
    seat.child.expect("(█|░){55}".encode())
    seat.child.setwinsize(40, 50)  # too narrow for a picture
    seat.child.expect("100 % to v")
    before = len(seat.raw)
    assert seat.ended() == 0
    assert "█".encode() not in seat.raw[before:] and "rest" in kinds(seat.rows())
    assert Path(app.path).exists()


def test_on_a_terminal_a_deploy_stays_at_the_pause_and_tells_it_once(app: App) -> None:
    app.write(2, ab_testing={"enable_headers": True, "pause_before_rollout": True, "pause_timeout": "1h"})
    try:
        seat = Seat(app, *deploy(app, "demo:v9"), columns=80)
        seat.child.expect("waiting for approval, for [0-9]+ s; parked in 59 min")
        time.sleep(5)
        now = app.status()
        assert seat.child.isalive() and (now["phase"], now["left"]) == ("awaiting", False) and now["driver"]
        assert app.run("promote", "--reason", "B is liked").returncode == 0
        assert seat.ended() == 0
    finally:
        app.write(2)
    log = [row for row in seat.rows() if re.match(r" *\+[0-9.]+s  wait ", row) and "approv" in row]
    assert len(log) == 1 and not re.search("  waits +approval|then +waiting for", seat.said), log
    assert "next     docc promote shop -n default" in seat.said and "http://shop.test/" in seat.said


def test_demo_ab_on_a_terminal_fits_it_and_keeps_its_word(app: App) -> None:
    seat = Seat(app, shell=f"exec {sys.executable} -m docc demo ab", columns=80)
    seat.child.expect("What users saw", timeout=150)
    assert seat.ended() == 0
    rows = seat.rows()
    wide = [row for row in rows if len(row) > 80 and "--kubeconfig" not in row and "curl" not in row]
    assert not wide and "█" in seat.said and "NOT AS PROMISED" not in seat.said and "try again" not in seat.said
    assert "undo: docc rollback shop -n default --kubeconfig " in seat.said
    assert not any(word in seat.said for word in ("shifting", "awaiting"))


def test_a_terminal_that_takes_a_few_bytes_at_a_time_does_not_slow_the_rollout(app: App) -> None:
    """By the record's own instants; a terminal that is read at once is the measure."""
    assert Seat(app, *deploy(app, "demo:v10")).ended() == 0
    quick, done = lasted(app), threading.Event()
    master, slave = pty.openpty()
    env = {**a_person_s(os.environ), "DOCC_PROMETHEUS_URL": app.world.prometheus}
    driver = subprocess.Popen(
        app.command(*deploy(app, "demo:v11")), env=env, stdin=slave, stdout=subprocess.DEVNULL, stderr=slave
    )
    os.close(slave)
    taken = [b""]

    def take() -> None:
        while piece := read(master, 4096 if done.is_set() else 12):
            taken.append(piece)
            time.sleep(0 if done.is_set() else 0.02)

    reader = threading.Thread(target=take)
    reader.start()
    try:
        until(lambda: lasted(app, "demo:v11") > 0, 120)
        slowly = b"".join(taken)
        done.set()
        assert driver.wait(60) == 0
        reader.join(30)
    finally:
        driver.kill()
        os.close(master)
    assert abs(lasted(app, "demo:v11") - quick) < 3 and len(slowly) < 12 * 50 * 60
    assert emulated(b"".join(taken))[-1].startswith("shop in default: v")


def lasted(app: App, image: str = "") -> float:
    """Seconds from the begin of the last rollout (to this image, if it is) to its rest; 0 if there is none."""
    *_, last = json.loads(app.run("history", "-o", "json").stdout)
    began, ended = (datetime.fromisoformat(last[when].replace("Z", "+00:00")) for when in ("started", "ended"))
    return (ended - began).total_seconds() if image in ("", *last["images"].values()) else 0.0
