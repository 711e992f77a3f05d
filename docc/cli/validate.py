"""docc validate"""

from __future__ import annotations

from docc.cli import options, wiring


def validate(
    manifest: options.Manifest = None,
    filename: options.Filename = None,
    image: options.Images = None,
    output: options.Document = "text",
) -> None:
    """Check a manifest: every mistake at once, with line and column. Needs no cluster."""
    from docc.ui.console import Console

    options.one_of(output, ("text", "json", "yaml"))
    source = options.the_manifest(manifest, filename)
    found = wiring.read_manifest(source, image)
    name = found.application.name
    if output in ("json", "yaml"):
        Console().document({"valid": True, "app": name, "namespace": found.application.namespace}, output)
    else:
        Console().out(f"{source}: {name} is a valid manifest")
