"""The API server, or Prometheus, is gone for a while in mid-canary: every connection is closed, then all is as before.
Users notice nothing, and the rollout ends at 100 %."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from docc.sandbox import session
from tests.sandbox.live import App, counted, until

pytestmark = pytest.mark.timeout(300)
AWAY_SECONDS = {"API server": 8, "Prometheus": 30}


class Wire:
    """Hands bytes on to a server, both ways; while it is cut, every connection is closed at once."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        assert address.hostname is not None and address.port is not None
        self._behind = (address.hostname, address.port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.cut = False
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def close(self) -> None:
        self.away()
        self._listening.close()

    def away(self) -> None:
        self.cut = True
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                if self.cut:
                    here.close()
                    continue
                there = socket.create_connection(self._behind)
                self._open |= {here, there}
                for source, sink in ((here, there), (there, here)):
                    threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 16):
                sink.sendall(piece)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def wire(url: str) -> Iterator[Wire]:
    made = Wire(url)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("gone", AWAY_SECONDS)
def test_what_is_away_in_mid_canary_is_waited_for(world: session.Session, tmp_path: Path, gone: str) -> None:
    app = App(world, tmp_path, f"away-{gone[0].lower()}")
    assert app.deploy("demo:v1").returncode == 0
    config = json.loads(Path(world.kubeconfig).read_text(encoding="utf-8"))
    kubeconfig = tmp_path / "wire.kubeconfig"
    with wire(world.api) as api, wire(world.prometheus) as metrics, app.traffic(tmp_path) as load:
        config["clusters"][0]["cluster"]["server"] = api.url
        kubeconfig.write_text(json.dumps(config), encoding="utf-8")
        words = ["deploy", str(app.path), "--image", "demo:v2", "--prometheus-url", metrics.url, "-o", "json"]
        command = [*app.command(*words), "--kubeconfig", str(kubeconfig)]
        driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(lambda: app.status().get("weight") == 50, 60)
        line = api if gone == "API server" else metrics
        line.away()
        time.sleep(AWAY_SECONDS[gone])
        assert driver.poll() is None and app.status()["weight"] == 50, "no step without evidence, or without a server"
        line.cut = False
        out, err = driver.communicate(timeout=120)
        assert driver.returncode == 0 and json.loads(out)["serving"] == {"v2": 100}, err
        assert app.ask() == "v2"
    assert counted(load).failed == 0
