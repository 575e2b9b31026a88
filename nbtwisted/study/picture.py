"""The picture of a run: the same for every program. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from nbtwisted.printable import printable
from nbtwisted.study.run import Run, Sample
from nbtwisted.study.text import Language, Text
from nbtwisted.timeline.columns import width_of
from nbtwisted.timeline.folding import folded
from nbtwisted.timeline.quantity import counted, readable
from nbtwisted.timeline.span import Attempt, Phase, Span, Totals
from nbtwisted.timeline.svg import svg_waterfall
from nbtwisted.timeline.track import Track
from nbtwisted.timeline.waterfall import NARROWEST, bars

__all__ = ["drawn", "seconds", "svg", "totals"]

MOST_ROWS = 12
"""Requests that have a bar of their own, at the most."""

MOST_CALLS = 8
"""System calls that are listed."""

LEAST_TO_SEE = 0.01
"""Seconds of sending a response: less would be a speck at the end of each bar."""

LONGEST_TARGET = 500
"""Characters: a program may send anything."""

STEPS = 120
"""Levels of a track."""

WORDS = {
    "user": Text("user", "ユーザ"),
    "system": Text("system", "システム"),
    "waiting": Text("waiting", "待ち"),
    "memory": Text("memory", "メモリ"),
}


def drawn(
    run: Run,
    language: Language,
    *,
    width: int,
    colour: bool = False,
    ascii_only: bool = False,
) -> str:
    """A bar for each request, and below them what the program used meanwhile.

    A line is no wider than `width` columns (20 at the least), unless a word is.
    """
    rows, tracks = folded(_spans(run), MOST_ROWS), _tracks(run, language)
    lines = []
    if rows or tracks:
        lines = bars(
            rows, width=width, colour=colour, ascii_only=ascii_only, tracks=tracks
        )
    for note in _notes(run, language):
        lines += _wrapped(note, max(width, NARROWEST), language)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def svg(run: Run, language: Language, *, width: int = 720) -> str:
    """The same as a picture for a page that has its colours."""
    spans = _spans(run)
    return svg_waterfall(
        spans,
        Totals.of(spans),
        width=width,
        rows=MOST_ROWS,
        is_alone=False,
        tracks=_tracks(run, language),
        notes=[
            line
            for note in _notes(run, language)
            for line in _wrapped(note, width // 8, language)
        ],
    )


def totals(run: Run) -> Totals:
    """Of the requests of a run."""
    return Totals.of(_spans(run))


def seconds(value: float, language: Language) -> str:
    """As a text has it: `3.01 s`, `41 ms`, 「3.01 秒」."""
    if value < 0.1:
        return Text(f"{value * 1000:.0f} ms", f"{value * 1000:.0f} ミリ秒").of(language)
    return Text(f"{value:.2f} s", f"{value:.2f} 秒").of(language)


def _spans(run: Run) -> list[Span]:
    spans = []
    for request in run.requests:
        took = run.end_of(request) - request.came
        # A client may leave before the first byte.
        held = took if request.held is None else min(request.held, took)
        phases = [Phase("held", held)]
        if took - held >= LEAST_TO_SEE:
            phases.append(Phase("receive", took - held))
        target = printable(request.target, longest=LONGEST_TARGET)
        is_answered = request.outcome == "answered"
        outcome = str(request.status) if is_answered else request.outcome
        attempt = Attempt(
            url=target,
            phases=tuple(phases),
            outcome=outcome if is_answered else request.fault or outcome,
            ended_by=None if is_answered else "error",
        )
        spans.append(Span(request.number, target, request.came, (attempt,)))
    return spans


def _tracks(run: Run, language: Language) -> list[Track]:
    """Who used the processor, and the memory, over the time of the run."""
    if not run.samples or not run.seconds:
        return []
    step = run.seconds / STEPS
    ticks = [step * tick for tick in range(STEPS + 1)]
    user = _curve(run, lambda sample: sample.user, run.user)
    system = _curve(run, lambda sample: sample.system, run.system)
    memory = _curve(run, lambda sample: sample.memory)
    users = [_share(user, begin, step) for begin in ticks[:-1]]
    systems = [_share(system, begin, step) for begin in ticks[:-1]]
    most = max(sample.memory for sample in run.samples)
    levels = {
        "user": users,
        "system": systems,
        "waiting": [max(1 - u - s, 0.0) for u, s in zip(users, systems, strict=True)],
        "memory": [memory(begin + step / 2) / max(most, 1) for begin in ticks[:-1]],
    }
    said = {
        # As the bars have theirs, in any language.
        "user": readable(run.user),
        "system": readable(run.system),
        "waiting": readable(run.waiting),
        "memory": f"{run.memory / 1e6:.0f} MB",
    }
    return [
        Track(WORDS[name].of(language), 0.0, step, tuple(levels[name]), said[name])
        for name in levels
    ]


Curve = Callable[[float], float]
"""A value over the time since the run began."""


def _curve(
    run: Run, value: Callable[[Sample], float], last: float | None = None
) -> Curve:
    """The samples' values, in straight lines, and at the run's end the last one."""
    points = [(sample.at, value(sample)) for sample in run.samples]
    points.append(
        (max(run.seconds, points[-1][0]), points[-1][1] if last is None else last)
    )
    times = [at for at, _ in points]

    def at_time(at: float) -> float:
        after = min(bisect_right(times, at), len(points) - 1)
        (begin, low), (end, high) = points[max(after - 1, 0)], points[after]
        share = min(max((at - begin) / (end - begin), 0.0), 1.0) if end > begin else 1.0
        return low + (high - low) * share

    return at_time


def _share(total: Curve, begin: float, step: float) -> float:
    """How much of a step a processor was used, whatever the cores: at most all."""
    return min(max((total(begin + step) - total(begin)) / step, 0.0), 1.0)


def _notes(run: Run, language: Language) -> Iterator[list[str]]:
    """What there is to say below the picture: lines, each in its parts."""
    if run.calls is not None:
        most = sorted(run.calls.items(), key=lambda item: -item[1].count)
        listed = [
            f"{name} {made.count:,}"
            + "".join(f" ({n:,} {error})" for error, n in (made.errors or {}).items())
            for name, made in most[:MOST_CALLS]
        ]
        none = Text("none that wait or talk", "待つもの、通信するものはなし")
        yield [
            Text("system calls:", "システムコール:").of(language),
            *(listed or [none.of(language)]),
        ]
    if run.samples:
        yield [
            Text("at most:", "最大:").of(language),
            Text(counted(run.threads, "thread"), f"スレッド {run.threads:,}").of(
                language
            ),
            Text(
                f"{run.processes:,} "
                + ("process" if run.processes == 1 else "processes"),
                f"プロセス {run.processes:,}",
            ).of(language),
            Text(
                counted(run.descriptors, "descriptor"),
                f"ディスクリプタ {run.descriptors:,}",
            ).of(language),
        ]
    yield [_summary(run, language)]


def _summary(run: Run, language: Language) -> str:
    all_of_it = totals(run)
    if not all_of_it.number:
        return Text(
            "no request came to the server", "サーバにリクエストは来ませんでした"
        ).of(language)
    answers, errors = all_of_it.answers, all_of_it.errors
    whole = seconds(all_of_it.seconds, language)
    in_turn = seconds(all_of_it.in_turn, language)
    times = f"{all_of_it.in_turn / max(all_of_it.seconds, 1e-6):.1f}"
    if language == "ja":
        failed = f"、失敗 {errors:,} 件" if errors else ""
        return (
            f"応答 {answers:,} 件{failed}: {whole}。1 件ずつなら {in_turn} ({times} 倍)"
        )
    failed = f" and {counted(errors, 'error')}" if errors else ""
    return (
        f"{counted(answers, 'answer')}{failed} in {whole}; "
        f"one after another: {in_turn} ({times}x)"
    )


def _wrapped(parts: Sequence[str], width: int, language: Language) -> Iterator[str]:
    """Parts in lines: with commas between them, but not behind one with a colon."""
    line = ""
    comma = Text(",", "、").of(language)
    for place, part in enumerate(parts):
        piece = part + (comma if 0 < place < len(parts) - 1 else "")
        for word in piece.split(" ") if width_of(piece) > width - 2 else [piece]:
            # Japanese has no blank behind a comma.
            blank = "" if not line.strip() or line.endswith("、") else " "
            longer = line + blank + word
            if width_of(longer) > width and line.strip():
                yield line
                longer = f"  {word}"
            line = longer
    yield line
