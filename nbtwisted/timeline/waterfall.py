"""The waterfall: one bar a span on one time axis, as text. Pure."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from nbtwisted.timeline.axis import tick_label, tick_step, ticks
from nbtwisted.timeline.columns import fitted, fitted_in_the_middle, width_of
from nbtwisted.timeline.folding import Fold, Row, folded
from nbtwisted.timeline.labels import common_origin, short
from nbtwisted.timeline.quantity import counted, readable
from nbtwisted.timeline.span import IN_QUEUE, Span, Totals
from nbtwisted.timeline.track import Track

__all__ = [
    "CHARACTERS",
    "MOST_ROWS",
    "bars",
    "outcome_of",
    "summary",
    "time_of",
    "waterfall",
]

MOST_ROWS = 60
"""Rows of a picture, unless told otherwise: more would be read by nobody."""

NARROWEST = 20
"""Columns: what is narrower still is drawn as wide as this."""

_GAP = "  "
_RED, _PLAIN = "\x1b[31m", "\x1b[0m"
_NARROWEST_BAR = 8
_LONGEST_OUTCOME = 11


@dataclass(frozen=True)
class _Strokes:
    """The characters that bars are made of."""

    phases: dict[str, str]
    marks: dict[str, str]
    shades: str
    """Of a row for many, from few of them under way to all."""
    heights: str
    """Of a track, from next to nothing to as high as it gets."""
    dots: str
    more: str
    at_most: str


_UNICODE = _Strokes(
    phases={
        "queued": "·",
        "paced": "┊",
        "connect": "╌",
        "proxy": "∩",
        "tls": "═",
        "held": "━",
        "upstream": "≈",
        "wait": "─",
        "receive": "█",
        "pause": "┄",
    },
    marks={"retry": "↻", "resend": "↺", "redirect": "»", "error": "╳"},
    shades="░▒▓",
    heights="▁▂▃▄▅▆▇█",
    dots="…",
    more="⋮",
    at_most="≤",
)
_ASCII = _Strokes(
    phases={
        "queued": ".",
        "paced": "|",
        "connect": "~",
        "proxy": "^",
        "tls": "+",
        "held": "=",
        "upstream": "o",
        "wait": "-",
        "receive": "#",
        "pause": "_",
    },
    marks={"retry": "*", "resend": "&", "redirect": ">", "error": "x"},
    shades=",:%",
    heights="_.-:=+*#",
    dots="...",
    more=":",
    at_most="<",
)
CHARACTERS = "".join(
    (
        *_UNICODE.phases.values(),
        *_UNICODE.marks.values(),
        *_UNICODE.shades,
        *_UNICODE.heights,
        "…⋮≤",
    )
)
"""What a screen must be able to show, or else the picture has to be in ASCII."""

_DRAWN_AS = {"dns": "connect", "send": "wait"}
"""Phases without a stroke of their own: on most rows they have no length to be seen."""

_COLOURS = {
    "queued": "\x1b[2m",
    "paced": "\x1b[2m",
    "connect": "\x1b[33m",
    "proxy": "\x1b[33m",
    "tls": "\x1b[35m",
    "held": "\x1b[34m",
    "upstream": "\x1b[35m",
    "wait": "\x1b[36m",
    "receive": "\x1b[32m",
    "pause": "\x1b[2m",
    "retry": "\x1b[33m",
    "resend": "\x1b[33m",
    "redirect": "\x1b[35m",
    "error": _RED,
    "shade": "\x1b[2m",
    "track": "\x1b[34m",
}

Cell = tuple[str, str]
"""A character, and what it stands for: a key of `_COLOURS`, or nothing."""

_EMPTY: Cell = (" ", "")


def waterfall(
    spans: Sequence[Span],
    *,
    width: int,
    colour: bool = False,
    ascii_only: bool = False,
    rows: int = MOST_ROWS,
    totals: Totals | None = None,
) -> str:
    """Draw spans from top to bottom, with their outcomes and seconds beside them.

    No line is wider than `width` columns (20 at the least). Where there are more spans
    than `rows`, some share a row. The last lines tell what the strokes mean, how long
    all of it took, and how long it would have taken one after another: all of what
    `totals` are of, if these are more.
    """
    if not spans:
        return "no requests\n"
    lines = bars(folded(spans, rows), width=width, colour=colour, ascii_only=ascii_only)
    lines += _wrapped(
        summary(totals or Totals.of(spans)).split(" "), max(width, NARROWEST)
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


def bars(
    rows: Sequence[Row],
    *,
    width: int,
    colour: bool = False,
    ascii_only: bool = False,
    tracks: Sequence[Track] = (),
) -> list[str]:
    """A line for each row, one for the axis, and one for each track.

    The key stands below, where there is need of one. There is at least one row or
    track.
    """
    strokes = _ASCII if ascii_only else _UNICODE
    spans = [s for row in rows for s in (row.spans if isinstance(row, Fold) else [row])]
    names = _names(rows, common_origin(span.label for span in spans), strokes)
    layout = _Layout.of(rows, names, tracks, max(width, NARROWEST), strokes)
    on_axis: list[Span | Track] = [*spans, *tracks]
    zero = min(shown.began for shown in on_axis)
    # A picture of nothing but instants still needs an axis.
    length = max(max(shown.ended for shown in on_axis) - zero, 1e-6)
    cell = length / layout.bar
    drawn: set[str] = set()
    lines = []
    for row, name in zip(rows, names, strict=True):
        if isinstance(row, Fold):
            cells = _shades(row, zero, cell, layout.bar, strokes)
        else:
            cells = _cells(row, zero, cell, layout.bar, strokes)
        drawn.update(meaning for _, meaning in cells)
        failed = row.failed > 0 if isinstance(row, Fold) else row.failed
        outcome = f"{outcome_of(row):>{layout.outcome}}"
        outcome = fitted(outcome, layout.outcome, dots=strokes.dots)
        bar = "".join(
            _painted("".join(character for character, _ in run), meaning, colour)
            for meaning, run in groupby(cells, key=itemgetter(1))
        )
        lines.append(
            layout.line(
                layout.label_of(name, row, strokes),
                _painted(outcome, "error", colour) if failed else outcome,
                bar,
                f"{time_of(row, strokes.at_most):>{layout.time}}",
            )
        )
    lines.append(" " * layout.margin + _axis(length, layout))
    for track in tracks:
        levels = list(track.means(zero, cell, layout.bar))
        chart = "".join(_height(level, strokes) for level in levels)
        lines.append(
            fitted(track.name, max(layout.margin - len(_GAP), 0), dots=strokes.dots)
            + (_GAP if layout.margin else "")
            + _painted(chart, "track", colour)
            + (_GAP + _right(track.said, layout.time) if layout.time else "")
        )
    # What nearly all of a bar is needs no key.
    if drawn - {"held", "wait", "shade", "error", ""} or {"held", "wait"} <= drawn:
        meant = {**strokes.phases, **strokes.marks}
        entries = [f"{meant[name]} {name}" for name in meant if name in drawn]
        lines += _wrapped(entries, max(width, NARROWEST), layout.margin, _GAP)
    return lines


@dataclass(frozen=True)
class _Layout:
    """How many columns each part of a line has; what has none is left out."""

    label: int
    outcome: int
    bar: int
    time: int

    @classmethod
    def of(
        cls,
        rows: Sequence[Row],
        names: Sequence[str],
        tracks: Sequence[Track],
        width: int,
        strokes: _Strokes,
    ) -> _Layout:
        """What there is room for: time goes first, then the label but for its number.

        An outcome is short, and what one looks for first.
        """
        number = max((len(_number(row)) for row in rows), default=0)
        outcome = max((width_of(outcome_of(row)) for row in rows), default=0)
        times = [time_of(row, strokes.at_most) for row in rows]
        time = max(map(width_of, [*times, *(track.said for track in tracks)]))
        free = width - _NARROWEST_BAR
        outcome = max(min(outcome, _LONGEST_OUTCOME, free - number - 2 * len(_GAP)), 0)
        free -= outcome + len(_GAP)
        if free - number - len(_GAP) < time + len(_GAP):
            time = 0
        else:
            free -= time + len(_GAP)
        # A long label takes a third of the line, and the bar no less than that.
        # The name of a track has the room of label and outcome together.
        beside = outcome + len(_GAP) if outcome else 0
        wanted = max(
            *map(width_of, names),
            *(width_of(track.name) - beside for track in tracks),
            0,
        )
        label = min(wanted, max(free - len(_GAP), 0), max(width // 3, number))
        taken = sum(part + len(_GAP) for part in (label, outcome, time) if part)
        return cls(label, outcome, width - taken, time)

    @property
    def margin(self) -> int:
        """Columns before the bar."""
        return sum(part + len(_GAP) for part in (self.label, self.outcome) if part)

    def line(self, label: str, outcome: str, bar: str, time: str) -> str:
        """A row of the picture."""
        return (
            (label + _GAP if self.label else "")
            + (outcome + _GAP if self.outcome else "")
            + bar
            + (_GAP + time if self.time else "")
        )

    def label_of(self, name: str, row: Row, strokes: _Strokes) -> str:
        """What stands before a row; nothing but its number where there is no room."""
        if self.label < width_of(name) and self.label <= len(_number(row)) + 2:
            return f"{_number(row) or strokes.more:>{self.label}}"
        return fitted_in_the_middle(name, self.label, dots=strokes.dots)


def _number(row: Row) -> str:
    return "" if isinstance(row, Fold) else str(row.number)


def _names(rows: Sequence[Row], origin: str, strokes: _Strokes) -> list[str]:
    """What stands at the beginning of each row: its number, and what it is of."""
    width = max((len(_number(row)) for row in rows), default=0)
    names = []
    for row in rows:
        if isinstance(row, Fold):
            name = f"{strokes.more:>{width}} {row.number} more"
        else:
            name = f"{row.number:>{width}} {short(row.label, origin)}"
        if strokes is _ASCII:
            name = name.encode("ascii", "backslashreplace").decode()
        names.append(name)
    return names


def outcome_of(row: Row) -> str:
    """How a row ended, in a word."""
    if not isinstance(row, Fold):
        return row.outcome
    outcomes = row.outcomes
    if len(outcomes) == 1:
        return next(iter(outcomes))
    return counted(row.failed, "error") if row.failed else "mixed"


def time_of(row: Row, at_most: str = "≤") -> str:
    """How long a row took; of one for many, the slowest."""
    if isinstance(row, Fold):
        return at_most + readable(row.longest)
    return readable(row.seconds)


def _cells(
    span: Span, zero: float, cell: float, columns: int, strokes: _Strokes
) -> list[Cell]:
    """For each cell of the axis, the phase that its middle falls into."""
    names, ends = [], []
    end = span.began - zero
    for phase in span.phases:
        end += phase.seconds
        ends.append(end)
        names.append(_DRAWN_AS.get(phase.name, phase.name))
    first = min(int((span.began - zero) / cell), columns - 1)
    cells = [_EMPTY] * columns
    for column in range(first, columns):
        middle = (column + 0.5) * cell
        if middle < span.began - zero:
            continue
        place = bisect.bisect_right(ends, middle)
        if place == len(ends):
            break
        cells[column] = strokes.phases[names[place]], names[place]
    # However short a span was when its time had come, it is to be seen.
    if all(name in ("", *IN_QUEUE) for _, name in cells):
        begun = [phase for phase in span.phases if phase.name not in IN_QUEUE]
        longest = max(begun, key=lambda p: p.seconds).name if begun else "wait"
        name = _DRAWN_AS.get(longest, longest)
        at = min(int((span.ended - zero) / cell), columns - 1)
        cells[at] = strokes.phases[name], name
    last = max((c for c in range(columns) if cells[c] != _EMPTY), default=first)
    for mark in span.marks:
        # An error is the end of a row, or is drawn over what little there is.
        column = min(int((span.began - zero + mark.at) / cell), last)
        cells[column] = strokes.marks[mark.name], mark.name
    return cells


def _shades(
    fold: Fold, zero: float, cell: float, columns: int, strokes: _Strokes
) -> list[Cell]:
    """For each cell, how many of the spans are under way in it."""
    cells = []
    for share in fold.shares(zero, cell, columns):
        place = min(int(share * len(strokes.shades)), len(strokes.shades) - 1)
        cells.append((strokes.shades[place], "shade") if share else _EMPTY)
    return cells


def _height(level: float, strokes: _Strokes) -> str:
    """The character for a level from 0 to 1: what is there at all is to be seen."""
    if level < 0.005:
        return " "
    place = int(level * len(strokes.heights))
    return strokes.heights[min(place, len(strokes.heights) - 1)]


def _right(text: str, width: int) -> str:
    return " " * (width - width_of(text)) + text


def _axis(length: float, layout: _Layout) -> str:
    """Ticks at 1, 2 or 5 times a power of ten, as many as there is room for.

    The last label may stick out into the column of times.
    """
    step = tick_step(length, max(layout.bar // 8, 1))
    room = layout.bar + (len(_GAP) + layout.time if layout.time else 0)
    line = ""
    for tick in ticks(length, step):
        column = round(tick / length * layout.bar)
        label = tick_label(tick, step)
        if len(line) < max(column, 1) and column + len(label) <= room:
            line = line.ljust(column) + label
    return line


def summary(totals: Totals) -> str:
    """All of it in a sentence."""
    counts = []
    if totals.answers or not totals.errors:
        counts.append(counted(totals.answers, "answer"))
    if totals.errors:
        counts.append(counted(totals.errors, "error"))
    text = f"{' and '.join(counts)} in {readable(totals.seconds)}"
    if totals.resent:
        text += f"; {totals.resent:,} resent"
    if totals.paced:
        text += f"; {totals.paced:,} paced"
    times = totals.times_as_fast
    if times is not None:
        text += f"; one after another: {readable(totals.in_turn)} ({times:.1f}x)"
    return text


def _wrapped(
    words: Sequence[str], width: int, margin: int = 0, gap: str = " "
) -> Iterator[str]:
    """Lines of words; the margin is given up where it leaves no room."""
    if margin + max(map(len, words)) > width:
        margin = 0
    line = ""
    for word in words:
        longer = f"{line}{gap}{word}" if line else word
        if margin + len(longer) > width and line:
            yield " " * margin + line
            longer = word
        line = longer
    yield " " * margin + line


def _painted(text: str, meaning: str, colour: bool) -> str:
    return f"{_COLOURS[meaning]}{text}{_PLAIN}" if colour and meaning else text
