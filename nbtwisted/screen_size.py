"""How many columns and lines a stream shows: the one place that decides."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import IO

from nbtwisted.numeral import parse_whole_number

__all__ = ["screen_size"]

MOST = 1000
"""Columns, or lines: more than any screen has. What is drawn takes memory for each, and
COLUMNS and a terminal's own size are whatever somebody has set."""

USUAL = os.terminal_size((80, 24))


def screen_size(stream: IO[str] | None) -> os.terminal_size:
    """The size of a stream's terminal, unless COLUMNS and LINES say another.

    Both are 1 to `MOST`. What is no such number says nothing, and neither does a
    terminal that does not know its size; what nothing says is 80 columns or 24 lines.
    """
    found = USUAL
    if stream is not None:
        with suppress(OSError, ValueError):
            its_own = os.get_terminal_size(stream.fileno())
            if all(its_own):
                found = its_own
    return os.terminal_size(
        min(_given(name) or own, MOST)
        for name, own in zip(("COLUMNS", "LINES"), found, strict=True)
    )


def _given(name: str) -> int:
    """What the environment says; 0 if that is no number."""
    try:
        return parse_whole_number(os.environ.get(name, ""))
    except ValueError:
        return 0
