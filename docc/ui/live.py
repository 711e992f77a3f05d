"""The live picture of a rollout: a tree of revisions with bars, the conditions with sparklines, what comes next, what to type.

Pure: a scene and a width in, rows out. Foreign text is neutralised, widths are counted in the terminal's cells, and no row is
longer than it may be: what is cut here stands whole in the log above, except commands, which are broken instead. It is
loaded only when it is shown.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.text import Text

from docc.core.verdict import breaches
from docc.model.facts import CheckSeen
from docc.ui.console import neutral
from docc.ui.outlook import outlook
from docc.ui.scene import Gathering, Scene
from docc.ui.status import RevisionView, driver_of, people, pods
from docc.ui.words import by, clock, fires, number, one_line, what

COLUMNS_MIN = 60
"""Below, a picture would be all cuts: there are only lines."""
BAR_MAX, SPARK_MAX, NAME_MAX = 60, 40, 28
NAME_SHARE = 4  # of the width, at most one in so many for names
TOLD = len("100 %  10/10 pods ready")
_LABEL = 9
_VERDICTS = {"OK": "green", "FAIL": "bold red", "NO-DATA": "yellow", "ERROR": "yellow"}
_ROLES = {"stable": "green", "candidate": "cyan", "warm": "blue", "taken back": "yellow"}


@dataclass(frozen=True, slots=True)
class Glyphs:
    """levels: of a sparkline, from low to high. blank: a sample without a number."""

    fork: str
    last: str
    down: str
    full: str
    empty: str
    levels: str
    blank: str
    cut: str


UNICODE = Glyphs("├─ ", "└─ ", "│  ", "█", "░", "▁▂▃▄▅▆▇█", "·", "…")
ASCII = Glyphs("|- ", "`- ", "|  ", "#", ".", "_.:-=+*#", " ", "~")


def glyphs_for(encoding: str) -> Glyphs:
    try:
        "".join((UNICODE.fork, UNICODE.last, UNICODE.full, UNICODE.levels, UNICODE.cut)).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def painter(gathering: Gathering, now: Callable[[], float], encoding: str) -> Callable[[int], Sequence[Text]]:
    """Paints what is gathered at the moment, in whatever width there is then."""
    glyphs = glyphs_for(encoding)

    def paint(columns: int) -> Sequence[Text]:
        scene = gathering.scene(now())
        return picture(scene, columns, glyphs) if scene is not None else ()

    return paint


def picture(scene: Scene, columns: int, glyphs: Glyphs = UNICODE) -> list[Text]:
    """Rows of at most `columns` cells; none if that is too narrow."""
    if columns < COLUMNS_MIN:
        return []
    brush = _Brush(columns, glyphs)
    rows = [Text(_plain(scene.title), "bold")]
    if scene.view.reason:
        rows.append(brush.labelled("reason", scene.view.reason))
    rows += brush.tree(scene)
    rows += brush.rest(scene)
    return [brush.cut(row) for row in rows]


def bar(percent: int, width: int, glyphs: Glyphs = UNICODE) -> tuple[str, str]:
    """The full and the empty part. Only 0 % is wholly empty, only 100 % wholly full."""
    full = round(width * min(max(percent, 0), 100) / 100)
    if 0 < percent < 100:
        full = max(min(max(full, 1), width - 1), 0)
    return glyphs.full * full, glyphs.empty * (width - full)


def sparkline(samples: Sequence[CheckSeen], width: int, glyphs: Glyphs = UNICODE) -> Text:
    """The newest samples, one cell each, between 0 and the largest of them and the threshold: a condition that is far from
    firing lies low. What fires is red, what is no number is a mark."""
    shown = samples[-width:] if width > 0 else ()
    finite = [s.value for s in shown if s.value is not None and math.isfinite(s.value)]
    bounds = [*finite, 0.0, *(s.threshold for s in shown if math.isfinite(s.threshold))]
    low, span = min(bounds), max(bounds) - min(bounds)
    drawn = Text()
    for sample in shown:
        value = sample.value
        if value is None or math.isnan(value):
            drawn.append(glyphs.blank, "yellow")
            continue
        share = (value > 0) * 1.0 if math.isinf(value) else (value - low) / span if 0 < span < math.inf else 0.0
        level = glyphs.levels[round(share * (len(glyphs.levels) - 1))]
        drawn.append(level, "red" if breaches(value, sample.operator, sample.threshold) else "green")
    return drawn


@dataclass(frozen=True, slots=True)
class _Brush:
    columns: int
    glyphs: Glyphs

    def cut(self, row: Text) -> Text:
        """To the width, with a mark where something is missing."""
        if cell_len(row.plain) > self.columns:
            row = row[: len(chop_cells(row.plain, self.columns - cell_len(self.glyphs.cut))[0])]
            row.append(self.glyphs.cut)
        row.rstrip()
        return row

    def _name_width(self, names: Sequence[str]) -> int:
        return min(max(map(cell_len, names), default=0), NAME_MAX, self.columns // NAME_SHARE)

    def _name(self, name: str, width: int) -> str:
        """Exactly so wide."""
        if cell_len(name) > width:
            name = set_cell_size(name, width - cell_len(self.glyphs.cut)) + self.glyphs.cut
        return set_cell_size(name, width)

    def tree(self, scene: Scene) -> Iterator[Text]:
        view, names = scene.view, [f"{each.name} {each.role}".rstrip() for each in scene.view.revisions]
        width = self._name_width(names)
        judged = view.candidate or view.stable
        for index, revision in enumerate(view.revisions):
            last = index == len(view.revisions) - 1
            row = Text(self.glyphs.last if last else self.glyphs.fork, "dim")
            row.append(self._name(names[index], width) + "  ", _ROLES.get(revision.role, ""))
            yield row.append_text(self._weight(revision, width))
            below = "   " if last else self.glyphs.down
            if revision.trouble:
                yield Text(below, "dim").append(_plain(revision.trouble), "yellow")
            if revision.name == judged:
                yield from self._conditions(scene, below)

    def _weight(self, revision: RevisionView, named: int) -> Text:
        told = f"{revision.weight:>3} %  {pods(revision)}"
        room = min(self.columns - cell_len(self.glyphs.fork) - named - 2 - 2 - TOLD, BAR_MAX)
        full, empty = bar(revision.weight, max(room, 0), self.glyphs)
        row = Text(full, _ROLES.get(revision.role, "yellow")).append(empty, "dim").append("  ")
        return row.append(told, "yellow" if revision.ready < revision.replicas or revision.trouble else "")

    def _conditions(self, scene: Scene, below: str) -> Iterator[Text]:
        asked = {condition.name: condition.expression for condition in scene.view.conditions}
        names = [name for name in {**asked, **scene.checks} if name not in scene.view.excused]
        if not scene.view.phase.undecided:
            names = [name for name in names if name in scene.checks]
        width = self._name_width([_plain(name) for name in names])
        firing = [f"fires at {fires(samples[-1])}" for samples in scene.checks.values()]
        for index, name in enumerate(names):
            row = Text(below + (self.glyphs.last if index == len(names) - 1 else self.glyphs.fork), "dim")
            row.append(self._name(_plain(name), width) + "  ")
            if samples := scene.checks.get(name):
                yield row.append_text(self._judged(samples, cell_len(row.plain), max(map(len, firing))))
            else:
                yield row.append(f"not judged here: {_plain(asked[name])}", "dim")

    def _judged(self, samples: Sequence[CheckSeen], used: int, firing: int) -> Text:
        newest = samples[-1]
        value = "" if newest.value is None else number(newest.value)
        row = Text(f"{newest.verdict:<7}", _VERDICTS.get(newest.verdict, ""))
        row.append(f"  {value:<9}  ").append(f"{f'fires at {fires(newest)}':<{firing}}  ", "dim")
        row.append_text(sparkline(samples, min(self.columns - used - cell_len(row.plain), SPARK_MAX), self.glyphs))
        why = newest.reason or (newest.basis and f"in {newest.basis}")
        return row.append(f"  {_plain(why)}" if why else "", "dim")

    def rest(self, scene: Scene) -> Iterator[Text]:
        view = scene.view
        if not view.phase.undecided and view.cool_after is not None and view.previous is not None:
            until = "cooling is overdue" if view.overdue else f"stands by until {clock(view.cool_after)}"
            yield self.labelled("warm", f"{view.previous}: {until}")
        if view.refusal:
            yield self.labelled("route", f"refused by {view.refusal}", "bold red")
        for edit in view.others:
            yield self.labelled("others", f"changed {what(edit)} {by(edit)}".rstrip(), "bold yellow")
            yield self.labelled("", f"{edit.theirs} instead of {edit.ours}", "yellow")
        if view.excused:
            yield self.labelled("ignored", f"{', '.join(view.excused)}: failed before this rollout", "dim")
        yield from self._people(scene)
        if ahead := outlook(scene.record, scene.steps, scene.now, held=scene.held):
            yield self.labelled("then", ahead, "bold")
        if not scene.driving and view.driver:
            yield self.labelled("driver", view.driver)
        elif not view.watched:
            yield self.labelled("driver", driver_of(view), "bold" if view.left else "bold red")
        for command in view.next:
            yield from self._command(command)
        if scene.asks and view.phase.undecided:
            yield self.labelled("keys", "Ctrl-C asks: continue, hold or roll back", "dim")

    def _people(self, scene: Scene) -> Iterator[Text]:
        """Whom it waits for, who tries it, and what was asked of it."""
        view, record = scene.view, scene.record
        told = (record.unapproved or record.paused) and not view.others  # by the title, and by what to type
        if scene.waiting and not told:
            yield self.labelled("waits", scene.waiting, "yellow")
        for label, text in people(view):
            yield self.labelled(label, text)
            if label == "trial" and view.curl:
                yield from (self.labelled("", row) for row in _shell(view.curl, self.columns - _LABEL - 2))

    def labelled(self, label: str, text: str, style: str = "") -> Text:
        return Text(f"  {label:<{_LABEL - 1}} ", "dim").append(_plain(text), style)

    def _command(self, command: str) -> Iterator[Text]:
        """Broken where it must be, and never cut: it is there to be typed."""
        for index, part in enumerate(_broken(command, self.columns - _LABEL - 2)):
            yield self.labelled("next" if index == 0 else "", part)


def _plain(text: str) -> str:
    """Foreign text on one row, without anything that moves a cursor."""
    return neutral(one_line(text)).replace("\t", " ")


def _shell(command: str, width: int) -> Iterator[str]:
    """A command over several rows as a shell takes it: between words, each row but the last with a backslash."""
    row = ""
    for word in map(shlex.quote, shlex.split(command)):
        if row and cell_len(row) + 1 + cell_len(word) > width - 2:
            yield f"{row} \\"
            row = ""
        row = f"{row} {word}" if row else word
    yield from chop_cells(row, width)


def _broken(text: str, width: int) -> Iterator[str]:
    row = ""
    for word in text.split(" "):
        if row and cell_len(row) + 1 + cell_len(word) > width:
            yield row
            row = ""
        row = f"{row} {word}" if row else word
        while cell_len(row) > width:
            first = chop_cells(row, width)[0]
            yield first
            row = row[len(first) :]
    yield row
