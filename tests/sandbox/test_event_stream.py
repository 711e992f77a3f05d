"""`docc deploy -o jsonl` as a CI system reads it: line by line while it happens, and last the result; or not at all."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from docc.sandbox import session
from docc.spec.assets import folder
from tests.sandbox.live import App

VALID = Draft7Validator(json.loads((folder("schemas") / "event.json").read_text(encoding="utf-8")))


def stream(app: App, image: str) -> subprocess.Popen[str]:
    words = ["--image", image, "--prometheus-url", app.world.prometheus, "-o", "jsonl"]
    command = app.command("deploy", str(app.path), *words)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def lines(running: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert running.stdout is not None
    for row in running.stdout:
        found: dict[str, Any] = json.loads(row)
        VALID.validate(found)
        yield found


def test_events_come_as_they_happen_and_the_result_comes_last(world: session.Session, tmp_path: Path) -> None:
    app = App(world, tmp_path, "told")
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path), stream(app, "demo:v2-err30") as running:
        told = []
        for line in lines(running):
            told.append(line)
            if line.get("event") == "weighted":  # told while it is so, and not when all is over
                assert line["weight"] == 50 and running.poll() is None and app.ask() in ("v1", "v2")
        assert running.wait(30) == 10
    version, target, *events, result = told
    assert version["format"] == 1 and (target["event"], target["app"]) == ("target", "told")
    names = [event["event"] for event in events]
    assert names.index("began") < names.index("weighted") < names.index("reverted") < names.index("settled")
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert result["result"] == "reverted" and result["exit_code"] == 10
    reverted = events[names.index("reverted")]
    assert reverted["reason"] in result["reason"] and reverted["exposed"] > 0


def test_a_reader_that_goes_away_does_not_stop_the_rollout(world: session.Session, tmp_path: Path) -> None:
    app = App(world, tmp_path, "unread")
    assert app.deploy("demo:v1").returncode == 0
    with app.traffic(tmp_path), stream(app, "demo:v2") as running:
        next(lines(running))
        assert running.stdout is not None
        running.stdout.close()
        assert running.wait(60) == 0
    assert app.ask() == "v2"


def test_an_error_is_the_last_line_too(world: session.Session, tmp_path: Path) -> None:
    app = App(world, tmp_path, "refused")
    for command, code, count in (
        (app.command("rollback", "nosuch", "-o", "jsonl"), 6, 3),
        (app.command("deploy", "/nonexistent.json", "-ojsonl"), 2, 2),
        (app.command("deploy", str(app.path), "-o", "jsonl", "--nosuch"), 2, 2),
    ):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
            told = list(lines(running))
            assert running.wait(30) == code and len(told) == count
        assert "docc" in told[0] and told[-1]["error"]["exit_code"] == code
