"""What a stream can show: how wide it is, and whether in colour."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

from nbtwisted.command_line import can_encode
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
        width, height = _size(stream)
        return cls(
            width=width,
            height=height,
            # https://no-color.org: set, and not empty.
            colour=stream.isatty()
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") != "dumb",
            ascii_only=ascii_only or not can_encode(stream, CHARACTERS),
        )


def _size(stream: TextIO) -> tuple[int, int]:
    if "COLUMNS" not in os.environ:
        with suppress(OSError, ValueError):
            width, height = os.get_terminal_size(stream.fileno())
            # Some terminals do not know.
            if width and height:
                return width, height
    return shutil.get_terminal_size()
