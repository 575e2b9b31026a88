"""From how requests ended to their picture on a stream."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TextIO

from nbtwisted.client.answer import Timing
from nbtwisted.client.errors import Outcome, RequestError
from nbtwisted.command_line import can_encode
from nbtwisted.timeline import Phase, Span, waterfall

__all__ = ["picture_for", "span_of"]


def picture_for(stream: TextIO, spans: Sequence[Span]) -> str:
    """The waterfall, as wide as the stream and in what it can show."""
    return waterfall(
        _numbered(spans),
        width=_width(stream),
        # https://no-color.org: set, and not empty.
        colour=stream.isatty() and not os.environ.get("NO_COLOR"),
        ascii_only=not can_encode(stream, "━╌┄█·╳…"),
    )


def span_of(outcome: Outcome, timing: Timing) -> Span:
    """What became of one request, and when."""
    connect = (timing.dns or 0.0) + (timing.connect or 0.0) + (timing.tls or 0.0)
    wait = timing.wait or 0.0
    receive = timing.receive or 0.0
    # What is left over was spent in the phase that did not come to its end.
    rest = timing.total - timing.earlier - connect - wait - receive
    if timing.wait is not None:
        receive += rest
    elif timing.connect is not None:
        wait += rest
    else:
        connect += rest
    return Span(
        label=outcome.url.encode("ascii", "backslashreplace").decode(),
        outcome=outcome.phase
        if isinstance(outcome, RequestError)
        else str(outcome.status),
        failed=isinstance(outcome, RequestError),
        began=timing.started - timing.queued,
        phases=(
            Phase("queued", timing.queued),
            Phase("earlier", timing.earlier),
            Phase("connect", connect),
            Phase("wait", wait),
            Phase("receive", receive),
        ),
    )


def _numbered(spans: Sequence[Span]) -> list[Span]:
    """Number the labels, and take off what all of their URLs begin with."""
    origins = {span.label[: span.label.find("/", len("http://"))] for span in spans}
    shared = origins.pop() if len(origins) == 1 else "http://"
    if not shared.startswith("http://"):
        shared = ""
    width = len(str(len(spans)))
    return [
        replace(span, label=f"{n:>{width}} {span.label.removeprefix(shared)}")
        for n, span in enumerate(spans, 1)
    ]


def _width(stream: TextIO) -> int:
    if "COLUMNS" not in os.environ:
        with suppress(OSError, ValueError):
            return os.get_terminal_size(stream.fileno()).columns
    return shutil.get_terminal_size().columns
