"""docc killed as in tests/sandbox, on the test cluster: `python -m tests.cluster.acceptance.killing [MOMENTS [LANES]]`.

Each lane is an application with a namespace and a login of its own, whose docc reaches the API server through a door.
"""

from __future__ import annotations

import contextlib
import io
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.cluster.acceptance.app import RATE, App
from tests.cluster.acceptance.clients import through
from tests.cluster.rig import layout, session
from tests.cluster.rig.cluster import Cluster
from tests.sandbox import killing
from tests.sandbox.door import Door


class Clustered:
    """A killing.Subject."""

    def __init__(self, cluster: Cluster, door: Door, folder: Path, name: str) -> None:
        self._cluster, self._app = cluster, App(cluster, cluster.make_namespace(name), folder, name)
        behind(self._app, door)

    def write(self, interval: int, **strategy: Any) -> None:
        self._app.strategy |= {"canary": {"increment": 50, "interval": interval}, "progress_deadline": 60, **strategy}

    def deploy(self, image: str) -> subprocess.CompletedProcess[str]:
        ended = self._app.deploy(image)
        return subprocess.CompletedProcess([], ended.code, ended.out, ended.err)

    def start(self, image: str) -> subprocess.Popen[str]:
        return self._app.start(image)

    def abort(self) -> subprocess.Popen[str]:
        return self._app.begin("abort", self._app.name)

    def status(self) -> dict[str, Any]:
        return self._app.status

    def ask(self) -> str:
        ((_, version),) = self._cluster.fetch(self._app.host)
        return version

    @contextlib.contextmanager
    def traffic(self, folder: Path) -> Iterator[Path]:
        self._app.until(self.ask)  # Envoy has heard of the host
        with through(self._cluster.session.gateway, self._app.host, RATE, folder / f"{self._app.name}.load") as users:
            yield users.file

    def close(self) -> None:
        self._app.close()
        self._cluster.delete_namespace(self._app.namespace)


def door_of(cluster: Cluster) -> Door:
    return Door(layout.API_URL, ssl.create_default_context(cafile=str(cluster.layout.certificate)))


def behind(app: App, door: Door) -> None:
    """From now on the app's docc reaches the API server through this door."""
    direct = app.kubeconfig.read_text(encoding="utf-8")
    app.kubeconfig = app.folder / f"{app.name}.kubeconfig"
    app.kubeconfig.write_text(direct.replace(layout.API_URL, door.url), encoding="utf-8")


@contextlib.contextmanager
def in_cluster(cluster: Cluster, folder: Path) -> Iterator[tuple[Callable[[], Door], killing.Make]]:
    made: list[Clustered] = []

    def make(door: Door, name: str) -> killing.Subject:
        made.append(Clustered(cluster, door, folder, name))
        return made[-1]

    try:
        yield (lambda: door_of(cluster)), make
    finally:
        for each in made:
            each.close()


def main(count: int, lanes: int) -> int:
    with (
        session.borrowed(session.default_folder()) as running,
        session.inside(running),
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(Cluster(running)) as cluster,
    ):
        with contextlib.redirect_stderr(io.StringIO()), in_cluster(cluster, Path(folder)) as world:
            played, seen = killing.play(world, Path(folder), killing.bounded(count), lanes, killing.say)
        return killing.tell(played, seen)


if __name__ == "__main__":
    sys.exit(main(*[int(word) for word in sys.argv[1:]], *[len(killing.MOMENTS), killing.LANES][len(sys.argv) - 1 :]))
