"""What people type: the examples of every command, at the top of its `--help`, and in docs/commands.md.

tests/quality parses each of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

EXAMPLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "validate": (
        ("docc validate manifest.json", "every mistake at once, as file:line:column"),
        ("docc validate - < manifest.json", "from standard input"),
    ),
    "render": (
        ("docc render manifest.json | kubectl apply --dry-run=server -f -", "would the cluster take it?"),
        ("docc render manifest.json --image acme/shop:1.4.3 --revision 7", ""),
        ("docc render -f manifest.json -o yaml", ""),
    ),
    "deploy": (
        ("docc deploy manifest.json", "shows the plan, asks, rolls out"),
        ("docc deploy manifest.json --dry-run", "the plan; touches nothing"),
        ("docc deploy manifest.json --dry-run=server", "would the cluster take it? (quotas, policies)"),
        ("docc deploy manifest.json --image acme/shop:1.4.3 --yes --timeout 45m", "in a CI job"),
        ("docc deploy manifest.json --error-unchanged", "3 if this very version runs already"),
        ("docc deploy manifest.json --preview", "up at 0 %, for who asks by a header; then docc promote"),
        ("docc deploy manifest.json --yes --wait=paused", "leaves where docc promote is waited for"),
        ("docc deploy manifest.json --force-new", "the same once more, in new pods, step by step"),
        ("docc deploy manifest.json --image web=acme/shop:2 --image proxy=acme/proxy:2", "two containers"),
        ("docc deploy manifest.json --yes -o json > result.json", "one document; progress goes to standard error"),
        ("docc deploy manifest.json --yes -o jsonl | tee docc.jsonl", "each event as it happens (schemas/event.json)"),
    ),
    "status": (
        ("docc status shop", ""),
        ("docc status shop -o json", ""),
        ("docc status shop --exit-status", "8 while a rollout is under way"),
    ),
    "rollback": (
        ("docc rollback shop", "out of a rollout, or back to the warm former version"),
        ('docc rollback shop --reason "orders are lost"', "the reason stays in the record and the history"),
        ("docc rollback shop --to v3 --yes", "to any revision that docc history shows as warm or cold"),
    ),
    "abort": (
        ("docc abort shop", "from any machine; a driver that is alive ends with 10"),
        ("docc abort shop --if-unwatched", "in cron, or after a CI job: only if its driver has died"),
    ),
    "promote": (
        ("docc promote shop", "from any machine; ends the pause of ab_testing, or a docc pause"),
        ("docc promote shop --full", "all traffic, without the steps that are left"),
        ('docc promote shop --reason "looks good"', "the reason stays in the history"),
    ),
    "pause": (("docc pause shop", "it stays at its weight, and is judged on"),),
    "resume": (("docc resume shop", "takes the conditions and steps from what was deployed"),),
    "wait": (("docc wait shop --timeout 30m", "exits with 8 when it has not ended by then"),),
    "history": (("docc history shop", ""), ("docc history shop -o wide", "with the images"), ("docc history shop -o json", "")),
    "gc": (("docc gc shop", ""), ("docc gc -A", "for cron: every application that nobody drives")),
    "delete": (
        ("docc delete shop", "asks for its name"),
        ("docc delete shop --yes", "where nobody can be asked"),
        ("docc delete shop --keep-workload", "what serves goes on serving; docc knows nothing of it any more"),
    ),
    "unlock": (("docc unlock shop", ""),),
    "list": (("docc list -A", "in every namespace"), ("docc list -o wide", "with who and why"), ("docc list -o name", "")),
    "rbac": (
        ("docc rbac -n web | kubectl apply -f -", "what all verbs but delete need in the namespace"),
        ("docc rbac -n web --discover", "with what finds a Gateway that no manifest names"),
        ("docc rbac -n web --preflight", "with what a deploy looks at beforehand"),
        ("docc rbac -n web --prometheus-service monitoring/prometheus:9090", "for manifests that name this one"),
    ),
    "version": (("docc version -o json", "with the cluster's version, if one answers"),),
    "demo": (
        ("docc demo", ""),
        ("docc demo ab", "users with a header try each version first, and people decide"),
        ("docc demo -o json", "what users saw, as numbers"),
    ),
    "sandbox up": (("docc sandbox up", ""), ("docc sandbox up --name second", "")),
    "sandbox down": (("docc sandbox down", ""),),
    "sandbox status": (('eval "$(docc sandbox status -o env)"', "from here on docc works on it"),),
}  # fmt: skip


def help_of(path: str, command: Callable[..., Any]) -> str:
    """The command's docstring with its examples behind the first paragraph."""
    return with_examples(inspect.getdoc(command) or "", path)


def with_examples(text: str, *paths: str) -> str:
    """The examples of some commands behind the first paragraph, as typer wants it: "\\b" keeps lines."""
    first, _, rest = text.partition("\n\n")
    examples = [example for path in paths for example in EXAMPLES[path]]
    lines = [row for line, why in examples for row in ([f"  # {why}", f"  {line}"] if why else [f"  {line}"])]
    return "\n\n".join(filter(None, [first, "\n".join(["\b", "Examples:", *lines]), rest]))
