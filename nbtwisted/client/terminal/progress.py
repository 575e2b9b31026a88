"""How far a run has come, on a line that moves."""

from __future__ import annotations

import math
from typing import TextIO

from rich.console import RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from nbtwisted.client.terminal.on_screen import OnScreen

__all__ = ["ProgressLine"]


class ProgressLine(OnScreen):
    """Counts the responses and errors of a run that is to have `total` requests.

    `done` of them were answered before it."""

    interval = 0.2

    def __init__(self, stream: TextIO, total: float, done: int = 0) -> None:
        super().__init__(stream)
        is_known = total != math.inf
        count = "{task.completed}/{task.total}" if is_known else "{task.completed}"
        columns = [TextColumn(count + " done"), TextColumn("{task.fields[failed]}")]
        more = (BarColumn(), TimeRemainingColumn()) if is_known else ()
        self._progress = Progress(
            *columns, *more, TimeElapsedColumn(), console=self._console
        )
        self._task = self._progress.add_task(
            "", total=total if is_known else None, completed=done, failed=""
        )
        self._done = done
        self._failed = 0

    def count(self, *, failed: bool) -> None:
        """A request has ended."""
        self._done += 1
        self._failed += failed

    def picture(self) -> RenderableType:
        """The line as it now is."""
        said = f"{self._failed} failed" if self._failed else ""
        self._progress.update(self._task, completed=self._done, failed=said)
        return self._progress.get_renderable()
