"""The waterfall while it grows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TextIO

from rich.text import Text

from nbtwisted.client.results.recording import Recording
from nbtwisted.client.results.spans import span_of
from nbtwisted.client.terminal.on_screen import OnScreen
from nbtwisted.client.terminal.screen import Screen
from nbtwisted.timeline.folding import Fold, Row
from nbtwisted.timeline.quantity import counted
from nbtwisted.timeline.span import Span
from nbtwisted.timeline.waterfall import bars

__all__ = ["LiveWaterfall", "growing"]

LINES_BESIDES = 6
"""Of a terminal's height: for the axis, the key, the counts, and what was printed."""

MOST_LOOKED_AT = 500
"""Requests under way of which spans are made, ten times a second: 5 ms or so."""


class LiveWaterfall(OnScreen):
    """Draws the requests that are under way, and the last that have ended."""

    interval = 0.1

    def __init__(
        self,
        stream: TextIO,
        total: float,
        recording: Recording,
        done: int = 0,
        *,
        ascii_only: bool,
    ) -> None:
        super().__init__(stream)
        self._stream = stream
        self._total = total
        self._recording = recording
        self._ascii_only = ascii_only
        self._answered = done
        self._failed = 0

    def count(self, *, failed: bool) -> None:
        """A request has ended."""
        if failed:
            self._failed += 1
        else:
            self._answered += 1

    def picture(self) -> Text:
        """The bars as they now are, and how many there are."""
        screen = Screen.of(self._stream, ascii_only=self._ascii_only)
        most = max(screen.height - LINES_BESIDES, 1)
        under_way = self._recording.under_way
        so_far = [
            span_of(index + 1, under_way[index].so_far())
            for index in sorted(under_way)[:MOST_LOOKED_AT]
        ]
        spans = [span for span in so_far if span is not None]
        rows = growing(self._recording.latest, spans, len(under_way), most)
        lines = []
        if rows:
            lines = bars(
                rows,
                width=screen.width,
                colour=screen.colour,
                ascii_only=screen.ascii_only,
            )
        lines.append(self._counts())
        return Text.from_ansi("\n".join(lines), no_wrap=True, overflow="crop")

    def _counts(self) -> str:
        of = "" if self._total == math.inf else f" of {self._total:,.0f}"
        in_flight = len(self._recording.under_way)
        said = f"{in_flight:,} in flight, {self._answered:,}{of} answered"
        if self._failed:
            said += f", {counted(self._failed, 'error')}"
        return said


def growing(
    ended: Sequence[Span], under_way: Sequence[Span], number: int, most: int
) -> list[Row]:
    """The rows of a picture of the present, of which there are to be no more than that.

    `under_way` are the first ones of the `number` that are. As many of them as there
    is room for, and then the last that have ended; what else is under way shares a row.
    Where not all have one, nobody's time in the queue is drawn: it would take most of
    the picture.
    """
    if len(ended) + len(under_way) <= most:
        return _in_order((*ended, *under_way))
    under_way = [span.without_queue() for span in under_way]
    if len(under_way) > most:
        shown, rest = under_way[: most - 1], under_way[most - 1 :]
        return [*shown, Fold(tuple(rest), number - len(shown))]
    latest = list(ended)[len(ended) - (most - len(under_way)) :]
    return _in_order((*(span.without_queue() for span in latest), *under_way))


def _in_order(spans: Sequence[Span]) -> list[Row]:
    return [*sorted(spans, key=lambda span: span.number)]
