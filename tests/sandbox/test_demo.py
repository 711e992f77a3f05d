"""`docc demo [ab] -o json`, and an outside observer who knows only the Gateway's address and must have seen the same."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from docc.sandbox import accounts, audience
from docc.sandbox.audience import WITH, WITHOUT, Span
from docc.sandbox.session import command_line

OBSERVED_RATE = 50


def test_the_demo_keeps_its_word_and_an_outside_observer_sees_the_same(tmp_path: Path) -> None:
    said, observer, seen = "", None, tmp_path / "seen.jsonl"
    command = [sys.executable, "-m", "docc", "demo", "-o", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None and demo.stderr is not None
        for line in demo.stderr:
            said += line
            if observer is None and (address := re.search(r"curl -i ([0-9.:]+)", line)):
                words = ["-m", "docc.sandbox.load", address[1], str(OBSERVED_RATE), str(seen)]
                observer = subprocess.Popen([sys.executable, *words])
            if "What users saw" in line and observer is not None:
                observer.terminate()
        told: dict[str, Any] = json.loads(demo.stdout.read())
    assert observer is not None, said
    assert (observer.wait(15), demo.returncode) == (0, 0), said
    advice = re.findall(r"^ +(?:undo|try again|next)[: ] +(docc .*)$", said, re.MULTILINE)
    assert advice and all(" --kubeconfig " in command for command in advice), "nobody's own cluster is meant"
    assert "try again" not in said, "its manifest goes with the demo"
    assert [outcome["result"] for outcome in told["outcomes"]] == ["promoted", "promoted", "reverted"]
    assert told["failed_requests"] == 0 and told["counts_agree"] and told["requests"] >= 0.95 * 100 * told["seconds"]
    assert 0 < told["bad_answers"] < told["bad_version_requests"] and told["api_requests"] > 0
    agrees([json.loads(row) for row in seen.read_text().splitlines()], told)


def test_the_second_act_tells_who_got_what_and_so_does_somebody_with_the_header_who_looks_on(tmp_path: Path) -> None:
    said, observer, seen = "", None, tmp_path / "seen.jsonl"
    command = [sys.executable, "-m", "docc", "demo", "ab", "-o", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None and demo.stderr is not None
        for line in demo.stderr:
            said += line
            if observer is None and (found := re.search(r"curl -i -H '([^:]+): ([^']+)' ([0-9.:]+)", line)):
                words = [found[3], str(OBSERVED_RATE), str(seen), "--header", found[1], found[2], "--every", "2"]
                observer = subprocess.Popen([sys.executable, "-m", "docc.sandbox.load", *words])
            if "What users saw" in line and observer is not None:
                observer.terminate()
        told: dict[str, Any] = json.loads(demo.stdout.read())
    assert observer is not None, said
    assert (observer.wait(15), demo.returncode) == (0, 0), said
    assert [outcome["result"] for outcome in told["outcomes"]] == ["promoted", "promoted", "reverted"]
    assert told["failed_requests"] == told["header_rules_left"] == 0 and told["counts_agree"]
    assert told["bad_version_requests_by"] == {"with_header": told["bad_version_requests"], "without_header": 0}
    assert "users with the header like it" in said and "NOT AS PROMISED" not in said and "\x1b" not in said
    paused, growing, _ = told["periods"]
    assert sum(paused["with_header"].values()) + sum(paused["without_header"].values()) > 400
    assert growing["with_header"].keys() == {"v2"} and growing["without_header"].keys() == {"v1", "v2"}
    rows = [row for line in seen.read_text().splitlines() if (row := json.loads(line))["version"]]
    tried = audience.trial(rows, "v2", "v1")
    assert tried is not None and "v1" not in audience.got(rows, tried.span)[WITH]
    first = Span(tried.span.since, tried.span.since + 3)
    assert set(audience.got(rows, first)[WITHOUT]) == {"v1"}
    assert {row["header"] for row in rows if row["version"] == "v3"} == {True}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_of_a_demo_that_is_told_to_end(number: signal.Signals, tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "docc", "demo", "ab"]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stderr is not None
        assert any(line.startswith("→ shop") for line in demo.stderr) and any("curl -i" in line for line in demo.stderr)
        assert any("begin" in line for line in demo.stderr) and processes(tmp_path)
        demo.send_signal(number)
        demo.stderr.read()
    assert demo.returncode == 143 and not list(tmp_path.iterdir()) and not processes(tmp_path)


@pytest.mark.parametrize("act", ["canary", "ab"])
def test_a_demo_whose_users_are_gone_says_so_and_ends(act: str, tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "docc", "demo", act]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stderr is not None
        assert any("demo:v2" in line and "docc deploy" in line for line in demo.stderr)
        assert any("step" in line or "begin" in line for line in demo.stderr)
        for number in processes(tmp_path, b"docc.sandbox.load"):
            os.kill(number, signal.SIGKILL)
        said = demo.stderr.read()
    assert demo.returncode == 5 and "nobody sends requests any more" in said and "ended by itself with -9" in said
    assert "Traceback" not in said and not list(tmp_path.iterdir()) and not processes(tmp_path)


def processes(folder: Path, what: bytes = b"") -> list[int]:
    """Those that have both in their command line."""
    numbers = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    lines = {number: command_line(number) for number in numbers}
    return [number for number, line in lines.items() if os.fsencode(folder) in line and what in line]


def agrees(rows: list[dict[str, Any]], told: dict[str, Any]) -> None:
    """The sandbox is gone when the demo ends: what the observer sent then has no answer, and is nobody's failure."""
    end = max(row["sent"] for row in rows if row["version"])
    counted = accounts.of_load([row for row in rows if row["sent"] <= end], [])
    expected = told["bad_version_requests"] * OBSERVED_RATE / 100
    assert counted.failed == 0 and counted.answers["v2"] > 100
    assert abs(counted.answers["v3"] - expected) <= 4 * math.sqrt(expected * 3), (counted.answers, told)
    assert abs(accounts.exposed_seconds(rows, "v3") - told["seconds_exposed"]) < 1.0
