"""Lines on two axes, as SVG. Pure.

Nothing in it has a colour or a stroke: a line has a class, and the page's style sheet
gives that what it looks like in light, in dark and on paper. Text does not shrink with
a picture that is made smaller, so a page has the same chart in each `Layout`, and shows
the one that fits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from nbtwisted.timeline.axis import tick_step

__all__ = [
    "NARROW",
    "WIDE",
    "Axis",
    "Layout",
    "Line",
    "chart",
    "linear",
    "logarithmic",
    "swatch",
]

MOST_TICKS = 6
"""Of a linear axis, the one at 0 not counted."""

MOST_LOGARITHMIC_TICKS = 8
"""More than these become powers of ten alone."""

CHARACTER = 7.2
"""Units that a character of a label takes, at most: the style sheet has it at 12."""

LINE = 14
"""Units from one line of text to the next."""

Label = Callable[[float, float], str]
"""What stands at a tick: its value, and how far it is to the next one."""


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, which is more. `title` says what of, and in which unit."""

    title: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    is_logarithmic: bool = False
    """Then `low` is above 0."""

    def place(self, value: float) -> float:
        """Where a value is, from 0 to 1; what is beyond an end is at that end."""
        if not self.is_logarithmic:
            share = (value - self.low) / (self.high - self.low)
        elif value > 0:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = 0.0
        return min(max(share, 0.0), 1.0)


def linear(title: str, most: float, label: Label) -> Axis:
    """An axis from 0 to the tick at or above `most`."""
    most = most if most > 0 else 1.0
    step = tick_step(most, MOST_TICKS)
    last = max(math.ceil(most / step * 0.999999), 1)
    ticks = [(number * step, label(number * step, step)) for number in range(last + 1)]
    return Axis(title, 0.0, last * step, ticks)


def logarithmic(title: str, least: float, most: float, label: Label) -> Axis:
    """An axis from the tick at or below `least` to the one at or above `most`.

    Both are above 0, and twelve powers of ten apart at most. Ticks are at 1, 2 and 5
    times a power of ten.
    """
    first, last = math.floor(math.log10(least)) - 1, math.ceil(math.log10(most)) + 1
    marks = [m * 10.0**power for power in range(first, last + 1) for m in (1, 2, 5)]
    low = max(mark for mark in marks if mark <= least * 1.000001)
    high = min(mark for mark in marks if mark >= most * 0.999999 and mark > low)
    inside = [mark for mark in marks if low <= mark <= high]
    if len(inside) > MOST_LOGARITHMIC_TICKS:
        # Every third, beginning with the first power of ten.
        inside = [mark for mark in marks[::3] if low <= mark <= high]
    ticks = [(mark, label(mark, mark)) for mark in inside]
    return Axis(title, low, high, ticks, is_logarithmic=True)


@dataclass(frozen=True)
class Line:
    """Points from left to right; None is where there is none, and the line is broken.

    `kind` is its class. With `is_marked` there is a mark at each point above 0, however
    small it is.
    """

    name: str
    kind: str
    points: Sequence[tuple[float, float | None]]
    is_marked: bool = False


@dataclass(frozen=True)
class Layout:
    """The room that a chart has, in units that are pixels or not much more."""

    name: str
    width: int
    height: int


WIDE = Layout("wide", 620, 320)
NARROW = Layout("narrow", 350, 290)


def chart(
    name: str,
    title: str,
    description: str,
    x: Axis,
    y: Axis,
    lines: Sequence[Line],
    *,
    layout: Layout,
    between: tuple[Line, Line] | None = None,
) -> str:
    """The chart, for readers and for those who are read to.

    `name` is an identifier of its own in the page. The area `between` two lines, whose
    points are at the same places, has the class `between`. In the SVG is a
    `<rect class="plot">` that the axes span.
    """
    plot = _Plot(x, y, layout)
    identity = f"{name}-{layout.name}"
    return (
        f'<svg class="{layout.name}" viewBox="0 0 {layout.width} {layout.height}" '
        f'role="img" aria-labelledby="{identity}-title {identity}-about">'
        f'<title id="{identity}-title">{escape(title)}</title>'
        f'<desc id="{identity}-about">{escape(description)}</desc>'
        + plot.grid()
        + (plot.area(*between) if between else "")
        + "".join(plot.line(line) for line in lines)
        + "</svg>"
    )


def swatch(kind: str, *, is_marked: bool = False) -> str:
    """What a line looks like, for a key to the chart; or the area `between` two."""
    inside = f'<path class="line {kind}" d="M1 6H29"/>'
    if kind == "between":
        inside = '<path class="between" d="M1 1H29V11H1Z"/>'
    elif is_marked:
        inside += f'<circle class="mark {kind}" cx="15" cy="6" r="3"/>'
    return (
        '<svg class="swatch" viewBox="0 0 30 12" width="30" height="12" '
        f'aria-hidden="true">{inside}</svg>'
    )


class _Plot:
    """Where things are in a layout, once both axes have their labels."""

    def __init__(self, x: Axis, y: Axis, layout: Layout) -> None:
        self._x = x
        self._y = y
        self._layout = layout
        longest = max((len(label) for _, label in y.ticks), default=0)
        self._left = round(longest * CHARACTER) + 10
        self._right = layout.width - 10
        self._top = LINE + 10
        self._bottom = layout.height - 2 * LINE - 10

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point is."""
        width, height = self._right - self._left, self._bottom - self._top
        return (
            round(self._left + width * self._x.place(x), 1),
            round(self._bottom - height * self._y.place(y), 1),
        )

    def grid(self) -> str:
        """The axes, with as many labels as there is room for."""
        left, right, top, bottom = self._left, self._right, self._top, self._bottom
        parts = [
            f'<rect class="plot" x="{left}" y="{top}" width="{right - left}" '
            f'height="{bottom - top}"/>',
            _text("axis", left, LINE, "start", self._y.title),
            _text("axis", right, self._layout.height - 6, "end", self._x.title),
        ]
        free_below = math.inf
        for value, label in self._y.ticks:
            _, y = self.at(self._x.low, value)
            parts.append(f'<path class="grid" d="M{left} {y:g}H{right}"/>')
            if y <= free_below:
                parts.append(_text("tick", left - 6, y + 4, "end", label))
                free_below = y - LINE
        free_from = -math.inf
        for value, label in self._x.ticks:
            x, _ = self.at(value, self._y.low)
            parts.append(f'<path class="grid" d="M{x:g} {top}V{bottom}"/>')
            half = len(label) * CHARACTER / 2
            middle = min(x, self._layout.width - half)
            if middle - half >= free_from:
                parts.append(_text("tick", middle, bottom + LINE + 2, "middle", label))
                free_from = middle + half + CHARACTER
        return "".join(parts)

    def line(self, line: Line) -> str:
        """Its unbroken parts, and marks where there would be nothing to see."""
        marks, path = [], ""
        for part in _unbroken(line.points):
            places = [self.at(x, y) for x, y in part]
            if len(places) == 1:
                marks += places
            else:
                path += f"M{_joined(places)}"
            if line.is_marked:
                marks += [self.at(x, y) for x, y in part if y > 0]
        drawn = f'<path class="line {line.kind}" d="{path}"/>' if path else ""
        return drawn + "".join(
            f'<circle class="mark {line.kind}" cx="{x:g}" cy="{y:g}" r="3"/>'
            for x, y in dict.fromkeys(marks)
        )

    def area(self, one: Line, other: Line) -> str:
        """What is between two lines without gaps."""
        there = [self.at(x, y) for x, y in one.points if y is not None]
        back = [self.at(x, y) for x, y in reversed(other.points) if y is not None]
        if len(there) < 2:
            return ""
        return f'<path class="between" d="M{_joined(there + back)}Z"/>'


def _unbroken(
    points: Sequence[tuple[float, float | None]],
) -> list[list[tuple[float, float]]]:
    parts: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is None:
            parts.append([])
        else:
            parts[-1].append((x, y))
    return [part for part in parts if part]


def _joined(places: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{x:g} {y:g}" for x, y in places)


def _text(kind: str, x: float, y: float, anchor: str, text: str) -> str:
    return (
        f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )
