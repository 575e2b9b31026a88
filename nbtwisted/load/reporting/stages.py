"""What came of each stage of a run whose rate varied. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nbtwisted.load.figures.series import Interval, Series
from nbtwisted.load.schedule.profile import Profile
from nbtwisted.load.text_table import table_lines

__all__ = ["stage_figures", "stage_lines"]

HEAD = ("from", "asked/s", "answered", "failed", "reached/s", "p50", "p99")

MOST_ROWS = 50
"""Stages that are shown of very many."""


def stage_figures(profile: Profile, series: Series | None) -> list[dict[str, Any]]:
    """Each stage as JSON values, with what ended in it, as far as a series tells.

    An interval belongs to the stage in which its middle is, and to the last if it is
    after all of them. Of a stage without one, the figures are None.
    """
    found: list[dict[str, Any]] = []
    began = 0.0
    left = [] if series is None else [*series.intervals]
    for stage in profile.stages:
        is_last = len(found) == len(profile.stages) - 1
        ended = began + stage.seconds
        whole: Interval | None = None
        while left and (is_last or _middle(left[0]) < ended):
            interval = left.pop(0)
            if whole is None:
                whole = Interval(interval.began)
            whole.merge(interval)
        found.append(
            {
                "began": began,
                "ended": None if ended == math.inf else ended,
                "from": stage.begins_at,
                "to": stage.ends_at,
                **_figures(whole),
            }
        )
        began = ended
    return found


def _middle(interval: Interval) -> float:
    return (interval.began + interval.ended) / 2


def _figures(whole: Interval | None) -> dict[str, Any]:
    if whole is None:
        names = ("answered", "failed", "rps", "p50", "p99")
        return dict.fromkeys(names)
    answered = whole.statuses.total()
    latency = whole.latencies.reliable_figures() or {}
    return {
        "answered": answered,
        "failed": whole.errors.total(),
        "rps": answered / whole.seconds if whole.seconds else 0.0,
        "p50": latency.get("p50"),
        "p99": latency.get("p99"),
    }


def stage_lines(stages: Sequence[dict[str, Any]]) -> list[str]:
    """A table of them, for people."""
    rows = [HEAD, *map(_row, stages[:MOST_ROWS])]
    lines = table_lines(rows, alignment=">" * len(HEAD))
    if len(stages) > MOST_ROWS:
        lines.append(f"  and {len(stages) - MOST_ROWS} more (--json has all)")
    return ["Stages:", *lines]


def _row(stage: dict[str, Any]) -> tuple[str, ...]:
    rates = [f"{stage['from']:g}"]
    if stage["to"] != stage["from"]:
        rates.append(f"{stage['to']:g}")
    p50, p99 = (
        "-" if stage[name] is None else f"{stage[name] * 1000:.3f} ms"
        for name in ("p50", "p99")
    )
    answered, failed = (
        "-" if stage[name] is None else str(stage[name])
        for name in ("answered", "failed")
    )
    reached = "-" if stage["rps"] is None else f"{stage['rps']:.1f}"
    began = f"{stage['began']:g} s"
    return (began, "..".join(rates), answered, failed, reached, p50, p99)
