"""The time of a run on an axis. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nbtwisted.timeline.axis import tick_step
from nbtwisted.timeline.axis import ticks as ticks_of
from nbtwisted.timeline.load.chart import Axis

__all__ = ["TimeAxis"]


class TimeAxis:
    """The intervals of a run on an axis, in seconds, minutes or hours."""

    def __init__(self, intervals: Sequence[Mapping[str, Any]]) -> None:
        whole = max(intervals[-1]["ended"], 1e-6)
        size, unit = next(
            (size, unit)
            for size, unit in ((3600, "h"), (60, "min"), (1, "s"))
            if whole > 5 * size or size == 1
        )
        step = tick_step(whole / size, 6)
        # As many as tell the intervals apart.
        decimals = max(math.ceil(-math.log10(whole / size / len(intervals) / 2)), 0)

        def label(seconds: float) -> str:
            return f"{seconds / size:.{decimals}f}"

        ticks = [
            (tick * size, f"{tick:.6g} {unit}") for tick in ticks_of(whole / size, step)
        ]
        self.axis = Axis("time since the beginning", 0.0, whole, ticks)
        bounds = [(each["began"], each["ended"]) for each in intervals]
        self.middles = [(began + ended) / 2 for began, ended in bounds]
        self.lengths = [ended - began for began, ended in bounds]
        self.labels = [
            f"{label(began)}–{label(ended)} {unit}" for began, ended in bounds
        ]
