"""The jobs of docs/ci.md, run as they stand there: green, red and cancelled, and what the CI system gets to know each time."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from docc.sandbox import session
from docc.spec.assets import folder
from tests.documented import recipes
from tests.sandbox.jobs import Cancel, Job, github, gitlab
from tests.sandbox.live import App, until
from tests.unit.ui.runner import commands

RECIPES = recipes()
VALID = Draft7Validator(json.loads((folder("schemas") / "event.json").read_text(encoding="utf-8")))
SECTION = re.compile(r"\x1b\[0Ksection_(start|end):\d+:([a-zA-Z0-9_.-]+)\r\x1b\[0K")


class Shop(App):
    """The application of the recipes."""

    def checkout(self, name: str, interval: int = 3) -> Path:
        """A fresh folder with the manifest, as a job finds it."""
        self.write(interval)
        manifest = json.loads(self.path.read_text())
        manifest["deployment_strategy"]["prometheus"] = {"url": self.world.prometheus}
        place = self.path.parent / name
        place.mkdir()
        (place / "manifest.json").write_text(json.dumps(manifest))
        return place


def on_github(app: Shop, name: str, sha: str, cancel: Cancel | None = None) -> tuple[Job, bool]:
    job = Job.prepare(app.checkout(name, 120 if cancel else 3))
    kubeconfig = Path(app.world.kubeconfig).read_text()
    contexts = {"vars.DOCC_WHEEL": "docc.whl", "secrets.KUBECONFIG": kubeconfig, "github.sha": sha}
    return job, github(job, RECIPES["GitHub Actions"], contexts, cancel)


def on_gitlab(app: Shop, name: str, sha: str, cancel: Cancel | None = None) -> tuple[Job, bool]:
    variables = {"KUBECONFIG": app.world.kubeconfig, "DOCC_WHEEL": "docc.whl", "CI_COMMIT_SHA": sha}
    job = Job.prepare(app.checkout(name, 120 if cancel else 3), **variables)
    return job, gitlab(job, RECIPES["GitLab CI"], cancel)


def written(job: Job, name: str) -> str:
    return Path(job.env[f"GITHUB_{name}"]).read_text(encoding="utf-8")


def outputs(job: Job) -> dict[str, str]:
    return dict(row.split("=", 1) for row in written(job, "OUTPUT").splitlines())


def events(job: Job) -> list[dict[str, object]]:
    found = [json.loads(row) for row in (job.folder / "docc.jsonl").read_text(encoding="utf-8").splitlines()]
    for each in found:
        VALID.validate(each)
    return found


@pytest.mark.timeout(400)
def test_jobs_of_github_green_red_and_cancelled(world: session.Session, tmp_path: Path) -> None:
    app = Shop(world, tmp_path, "shop")
    first, green = on_github(app, "first", "v1")
    assert green and outputs(first)["revision"] == "v1", first.log
    assert first.installed == "pipx install docc.whl\n"
    with app.traffic(tmp_path):
        job, green = on_github(app, "good", "v2")
        assert green and app.ask() == "v2", job.log
        assert outputs(job) == {
            "result": "promoted", "revision": "v2", "exit_code": "0", "undo": "docc rollback shop -n default"
        }  # fmt: skip
        assert [each.name for each in commands(job.log)] == ["group", "endgroup", "group", "endgroup"]
        assert "| `v2` | 50 % |" in written(job, "STEP_SUMMARY") and events(job)[-1]["exit_code"] == 0

        job, green = on_github(app, "bad", "v3-err30")
        assert not green and app.ask() == "v2" and job.codes["Deploy"] == 10
        assert job.codes["Take back what nobody watches"] == job.codes["Look what is there"] == 0
        *_, error = commands(job.log)
        assert error.name == "error" and error.data.startswith("reverted: Errors is")
        assert "`FAIL`" in written(job, "STEP_SUMMARY") and outputs(job)["exit_code"] == "10"

        cancel = Cancel(signal.SIGINT, lambda: until(lambda: app.status()["weight"] == 50, 60))
        job, green = on_github(app, "cancelled", "v4", cancel)
        assert not green and job.codes["Deploy"] == 130 and app.ask() == "v2", job.log
        assert commands(job.log)[-1].name == "warning" and outputs(job)["result"] == "parked"
        assert events(job)[-1]["serving"] == {"v2": 100}

        killed = Cancel(signal.SIGKILL, lambda: until(lambda: app.status()["weight"] == 50, 60))
        job, green = on_github(app, "killed", "v5", killed)
        assert not green and job.codes["Take back what nobody watches"] == 0 and app.ask() == "v2", job.log
        assert "aborted, unwatched, by" in job.log


def test_a_mistake_in_the_manifest_is_annotated_at_its_line(world: session.Session, tmp_path: Path) -> None:
    job = Job.prepare(Shop(world, tmp_path, "typo").checkout("typo"), KUBECONFIG="")
    (job.folder / "manifest.json").write_text('{\n "application": {"name": "typo", "containers": {}}\n}')
    contexts = {"vars.DOCC_WHEEL": "docc.whl", "secrets.KUBECONFIG": "", "github.sha": "v1"}
    assert not github(job, RECIPES["GitHub Actions"], contexts) and job.codes["Deploy"] == 2
    first, last = commands(job.log)[:2]
    assert (first.properties["file"], first.properties["line"]) == ("manifest.json", "2")
    assert last.data.startswith("the manifest is not valid")
    assert [set(line) for line in events(job)] == [{"docc", "format"}, {"error"}]
    assert written(job, "OUTPUT").startswith("result=error\nrevision=\nexit_code=2\n")


@pytest.mark.timeout(400)
def test_jobs_of_gitlab_green_and_cancelled(tmp_path: Path) -> None:
    place = tmp_path / "s"
    app = Shop(session.up(place), tmp_path, "shop")
    try:
        first, green = on_gitlab(app, "first", "v1")
        assert green and first.installed == "pip install --quiet docc.whl\n", first.log
        with app.traffic(tmp_path):
            job, green = on_gitlab(app, "good", "v2")
            assert green and app.ask() == "v2", job.log
            phases = ["docc_preparing", "docc_traffic", "docc_tidying"]
            assert SECTION.findall(job.log) == [(end, phase) for phase in phases for end in ("start", "end")]
            assert events(job)[-1]["result"] == "promoted" and "::" not in job.log

            cancel = Cancel(signal.SIGTERM, lambda: until(lambda: app.status()["weight"] == 50, 60))
            job, green = on_gitlab(app, "cancelled", "v3", cancel)
            assert not green and job.codes == {"script": 143, "after_script": 0} and app.ask() == "v2", job.log
            assert SECTION.findall(job.log)[-1] == ("end", "docc_traffic")
    finally:
        session.down(place)
