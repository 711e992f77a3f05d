"""docc pause"""

from __future__ import annotations

from docc.cli import options, wiring


def pause(
    app: options.App,
    reason: options.Reason = "",
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Stream = "text",
) -> None:
    """Hold a rollout at its present weight. Who drives it judges on, and takes it back if a condition fires."""
    from docc.cli.asking import ask
    from docc.cli.beginning import refuse_unpermitted, refuse_unreadable
    from docc.cli.ending import conclude
    from docc.cli.telling import Telling
    from docc.model.errors import ExitCode
    from docc.model.moves import Outcome
    from docc.ui.console import Console

    options.one_of(output, ("text", "json", "jsonl"))
    console, place = Console(), wiring.place(kubeconfig, context, namespace)
    telling = Telling(console, place, app, output)
    refuse_unpermitted("pause", place)
    refuse_unreadable(app, place)
    outcome = ask(place, telling, app, "pause", reason)
    unwatched = "nobody drives it, and nobody watches; whoever resumes it will find it paused"
    conclude(console, place, app, outcome or Outcome("asked", ExitCode.DONE, unwatched), telling, output=output)
