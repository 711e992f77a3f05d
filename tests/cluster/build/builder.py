"""Builds the cluster's programs from their Go modules and keeps them outside the tree, by what they are made of.

A part's folder in the cache carries a key of its module's contents and its recipe; what is there is complete, because it is
renamed into place at the end. So a warm start builds nothing, needs neither Go nor its module cache, and two checkouts that
need the same programs share them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

BUILD_SECONDS_MAX = 45 * 60
PROGRESS_SECONDS = 15.0
Say = Callable[[str], None]


class BuildFailed(Exception):
    """One sentence for people."""


@dataclass(frozen=True, slots=True)
class Part:
    """name: of the module's folder here, and of the executable."""

    name: str
    package: str = "."
    tags: str = ""
    links: tuple[str, ...] = ()
    """Other names that the executable answers to."""
    kubernetes_version: bool = False
    """Whether it says which Kubernetes it is, as a release does."""
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Folder in the result -> (module, glob): files of the module's dependencies that are needed besides the executable."""


PARTS = (
    Part(
        "controlplane",
        links=("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"),
        kubernetes_version=True,
    ),
    Part(
        "istiod",
        files={
            "crds/gateway-api": ("sigs.k8s.io/gateway-api", "config/crd/standard/gateway.networking.k8s.io_*s.yaml"),
            "crds/istio": ("istio.io/istio", "manifests/charts/base/files/crd-all.gen.yaml"),
            # Where Istio itself says which labels its metrics have: the queries of its own tests and of istioctl.
            "metrics/tests": ("istio.io/istio", "tests/integration/telemetry/api/stats_test.go"),
            "metrics/istioctl": ("istio.io/istio", "istioctl/pkg/metrics/metrics.go"),
        },
    ),
    # Of its many kinds of discovery only the one that is used: the others' libraries take longer to build than Prometheus.
    Part(
        "prometheus",
        package="github.com/prometheus/prometheus/cmd/prometheus",
        tags="remove_all_sd,enable_kubernetes_sd",
    ),
)


@dataclass(frozen=True, slots=True)
class Builder:
    """modules: the folder with each part's module. cache: where the results are kept."""

    parts: tuple[Part, ...]
    modules: Path
    cache: Path

    def missing(self) -> list[str]:
        """The parts that are not built yet."""
        return [part.name for part in self.parts if not self._place(part).exists()]

    def folder(self, name: str) -> Path:
        """Where a built part is. Raises BuildFailed when it is not."""
        (part,) = (part for part in self.parts if part.name == name)
        place = self._place(part)
        if not place.exists():
            raise BuildFailed(f"{name} is not built: python -m tests.cluster build")
        return place

    def build(self, say: Say) -> None:
        """Whatever is missing, one after the other: each link alone needs gigabytes. Raises BuildFailed."""
        for part in self.parts:
            place = self._place(part)
            if place.exists():
                continue
            with _alone(place.with_name(f"{part.name}.lock")):
                if not place.exists():  # somebody else may have built it while we waited
                    _build(part, self.modules / part.name, place, say)

    def _place(self, part: Part) -> Path:
        return self.cache / f"{part.name}-{_key(part, self.modules / part.name)}"


def of_the_cluster() -> Builder:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().absolute()
    return Builder(PARTS, Path(__file__).resolve().parent, cache / "docc" / "testcluster")


def _key(part: Part, module: Path) -> str:
    digest = hashlib.sha256(f"{part} {platform.machine()}".encode())
    for path in sorted(module.iterdir()):
        if path.suffix in (".go", ".mod", ".sum"):
            digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _build(part: Part, module: Path, place: Path, say: Say) -> None:
    if shutil.which("go") is None:
        raise BuildFailed(f"Go is missing: the test cluster's {part.name} has to be built from its Go module")
    say(f"building {part.name} (minutes, once: it is kept in {place})")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"{part.name}-", dir=place.parent) as scratch:
        fresh = Path(scratch) / "whole"
        fresh.mkdir()
        command = ["go", "build", "-v", "-trimpath", "-ldflags", _linked(part, module), "-o", str(fresh / part.name)]
        _compile([*command, *(["-tags", part.tags] if part.tags else []), part.package], module, say)
        for link in part.links:
            (fresh / link).symlink_to(part.name)
        for target, (needed, pattern) in part.files.items():
            _copy(fresh / target, _dependency(module, needed), pattern)
        fresh.rename(place)
    say(f"{part.name} is built: {time.monotonic() - began:.0f} s")


def _compile(command: list[str], module: Path, say: Say) -> None:
    """`go build -v` names each package that it compiles: that is the progress."""
    began = said = time.monotonic()
    count, last = 0, ""
    process = subprocess.Popen(
        command, cwd=module, env=_environment(), text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    with process:
        words: list[str] = []
        for row in process.stderr or ():
            words.append(row.rstrip())
            count, last = count + (" " not in words[-1]), words[-1]
            now = time.monotonic()
            if now - began > BUILD_SECONDS_MAX:
                process.kill()
                raise BuildFailed(f"{module.name} was not built within {BUILD_SECONDS_MAX // 60} minutes")
            if now - said > PROGRESS_SECONDS:
                said = now
                say(f"  {module.name}: {now - began:.0f} s, {count} packages, {last}")
    if process.returncode != 0:
        raise BuildFailed("\n".join([f"{module.name} cannot be built:", *words[-15:]]))


def _environment() -> dict[str, str]:
    """GOFLAGS of the machine may hold anything; go.mod and go.sum are to be obeyed, not mended. No cgo: no C compiler."""
    return {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -mod=readonly", "GOWORK": "off"}


def _linked(part: Part, module: Path) -> str:
    """The linker's flags: no symbols, and what a release of Kubernetes has written into it."""
    flags = ["-s", "-w"]
    if part.kubernetes_version:
        text = (module / "go.mod").read_text(encoding="utf-8")
        found = re.search(r"k8s\.io/kubernetes (v(\d+)\.(\d+)\.\d+)", text)
        if found is None:
            raise BuildFailed(f"{module.name}/go.mod names no version of k8s.io/kubernetes")
        values = {"gitVersion": found[1], "gitMajor": found[2], "gitMinor": found[3], "gitTreeState": "clean"}
        flags += [f"-X k8s.io/component-base/version.{name}={value}" for name, value in values.items()]
    return " ".join(flags)


def _dependency(module: Path, name: str) -> Path:
    """The folder of a module that this one needs."""
    done = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", name], cwd=module, env=_environment(), text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode != 0 or not done.stdout.strip():
        raise BuildFailed(f"{module.name}: module {name} is not there: {done.stderr.strip()}")
    return Path(done.stdout.strip())


def _copy(target: Path, source: Path, pattern: str) -> None:
    found = sorted(source.glob(pattern))
    if not found:
        raise BuildFailed(f"{source.name} has no {pattern}")
    target.mkdir(parents=True)
    for path in found:
        (target / path.name).write_bytes(path.read_bytes())


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One build of a part at a time, on the whole machine."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
