"""When the conditions are asked, and with which texts. core/expression.py writes the texts, core/verdict.py judges."""

from __future__ import annotations

from dataclasses import dataclass

from docc.core.expression import Binding, Condition, bind
from docc.core.names import deployment_name
from docc.core.plan import Plan
from docc.core.verdict import Check, judge
from docc.core.view import Checks
from docc.engine.ports import Metrics
from docc.model.facts import CheckSeen
from docc.model.record import Record


def told(result: Check, weight: int) -> CheckSeen:
    """The fact that a condition was judged so, while the candidate had `weight` percent."""
    return CheckSeen(
        result.name, result.verdict.value, result.value, result.operator, result.threshold, result.reason,
        weight, result.query, result.series, result.basis,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sampling:
    """conditions: by name. poll, window: seconds."""

    conditions: tuple[tuple[str, Condition], ...]
    poll: float
    window: float

    def wanted(self, plan: Plan | None, record: Record | None, me: str) -> bool:
        """Conditions are judged as long as a driver runs and there is a stable revision to return to."""
        if plan is None or record is None or not self.conditions:
            return False
        return record.by == me and record.phase.running and record.stable is not None

    def due(self, checks: Checks, record: Record) -> float:
        """Unix seconds of the next poll; at once after a weight change."""
        return record.since if checks.since != record.since else checks.asked_at + self.poll

    def ask(self, metrics: Metrics, plan: Plan, stable: int | None, since: float, now: float) -> Checks:
        """All conditions, each text sent once."""
        binding = Binding(
            app=plan.app,
            namespace=plan.namespace,
            canary=deployment_name(plan.app, plan.candidate),
            revision=f"v{plan.candidate}",
            stable=deployment_name(plan.app, stable) if stable is not None else None,
            window=self.window,
            age=now - since if since else None,
        )
        asked = [(name, bind(condition, binding)) for name, condition in self.conditions]
        samples = [text for _, questions in asked for text in questions.samples]
        values = [text for _, questions in asked for text in questions.values]
        answers = metrics.ask(tuple(dict.fromkeys(samples)), tuple(dict.fromkeys(values)))
        results = tuple(judge(name, questions, answers, since=since) for name, questions in asked)
        return Checks(asked_at=now, since=since, results=results)
