"""docc validate"""

from __future__ import annotations

from docc.cli import options, wiring


def validate(
    manifest: options.Manifest = None,
    filename: options.Filename = None,
    image: options.Images = None,
    output: options.Output = "text",
) -> None:
    """Check a manifest: every mistake at once, with line and column. Needs no cluster."""
    from docc.ui.console import Console

    options.one_of(output, ("text", "json"))
    source = options.the_manifest(manifest, filename)
    found = wiring.read_manifest(source, image)
    name = found.application.name
    if output == "json":
        Console().document({"valid": True, "app": name, "namespace": found.application.namespace})
    else:
        Console().out(f"{source}: {name} is a valid manifest")
