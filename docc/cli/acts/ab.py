"""The second act: users with a header try each version first. People like one and promote it; another comes back before anybody
else has met it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

from docc.cli.acts.stage import CONDITION, MANIFEST, RATE, RATE_KEPT_MIN, Stage, weights
from docc.sandbox import accounts, audience
from docc.sandbox.audience import WITH, WITHOUT

HEADER, VALUE = "x-docc-release", "canary"
TRIED = 50
"""So many requests of users on trial, and all others meanwhile: then the version is liked."""
ROUTE = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/shop"
STRATEGY: dict[str, Any] = {
    **MANIFEST["deployment_strategy"],
    "ab_testing": {"enable_headers": True, "pause_before_rollout": True},
}
OUTCOMES = [("promoted", 0), ("promoted", 0), ("reverted", 10)]
PERIODS = [("v2", "paused"), ("v2", "growing"), ("v3", "paused")]


def play(stage: Stage) -> dict[str, Any]:
    """Three deploys under load, and a promote; the summary."""
    console = stage.console
    stage.write({**MANIFEST, "deployment_strategy": STRATEGY})
    console.err("manifest.json: users with a header try each version; it waits for docc promote")
    for field in ("ab_testing", "canary"):
        console.err(f'  "{field}": {json.dumps(STRATEGY[field])}')
    console.err("All the while it is taken back if")
    console.err("  " + CONDITION.replace(" / ", "\n  / "))
    console.err("\n1. docc deploy manifest.json                       the first version", "bold")
    stage.deploy("demo:v1")
    with stage.traffic("--header", HEADER, VALUE, "--every", "10"):
        console.err(f"\n   From here on, {RATE} requests/s go through Envoy; a tenth sends")
        console.err(f"   {HEADER}: {VALUE}.")
        console.err(f"   See for yourself: curl -i -H '{HEADER}: {VALUE}' {stage.session.gateway}")
        console.err("\n2. docc deploy manifest.json --image demo:v2         a healthy one", "bold")
        console.err(f"   After {TRIED} requests with the header somebody else types: docc promote shop")
        first, promoted = liked(stage, "demo:v2")
        console.err("\n3. docc deploy manifest.json --image demo:v3-err30   30 % of its answers fail", "bold")
        console.err("   Nobody promotes this one.")
        last = deploy(stage, "demo:v3-err30")
    summary = account(stage, [first, last], promoted)
    tell(stage, summary)
    return summary


def liked(stage: Stage, image: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A deploy, and the promote that somebody types while it waits: what docc says of it; when that was, and how it ended."""
    asked: dict[str, Any] = {"at": None, "exit_code": None}
    with stage.driving(image, "--wait=done") as driver:
        if _tried(stage, driver, "v2"):
            asked["at"] = time.time()
            asked["exit_code"] = stage.aside("promote", "shop", "--reason", "users with the header like it").returncode
        said = stage.ended(image, driver)
    return _with_rules(stage, said), asked


def deploy(stage: Stage, image: str) -> dict[str, Any]:
    return _with_rules(stage, stage.deploy(image, "--wait=done"))


def _tried(stage: Stage, driver: subprocess.Popen[str], version: str) -> bool:
    """Waits for TRIED requests; False if the deploy has ended before. Raises UnusableError if the users are gone."""
    while driver.poll() is None:
        if sum(row["header"] and row["version"] == version for row in stage.answers()) >= TRIED:
            return True
        stage.look()
        time.sleep(0.2)
    return False


def _with_rules(stage: Stage, said: dict[str, Any]) -> dict[str, Any]:
    """And how many rules for users with a header the deploy has left in the route."""
    from docc.adapters.kube_connection import Connection, Request

    rules = Connection(kubeconfig=stage.session.kubeconfig).send(Request("get", ROUTE))["spec"]["rules"]
    left = [rule for rule in rules if any(match.get("headers") for match in rule.get("matches") or [])]
    return {**said, "header_rules": len(left)}


def account(stage: Stage, deploys: Sequence[Mapping[str, Any]], promoted: Mapping[str, Any]) -> dict[str, Any]:
    """Both observers' counts, of users with the header and of all others, and docc's own numbers."""
    rows, given = stage.answers(), weights(deploys)
    logged = stage.logged(rows)
    trials = [found for new, old in (("v2", "v1"), ("v3", "v2")) if (found := audience.trial(rows, new, old))]
    both = audience.of_both(rows, logged, given, trials)
    mine, whole = [account for account, _ in both.values()], accounts.of_load(rows, ())
    seconds = whole.last - whole.first
    return {
        "requests": whole.requests,
        "failed_requests": sum(account.failed for account in mine),
        "bad_version_requests": whole.answers.get("v3", 0),
        "bad_version_requests_by": {who: account.answers.get("v3", 0) for who, (account, _) in both.items()},
        "bad_answers": whole.bad.get("v3", 0),
        "seconds_exposed": round(accounts.exposed_seconds(rows, "v3"), 2),
        "periods": [
            {
                "version": trial.version,
                "stable": trial.stable,
                "while": name,
                "seconds": span.seconds,
                **audience.got(rows, span),
            }
            for trial in trials
            for name, span in audience.periods(trial, given, promoted["at"])
        ],
        "header_rules_left": sum(said["header_rules"] for said in deploys),
        "outcomes": stage.outcomes,
        "promote_exit_code": promoted["exit_code"],
        "seconds": round(seconds, 1),
        "rate_kept": round(whole.requests / (RATE * seconds), 3) if seconds else 0.0,
        "counts_agree": audience.same_answers(rows, logged) and all(load.same_as(log) for load, log in both.values()),
        "reason": deploys[-1].get("reason", ""),
    }


def as_promised(summary: Mapping[str, Any]) -> bool:
    return not broken(summary)


def broken(summary: Mapping[str, Any]) -> list[str]:
    """What was promised and is not so."""
    outcomes = [(outcome["result"], outcome["exit_code"]) for outcome in summary["outcomes"]]
    told = [
        (outcomes == OUTCOMES, f"the deploys ended otherwise: {outcomes}"),
        (summary["promote_exit_code"] == 0, "docc promote did not do it"),
        ([(each["version"], each["while"]) for each in summary["periods"]] == PERIODS, "not each version was tried"),
        (summary["failed_requests"] == 0, "requests failed"),
        (
            summary["rate_kept"] >= RATE_KEPT_MIN,
            f"only {summary['rate_kept'] * 100:.3g} % of the requests could be sent in time",
        ),
        (summary["bad_version_requests_by"][WITHOUT] == 0, "others met the bad version"),
        (summary["header_rules_left"] == 0, "rules for users with the header are left in the route"),
        (summary["counts_agree"], "the two accounts differ"),
    ]
    for each in summary["periods"]:
        new, old, growing = each["version"], each["stable"], each["while"] == "growing"
        during = f"while {new} was {each['while']}"
        told += [
            (set(each[WITH]) == {new}, f"users with the header did not all get {new} {during}"),
            (set(each[WITHOUT]) == ({new, old} if growing else {old}), f"others did not get what they should {during}"),
        ]
    return [sentence for kept, sentence in told if not kept]


def tell(stage: Stage, summary: Mapping[str, Any]) -> None:
    console, others = stage.console, summary["bad_version_requests_by"][WITHOUT]
    console.err("\nWhat users saw", "bold")
    console.err(
        f"  {summary['requests']} requests in {summary['seconds']:.0f} s, {summary['failed_requests']} failed by a rollout"
    )
    for row in table(summary["periods"]):
        console.err(f"  {row}")
    whom = f"{others} WITHOUT the header" if others else "all of users with the header"
    console.err(
        f"  the bad version answered {summary['bad_version_requests']} of them in {summary['seconds_exposed']} s"
        f" ({summary['bad_answers']} with an error),\n  {whom}; then it was taken back,"
    )
    console.sentence(f"  and nobody had promoted it: {summary['reason']}")
    found = broken(summary)
    if not found:
        console.err("  no rule for the header is left in the route; Envoy's access log says the same")
    for sentence in found:
        console.sentence(f"  NOT AS PROMISED: {sentence}", "bold red")
    console.err("\nNext: docc sandbox up, and docc deploy a manifest of your own.")


def table(periods: Sequence[Mapping[str, Any]]) -> list[str]:
    """Who had how many answers of which version."""
    rows = [["", f"with {HEADER}", "all others"]]
    for each in periods:
        answers = [", ".join(f"{version} {count}" for version, count in each[who].items()) for who in (WITH, WITHOUT)]
        rows.append([f"{each['version']} {each['while']}, {each['seconds']:.0f} s", *answers])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["   ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
