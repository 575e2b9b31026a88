"""How far a run has come, on a line that moves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["ProgressLine"]


class ProgressLine:
    """Counts the answers and errors of a run that is to have `total` requests.

    It is drawn on `stream`, if that is a terminal; to any other it is written once, at
    the end. Whether anybody can see it is nothing to the run: it raises no `OSError`.
    """

    def __init__(self, stream: TextIO, total: float) -> None:
        console = Console(file=stream)
        is_known = total != math.inf
        count = "{task.completed}/{task.total}" if is_known else "{task.completed}"
        columns = [TextColumn(count + " done"), TextColumn("{task.fields[failed]}")]
        more = (BarColumn(), TimeRemainingColumn()) if is_known else ()
        self._progress = Progress(
            *columns,
            *more,
            TimeElapsedColumn(),
            console=console,
            auto_refresh=False,
            # What is behind it on the terminal is the answers, and nothing else.
            transient=console.is_terminal,
            # The answers are bytes, and go past it.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task(
            "", total=total if is_known else None, failed=""
        )
        self._failed = 0
        self._is_drawn = False

    def count(self, *, failed: bool) -> None:
        """A request has ended."""
        self._failed += failed
        said = f"{self._failed} failed" if self._failed else ""
        self._progress.update(self._task, advance=1, failed=said)

    def draw(self) -> None:
        """Draw it as it now is."""
        with suppress(OSError):
            if not self._is_drawn:
                self._is_drawn = True
                self._begin()
            self._progress.refresh()

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Within this block it is not on the screen."""
        if self._is_drawn:
            with suppress(OSError):
                self._progress.stop()
        try:
            yield
        finally:
            if self._is_drawn:
                with suppress(OSError):
                    self._begin()

    def close(self) -> None:
        """Take it off the screen for good."""
        if self._is_drawn:
            self._is_drawn = False
            with suppress(OSError):
                self._progress.stop()

    def _begin(self) -> None:
        self._progress.start()
        # Who ends the process with a second Ctrl-C wants to have a cursor then.
        self._progress.console.show_cursor(True)
