"""The first act: one canary goes right, another comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from docc.cli.acts.stage import CONDITION, MANIFEST, RATE, RATE_KEPT_MIN, Stage, weights


def play(stage: Stage) -> dict[str, Any]:
    """Three deploys under load; the summary."""
    console = stage.console
    stage.write(MANIFEST)
    strategy = MANIFEST["deployment_strategy"]
    console.err(f"manifest.json: canary {json.dumps(strategy['canary'])}, bake 4 s, poll 1 s;")
    console.err("it is taken back if")
    console.err("  " + CONDITION.replace(" / ", "\n  / "))
    console.err("\n1. docc deploy manifest.json                       the first version", "bold")
    stage.deploy("demo:v1", "--no-live")
    with stage.traffic():
        console.err(f"\n   From here on, {RATE} requests/s go through Envoy.")
        console.err(f"   See for yourself: curl -i {stage.session.gateway}")
        console.err("\n2. docc deploy manifest.json --image demo:v2         a healthy one", "bold")
        first = stage.deploy("demo:v2", "--no-live")
        console.err("\n3. docc deploy manifest.json --image demo:v3-err30   30 % of its answers fail", "bold")
        last = stage.deploy("demo:v3-err30", "--no-live")
    summary = account(stage, [first, last])
    tell(stage, summary)
    return summary


def account(stage: Stage, deploys: list[dict[str, Any]]) -> dict[str, Any]:
    """Both observers' counts, and docc's own numbers."""
    from docc.sandbox import accounts

    rows, given = stage.answers(), weights(deploys)
    mine = accounts.of_load(rows, given)
    theirs = accounts.of_access_log(stage.logged(rows), given)
    seconds = mine.last - mine.first
    return {
        "requests": mine.requests,
        "failed_requests": mine.failed,
        "bad_version_requests": mine.answers.get("v3", 0),
        "bad_answers": mine.bad.get("v3", 0),
        "seconds_exposed": round(accounts.exposed_seconds(rows, "v3"), 2),
        "api_requests": stage.api_requests(),
        "outcomes": stage.outcomes,
        "seconds": round(seconds, 1),
        "rate_kept": round(mine.requests / (RATE * seconds), 3) if seconds else 0.0,
        "counts_agree": mine.same_as(theirs),
        "reason": deploys[-1].get("reason", ""),
    }


def as_promised(summary: Mapping[str, Any]) -> bool:
    return not broken(summary)


def broken(summary: Mapping[str, Any]) -> list[str]:
    """What was promised and is not so."""
    codes = [outcome["exit_code"] for outcome in summary["outcomes"]]
    told = [
        (codes == [0, 0, 10], f"the deploys ended otherwise: {codes}"),
        (summary["failed_requests"] == 0, "requests failed"),
        (
            summary["rate_kept"] >= RATE_KEPT_MIN,
            f"only {summary['rate_kept'] * 100:.3g} % of the requests could be sent in time",
        ),
        (summary["counts_agree"], "Envoy's access log disagrees"),
    ]
    return [sentence for kept, sentence in told if not kept]


def tell(stage: Stage, summary: Mapping[str, Any]) -> None:
    console, not_so = stage.console, [f"  NOT AS PROMISED: {sentence}" for sentence in broken(summary)]
    console.err("\nWhat users saw", "bold")
    console.err(
        f"  {summary['requests']} requests in {summary['seconds']:.0f} s, {summary['failed_requests']} failed by a rollout"
    )
    console.err(
        f"  the bad version answered {summary['bad_version_requests']} of them in {summary['seconds_exposed']} s"
        f" ({summary['bad_answers']} with an error),"
    )
    console.sentence(f"  then it was taken back: {summary['reason']}")
    agreement = "Envoy's access log says the same; " if summary["counts_agree"] else ""
    console.err(f"  {agreement}{summary['api_requests']} API requests in all")
    for row in not_so:
        console.sentence(row, "bold red")
    console.err("\nNext: docc demo ab, where users with a header try each version first;")
    console.err("docc sandbox up, and docc deploy a manifest of your own.")
