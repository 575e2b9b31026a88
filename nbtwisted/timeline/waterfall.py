"""The waterfall: one bar a span on one time axis, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from nbtwisted.timeline.span import Span

__all__ = ["waterfall"]

_GAP = "  "
_RED, _DIM, _PLAIN = "\x1b[31m", "\x1b[2m", "\x1b[0m"
_NARROWEST_BAR = 10


@dataclass(frozen=True)
class _Strokes:
    """The characters that bars are made of."""

    phases: dict[str, str]
    failure: str


_UNICODE = _Strokes(
    {"queued": "·", "earlier": "┄", "connect": "╌", "wait": "━", "receive": "█"}, "╳"
)
_ASCII = _Strokes(
    {"queued": ".", "earlier": "~", "connect": "-", "wait": "=", "receive": "#"}, "x"
)
_COLOURS = {
    "queued": _DIM,
    "earlier": _DIM,
    "connect": "\x1b[33m",
    "wait": "\x1b[36m",
    "receive": "\x1b[32m",
}


def waterfall(
    spans: Sequence[Span], *, width: int, colour: bool = False, ascii_only: bool = False
) -> str:
    """Draw spans from top to bottom, with their outcomes and seconds beside them.

    `width` is in columns; below some 40 the lines are longer than that. The last line
    tells how long all of it took, and how long it would have taken one after another.
    """
    if not spans:
        return "no requests\n"
    strokes = _ASCII if ascii_only else _UNICODE
    zero = min(span.began for span in spans)
    # A picture of nothing but instants still needs an axis.
    length = max(span.ended for span in spans) - zero or 1e-6
    label_width = min(max(len(span.label) for span in spans), max(width // 2 - 12, 9))
    outcome_width = max(len(span.outcome) for span in spans)
    margin = label_width + outcome_width + 2 * len(_GAP)
    times = [_seconds(span.seconds) for span in spans]
    time_width = max(map(len, times))
    columns = max(width - margin - len(_GAP) - time_width, _NARROWEST_BAR)
    lines = []
    drawn: set[str] = set()
    for span, time in zip(spans, times, strict=True):
        names = list(_cells(span, zero, length / columns, columns))
        drawn.update(name for name in names if name)
        outcome = f"{span.outcome:>{outcome_width}}"
        lines.append(
            f"{_cut(span.label, label_width, ascii_only):<{label_width}}{_GAP}"
            + (_painted(outcome, _RED, colour) if span.failed else outcome)
            + _GAP
            + _bar(names, span.failed, strokes, colour)
            + f"{_GAP}{time:>{time_width}}"
        )
    lines.append(" " * margin + _axis(length, columns, time_width))
    # What nearly all of a bar is needs no key.
    if drawn - {"wait"}:
        key = [
            f"{stroke} {name}"
            for name, stroke in strokes.phases.items()
            if name in drawn
        ]
        lines.append(" " * margin + _GAP.join(key))
    lines.append(_summary(spans))
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _cells(span: Span, zero: float, cell: float, columns: int) -> Iterator[str | None]:
    """For each cell of the axis, the phase that its middle falls into."""
    boundaries = []
    end = span.began - zero
    for phase in span.phases:
        end += phase.seconds
        boundaries.append((end, phase.name))
    first = min(int((span.began - zero) / cell), columns - 1)
    for column in range(columns):
        middle = (column + 0.5) * cell
        name = next((name for end, name in boundaries if middle < end), None)
        if middle < span.began - zero:
            name = None
        # However short a span is, it is to be seen.
        if column == first and name is None and span.phases:
            name = max(span.phases, key=lambda phase: phase.seconds).name
        yield name


def _bar(
    names: Sequence[str | None], failed: bool, strokes: _Strokes, colour: bool
) -> str:
    last = max((column for column, name in enumerate(names) if name), default=-1)
    cells = []
    for column, name in enumerate(names):
        if name is None:
            cells.append((" ", ""))
        elif failed and column == last:
            cells.append((strokes.failure, _RED))
        else:
            paint = _RED if failed and name != "queued" else _COLOURS[name]
            cells.append((strokes.phases[name], paint))
    return "".join(
        _painted("".join(stroke for stroke, _ in run), code, colour and code != "")
        for code, run in groupby(cells, key=itemgetter(1))
    )


def _axis(length: float, columns: int, room: int) -> str:
    """Ticks at 1, 2 or 5 times a power of ten, as many as there is room for.

    The last label may stick out by `room` columns.
    """
    most = max(columns // 8, 1)
    step = next(
        step
        for power in range(-6, 9)
        for step in (10.0**power, 2 * 10.0**power, 5 * 10.0**power)
        if int(length / step) <= most
    )
    line = ""
    for tick in range(int(length / step * 1.000001) + 1):
        column = round(tick * step / length * columns)
        label = _tick(tick * step, step)
        if len(line) < max(column, 1) and column + len(label) <= columns + room:
            line = line.ljust(column) + label
    return line


def _tick(seconds: float, step: float) -> str:
    return f"{seconds:.6g} s" if step >= 0.1 else f"{seconds * 1000:.6g} ms"


def _summary(spans: Sequence[Span]) -> str:
    answers = sum(not span.failed for span in spans)
    errors = len(spans) - answers
    took = max(span.ended for span in spans) - min(span.began for span in spans)
    in_turn = sum(span.seconds for span in spans)
    counts = [_counted(answers, "answer")] if answers or not errors else []
    counts += [_counted(errors, "error")] if errors else []
    text = f"{' and '.join(counts)} in {_seconds(took)}"
    if len(spans) > 1 and took > 0:
        text += f"; one after another: {_seconds(in_turn)} ({in_turn / took:.1f}x)"
    return text


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"


def _cut(label: str, width: int, ascii_only: bool) -> str:
    if len(label) <= width:
        return label
    mark = "..." if ascii_only else "…"
    return label[: width - len(mark)] + mark


def _painted(text: str, code: str, colour: bool) -> str:
    return f"{code}{text}{_PLAIN}" if colour else text
