"""A run beside an earlier one: what has changed, and whether it is noise. Pure.

Each run goes up and down, and its figures would have been others had it gone up and
down a bit differently. How much is shown by its own intervals (a bootstrap): as many of
them are drawn at random, in short blocks, some more than once, and make up another run
that might have been. A thousand pairs of such runs have a thousand changes, and the
middle 95% of them are between `low` and `high`. A change is beyond noise if all of
these go one way.

A block is the cube root of all intervals long, as is usual. What goes up and down more
slowly makes for more noise than is seen here, and so does what differs between runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from nbtwisted.load.comparing.earlier import FEWEST_INTERVALS, Earlier, figures_of
from nbtwisted.load.comparing.resampling import Resampling
from nbtwisted.load.figures.series import Interval
from nbtwisted.load.text_table import table_lines

__all__ = ["compare", "comparison_lines"]

RESAMPLES = 1000
MIDDLE = 0.95
NORMAL = 1.96
"""Deviations to each side that have so much in the middle."""

SEED = 1
"""The same two runs always have the same comparison."""

GOOD_IF_LARGE = ("rps",)
"""Of all other figures, less is better."""

FEWEST = {"p50": 20, "p90": 100, "p99": 1000, "p99.9": 10_000}
"""Latencies that a percentile takes for its noise to be seen: ten are beyond it."""


def compare(
    earlier: Earlier, report: Mapping[str, Any], intervals: Sequence[Interval]
) -> dict[str, Any]:
    """The comparison as JSON values; `report` and `intervals` are those of this run.

    `change` is a share of what was before, and None if that was 0; of `errors`, it is
    the difference of the shares. `low`, `high` and `is_beyond_noise` are None if too
    little is there to tell.
    """
    before, now = figures_of(earlier.report), figures_of(report)
    differences = earlier.differences(report)
    ranges: dict[str, tuple[float, float]] = {}
    if len(intervals) >= FEWEST_INTERVALS:
        ranges = _ranges(before, now, earlier.intervals, intervals)
    return {
        "file": earlier.file,
        "differences": differences,
        "intervals": {"before": len(earlier.intervals), "now": len(intervals)},
        "figures": [
            _figure(name, before[name], now[name], ranges.get(name)) for name in now
        ],
    }


def is_worse(figure: Mapping[str, Any]) -> bool:
    """Whether it got worse, by however little."""
    grew: bool = figure["now"] > figure["before"]
    return grew != (figure["figure"] in GOOD_IF_LARGE) and figure["change"] != 0


def _figure(
    name: str, before: float, now: float, between: tuple[float, float] | None
) -> dict[str, Any]:
    low, high = between or (None, None)
    return {
        "figure": name,
        "before": before,
        "now": now,
        "change": _change(name, before, now),
        "low": low,
        "high": high,
        "is_beyond_noise": None if low is None or high is None else low > 0 or high < 0,
    }


def _change(name: str, before: float, now: float) -> float | None:
    if name == "errors":
        return now - before
    return now / before - 1 if before else None


def _ranges(
    before: Mapping[str, float],
    now: Mapping[str, float],
    earlier: Sequence[Interval],
    intervals: Sequence[Interval],
) -> dict[str, tuple[float, float]]:
    """Between what most changes are of runs that might have been."""
    chance = Random(SEED)
    runs = [Resampling(earlier), Resampling(intervals)]
    # They are a bit beside those of the reports, which are more precise.
    plain = [run.figures() for run in runs]
    changes: dict[str, list[float]] = {name: [] for name in now}
    for _ in range(RESAMPLES):
        drawn = [run.draw(chance) for run in runs]
        for name, found in changes.items():
            one, other = (
                _beside(exact[name], each[name], of[name])
                for exact, each, of in zip((before, now), drawn, plain, strict=True)
            )
            change = _change(name, one, other)
            if change is not None:
                found.append(change)
    fewest = min(run.latencies for run in runs)
    wider = _wider(min(run.drawn for run in runs))
    ranges = {}
    for name, found in changes.items():
        if len(found) == RESAMPLES and fewest >= FEWEST.get(name, 0):
            found.sort()
            cut_off = round(RESAMPLES * (1 - MIDDLE) / 2)
            middle = _change(name, before[name], now[name])
            assert middle is not None, "changes of what has none"
            ranges[name] = (
                # Nothing gets less than nothing.
                max(middle + wider * (found[cut_off] - middle), -1.0),
                middle + wider * (found[-1 - cut_off] - middle),
            )
    return ranges


def _wider(blocks: int) -> float:
    """By how much a range is too narrow that so few blocks were drawn for.

    Blocks differ less from their own mean than from the one that they are to tell of;
    and the range of a mean is Student's, which is wider than the normal one.
    """
    freedom = max(blocks - 1, 1)
    students = 1 + (NORMAL**2 + 1) / (4 * freedom)
    return students * math.sqrt(blocks / freedom)


def _beside(exact: float, drawn: float, plain: float) -> float:
    """A figure that was drawn, moved by how far all of them are off."""
    return exact * drawn / plain if plain else exact


def comparison_lines(comparison: Mapping[str, Any]) -> list[str]:
    """The comparison for people: a line a figure."""
    rows = [("", "before", "now", "change", "")]
    for figure in comparison["figures"]:
        name = figure["figure"]
        rows.append(
            (
                f"{name}:",
                _shown(name, figure["before"]),
                _shown(name, figure["now"]),
                changed(name, figure["change"]),
                _noise(figure),
            )
        )
    return [
        f"Before ({comparison['file']}) and now:",
        *table_lines(rows, alignment="<>>><"),
    ]


def changed(name: str, change: float | None) -> str:
    """A change for people: `+12.3%`, or of errors `+1.2 points`."""
    if change is None:
        return "none before"
    return f"{change:+.1%}" if name != "errors" else f"{100 * change:+.2f} points"


def _noise(figure: Mapping[str, Any]) -> str:
    name, is_beyond_noise = figure["figure"], figure["is_beyond_noise"]
    if is_beyond_noise is None:
        return "(too few to tell)"
    between = f"({changed(name, figure['low'])} to {changed(name, figure['high'])})"
    if not is_beyond_noise:
        return f"{between} within noise"
    return f"{between} {'worse' if is_worse(figure) else 'better'}"


def _shown(name: str, value: float) -> str:
    if name == "rps":
        return f"{value:.2f}/s"
    return f"{value:.2%}" if name == "errors" else f"{value * 1000:.3f} ms"
