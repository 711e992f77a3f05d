"""What an image's tag says of the stand-in app that runs in its place. Pure.

demo:v2  nginx:1.24         healthy, that version
demo:v3-err30               30 % of its answers are 500
demo:v3-slow200             each answer takes 200 ms more
demo:v3-crash, -crash5      exits 1 after 1 s, or 5 s
demo:v3-neverready          its readiness probe gets 503
demo:v3-missing             the image cannot be pulled
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORD = re.compile(r"-(err|slow|crash)(\d*)$|-(neverready|missing)$")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """env: defaults for the process; a container's own env wins."""

    env: dict[str, str]
    missing: bool = False


def behaviour(image: str) -> Behaviour:
    name = image.rsplit("/", 1)[-1].split("@")[0]
    tag = name.split(":", 1)[1] if ":" in name else "latest"
    env: dict[str, str] = {}
    missing = False
    while found := _WORD.search(tag):
        tag = tag[: found.start()]
        word, amount = found[1] or found[3], found[2]
        if word == "err":
            env["ERROR_RATE"] = str(int(amount or 100) / 100)
        elif word == "slow":
            env["LATENCY_MS"] = amount or "100"
        elif word == "crash":
            env["CRASH_AFTER"] = amount or "1"
        elif word == "neverready":
            env["NEVER_READY"] = "1"
        else:
            missing = True
    return Behaviour({"VERSION": tag, **env}, missing)
