"""A chart on a page: with words above it, a key, and its table. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nbtwisted.timeline.load.chart import (
    NARROW,
    WIDE,
    Axis,
    Band,
    Between,
    Part,
    chart,
    swatch,
)
from nbtwisted.timeline.table import table

__all__ = ["figure", "folded_table"]


def figure(
    name: str,
    heading: str,
    about: str,
    x: Axis,
    y: Axis,
    parts: Sequence[Part],
    *,
    head: Sequence[str],
    rows: Sequence[tuple[float, Sequence[str]]],
) -> str:
    """A chart with a cross-hair, which goes along the rows: places on `x`, and cells.

    The parts are drawn in their order, and the key has lines before areas.
    """
    key = sorted(parts, key=lambda part: isinstance(part, Band | Between))
    drawn = "".join(
        chart(name, heading, about, x, y, parts, layout=layout)
        for layout in (WIDE, NARROW)
    )
    listed = [(f' data-x="{x.place(place):.4f}"', cells) for place, cells in rows]
    return (
        f'<figure class="chart" id="{name}">\n<figcaption><h2>{heading}</h2>'
        f'<p class="faint">{escape(about)}</p></figcaption>\n'
        + '<ul class="key">'
        + "".join(f"<li>{swatch(part)}{escape(part.name)}</li>" for part in key)
        + f'</ul>\n<div class="canvas">{drawn}</div>\n'
        + folded_table("The same as a table", heading, head, listed)
        + "\n</figure>"
    )


def folded_table(
    summary: str,
    heading: str,
    head: Sequence[str],
    rows: Sequence[tuple[str, Sequence[str]]],
    *,
    words: int = 0,
) -> str:
    """A table that is there when somebody opens it, and scrolls if it is long."""
    return (
        f"<details><summary>{escape(summary)}</summary>"
        f'<div class="rows" tabindex="0" role="region" aria-label="{heading}, as a '
        f'table">{table(head, rows, words=words)}</div></details>'
    )
