"""docc sandbox up | down | status"""

from __future__ import annotations

from typing import Annotated

import typer

from docc.cli import options
from docc.cli.examples import help_of, with_examples

app = typer.Typer(
    help=with_examples(
        "A local world to try docc in: a small Kubernetes API, the real Envoy, metrics. No root.",
        "sandbox up", "sandbox status", "sandbox down",
    ),
    no_args_is_help=True,
)  # fmt: skip
Output = Annotated[str, typer.Option("--output", "-o", help="text, env: lines for eval, or json.")]
DEFAULT = "default"
Name = Annotated[str, typer.Option("--name", help="Several sandboxes can run side by side.")]


def _typed(words: str, name: str) -> str:
    """The command that means the same sandbox."""
    return f"docc sandbox {words}" + ("" if name == DEFAULT else f" --name {name}")


def up(name: Name = DEFAULT) -> None:
    """Start it, or find it running."""
    from docc.sandbox.session import folder_of
    from docc.sandbox.session import up as start
    from docc.ui.console import Console

    console = Console()
    session = start(folder_of(name))
    console.err("The sandbox runs. Any image runs a stand-in app there; its tag says how it behaves (docs/sandbox.md).")
    console.err(f'eval "$({_typed("status -o env", name)})" makes every docc command work on it.')
    console.out(f"KUBECONFIG={session.kubeconfig}\nGATEWAY={session.gateway}\nPROMETHEUS={session.prometheus}")


def down(name: Name = DEFAULT) -> None:
    """End it, with everything that it started."""
    from docc.sandbox.session import down as stop
    from docc.sandbox.session import folder_of
    from docc.ui.console import Console

    Console().err("The sandbox has ended." if stop(folder_of(name)) else "No sandbox was running.")


def status(name: Name = DEFAULT, output: Output = "text") -> None:
    """Where it is; -o env for eval, -o json for scripts."""
    import json
    import shlex

    from docc.model.errors import NotFoundError
    from docc.sandbox.session import folder_of
    from docc.sandbox.session import status as look
    from docc.ui.console import Console

    options.one_of(output, ("text", "env", "json"))
    session = look(folder_of(name))
    if session is None:
        raise NotFoundError(
            "no sandbox is running" if name == DEFAULT else f"no sandbox {name} is running", fix=_typed("up", name)
        )
    values = {"KUBECONFIG": session.kubeconfig, "GATEWAY": session.gateway, "PROMETHEUS": session.prometheus}
    if output == "env":
        values["DOCC_PROMETHEUS_URL"] = session.prometheus
        Console().out("\n".join(f"export {key}={shlex.quote(value)}" for key, value in values.items()))
    elif output == "json":
        Console().out(json.dumps({**values, "pid": session.pid, "api": session.api}))
    else:
        Console().out("\n".join(f"{key:<11} {value}" for key, value in values.items()))


for _name, _command in (("up", up), ("down", down), ("status", status)):
    app.command(_name, help=help_of(f"sandbox {_name}", _command))(_command)
