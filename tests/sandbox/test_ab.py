"""A/B: who is on trial and who is not, counted under live traffic; and people who wait, decide, and change their minds."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docc.adapters.kube_connection import Connection, Request
from docc.sandbox import session
from tests.sandbox.live import App, counted, until

pytestmark = pytest.mark.timeout(300)
ON_TRIAL = ("x-docc-release", "canary")
TESTING = {"enable_headers": True, "pause_before_rollout": True}
HEARD_SECONDS = 1.0
"""By then Envoy knows what was written."""
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes"
UNJUDGED: dict[str, Any] = {"failure_conditions": []}


class Trial(App):
    """An application whose v1 serves, and whose next version goes on trial."""

    def begin(self, image: str, *more: str) -> subprocess.Popen[str]:
        """`docc deploy` as somebody at a terminal has it, who stays."""
        command = self._deploy(image, "--wait=done", *more)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def asks(self, *words: str) -> subprocess.Popen[str]:
        """`docc VERB APP ...`, while others do something else."""
        command = self.command(words[0], self.name, *words[1:])
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def waits(self) -> float:
        """When it did so for as long as Envoy needs to hear of it."""
        until(lambda: self.status()["phase"] == "awaiting", 60)
        time.sleep(HEARD_SECONDS)
        return time.time()

    def get(self, path: str) -> dict[str, Any]:
        return Connection(kubeconfig=self.world.kubeconfig).send(Request("get", path))

    @property
    def rules(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"{ROUTES}/{self.name}")["spec"]["rules"]
        return found

    def objects(self, path: str) -> list[str]:
        listed = Connection(kubeconfig=self.world.kubeconfig).send(
            Request("list", path, {"labelSelector": f"docc.dev/app={self.name}"})
        )
        return sorted(item["metadata"]["name"] for item in listed["items"])

    def history(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("history", "-o", "json").stdout)
        return found


@pytest.fixture
def trial(world: session.Session, tmp_path: Path, request: pytest.FixtureRequest) -> Trial:
    app = Trial(world, tmp_path, f"ab{abs(hash(request.node.name)) % 10**6}")
    assert app.deploy("demo:v1").returncode == 0
    app.write(4, ab_testing=TESTING)
    return app


def ended(driver: subprocess.Popen[str]) -> tuple[dict[str, Any], str]:
    out, err = driver.communicate(timeout=120)
    return json.loads(out), err


def versions(load: Path, since: float, until: float) -> tuple[dict[str, int], dict[str, int]]:
    """Who answered those with the header, and who the others."""
    rows = [json.loads(row) for row in load.read_text().splitlines()]
    found = (Counter[str](), Counter[str]())
    for row in rows:
        if since < row["sent"] < until:
            found[not row["header"]][row["version"]] += 1
    return dict(found[0]), dict(found[1])


def answered(load: Path, *, header: bool) -> Path:
    rows = [row for row in load.read_text().splitlines() if json.loads(row)["header"] == header]
    path = load.with_suffix(f".{header}")
    path.write_text("\n".join(rows))
    return path


def test_cases_7_to_10_header_users_are_on_b_at_every_weight_and_all_others_follow_the_weights(
    trial: Trial, tmp_path: Path
) -> None:
    """The pause is longer than the pods' deadline, and that is no failure."""
    trial.write(10, ab_testing=TESTING, progress_deadline=12)
    with trial.traffic(tmp_path, *ON_TRIAL) as load:
        driver, began = trial.begin("demo:v2"), trial.waits()
        time.sleep(14)
        promoted = time.time()
        asked = trial.run("promote", "--reason", "B is liked")
        assert asked.returncode == 0, asked.stderr
        until(lambda: trial.status()["weight"] == 50)
        half = time.time() + HEARD_SECONDS
        said, told = ended(driver)
        over = time.time()
        time.sleep(2)
    assert driver.returncode == 0 and [w["weight"] for w in said["weights"]] == [50, 100], told
    theirs, others = versions(load, began, promoted)
    assert set(theirs) == {"v2"} and set(others) == {"v1"} and theirs["v2"] > 80 and others["v1"] > 700
    ends_half = next(w["at"] for w in said["weights"] if w["weight"] == 100)
    theirs, others = versions(load, half, ends_half)
    assert set(theirs) == {"v2"} and 0.3 < others["v2"] / sum(others.values()) < 0.7, (theirs, others)
    assert versions(load, over, over + 9)[0].keys() == versions(load, over, over + 9)[1].keys() == {"v2"}
    (rule,) = trial.rules
    assert not any(match.get("headers") for match in rule["matches"])
    assert {ref["name"]: ref["weight"] for ref in rule["backendRefs"]} == {
        f"{trial.name}-v1": 0,
        f"{trial.name}-v2": 100,
    }
    assert trial.objects("/api/v1/namespaces/default/services") == [
        trial.name,
        f"{trial.name}-v1",
        f"{trial.name}-v2",
    ]
    assert counted(answered(load, header=False), json.dumps(said)).failed == 0
    assert counted(answered(load, header=True)).failed == 0
    assert any("B is liked" in json.dumps(attempt) for attempt in trial.history())


def test_case_11_promote_full_waits_for_all_pods_and_skips_the_steps(trial: Trial, tmp_path: Path) -> None:
    trial.more["scale"] = 4
    trial.write(20, ab_testing=TESTING)
    with trial.traffic(tmp_path, *ON_TRIAL) as load:
        driver, _ = trial.begin("demo:v2-late3"), trial.waits()
        assert len(trial.objects("/api/v1/namespaces/default/pods")) < 6  # those of the first step only
        assert trial.run("promote", "--full").returncode == 0
        said, told = ended(driver)
    assert driver.returncode == 0 and [w["weight"] for w in said["weights"]] == [100], told
    pods = Connection(kubeconfig=trial.world.kubeconfig).send(
        Request(
            "list",
            "/api/v1/namespaces/default/pods",
            {"labelSelector": f"docc.dev/app={trial.name},docc.dev/revision=v2"},
        )
    )["items"]
    ready = [c["lastTransitionTime"] for pod in pods for c in pod["status"]["conditions"] if c["type"] == "Ready"]
    moved = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(said["weights"][0]["at"]))
    assert len(ready) == 4 and max(ready) <= moved, (ready, moved)
    assert counted(answered(load, header=False), json.dumps(said)).failed == 0


def test_case_12_a_breach_while_it_is_paused_takes_it_back_and_only_header_users_have_seen_it(
    trial: Trial, tmp_path: Path
) -> None:
    with trial.traffic(tmp_path, *ON_TRIAL) as load:
        driver = trial.begin("demo:v2-err60")
        said, told = ended(driver)
        over = time.time() + HEARD_SECONDS
        time.sleep(3)
    assert driver.returncode == 10 and [w["weight"] for w in said["weights"]] == [0], told
    assert "Errors is 0." in said["reason"] and "at 0 %" in said["reason"]
    theirs, others = versions(load, 0, over)
    assert theirs["v2"] > 0 and set(others) == {"v1"}
    assert set(versions(load, over, over + 9)[0]) == {"v1"} and len(trial.rules) == 1
    assert counted(answered(load, header=False)).failed == 0


def test_in_a_pipe_it_is_left_waiting_and_says_so_and_a_promote_without_a_driver_goes_on_itself(
    trial: Trial, tmp_path: Path
) -> None:
    left = trial.deploy("demo:v2")
    said = json.loads(left.stdout)
    assert left.returncode == 0 and said["result"] == "paused", left.stderr
    assert f"docc promote {trial.name}" in left.stderr and "nobody watches from now on" in left.stderr
    row = next(row for row in left.stderr.splitlines() if " curl " in row)
    header = shlex.split(row[row.index("curl") :])[2].split(": ")
    assert header == list(ON_TRIAL) and row.rstrip().endswith(f"http://{trial.name}.test/")
    assert (trial.ask(), trial.ask(x_docc_release="canary"), trial.ask(x_docc_release="other")) == ("v1", "v2", "v1")
    assert trial.status()["curl"] in row and trial.status()["left"]
    again = trial.run("abort", "--if-unwatched")
    assert again.returncode == 0 and trial.ask(x_docc_release="canary") == "v2", again.stderr
    with trial.traffic(tmp_path, *ON_TRIAL) as load:
        done = trial.run("promote", "--prometheus-url", trial.world.prometheus, "--wait=done", "-o", "json")
    assert done.returncode == 0 and trial.ask() == "v2", done.stderr
    assert [w["weight"] for w in json.loads(done.stdout)["weights"]] == [50, 100]
    assert counted(answered(load, header=False), done.stdout).failed == 0


def test_abort_and_rollback_from_elsewhere_never_wait_and_the_driver_names_who_it_was(
    trial: Trial, tmp_path: Path
) -> None:
    with trial.traffic(tmp_path, *ON_TRIAL) as load:
        for verb in ("abort", "rollback"):
            driver, _ = trial.begin("demo:v2"), trial.waits()
            gone = trial.run(verb, "--reason", "not today")
            assert gone.returncode == 0 and trial.ask(x_docc_release="canary") == "v1", gone.stderr
            said, told = ended(driver)
            assert driver.returncode == 10 and "not today" in said["reason"], told
    assert set(versions(load, 0, time.time())[1]) == {"v1"} and counted(answered(load, header=False)).failed == 0
    assert sum("not today" in json.dumps(attempt) for attempt in trial.history()) == 2


def test_pause_holds_the_weight_until_resume_and_the_history_says_who(trial: Trial, tmp_path: Path) -> None:
    trial.write(3, **UNJUDGED)
    with trial.traffic(tmp_path):
        driver = trial.begin("demo:v2")
        until(lambda: trial.status()["weight"] == 50)
        assert trial.run("pause", "--reason", "lunch").returncode == 0
        until(lambda: bool(trial.status()["paused_by"]))
        time.sleep(6)
        assert trial.status()["weight"] == 50 and trial.status()["phase"] == "shifting"
        shown = trial.run("status").stdout
        assert "paused by" in shown and f"docc resume {trial.name}" in shown
        assert trial.run("resume", "--reason", "fed").returncode == 0
        _, told = ended(driver)
    assert driver.returncode == 0 and trial.ask() == "v2", told
    noted = json.dumps(trial.history())
    assert "lunch" in noted and "fed" in noted


@pytest.mark.parametrize("verb", ["promote", "pause", "resume"])
def test_where_nothing_is_under_way_the_verb_says_what_is(trial: Trial, verb: str) -> None:
    before = trial.get(f"{ROUTES}/{trial.name}")["metadata"]["resourceVersion"]
    refused = trial.run(verb)
    assert refused.returncode == 6 and "no rollout is under way: v1 serves 100 %" in refused.stderr, refused.stderr
    assert trial.get(f"{ROUTES}/{trial.name}")["metadata"]["resourceVersion"] == before


def test_of_two_who_decide_at_once_one_wins_and_the_other_is_told(trial: Trial) -> None:
    trial.write(3, ab_testing=TESTING, **UNJUDGED)
    driver, _ = trial.begin("demo:v2"), trial.waits()
    words = [("promote",), ("abort",)]
    both = [
        subprocess.Popen(trial.command(*verb, trial.name), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for verb in words
    ]
    told = [each.communicate(timeout=120)[1] for each in both]
    said, _ = ended(driver)
    # An abort may be in time even after a promote, but never the other way round.
    assert both[1].returncode == 0 and said["result"] in ("reverted", "superseded") and trial.ask() == "v1", told
    assert both[0].returncode in (0, 6, 7), told
    if both[0].returncode:
        assert "aborted by" in told[0], told[0]


@pytest.mark.parametrize("verb", ["promote", "pause"])
def test_of_two_who_ask_for_the_same_the_second_is_told_who_was_first(trial: Trial, verb: str) -> None:
    testing = TESTING if verb == "promote" else {**TESTING, "pause_before_rollout": False}
    trial.write(60, ab_testing=testing, **UNJUDGED)
    driver = trial.begin("demo:v2")
    until(lambda: trial.status()["phase"] == ("awaiting" if verb == "promote" else "shifting"), 60)
    os.kill(driver.pid, signal.SIGSTOP)  # so that nothing has been made of the first when the second comes
    try:
        first = trial.asks(verb, "--reason", "liked")
        until(lambda: bool(trial.status()["asked"]))
        second = trial.asks(verb, "--reason", "tested")
        time.sleep(3)
    finally:
        os.kill(driver.pid, signal.SIGCONT)
    told = [each.communicate(timeout=60)[1] for each in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), told
    assert "asked for: " in told[0] and "already" not in told[0], told
    assert 'has asked for it already: liked; "tested" was not kept; ' in told[1] and " drives it" in told[1], told
    assert [each["reason"] for each in trial.status()["asked"]] == ["liked"]
    assert trial.run("abort").returncode == 0
    ended(driver)


def test_cookies_and_patterns_among_other_cookies_any_of_them(trial: Trial) -> None:
    testing = {
        **TESTING,
        "headers": [{"name": "x-team", "value": "blue-[0-9]+", "type": "regex"}],
        "cookies": [
            {"name": "beta", "value": "yes"},
            {"name": "group", "value": "b.*|gamma", "type": "regex"},
        ],
    }
    trial.write(3, ab_testing=testing, **UNJUDGED)
    assert trial.deploy("demo:v2", "--wait=paused").returncode == 0
    time.sleep(HEARD_SECONDS)
    for cookies, version in (
        ("beta=yes", "v2"), ("a=1; beta=yes", "v2"), ("beta=yes; z=9", "v2"), ("a=1; beta=yes; z=9", "v2"),
        ("beta=yes2", "v1"), ("xbeta=yes", "v1"), ("a=beta=yes", "v1"), ("beta=no", "v1"),
        ("group=b7; z=9", "v2"), ("group=gamma", "v2"), ("a=1; group=gamma; z=9", "v2"),
        ("gamma; session=1", "v1"), ("group=a; gamma", "v1"), ("group=a; theme=b", "v1"), ("group=agamma", "v1"),
    ):  # fmt: skip
        assert (cookies, trial.ask(Cookie=cookies)) == (cookies, version)
    assert [trial.ask(x_team=team) for team in ("blue-7", "blue-", "xblue-7", "blue-7x")] == ["v2", "v1", "v1", "v1"]
    assert trial.run("abort").returncode == 0


def test_sticky_users_stay_where_they_are_until_the_rollout_is_over(trial: Trial) -> None:
    trial.write(60, sticky=True, **UNJUDGED)
    driver = trial.begin("demo:v2")
    until(lambda: trial.status()["weight"] == 50)
    time.sleep(HEARD_SECONDS)
    users: dict[str, str] = {}
    while len(users) < 2:  # new ones, who follow the weights
        answer = trial.answer()
        users[answer["x-version"]] = answer["Set-Cookie"].partition(";")[0]
    for version, cookie in users.items():
        assert {trial.ask(Cookie=f"a=1; {cookie}") for _ in range(40)} == {version}
    fresh = Counter(trial.ask() for _ in range(120))
    assert min(fresh["v1"], fresh["v2"]) > 25, fresh
    assert trial.run("abort").returncode == 0
    time.sleep(HEARD_SECONDS)
    assert {trial.ask(Cookie=cookie) for cookie in users.values() for _ in range(10)} == {"v1"}
    assert trial.answer().get("Set-Cookie") is None and len(trial.rules) == 1
    assert ended(driver)[0]["result"] in ("reverted", "superseded")


def test_a_preview_is_reached_by_its_header_alone_until_it_is_promoted(trial: Trial) -> None:
    trial.write(3, **UNJUDGED)
    shown = trial.deploy("demo:v2", "--preview")
    assert shown.returncode == 0 and json.loads(shown.stdout)["result"] == "paused", shown.stderr
    row = next(row for row in shown.stderr.splitlines() if " curl " in row)
    name, value = shlex.split(row[row.index("curl") :])[2].split(": ")
    time.sleep(HEARD_SECONDS)
    assert {trial.ask() for _ in range(20)} == {"v1"} and trial.ask(**{name: value}) == "v2"
    done = trial.run("promote", "--wait=done", "--full")
    assert done.returncode == 0 and trial.ask() == "v2" and len(trial.rules) == 1, done.stderr


def test_a_pause_that_nobody_ends_in_time_is_parked(trial: Trial) -> None:
    trial.write(3, ab_testing={**TESTING, "pause_timeout": 4}, **UNJUDGED)
    driver = trial.begin("demo:v2")
    said, told = ended(driver)
    assert said["result"] == "parked" and "pause_timeout" in said["reason"] and driver.returncode != 0, told
    assert trial.ask(x_docc_release="canary") == "v1" and len(trial.rules) == 1


def test_where_no_driver_has_stayed_whoever_comes_when_its_time_is_over_takes_it_back(trial: Trial) -> None:
    trial.write(3, ab_testing={**TESTING, "pause_timeout": 6}, **UNJUDGED)
    left = trial.deploy("demo:v2")
    assert left.returncode == 0 and "may be approved until" in left.stderr, left.stderr
    assert f"docc abort {trial.name} --if-unwatched" in left.stderr
    over = trial.status()["expires"]
    assert any(row.startswith("  until") for row in trial.run("status").stdout.splitlines())
    time.sleep(max(0.0, over - time.time()) + 1)
    assert trial.ask(x_docc_release="canary") == "v2"
    late = trial.run("abort", "--if-unwatched")
    assert late.returncode == 0 and "nobody approved it in time (pause_timeout)" in late.stderr, late.stderr
    time.sleep(HEARD_SECONDS)
    assert trial.ask(x_docc_release="canary") == "v1" and len(trial.rules) == 1


def test_who_stays_only_until_it_is_up_leaves_it_to_nobody(trial: Trial) -> None:
    """A version that fails is up as well: nobody meets it before somebody goes on, and watches."""
    up = trial.deploy("demo:v2-err60", "--wait=ready")
    assert up.returncode == 0 and json.loads(up.stdout)["result"] == "ready", up.stderr
    time.sleep(HEARD_SECONDS)
    assert trial.status()["phase"] == "preparing" and len(trial.rules) == 1
    assert {trial.ask(x_docc_release="canary") for _ in range(20)} == {trial.ask()} == {"v1"}
    spared = trial.run("abort", "--if-unwatched")
    assert spared.returncode == 0 and "as it was told to" in spared.stderr, spared.stderr
    assert trial.run("resume", "--prometheus-url", trial.world.prometheus, "--wait=paused").returncode == 0
    assert trial.status()["phase"] == "awaiting"


def test_a_preview_beside_nothing_is_refused_before_anything_is_touched(world: session.Session, tmp_path: Path) -> None:
    app = Trial(world, tmp_path, "first")
    refused = app.deploy("demo:v1", "--preview")
    assert refused.returncode == 2 and "no version of first serves yet" in refused.stderr, refused.stderr
    assert app.run("status").returncode == 6


def test_conditions_are_judged_while_it_waits(trial: Trial, tmp_path: Path) -> None:
    with trial.traffic(tmp_path, *ON_TRIAL):
        driver, _ = trial.begin("demo:v2"), trial.waits()
        time.sleep(5)
        assert trial.run("abort").returncode == 0
        said, told = ended(driver)
    (check,) = said["checks"]
    assert (check["name"], check["verdict"], check["weight"]) == ("Errors", "OK", 0), told


SLIDE = {
    "application": {
        "name": "uber-cool-app",
        "namespace": "default",
        "scale": 3,
        "containers": {"dev": {"image": "nginx:1.23", "ports": [{"port": 80, "protocol": "TCP"}]}},
    },
    "maintainer": "appdev@digitalocean.com",
}
AB_TESTING = {"deployment_strategy": {"ab_testing": {"enable_headers": True, "pause_before_rollout": True}}}


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Trial]:
    """In a world of its own, since it names no host and takes all requests."""
    yield Trial(session.up(tmp_path / "s"), tmp_path, "uber-cool-app")
    session.down(tmp_path / "s")


def test_the_talk_s_ab_testing_unchanged_from_the_pause_to_the_end(talk: Trial, tmp_path: Path) -> None:
    """Its slide says no readiness, no host, no condition and no step between: all users come with the promote."""
    talk.path.write_text(json.dumps(SLIDE))
    assert talk.deploy("nginx:1.23").returncode == 0
    talk.path.write_text(json.dumps({**SLIDE, **AB_TESTING}))
    with talk.traffic(tmp_path, *ON_TRIAL) as load:
        driver, began = talk.begin("nginx:1.24"), talk.waits()
        time.sleep(3)
        promoted = time.time()
        assert talk.run("promote").returncode == 0
        said, told = ended(driver)
        over = time.time() + HEARD_SECONDS
        time.sleep(3)
    assert driver.returncode == 0 and [w["weight"] for w in said["weights"]] == [100], told
    theirs, others = versions(load, began, promoted)
    assert theirs.keys() == {"1.24"} and others.keys() == {"1.23"} and theirs["1.24"] > 15 and others["1.23"] > 150
    assert [found.keys() for found in versions(load, over, over + 9)] == [{"1.24"}] * 2
    (rule,) = talk.rules
    assert not any(match.get("headers") for match in rule.get("matches", [])) and talk.status()["phase"] == "succeeded"
    assert counted(answered(load, header=False), json.dumps(said)).failed == 0
    assert counted(answered(load, header=True)).failed == 0


def test_without_a_canary_all_traffic_comes_at_once_and_is_judged_while_it_bakes(trial: Trial, tmp_path: Path) -> None:
    trial.write(3, ab_testing={"enable_headers": True}, canary={}, bake=15)
    manifest = json.loads(trial.path.read_text())
    del manifest["deployment_strategy"]["canary"]
    trial.path.write_text(json.dumps(manifest))
    with trial.traffic(tmp_path, *ON_TRIAL) as load:
        driver = trial.begin("demo:v2")
        until(lambda: trial.status()["phase"] == "baking", 60)
        baking = time.time() + HEARD_SECONDS
        time.sleep(4)
        assert trial.status()["phase"] == "baking" and len(trial.rules) == 1, "a bake is of everybody's requests"
        said, told = ended(driver)
        assert driver.returncode == 0 and [w["weight"] for w in said["weights"]] == [100], told
        assert [found.keys() for found in versions(load, baking, baking + 3)] == [{"v2"}] * 2
        bad = trial.begin("demo:v3-err60")
        said, told = ended(bad)
    assert bad.returncode == 10 and "Errors is 0." in said["reason"], told
    assert counted(answered(load, header=False)).failed == 0 and trial.ask() == "v2"


def test_all_of_header_and_cookies_are_needed_and_who_has_them_stays_on_b_with_sticky(trial: Trial) -> None:
    """Sticky users of A who come with all of it are on trial all the same: its rules stand first."""
    testing = {
        **TESTING,
        "match": "all",
        "headers": [{"name": "x-team", "value": "it's [bB]lue"}],
        "cookies": [{"name": "beta", "value": "yes"}, {"name": "lang", "value": "de|fr.", "type": "regex"}],
    }
    trial.write(60, ab_testing=testing, sticky=True, **UNJUDGED)
    assert trial.deploy("demo:v2", "--wait=paused").returncode == 0
    time.sleep(HEARD_SECONDS)
    team, stays = "it's [bB]lue", f"docc-{trial.name}=v1"
    for cookies, header, version in (
        ("beta=yes; lang=de", team, "v2"), ("lang=fr1; x=y; beta=yes", team, "v2"), (f"{stays}; beta=yes; lang=de", team, "v2"),
        ("beta=yes; lang=de", "blue", "v1"), ("beta=yes", team, "v1"), ("lang=de", team, "v1"),
        ("beta=yes; lang=it; de", team, "v1"),
        (stays, "none", "v1"), ("x=y", "none", "v1"),
    ):  # fmt: skip
        assert (cookies, header, trial.ask(Cookie=cookies, x_team=header)) == (cookies, header, version)
    assert "the cookie lang like de|fr." in trial.run("status").stdout
    done = subprocess.Popen(trial.command("promote", trial.name, "--wait=done"), stdout=subprocess.DEVNULL)
    until(lambda: trial.status()["weight"] == 50, 60)
    time.sleep(HEARD_SECONDS)
    assert {trial.ask(Cookie=f"{stays}; beta=yes; lang=de", x_team=team) for _ in range(20)} == {"v2"}
    assert {trial.ask(Cookie=stays) for _ in range(20)} == {"v1"}
    assert trial.answer(Cookie="beta=yes; lang=de", x_team=team)["Set-Cookie"].startswith(f"docc-{trial.name}=v2;")
    assert trial.run("abort").returncode == 0 and done.wait(60) == 10 and len(trial.rules) == 1


def test_the_curl_that_docc_prints_reaches_b_also_where_others_have_rules_in_front(trial: Trial) -> None:
    """It is run as it stands; only that the host leads to the sandbox's Gateway is said besides."""
    foreign = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/static"}}],
        "backendRefs": [{"name": "files", "port": 80}],
    }
    own = trial.rules[0]
    own["matches"] = [
        {**match, "method": "POST", "headers": [{"name": "x-t", "value": "it's"}]} for match in own["matches"]
    ]
    patch = [{"op": "replace", "path": "/spec/rules", "value": [foreign, own]}]
    kube = Connection(kubeconfig=trial.world.kubeconfig)
    kube.send(Request("patch", f"{ROUTES}/{trial.name}", body=patch, form="json-patch+json"))
    trial.write(3, ab_testing={**TESTING, "cookies": [{"name": "beta", "value": "1 2"}]}, **UNJUDGED)
    left = trial.deploy("demo:v2", "--wait=paused")
    assert left.returncode == 0, left.stderr
    row = next(row for row in left.stderr.splitlines() if " curl " in row)
    shown = next(row for row in trial.run("status").stdout.splitlines() if " curl " in row)
    command = shown.strip()
    assert row.endswith(command)
    time.sleep(HEARD_SECONDS)
    reached = subprocess.run(
        ["sh", "-c", f"{command} --connect-to ::{trial.world.gateway} -s -D - -o /dev/null"],
        capture_output=True, text=True, timeout=20,
    ).stdout  # fmt: skip
    assert "x-version: v2" in reached, (command, reached)
    assert trial.run("abort").returncode == 0
