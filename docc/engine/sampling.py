"""When the conditions are asked, and with which texts. core/expression.py writes the texts, core/verdict.py judges, and
core/rhythm.py knows when there is something new to be seen."""

from __future__ import annotations

from dataclasses import dataclass

from docc.core.expression import Binding, Condition, bind
from docc.core.names import deployment_name
from docc.core.plan import Plan
from docc.core.rhythm import Rhythm
from docc.core.verdict import Answer, Check, judge
from docc.core.view import Checks
from docc.engine.ports import Metrics
from docc.model.facts import CheckSeen
from docc.model.record import Record


def told(result: Check, weight: int, excused: tuple[str, ...]) -> CheckSeen:
    """The fact that a condition was judged so, while the candidate had `weight` percent. excused: names of those that do not
    count in this rollout."""
    return CheckSeen(
        result.name, result.verdict.value, result.value, result.operator, result.threshold, result.reason,
        weight, result.query, result.series, result.basis, result.name in excused,
    )  # fmt: skip


NOTHING_YET = Checks()


@dataclass(frozen=True, slots=True)
class Sampling:
    """conditions: by name. poll: the longest time between two looks. window: both in seconds."""

    conditions: tuple[tuple[str, Condition], ...]
    poll: float
    window: float

    def wanted(self, plan: Plan | None, record: Record | None, me: str) -> bool:
        """Conditions are judged as long as a driver runs and there is a stable revision to return to."""
        if plan is None or record is None or not self.conditions:
            return False
        return record.by == me and record.phase.running and record.stable is not None

    def due(self, checks: Checks, record: Record) -> float:
        """Unix seconds of the next look; at once after a weight change."""
        return record.since if checks.since != record.since else checks.again_at

    def ask(
        self, metrics: Metrics, plan: Plan, stable: int | None, since: float, now: float, before: Checks = NOTHING_YET
    ) -> Checks:
        """All conditions, each text sent once. before: what the last look found."""
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
        newest = dict.fromkeys(text for _, questions in asked for side in questions.sides for text in side.presence)
        found = {text: answers.get(text, Answer()) for text in newest}
        rhythms = {text: before.rhythms.get(text, Rhythm()).heard(_value(answer)) for text, answer in found.items()}
        waits = (rhythms[text].wait(answer.at, self.poll) for text, answer in found.items())
        return Checks(now, since, results, now + min(waits, default=self.poll), rhythms)


def _value(answer: Answer) -> float | None:
    return answer.series[0].value if answer.series else None
