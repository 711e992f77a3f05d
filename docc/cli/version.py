"""docc version"""

from __future__ import annotations

from docc import __version__
from docc.cli import options


def client() -> str:
    import platform
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        library = installed("kubernetes")
    except PackageNotFoundError:
        library = "missing"
    return f"docc {__version__} (python {platform.python_version()}, kubernetes {library})"


def version(
    output: options.Document = "text",
    namespace: options.Namespace = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
) -> None:
    """Print docc's version; with -o json or yaml the cluster's too, if one answers."""
    import platform

    from docc.cli import wiring
    from docc.model.errors import DoccError
    from docc.ui.console import Console

    options.one_of(output, ("text", "json", "yaml"))
    if output == "text":
        Console().out(client())
        return
    server = None
    try:
        server = wiring.place(kubeconfig, context, namespace).cluster.version().get("gitVersion")
    except DoccError as error:
        Console().err(f"the cluster's version is not known: {error.what}")
    Console().document({"docc": __version__, "python": platform.python_version(), "server": server}, output)
