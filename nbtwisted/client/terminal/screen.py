"""What a stream can show: how wide it is, and whether in colour."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TextIO

from nbtwisted.command_line import can_encode
from nbtwisted.screen_size import screen_size
from nbtwisted.timeline.waterfall import CHARACTERS

__all__ = ["Screen"]


@dataclass(frozen=True)
class Screen:
    """What a stream can show, in the words of `waterfall`."""

    width: int
    """Columns."""
    height: int
    """Lines."""
    colour: bool
    ascii_only: bool

    @classmethod
    def of(cls, stream: TextIO, *, ascii_only: bool = False) -> Screen:
        """What this stream is, as it now is; `ascii_only` if it is told so."""
        width, height = screen_size(stream)
        return cls(
            width=width,
            height=height,
            # https://no-color.org: set, and not empty.
            colour=stream.isatty()
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") != "dumb",
            ascii_only=ascii_only or not can_encode(stream, CHARACTERS),
        )
