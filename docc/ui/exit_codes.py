"""Exit codes in words: docs/exit-codes.md is made by `page()`, and a test keeps it fresh. Pure."""

from __future__ import annotations

from docc.model.errors import ExitCode

# What it means, and what to do then.
MEANING: dict[ExitCode, tuple[str, str]] = {
    ExitCode.DONE: (
        "Done, or nothing to do.",
        "Nothing. The last line says who serves; `docc rollback APP` undoes it while the former version is warm.",
    ),
    ExitCode.BUG: ("A bug of docc's.", "Look with `docc status APP`, then report it with the traceback."),
    ExitCode.USAGE: (
        "The command line or the manifest is wrong.",
        "Correct each line that is named as `file:line:column`; `docc validate` checks without a cluster.",
    ),
    ExitCode.UNCHANGED: (
        "Nothing differs from what runs; only where that was asked to be an error (`--error-unchanged`).",
        "Nothing.",
    ),
    ExitCode.CREDENTIALS: (
        "The cluster does not accept this login, or this login may not do what is needed.",
        "Log in again, choose another `--context`, or ask for the permission that is named.",
    ),
    ExitCode.UNUSABLE: (
        "The cluster, its Gateway, Gateway API itself or Prometheus cannot be used, or a condition failed already.",
        "Set right what is named, then run the same command again.",
    ),
    ExitCode.NOT_FOUND: (
        "No such application or revision, or nothing to act on.",
        "`docc list -A` shows what there is.",
    ),
    ExitCode.LOCKED: (
        "Somebody else drives this application, or has taken over from this run, or owns an object of the wanted name.",
        "`docc status APP` names the driver; wait for it. An object that docc did not make is never taken over.",
    ),
    ExitCode.IN_PROGRESS: (
        "A rollout is under way or paused: from `docc status --exit-status`, and from `docc wait` whose time is over.",
        "Ask again later.",
    ),
    ExitCode.FAILED_SAFE: (
        "The rollout failed. **Users are where they were before.**",
        "Read the reason; mend it and deploy again. There is no hurry.",
    ),
    ExitCode.FAILED_NOT_CLEAN: (
        "The rollout failed and traffic could not be put back. **Act now.**",
        "Do what the last lines say: they hold the exact commands.",
    ),
    ExitCode.INTERRUPTED: (
        "Interrupted (SIGINT, SIGHUP). All traffic is on the stable version, unless Ctrl-C came a third time.",
        "The same `docc deploy` goes on.",
    ),
    ExitCode.TERMINATED: (
        "Terminated (SIGTERM). All traffic is on the stable version.",
        "The same `docc deploy` goes on.",
    ),
}


def page() -> str:
    """docs/exit-codes.md."""
    rows = [f"| {code.value} | {means} | {then} |" for code, (means, then) in sorted(MEANING.items())]
    return "\n".join(
        [
            "# Exit codes",
            "",
            "Made by `docc/ui/exit_codes.py` from `docc/model/errors.py`; do not edit.",
            "",
            "2 to 7 mean that this run touched no production traffic: the same cause met midway becomes 10 or 11, with",
            "the cause in `reason`. Only a run that is taken over ends with 7 whatever it moved: who took over sees to it.",
            "With `-o json` an error's document carries the number as `exit_code`.",
            "",
            "| Code | Means | What to do |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )
