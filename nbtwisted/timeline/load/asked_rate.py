"""The rate that a run asked for, over its time. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbtwisted.timeline.quantity import counted, number

__all__ = ["AskedRate"]

MOST_STAGES = 6
"""Stages that a sentence has words for."""


@dataclass(frozen=True)
class _Stage:
    """From `began` to `ended`, the rate goes evenly from `first` to `last`."""

    began: float
    ended: float
    first: float
    last: float
    has_end: bool = True
    """Without one, it went on as long as the run."""

    def __str__(self) -> str:
        if self.first == self.last:
            rate = number(self.first)
        else:
            rate = f"from {number(self.first)} to {number(self.last)}"
        if not self.has_end:
            return f"{rate} until the end"
        return f"{rate} for {_length(self.ended - self.began)}"

    def rate(self, moment: float) -> float:
        """Requests a second at a moment of this stage."""
        length = self.ended - self.began
        share = (moment - self.began) / length if length else 0.0
        return self.first + (self.last - self.first) * share

    def due(self, began: float, ended: float) -> float:
        """How many requests of this stage are due from one time to another."""
        began, ended = max(began, self.began), min(ended, self.ended)
        if ended <= began:
            return 0.0
        return self.rate((began + ended) / 2) * (ended - began)


class AskedRate:
    """Requests that are due in a second: in stages, or the same from end to end."""

    def __init__(self, stages: Sequence[_Stage], *, is_varying: bool) -> None:
        self._stages = stages
        self.is_varying = is_varying
        """Whether somebody asked for stages."""

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> AskedRate | None:
        """That of a run; None in a closed loop, which asks for no rate."""
        stages = report.get("stages")
        if stages:
            found = [
                _Stage(
                    began,
                    max(report["seconds"], began) if ended is None else ended,
                    each["from"],
                    each["to"],
                    has_end=ended is not None,
                )
                for each in stages
                for began, ended in [(each["began"], each["ended"])]
            ]
            return cls(found, is_varying=True)
        rate = report["rate"]
        if rate is None:
            return None
        # What is under way at the end is waited for: nothing is due any more then.
        due = report["sent"] + report["client"].get("not_sent", 0)
        ended = report["seconds"] if report.get("partial") else due / rate
        return cls([_Stage(0.0, ended, rate, rate)], is_varying=False)

    def points(self, until: float) -> list[tuple[float, float]]:
        """Times and rates, with a step where a stage begins with another rate."""
        ends = [
            point
            for stage in self._stages
            if stage.began <= until
            for end in [min(stage.ended, until)]
            for point in ((stage.began, stage.first), (end, stage.rate(end)))
        ]
        return list(dict.fromkeys(ends))

    def boundaries(self, until: float) -> list[float]:
        """When a stage ended and another began."""
        return [stage.began for stage in self._stages[1:] if stage.began <= until]

    def average(self, began: float, ended: float) -> float:
        """Requests a second that are due from one time to another."""
        if ended <= began:
            return 0.0
        due = sum(stage.due(began, ended) for stage in self._stages)
        return due / (ended - began)

    def summary(self) -> str:
        """`400 a second`, or `100 to 1,000 a second in 3 stages`."""
        rates = [rate for stage in self._stages for rate in (stage.first, stage.last)]
        low, high = number(min(rates)), number(max(rates))
        both = high if low == high else f"{low} to {high}"
        if not self.is_varying:
            return f"{both} a second"
        return f"{both} a second in {counted(len(self._stages), 'stage')}"

    def stages_in_words(self) -> str:
        """`from 100 to 1,000 for 1 min, then 1,000 for 5 min`."""
        shown = [str(stage) for stage in self._stages[:MOST_STAGES]]
        left_out = len(self._stages) - MOST_STAGES
        if left_out > 0:
            shown.append(f"{counted(left_out, 'stage')} more")
        return ", then ".join(shown)


def _length(seconds: float) -> str:
    """How long a stage is, as somebody may have written it."""
    if seconds >= 60 and seconds % 60 == 0:
        return f"{seconds / 60:g} min"
    return f"{seconds:.6g} s"
