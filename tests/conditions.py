"""Failure conditions in the shapes that people write, about requests_total by deployment, pod and code; and what docc sends for
them, which a real Prometheus has answered (sandbox/promql/sent.json)."""

from __future__ import annotations

from docc.core.expression import Binding, bind, parse

ALL = 'rate(requests_total{deployment="$canary"}[$window])'
OK, FIVES = ALL.replace('"}', '",code=~"2.."}'), ALL.replace('"}', '",code=~"5.."}')
A500, A503 = ALL.replace('"}', '",code="500"}'), ALL.replace('"}', '",code="503"}')

SHAPES = {
    "share of errors": f"sum({FIVES}) / sum({ALL}) > 0.05",
    "share of errors, in percent": f"100 * sum({FIVES}) / sum({ALL}) >= 5",
    "share of errors by pod": f"sum by (pod) ({FIVES}) / sum by (pod) ({ALL}) > 0.05",
    "share of errors, matched on nothing": f"sum({FIVES}) / on () sum({ALL}) > 0.05",
    "share of errors by code": f"sum by (code) ({FIVES}) / ignoring (code) group_left sum({ALL}) > 0.05",
    "share of each code's errors": f"{FIVES} / ignoring (code) group_left sum without (code) ({ALL}) > 0.05",
    "share of successes": f"sum({OK}) / sum({ALL}) < 0.95",
    "share of successes, matched on nothing": f"sum({OK}) / on () sum({ALL}) < 0.95",
    "what is missing of the successes": f"1 - sum({OK}) / sum({ALL}) > 0.05",
    "two codes": f"(sum({A500}) + sum({A503})) / sum({ALL}) > 0.05",
    "two codes by pod": f"(sum by (pod) ({A500}) + sum by (pod) ({A503})) / sum by (pod) ({ALL}) > 0.05",
    "three codes": f"(sum({A500}) + sum({A503}) + sum({A500.replace('500', '504')})) / sum({ALL}) > 0.05",
    "two codes, counted": f"sum({A500}) + sum({A503}) > 0.5",
    "all without the successes": f"(sum({ALL}) - sum({OK})) / sum({ALL}) > 0.05",
    "all without the successes, counted": f"sum({ALL}) - sum({OK}) > 0.5",
    "all without the successes, matched": f"sum by (pod) ({ALL}) - on (pod) sum by (pod) ({OK}) > 0.25",
    "more than stable": f"sum({FIVES}) - sum({FIVES.replace('$canary', '$stable')}) > 0.5",
    "a count of errors": f"sum({FIVES}) > 0.5",
    "a count of errors by pod and code": f"{FIVES} > 0.2",
    "a count of successes": f"sum({OK}) < 0.5",
    "no success at all": f"sum({OK}) == 0",
    "no success at all, the number first": f"0 >= sum({OK})",
    "pods that fail": f"count(sum by (pod) ({FIVES}) / sum by (pod) ({ALL}) > 0.05) > 0",
    "few successes of many requests": f"sum({OK}) < 0.5 and sum({ALL}) > 0.9",
    "errors, or no success": f"sum({A503}) > 0.5 or sum({OK}) == 0",
    "few successes, unless nobody asks": f"sum({OK}) < 0.5 unless sum({ALL}) < 0.1",
}
"""Each fires on a version that fails all its requests of at least 1 a second, and not on one that fails none of them."""


def sent() -> list[str]:
    """For shop-v2 beside shop-v1, and the other way round."""
    found: dict[str, None] = {}
    for canary, stable in (("shop-v2", "shop-v1"), ("shop-v1", "shop-v2")):
        binding = Binding("shop", "web", canary, canary.removeprefix("shop-"), stable, window=60, age=45)
        for text in SHAPES.values():
            questions = bind(parse(text), binding)
            found |= dict.fromkeys((*questions.samples, *questions.values))
    return list(found)
