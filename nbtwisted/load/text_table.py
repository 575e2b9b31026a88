"""Tables of text, for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from nbtwisted.timeline.columns import width_of

__all__ = ["table_lines"]


def table_lines(rows: Sequence[Sequence[str]], *, alignment: str) -> list[str]:
    """Put rows on lines, in columns that are as wide as they need to be.

    `alignment` has `<` for each column that begins on a line, and `>` for one that
    ends on it.
    """
    widths = [max(map(width_of, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        line = ""
        for cell, width, side in zip(row, widths, alignment, strict=True):
            blanks = " " * (width - width_of(cell))
            line += "  " + (cell + blanks if side == "<" else blanks + cell)
        lines.append(line.rstrip())
    return lines
