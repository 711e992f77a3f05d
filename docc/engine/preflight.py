"""What is proved before anything is touched: Prometheus answers, and each condition has something to judge by."""

from __future__ import annotations

from docc.core.plan import Plan
from docc.core.verdict import Verdict
from docc.core.view import Checks
from docc.engine.ports import Ports
from docc.engine.sampling import Sampling
from docc.model.errors import UnusableError
from docc.model.world import Seen


def conditions(ports: Ports, plan: Plan, sampling: Sampling, seen: Seen) -> Checks:
    """Asks each condition once, before any traffic moves. Raises UnusableError if one is refused or, though it does not ask
    about the candidate alone, has no series while a stable revision serves."""
    stable = seen.record.stable if seen.record else None
    serves = stable is not None and seen.revision(stable).ready > 0
    if ports.metrics is None or not sampling.conditions:
        return Checks()
    checks = sampling.ask(ports.metrics, plan, stable, 0.0, ports.clock.now())
    selecting = {name for name, condition in sampling.conditions if condition.selects_candidate}
    for check in checks.results:
        if check.verdict is Verdict.ERROR:
            raise _unusable(check.name, check.reason, check.query)
        if check.verdict is Verdict.NO_DATA and serves and check.name not in selecting:
            raise _unusable(check.name, f"{check.reason}, although v{stable} serves", check.query)
    return checks


def _unusable(name: str, why: str, query: str) -> UnusableError:
    return UnusableError(
        f"{name} cannot be judged",
        where=query,
        why=why,
        state="nothing was touched, no traffic was moved",
        fix="try the query in Prometheus; check its labels, or --prometheus-url",
    )
