"""Makes docs/demo.svg, the README's picture, of what `docc demo` really prints: `make picture`, about a minute.

The demo runs on a terminal of its own (a pty), so that colours and line breaks are those that people see. Lines that tell of
waiting and of objects are left out, and a mark says so; no line is changed. No font is fetched: whoever looks has one.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

PICTURE = Path(__file__).with_name("demo.svg")
COLUMNS, ROWS, SECONDS_MAX = 100, 40, 180

LINE = re.compile(r" *\+[0-9.]+s  (\w+) +(.*)")
SHOWN = ("traffic", "check", "REVERT", "promote")
PLAN = ("→", "plan:")  # up to the first line of the rollout
OVER = "  try again:"  # of a folder that is gone with the demo

# On a dark ground, each colour at a contrast of more than 4.5 to 1.
THEME = TerminalTheme(
    (13, 17, 23),
    (201, 209, 217),
    [
        (72, 79, 88), (255, 123, 114), (86, 211, 100), (227, 179, 65),
        (121, 192, 255), (210, 168, 255), (86, 212, 221), (201, 209, 217),
    ],
    [
        (110, 118, 129), (255, 161, 152), (126, 231, 135), (242, 204, 96),
        (165, 214, 255), (226, 197, 255), (179, 240, 255), (255, 255, 255),
    ],
)  # fmt: skip

FONT = 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace'
FORMAT = (
    """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="What docc demo prints">
<style>
.{unique_id}-matrix {{ font-family: FONT; font-size: {char_height}px; white-space: pre }}
.{unique_id}-title {{ font: 600 16px ui-sans-serif, system-ui, sans-serif }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
).replace("FONT", FONT)


def recorded() -> str:
    """The demo's bytes, colours and all. Raises what pexpect raises if it does not end in time, SystemExit if it fails."""
    env = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "CI", "GITHUB_ACTIONS")}
    child = pexpect.spawn(
        sys.executable,
        ["-m", "docc", "demo"],
        env={**env, "TERM": "xterm-256color"},
        cwd=str(PICTURE.parents[1]),
        dimensions=(ROWS, COLUMNS),
        encoding="utf-8",
        timeout=SECONDS_MAX,
    )
    try:
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    if child.exitstatus != 0:
        raise SystemExit(f"docc demo ended with {child.exitstatus}:\n{child.before}")
    return str(child.before)


def chosen(lines: list[str]) -> Iterator[str]:
    """The lines to be shown: no plan, no waiting, no objects, and a check once for each step if it says the same."""
    shown, told = True, ""
    for line in lines:
        plain = Text.from_ansi(line).plain
        if found := LINE.fullmatch(plain):
            shown = found[1] in SHOWN and found[2] != told
            told = {"check": found[2], "traffic": ""}.get(found[1], told)
        elif plain.startswith(PLAN):
            shown = False
        elif not plain.startswith(" "):
            shown = True
        if shown and not plain.startswith(OVER):
            yield line


def picture(output: str) -> str:
    """The output as an SVG."""
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi("\x1b[1;32m$\x1b[0m docc demo"))
    for line in chosen(output.replace("\r\n", "\n").strip().split("\n")):
        console.print(Text.from_ansi(line), highlight=False, soft_wrap=False)
    return console.export_svg(title="docc demo, shortened", theme=THEME, code_format=FORMAT, unique_id="docc")


def main() -> None:
    PICTURE.write_text(picture(recorded()), encoding="utf-8")


if __name__ == "__main__":
    main()
