"""Manifest text -> checked plain values: all that `docc validate` needs, which builds nothing."""

from __future__ import annotations

from typing import Any

from docc.model.errors import ManifestError, UsageError
from docc.spec.check import check
from docc.spec.load import decode, values


def checked(raw: bytes, source: str, images: tuple[str, ...] = ()) -> dict[str, Any]:
    """The values in `raw`, with `images` ([CONTAINER=]REF) put in. Raises ManifestError with all problems, UsageError."""
    text = decode(raw, source)
    try:
        found, problems = values(text, source)
        check(found, text, source, problems)
    except ManifestError as error:
        error.text = text
        raise
    if not images:
        return found
    for image in images:
        _replace_image(found["application"]["containers"], image)
    try:
        check(found, text, source)
    except ManifestError as error:  # the file itself was right
        why = "; ".join(problem.message for problem in error.problems)
        raise UsageError(f"--image {', '.join(images)}: no such image can be", why=why, state=error.state) from error
    return found


def _replace_image(containers: dict[str, Any], image: str) -> None:
    name, equals, reference = image.partition("=")
    if not equals:
        name, reference = next(iter(containers)), image
        if len(containers) > 1:
            raise UsageError(
                f"--image {image} does not say which container it is for",
                why=f"the manifest has {len(containers)}: {', '.join(containers)}",
                state="nothing was touched",
                fix=f"--image {name}={image}",
            )
    if name not in containers:
        raise UsageError(
            f'--image names the container "{name}", which the manifest does not have',
            why=f"it has {', '.join(containers)}",
            state="nothing was touched",
        )
    containers[name]["image"] = reference
