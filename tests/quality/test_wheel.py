"""The wheel, installed elsewhere, has its schemas and templates and runs."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IMPORT_ALL = """
import docc, importlib, pkgutil
PROGRAMS = ("__main__", "tether")
found = [each.name for each in pkgutil.walk_packages(docc.__path__, "docc.") if each.name.rpartition(".")[2] not in PROGRAMS]
for name in found: importlib.import_module(name)
print(len(found))
"""


@pytest.mark.timeout(300)
def test_the_wheel_validates_and_renders_from_a_clean_environment(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    wheel = next((tmp_path / "dist").glob("*.whl"))
    lock = ROOT / "requirements" / "run.txt"
    for words in (["--require-hashes", "-r", str(lock)], ["--no-deps", str(wheel)]):
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words]
        done = subprocess.run(pip, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
    manifest = tmp_path / "m.json"
    container = {"image": "a:1", "ports": [{"port": 80}]}
    manifest.write_text(json.dumps({"application": {"name": "shop", "containers": {"web": container}}}))
    docc = str(tmp_path / "venv" / "bin" / "docc")
    for verb, code in (("validate", 0), ("render", 0)):
        done = subprocess.run([docc, verb, str(manifest)], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == code and "shop" in done.stdout, done.stderr
    assert len(json.loads(done.stdout)["items"]) == 4
    done = subprocess.run([python, "-c", IMPORT_ALL], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and int(done.stdout) > 100, done.stderr
