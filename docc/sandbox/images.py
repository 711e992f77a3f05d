"""What an image's tag says of the stand-in app that runs in its place. Pure.

    TAG = VERSION[-BEHAVIOUR]...

demo:v2  nginx:1.24         healthy, of that version
demo:v3-bad                 30 % of its answers are 500
demo:v3-err5                5 % of them are (all, without a number)
demo:v3-slow200             each answer takes 200 ms more (100 without a number)
demo:v3-crash, -crash5      exits 1 after 1 s, or 5 s
demo:v3-late3               ready after 3 s (5 without a number)
demo:v3-neverready          never ready
demo:v3-missing             the image cannot be pulled: not found

A digest is left out; an image without a tag is `latest`. A word that is none of these belongs to the version (`1.24-alpine`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORD = re.compile(r"(?<=.)-(?:(err|slow|crash|late)(\d{0,6})|(bad|neverready|missing))$")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """env: defaults for the process (see standin.py); a container's own env wins."""

    env: dict[str, str]
    missing: bool = False


def behaviour(image: str) -> Behaviour:
    name = image.split("@")[0].rsplit("/", 1)[-1]
    tag = name.partition(":")[2] or "latest"
    env: dict[str, str] = {}
    missing = False
    while found := _WORD.search(tag):
        tag = tag[: found.start()]
        word, amount = found[1] or found[3], found[2]
        if word == "missing":
            missing = True
        else:
            env |= _environment(word, amount)
    return Behaviour({"VERSION": tag, **env}, missing)


def _environment(word: str, amount: str) -> dict[str, str]:
    if word in ("err", "bad"):
        percent = 30 if word == "bad" else int(amount or 100)
        return {"ERROR_RATE": str(min(percent, 100) / 100)}
    if word == "neverready":
        return {"NEVER_READY": "1"}
    name, otherwise = {"slow": ("LATENCY", "100"), "crash": ("CRASH_AFTER", "1"), "late": ("READY_AFTER", "5")}[word]
    return {name: amount or otherwise}
