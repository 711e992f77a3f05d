"""What an onlooker can find out about somebody else's rollout: its steps, and its conditions as they stand.

Both come from the manifest that the candidate was deployed with. An onlooker asks Prometheus by itself, decides nothing by the
answers, and does without where it may not ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docc.cli.wiring import Place
from docc.core.plan import Plan
from docc.core.steps import Step
from docc.core.verdict import Verdict
from docc.core.view import Checks
from docc.engine.ports import Metrics, Sink
from docc.engine.sampling import Sampling, told
from docc.model.errors import DoccError
from docc.model.world import Seen

if TYPE_CHECKING:
    from docc.adapters.prometheus import PrometheusMetrics

NEVER = float("inf")
Known = tuple[Plan, Sampling, Metrics | None]


class Onlooker:
    """Of one application. steps may be asked by another thread than judge."""

    def __init__(self, app: str, place: Place, sink: Sink) -> None:
        self._app, self._place, self._sink = app, place, sink
        self._known: dict[str, Known | None] = {}  # by manifest
        self._open: list[PrometheusMetrics] = []
        self._mute: set[str] = set()  # manifests whose Prometheus has nothing to say to us
        self._checks = Checks()

    def steps(self, seen: Seen) -> tuple[Step, ...]:
        """() if they cannot be known."""
        known = self._of(seen)
        return known[0].steps if known is not None else ()

    def judge(self, seen: Seen) -> float:
        """Asks how the conditions are, if it is time, and tells it. Returns when to come again, unix seconds."""
        known, record, now = self._of(seen), seen.record, self._place.clock.now()
        if known is None or record is None or record.stable is None or not record.phase.running:
            return NEVER
        plan, sampling, metrics = known
        if metrics is None or not sampling.conditions or plan.manifest in self._mute:
            return NEVER
        if now < (due := sampling.due(self._checks, record)):
            return due
        self._checks = sampling.ask(metrics, plan, record.stable, record.since, now, self._checks)
        if all(result.verdict is Verdict.ERROR for result in self._checks.results):
            self._mute.add(plan.manifest)
            return NEVER
        for result in self._checks.results:
            self._sink.emit(now, told(result, record.weight, record.excused))
        return sampling.due(self._checks, record)

    def close(self) -> None:
        for metrics in self._open:
            metrics.close()

    def _of(self, seen: Seen) -> Known | None:
        candidate = seen.record.candidate if seen.record is not None else None
        if candidate is None:
            return None
        text = seen.revision(candidate).manifest
        if text not in self._known:
            self._known[text] = self._read(seen, candidate)
        return self._known[text]

    def _read(self, seen: Seen, candidate: int) -> Known | None:
        from docc.adapters import prometheus
        from docc.cli.planning import as_begun, recorded

        try:
            manifest, plan, sampling = recorded(self._app, self._place.target.namespace, seen, candidate)
        except DoccError:
            return None
        try:
            metrics = prometheus.choose(None, manifest.strategy.prometheus, self._place.cluster.connection)
        except DoccError:
            metrics = None
        if metrics is not None:
            self._open.append(metrics)
        return *as_begun(plan, sampling, seen), metrics
