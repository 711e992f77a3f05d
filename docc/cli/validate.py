"""docc validate"""

from __future__ import annotations

from docc.cli import options, wiring


def validate(manifest: options.Manifest, image: options.Images = None, output: options.Output = "text") -> None:
    """Check a manifest: every mistake at once, with line and column. Needs no cluster."""
    from docc.ui.console import Console

    options.one_of(output, ("text", "json"))
    found = wiring.read_manifest(manifest, image)
    name = found.application.name
    if output == "json":
        Console().document({"valid": True, "app": name, "namespace": found.application.namespace})
    else:
        Console().out(f"{manifest}: {name} is a valid manifest")
