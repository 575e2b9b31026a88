"""The charts of the page of a load run, each with its words and its table. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from nbtwisted.timeline.axis import tick_label
from nbtwisted.timeline.load.asked_rate import AskedRate
from nbtwisted.timeline.load.chart import (
    Axis,
    Between,
    Line,
    Part,
    Rule,
    linear,
    logarithmic,
)
from nbtwisted.timeline.load.figure import figure
from nbtwisted.timeline.load.time_axis import TimeAxis
from nbtwisted.timeline.quantity import NONE, counted, duration, number, percent

__all__ = ["Curve", "Values", "latency_over_time", "percentile_curve", "rate_over_time"]

Values = Mapping[str, Any]
"""Of a run or of an interval of it: see `load_page`."""

Curve = Sequence[tuple[float, float]]
"""Shares of the answers, and the seconds that so many took at most."""

WIDE_RANGE = 20
"""Times as long as the shortest: above this, an axis of latencies is logarithmic."""

MOST_REASONS = 3
"""Of an interval's failures that its row tells."""

MOST_BOUNDARIES = 40
"""Of stages that are drawn."""


def latency_over_time(
    report: Values, intervals: Sequence[Values], before: Sequence[Values] = ()
) -> str:
    """Percentiles of each interval, at a rate from when requests were sent as well.

    The highest that has a line is one for which there are enough answers. If there are
    intervals of a run `before`, that percentile of theirs is behind it.
    """
    time = TimeAxis(intervals)
    found = [interval["latency"] for interval in intervals]
    high = _highest(found)
    # Their names, their lines if they have one, and what they are of an interval.
    columns = [
        ("p50", "p50" if high != "p50" else "", "latency", "p50"),
        ("p90", "", "latency", "p90"),
        ("p99", "", "latency", "p99"),
        (f"{high} uncorrected", "uncorrected", "uncorrected", high),
        ("max", "max", "latency", "max"),
    ]
    columns = [
        (name, "p99" if name == high else kind, which, key)
        for name, kind, which, key in columns
        if (which == "latency" or report["uncorrected"] is not None)
        and (name != "p99" or high == "p99")
    ]
    values = [
        [found and found[key] for found in (interval[which] for interval in intervals)]
        for _, _, which, key in columns
    ]
    lines = [
        Line(name, kind, list(zip(time.middles, column, strict=True)))
        for (name, kind, _, _), column in zip(columns, values, strict=True)
        if kind
    ]
    names = [name for name, _, _, _ in columns]
    if before:
        names.append(f"{high} before")
        lines.insert(0, Line(names[-1], "before", _line_before(before, high, time)))
        values.append([_at(before, middle, high) for middle in time.middles])
    return figure(
        "latency",
        "Latency over time",
        _about_latency(time, found, high),
        time.axis,
        _latency_axis([y for line in lines for _, y in line.points]),
        [*_stage_rules(report, time), *lines],
        head=["time", *names],
        rows=[
            (middle, [label, *map(duration, row)])
            for middle, label, *row in zip(
                time.middles, time.labels, *values, strict=True
            )
        ],
    )


def _line_before(
    before: Sequence[Values], name: str, time: TimeAxis
) -> list[tuple[float, float | None]]:
    """A percentile of an earlier run, as far as this one went."""
    middles = [(each["began"] + each["ended"]) / 2 for each in before]
    return [
        (middle, each["latency"] and each["latency"][name])
        for middle, each in zip(middles, before, strict=True)
        if middle <= time.axis.high
    ]


def _at(intervals: Sequence[Values], seconds: float, name: str) -> float | None:
    """A percentile of the interval that a moment is in."""
    for each in intervals:
        if each["began"] <= seconds < each["ended"] and each["latency"]:
            found: float | None = each["latency"][name]
            return found
    return None


def _stage_rules(report: Values, time: TimeAxis) -> list[Rule]:
    """Where a stage ended and another began, as long as they can be told apart."""
    asked = AskedRate.of(report)
    boundaries = asked.boundaries(time.axis.high) if asked is not None else []
    if not 0 < len(boundaries) <= MOST_BOUNDARIES:
        return []
    return [Rule("another stage begins", "stage", boundaries)]


def _highest(found: Sequence[Values | None]) -> str:
    """The highest percentile that some interval has enough answers for."""
    there = [latency for latency in found if latency is not None]
    for name in ("p99", "p90"):
        if any(latency[name] is not None for latency in there):
            return name
    return "p50"


def _about_latency(time: TimeAxis, found: Sequence[Values | None], name: str) -> str:
    there = [
        (latency[name], label)
        for latency, label in zip(found, time.labels, strict=True)
        if latency is not None and latency[name] is not None
    ]
    low, when_low = min(there, key=itemgetter(0))
    high, when_high = max(there, key=itemgetter(0))
    if len(there) == 1:
        about = f"All answers came in one interval; {name} is {duration(low)}."
    elif duration(low) == duration(high):
        about = f"{name} is {duration(low)} in each interval."
    else:
        about = (
            f"{name} is lowest at {when_low} with {duration(low)} and highest at "
            f"{when_high} with {duration(high)}."
        )
    empty = sum(latency is None for latency in found)
    if empty:
        about += f" In {empty} of {len(found)} intervals no answer came."
    return about


def percentile_curve(report: Values, curves: Mapping[str, Curve | None]) -> str:
    """All latencies on HdrHistogram's axis: each nine has the room of the one before.

    At a rate, both kinds, and what is between them.
    """
    latency, uncorrected = curves["latency"], curves["uncorrected"]
    assert latency
    one_in = [1 / (1 - share) for share, _ in latency]
    points = list(zip(one_in, (seconds for _, seconds in latency), strict=True))
    between: list[Part] = []
    if uncorrected is None:
        lines = [Line("latency", "p99", points)]
    else:
        lines = [
            Line("from when due (corrected)", "p99", points),
            Line(
                "from when sent (uncorrected)",
                "uncorrected",
                list(zip(one_in, (seconds for _, seconds in uncorrected), strict=True)),
            ),
        ]
        hidden = "what coordinated omission would have hidden"
        between = [Between(hidden, "between", lines[0], lines[1])]
    most = max(one_in[-1], 10.0)
    ticks = [(1.0, "0%"), (2.0, "50%")]
    ticks += [
        (10.0**nines, percent(1 - 10.0**-nines))
        for nines in range(1, int(math.log10(most) * 1.000001) + 1)
    ]
    axis = Axis("share of the answers", 1.0, most, ticks, is_logarithmic=True)
    columns = [[duration(seconds) for _, seconds in latency]]
    if uncorrected is not None:
        columns.append([duration(seconds) for _, seconds in uncorrected])
    return figure(
        "percentiles",
        "Latency by percentile",
        _about_percentiles(report),
        axis,
        _latency_axis(
            [y for line in lines for _, y in line.points],
            # That few were very fast is no reason to press the slow ones together.
            judged_from=[y for line in lines for x, y in line.points if x >= 2],
        ),
        [*between, *lines],
        head=["share", *(["corrected", "uncorrected"] if between else ["latency"])],
        rows=[
            (x, [percent(share), *row])
            for x, (share, _), *row in zip(one_in, latency, *columns, strict=True)
        ],
    )


def _about_percentiles(report: Values) -> str:
    latency, uncorrected = report["latency"], report["uncorrected"]
    about = (
        f"Half of the answers took {duration(latency['p50'])} at most, 99% "
        f"{duration(latency['p99'])}; the slowest took {duration(latency['max'])}."
    )
    if uncorrected is None:
        return about
    p99 = duration(uncorrected["p99"])
    if p99 == duration(latency["p99"]):
        return f"{about} Counted from when they were sent, 99% took the same."
    return f"{about} Counted from when they were sent, 99% took {p99}."


def rate_over_time(report: Values, intervals: Sequence[Values]) -> str:
    """Answers and failures of each interval, a second; bad statuses, if any, apart.

    The rate that was asked for, if one was, is behind them.
    """
    time = TimeAxis(intervals)
    asked = AskedRate.of(report)
    bad = [
        sum(count for name, count in interval["statuses"].items() if name[0] in "45")
        for interval in intervals
    ]
    columns = [
        ("answers a second", "answers", [each["answered"] for each in intervals]),
        *([("4xx and 5xx among them", "bad-status", bad)] if any(bad) else []),
        ("failures a second", "failures", [each["failed"] for each in intervals]),
    ]
    has_failed = any(interval["failed"] for interval in intervals)
    rates = [
        [
            count / seconds if seconds > 0 else 0.0
            for count, seconds in zip(counts, time.lengths, strict=True)
        ]
        for _, _, counts in columns
    ]
    parts: list[Part] = [
        Line(
            name,
            kind,
            [
                # Where none failed there is nothing to see.
                (middle, value if value or kind != "failures" else None)
                for middle, value in zip(time.middles, column, strict=True)
            ],
            is_marked=kind == "failures",
        )
        for (name, kind, _), column in zip(columns, rates, strict=True)
        if kind != "failures" or has_failed
    ]
    names = [name for name, _, _ in columns]
    highest = max(max(column) for column in rates)
    if asked is not None:
        points = asked.points(time.axis.high)
        parts.insert(0, Line("asked a second", "asked", points, is_filled=True))
        parts = [*_stage_rules(report, time), *parts]
        names.insert(0, "asked a second")
        bounds = [(each["began"], each["ended"]) for each in intervals]
        rates.insert(0, [asked.average(*each) for each in bounds])
        highest = max(highest, *(rate for _, rate in points))
    return figure(
        "rate",
        "Answers and failures over time",
        _about_rate(report, time, rates[-len(columns)], intervals, asked),
        time.axis,
        linear("a second", highest, lambda value, _: number(value)),
        parts,
        head=["time", *names, "why"],
        rows=[
            (middle, [label, *map(number, row), _reasons(interval)])
            for middle, label, interval, *row in zip(
                time.middles, time.labels, intervals, *rates, strict=True
            )
        ],
    )


def _about_rate(
    report: Values,
    time: TimeAxis,
    answers: Sequence[float],
    intervals: Sequence[Values],
    asked: AskedRate | None,
) -> str:
    if report["answered"]:
        about = f"{number(report['rps'])} answers a second on average"
    else:
        about = "No answers"
    if report["answered"] and len(answers) > 1:
        about += (
            f", and from {number(min(answers))} to {number(max(answers))} in an "
            "interval"
        )
    if asked is not None and asked.is_varying:
        about = f"Asked a second: {asked.stages_in_words()}. {about}"
    if not report["failed"]:
        return f"{about}; no request failed."
    failed = [interval["failed"] for interval in intervals]
    most, when = max(zip(failed, time.labels, strict=True), key=itemgetter(0))
    return (
        f"{about}; {counted(report['failed'], 'request')} failed, at most {most:,} in "
        f"one interval, at {when}."
    )


def _reasons(interval: Values) -> str:
    """Why requests of an interval failed, the most frequent first."""
    errors = sorted(interval["errors"].items(), key=lambda item: -item[1])
    shown = [f"{kind} ({count:,})" for kind, count in errors[:MOST_REASONS]]
    if len(errors) > MOST_REASONS:
        shown.append("others")
    return ", ".join(shown) or NONE


def _latency_axis(
    values: Sequence[float | None], judged_from: Sequence[float | None] = ()
) -> Axis:
    """Logarithmic where latencies are far apart: these, or those it is judged from."""
    there = [value for value in values if value]
    low, high = min(there, default=0.001), max(there, default=0.001)
    if high > WIDE_RANGE * min((v for v in judged_from if v), default=low):
        return logarithmic("latency, on a logarithmic scale", low, high, tick_label)
    return linear("latency", high, tick_label)
