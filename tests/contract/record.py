"""Records what a real control plane answers: `python -m tests.contract.record [AREA ...]`, in the test cluster.

The cluster that is up is used; else one is started that ends with this. Look at the difference before it is committed: what
has changed is what docc can no longer rely on.
"""

from __future__ import annotations

import argparse
import sys

from tests.cluster.rig import session
from tests.contract.api import Api, Ask
from tests.contract.catalogue import all_cases, played, write
from tests.contract.on_cluster import api_of


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.contract.record", description=__doc__)
    parser.add_argument("area", nargs="*", help="all, without any")
    areas = parser.parse_args().area
    with session.borrowed(session.default_folder()) as running, session.inside(running):
        api = api_of(running)
        try:
            _record(api, set(areas))
        finally:
            api.close()


def _record(api: Api, areas: set[str]) -> None:
    cases = all_cases()
    server = {"kubernetes": api.good(Ask("GET", "/version"))["gitVersion"]}
    for area in sorted({case.area for case in cases if not areas or case.area in areas}):
        found = {}
        for case in (case for case in cases if case.area == area):
            sys.stdout.write(f"{case.about}\n")
            sys.stdout.flush()
            found[case.name] = played(case, api)
        write(area, server, found)


if __name__ == "__main__":
    main()
