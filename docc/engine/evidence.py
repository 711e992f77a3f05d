"""Why a revision's pods failed, in their own words: the last log lines of a crashed container, the answers to a probe."""

from __future__ import annotations

from docc.engine.ports import Ports
from docc.model.errors import DoccError
from docc.model.facts import Evidence
from docc.model.moves import Object
from docc.model.world import Revision

LOG_LINES = 20


def gather(ports: Ports, revision: Revision) -> tuple[Evidence, ...]:
    """At most one log and one sentence of the kubelet; nothing when the pods are well. Never raises DoccError."""
    trouble = revision.trouble
    if trouble is None or not trouble.pod:
        return ()
    found: list[Evidence] = []
    try:
        said = [
            event
            for event in ports.cluster.events(trouble.pod)
            if event.get("reason") in ("Unhealthy", "Failed", "FailedScheduling", "FailedMount")
        ]
        if said:
            times = _times(said[-1])
            told = f"{said[-1].get('message', '')}" + (f" ({times} times)" if times > 1 else "")
            found.append(Evidence(f"pod {trouble.pod}", told))
        if trouble.container:
            # A crashed container may have been started again by now, or not: the run before is asked for, then the last.
            ended = trouble.crashed and ports.cluster.logs(trouble.pod, trouble.container, True, LOG_LINES)
            log = ended or ports.cluster.logs(trouble.pod, trouble.container, False, LOG_LINES)
            if log.strip():
                which = "last lines before the crash" if trouble.crashed else "last lines"
                found.append(Evidence(f"container {trouble.container}, {which}", log.rstrip()))
    except DoccError:
        return tuple(found)
    return tuple(found)


def _times(event: Object) -> int:
    """The kubelet tells the same once, and counts on."""
    return int(event.get("count") or (event.get("series") or {}).get("count") or 1)
