"""The contract's Api for the test cluster, as its administrator. Works only inside its network (session.inside)."""

from __future__ import annotations

import ssl
from pathlib import Path

from tests.cluster.rig.credentials import token_of
from tests.cluster.rig.layout import Layout
from tests.cluster.rig.session import Session
from tests.contract.api import Api


def api_of(running: Session) -> Api:
    trusted = ssl.create_default_context(cafile=str(Layout(running.folder).certificate))
    return Api(running.api, token_of(Path(running.kubeconfig)), trusted)
