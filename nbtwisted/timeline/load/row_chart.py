"""Charts with a row for each of some things that have names. Pure.

`bar_chart` draws how large figures of each are, `change_chart` by how much each has
changed. As in `chart`, nothing has a colour here, and a page has both layouts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nbtwisted.printable import escaped
from nbtwisted.timeline.axis import tick_step
from nbtwisted.timeline.columns import fitted_in_the_middle, width_of
from nbtwisted.timeline.load.chart import (
    CHARACTER,
    LINE,
    NARROW,
    Axis,
    Layout,
    Shape,
    picture,
    svg_mark,
    svg_text,
)

__all__ = [
    "SHAPES",
    "Bar",
    "BarRow",
    "Change",
    "ChangeKind",
    "bar_chart",
    "change_chart",
]

LONGEST_NAME = {"wide": 26, "narrow": 14}
"""Characters of a name that are drawn, by the layout."""

BAR = 12
GAP = 10
"""Units that a bar takes, and what is free between two rows."""

CHANGE = 26
"""Units that the row of a change takes."""

MOST_TIMES = 20.0
"""As much, or as little: a change beyond that is drawn at the end of its axis."""

FEW_PERCENT = 0.01
"""An axis of changes goes as far at least, to both sides."""

RATIOS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Where an axis of large changes has its ticks."""

LINEAR_UP_TO = 3.0
"""Times from its lower to its upper end: beyond, an axis has those ticks."""

ChangeKind = Literal["better", "worse", "noise", "unknown"]

SHAPES: dict[ChangeKind, Shape] = {
    "better": "disc",
    "worse": "cross",
    "noise": "circle",
    "unknown": "circle",
}


@dataclass(frozen=True)
class Bar:
    """`share` of the room is filled; `said` is what stands behind it."""

    kind: str
    share: float
    said: str


@dataclass(frozen=True)
class BarRow:
    """A name, and its bars below each other; `is_bad` says it in another colour."""

    name: str
    bars: Sequence[Bar]
    is_bad: bool = False


@dataclass(frozen=True)
class Change:
    """By how much something has changed, and between what that may be by chance.

    All are shares of what it was: 0.1 is a tenth more. `low` and `high` are None where
    nobody knows. `said` is what stands behind it.
    """

    name: str
    kind: ChangeKind
    change: float
    low: float | None
    high: float | None
    said: str


def bar_chart(
    name: str, title: str, description: str, rows: Sequence[BarRow], *, layout: Layout
) -> str:
    """Bars from a common beginning, each with what it means behind it."""
    frame = _Frame(
        [row.name for row in rows],
        [bar.said for row in rows for bar in row.bars],
        layout,
    )
    parts, top = [], GAP
    for row, label in zip(rows, frame.labels, strict=True):
        middle = top + BAR * len(row.bars) / 2
        kind = "tick lost" if row.is_bad else "tick"
        parts.append(svg_text(kind, frame.left - 8, middle + 4, "end", label))
        for bar in row.bars:
            wide = round(frame.room * min(max(bar.share, 0.0), 1.0), 1)
            parts.append(
                f'<rect class="bar {bar.kind}" x="{frame.left}" y="{top + 1}" '
                f'width="{max(wide, 1):g}" height="{BAR - 2}"/>'
            )
            behind = frame.left + max(wide, 1) + 5
            parts.append(svg_text("tick", behind, top + BAR - 2, "start", bar.said))
            top += BAR
        top += GAP
    sized = Layout(layout.name, layout.width, top)
    return picture(name, title, description, "".join(parts), layout=sized)


def change_chart(
    name: str, title: str, description: str, rows: Sequence[Change], *, layout: Layout
) -> str:
    """Each change as a mark on a line that goes as far as chance may go."""
    frame = _Frame([row.name for row in rows], [row.said for row in rows], layout)
    axis = _change_axis(rows)
    top, bottom = LINE, LINE + CHANGE * len(rows)

    def at(change: float) -> float:
        return round(frame.left + frame.room * axis.place(1 + change), 1)

    parts = [
        f'<rect class="plot" x="{frame.left}" y="{top}" width="{frame.room}" '
        f'height="{bottom - top}"/>'
    ]
    free_from = 0.0
    for ratio, label in axis.ticks:
        x = at(ratio - 1)
        parts.append(f'<path class="grid" d="M{x:g} {top}V{bottom}"/>')
        half = len(label) * CHARACTER / 2
        if x - half >= free_from:
            parts.append(svg_text("tick", x, bottom + LINE + 2, "middle", label))
            free_from = x + half + CHARACTER
    parts.append(f'<path class="line same" d="M{at(0):g} {top}V{bottom}"/>')
    for row, label in zip(rows, frame.labels, strict=True):
        y = top + CHANGE / 2
        parts.append(svg_text("tick", frame.left - 8, y + 4, "end", label))
        right = layout.width - 6
        parts.append(svg_text(f"tick {row.kind}", right, y + 4, "end", row.said))
        if row.low is not None and row.high is not None:
            low, high = at(row.low), at(row.high)
            parts.append(
                f'<path class="line {row.kind}" d="M{low:g} {y:g}H{high:g}'
                f'M{low:g} {y - 4:g}v8M{high:g} {y - 4:g}v8"/>'
            )
        parts.append(svg_mark(row.kind, at(row.change), y, SHAPES[row.kind]))
        top += CHANGE
    sized = Layout(layout.name, layout.width, bottom + 2 * LINE)
    return picture(name, title, description, "".join(parts), layout=sized)


class _Frame:
    """The room between names at the left and what is said at the right."""

    def __init__(
        self, names: Sequence[str], said: Sequence[str], layout: Layout
    ) -> None:
        most = LONGEST_NAME["narrow" if layout.name == NARROW.name else "wide"]
        self.labels = [
            fitted_in_the_middle(escaped(name), most).rstrip() for name in names
        ]
        self.left = _width(self.labels) + 10
        self.room = layout.width - self.left - _width(said) - 12


def _width(texts: Sequence[str]) -> int:
    return round(max((width_of(text) for text in texts), default=0) * CHARACTER)


def _change_axis(rows: Sequence[Change]) -> Axis:
    """An axis of ratios, on which half as much is as far as twice as much."""
    ends = [
        min(max(1 + end, 1 / MOST_TIMES), MOST_TIMES)
        for row in rows
        for end in (row.low, row.high, row.change)
        if end is not None
    ]
    low = min(1 - FEW_PERCENT, *ends, 1.0)
    high = max(1 + FEW_PERCENT, *ends, 1.0)
    # Marks and ends of lines are not on the edge.
    margin = (high / low) ** 0.04
    low, high = low / margin, high * margin
    if high / low > LINEAR_UP_TO:
        ratios = [ratio for ratio in RATIOS if low <= ratio <= high]
        ticks = [(ratio, _signed_percent(ratio - 1, 0)) for ratio in ratios]
    else:
        step = tick_step(high - low, 6)
        first, last = round((low - 1) / step), round((high - 1) / step)
        decimals = 0 if step >= FEW_PERCENT else 1
        shares = [number * step for number in range(first, last + 1)]
        ticks = [
            (1 + share, _signed_percent(share, decimals))
            for share in shares
            if low <= 1 + share <= high
        ]
    return Axis("change", low, high, ticks, is_logarithmic=True)


def _signed_percent(share: float, decimals: int) -> str:
    if abs(share) < 1e-9:
        return "the same"
    return f"{share * 100:+.{decimals}f}%".replace("-", "−")
