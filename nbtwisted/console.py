"""Rich's console, of the size that `screen_size` says."""

from __future__ import annotations

import os
from typing import TextIO

from rich.console import Console, ConsoleDimensions

from nbtwisted.screen_size import screen_size

__all__ = ["SizedConsole"]

_SIZE = ("COLUMNS", "LINES")


class SizedConsole(Console):
    """Draws on `stream`, which with `force_terminal` is one, or is none.

    Rich itself takes any digits in COLUMNS for a number of columns, of which a line has
    that many, and fails for those that `int` does not read.
    """

    def __init__(self, stream: TextIO, *, force_terminal: bool | None = None) -> None:
        environment = {k: v for k, v in os.environ.items() if k not in _SIZE}
        super().__init__(
            file=stream,
            highlight=False,
            force_terminal=force_terminal,
            force_jupyter=False,
            _environ=environment,
        )

    @property
    def size(self) -> ConsoleDimensions:
        """Columns and lines, as they are now."""
        return ConsoleDimensions(*screen_size(self.file))

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        raise AttributeError("the size is that of the screen")
