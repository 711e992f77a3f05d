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
    from docc.spec.read import checked
    from docc.ui.console import Console

    options.one_of(output, ("text", "json", "yaml"))
    source = options.the_manifest(manifest, filename)
    application = checked(wiring.manifest_text(source), wiring.shown(source), tuple(image or ()))["application"]
    name, namespace = application["name"], application.get("namespace")
    if output in ("json", "yaml"):
        Console().document({"valid": True, "app": name, "namespace": namespace}, output)
    else:
        Console().out(f"{source}: {name} is a valid manifest")
