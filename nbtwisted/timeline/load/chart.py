"""Parts on two axes, as SVG: lines, points, rules and areas. Pure.

Nothing in it has a colour or a stroke: a part has a class, and the page's style sheet
gives that what it looks like in light, in dark and on paper. Text does not shrink with
a picture that is made smaller, so a page has the same chart in each `Layout`, and shows
the one that fits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from nbtwisted.timeline.axis import tick_step

__all__ = [
    "CHARACTER",
    "LINE",
    "NARROW",
    "WIDE",
    "Axis",
    "Band",
    "Between",
    "Layout",
    "Line",
    "Part",
    "Points",
    "Rule",
    "Shape",
    "chart",
    "linear",
    "logarithmic",
    "picture",
    "svg_mark",
    "svg_text",
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
    small it is. With `is_filled` all that is below it has the class `area` besides.
    """

    name: str
    kind: str
    points: Sequence[tuple[float, float | None]]
    is_marked: bool = False
    is_filled: bool = False


Shape = Literal["circle", "disc", "cross"]
"""A disc is a circle that is filled."""


@dataclass(frozen=True)
class Points:
    """Marks without a line. Their shape tells them apart without any colour."""

    name: str
    kind: str
    points: Sequence[tuple[float, float]]
    shape: Shape = "circle"


@dataclass(frozen=True)
class Rule:
    """Straight lines across the plot: upright at places on x, or level at some on y."""

    name: str
    kind: str
    places: Sequence[float]
    is_level: bool = False


@dataclass(frozen=True)
class Band:
    """All that is from one place on x to another."""

    name: str
    kind: str
    low: float
    high: float


@dataclass(frozen=True)
class Between:
    """The area between two lines, whose points are at the same places."""

    name: str
    kind: str
    one: Line
    other: Line


Part = Line | Points | Rule | Band | Between


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
    parts: Sequence[Part],
    *,
    layout: Layout,
) -> str:
    """The chart, for readers and for those who are read to; its parts in their order.

    `name` is an identifier of its own in the page. In the SVG is a
    `<rect class="plot">` that the axes span.
    """
    plot = _Plot(x, y, layout)
    drawn = plot.grid() + "".join(plot.part(part) for part in parts)
    return picture(name, title, description, drawn, layout=layout)


def picture(
    name: str, title: str, description: str, drawn: str, *, layout: Layout
) -> str:
    """What is drawn as an SVG, with its words."""
    identity = f"{name}-{layout.name}"
    return (
        f'<svg class="{layout.name}" viewBox="0 0 {layout.width} {layout.height}" '
        f'role="img" aria-labelledby="{identity}-title {identity}-about">'
        f'<title id="{identity}-title">{escape(title)}</title>'
        f'<desc id="{identity}-about">{escape(description)}</desc>{drawn}</svg>'
    )


def swatch(part: Part) -> str:
    """What a part looks like, for a key to the chart."""
    kind = part.kind
    if isinstance(part, Band | Between):
        inside = f'<path class="{kind}" d="M1 1H29V11H1Z"/>'
    elif isinstance(part, Points):
        inside = svg_mark(kind, 15, 6, part.shape)
    else:
        is_upright = isinstance(part, Rule) and not part.is_level
        across = "M15 0V12" if is_upright else "M1 6H29"
        inside = f'<path class="line {kind}" d="{across}"/>'
        if isinstance(part, Line) and part.is_filled:
            inside = f'<path class="area {kind}" d="M1 6H29V11H1Z"/>{inside}'
        if isinstance(part, Line) and part.is_marked:
            inside += svg_mark(kind, 15, 6)
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
            svg_text("axis", left, LINE, "start", self._y.title),
            svg_text("axis", right, self._layout.height - 6, "end", self._x.title),
        ]
        free_below = math.inf
        for value, label in self._y.ticks:
            _, y = self.at(self._x.low, value)
            parts.append(f'<path class="grid" d="M{left} {y:g}H{right}"/>')
            if y <= free_below:
                parts.append(svg_text("tick", left - 6, y + 4, "end", label))
                free_below = y - LINE
        free_from = -math.inf
        for value, label in self._x.ticks:
            x, _ = self.at(value, self._y.low)
            parts.append(f'<path class="grid" d="M{x:g} {top}V{bottom}"/>')
            half = len(label) * CHARACTER / 2
            middle = min(x, self._layout.width - half)
            if middle - half >= free_from:
                parts.append(
                    svg_text("tick", middle, bottom + LINE + 2, "middle", label)
                )
                free_from = middle + half + CHARACTER
        return "".join(parts)

    def part(self, part: Part) -> str:
        """A part, whichever it is."""
        if isinstance(part, Line):
            return self.line(part)
        if isinstance(part, Points):
            places = [self.at(x, y) for x, y in part.points]
            return "".join(svg_mark(part.kind, x, y, part.shape) for x, y in places)
        if isinstance(part, Rule):
            return self.rule(part)
        if isinstance(part, Band):
            left, _ = self.at(part.low, self._y.low)
            right, _ = self.at(part.high, self._y.low)
            outline = f"M{left:g} {self._top}H{right:g}V{self._bottom}H{left:g}Z"
            return f'<path class="{part.kind}" d="{outline}"/>'
        return self.between(part)

    def line(self, line: Line) -> str:
        """Its unbroken parts, and marks where there would be nothing to see."""
        marks, path, below = [], "", ""
        for part in _unbroken(line.points):
            places = [self.at(x, y) for x, y in part]
            if len(places) == 1:
                marks += places
            else:
                path += f"M{_joined(places)}"
                left, right = places[0][0], places[-1][0]
                below += (
                    f"M{left:g} {self._bottom}L{_joined(places)}"
                    f"L{right:g} {self._bottom}Z"
                )
            if line.is_marked:
                marks += [self.at(x, y) for x, y in part if y > 0]
        area = line.is_filled and below
        return (
            (f'<path class="area {line.kind}" d="{below}"/>' if area else "")
            + (f'<path class="line {line.kind}" d="{path}"/>' if path else "")
            + "".join(svg_mark(line.kind, x, y) for x, y in dict.fromkeys(marks))
        )

    def rule(self, rule: Rule) -> str:
        """Its lines, from one end of the plot to the other."""
        path = ""
        for place in rule.places:
            if rule.is_level:
                _, y = self.at(self._x.low, place)
                path += f"M{self._left} {y:g}L{self._right} {y:g}"
            else:
                x, _ = self.at(place, self._y.low)
                path += f"M{x:g} {self._top}L{x:g} {self._bottom}"
        return f'<path class="line {rule.kind}" d="{path}"/>' if path else ""

    def between(self, part: Between) -> str:
        """What is between two lines without gaps."""
        there = [self.at(x, y) for x, y in part.one.points if y is not None]
        back = [self.at(x, y) for x, y in reversed(part.other.points) if y is not None]
        if len(there) < 2:
            return ""
        return f'<path class="{part.kind}" d="M{_joined(there + back)}Z"/>'


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


def svg_mark(kind: str, x: float, y: float, shape: Shape = "circle") -> str:
    """A mark at a place."""
    if shape == "cross":
        arms = f"M{x - 4:g} {y - 4:g}l8 8M{x + 4:g} {y - 4:g}l-8 8"
        return f'<path class="mark {kind}" d="{arms}"/>'
    kind = f"disc {kind}" if shape == "disc" else kind
    return f'<circle class="mark {kind}" cx="{x:g}" cy="{y:g}" r="3"/>'


def svg_text(kind: str, x: float, y: float, anchor: str, text: str) -> str:
    """A line of text."""
    return (
        f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )
