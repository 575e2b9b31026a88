"""How the figures of a run went over time. Pure.

A run of any length is cut into at most `MOST` intervals. When there are as many, those
that follow are twice as long, and with each of them one pair of the older ones becomes
one interval: so there is never much to do at once, and when all pairs are merged it
begins anew. Merging loses nothing but where the boundary was. All of it takes 1 MB
where latencies are much alike, and 14 where they are far apart.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from collections import Counter
from collections.abc import Mapping
from typing import Any

__all__ = ["Interval", "Series", "Steps"]

FIRST_WIDTH = 0.1
"""Seconds of the first intervals."""

MOST = 200
"""Intervals: more could not be told apart in a picture. An even number."""

PERCENTILES = {50: 1, 90: 10, 99: 100}
"""Each with the latencies that it takes: of fewer, a p99 is the longest of them."""

FEWEST_BINS = 5
"""If a p99 leaves no more than that of a run, its bins are for a p90."""


class Steps:
    """Latencies, each within 1% of what it was; the extremes are as they were.

    A step is what floats of 32 bits have in common whose first 15 are the same: their
    exponent, and six binary digits. So there are 64 from each time to twice that, and
    it takes 0.12 ms to count a thousand: a sixth of what the histogram takes.
    """

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        """By those 15 bits, which are in the order of the latencies."""
        self._shortest = math.inf
        self._longest = 0.0

    def add(self, seconds: array[float]) -> None:
        """Count these."""
        if not seconds:
            return
        halves = array("H", array("f", seconds).tobytes())
        upper = halves[1::2] if sys.byteorder == "little" else halves[::2]
        for bits, count in Counter(upper).items():
            self.counts[bits >> 1] += count
        self._take_extremes(min(seconds), max(seconds))

    @property
    def total(self) -> int:
        """How many there are."""
        return self.counts.total()

    def merge(self, other: Steps) -> None:
        """Count those as well."""
        self.counts.update(other.counts)
        self._take_extremes(other._shortest, other._longest)

    def figures(self) -> dict[str, float] | None:
        """`p50`, `p90`, `p99` and `max`, in seconds; None if there are none."""
        total = self.total
        if not total:
            return None
        found = {}
        in_order = iter(sorted(self.counts.items()))
        step, passed = 0, 0
        for percent in PERCENTILES:
            while passed * 100 < total * percent:
                step, count = next(in_order)
                passed += count
            # The next bit set, and none after it: that is the middle of the step.
            (middle,) = struct.unpack("=f", struct.pack("=I", step << 17 | 1 << 16))
            seconds = min(max(middle, self._shortest), self._longest)
            found[f"p{percent}"] = round(seconds, 6)
        return {**found, "max": round(self._longest, 6)}

    def reliable_figures(self) -> dict[str, float | None] | None:
        """The same, but None for what would be no more than the longest of so few."""
        found = self.figures()
        if found is None:
            return None
        return {
            **found,
            **{
                f"p{percent}": None
                for percent, enough in PERCENTILES.items()
                if self.total < enough
            },
        }

    def _take_extremes(self, shortest: float, longest: float) -> None:
        self._shortest = min(self._shortest, shortest)
        self._longest = max(self._longest, longest)


class Interval:
    """What ended from `began` to `ended`, which are seconds since the run began."""

    def __init__(self, began: float) -> None:
        self.began = self.ended = began
        self.latencies = Steps()
        """From when each request was due."""
        self.service = Steps()
        """From when it was sent, in a run at a rate."""
        self.statuses: Counter[str] = Counter()
        """Responses by the hundred that their status is in: `2xx`, `5xx`."""
        self.errors: Counter[str] = Counter()
        """Requests without a response, by the class of the error."""

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended - self.began

    def merge(self, later: Interval) -> None:
        """Be this one and the one after it."""
        self.ended = later.ended
        self.latencies.merge(later.latencies)
        self.service.merge(later.service)
        self.statuses.update(later.statuses)
        self.errors.update(later.errors)

    def as_json(self, *, latencies: bool = True) -> dict[str, Any]:
        """The interval as JSON values; latencies are None where there was no response.

        So are percentiles of fewer responses than it takes.
        """
        figures = {
            "latency": self.latencies.reliable_figures(),
            "uncorrected": self.service.reliable_figures(),
        }
        return {
            "began": round(self.began, 6),
            "ended": round(self.ended, 6),
            "answered": self.statuses.total(),
            "failed": self.errors.total(),
            **(figures if latencies else {}),
            "statuses": dict(sorted(self.statuses.items())),
            "errors": dict(sorted(self.errors.items())),
        }


class Series:
    """The intervals of a run; see above. Times are seconds since the run began.

    Who keeps it cuts it as soon as it is `due`, which may be late: what came meanwhile
    belongs to the interval that is cut, which is so much longer.
    """

    def __init__(self) -> None:
        self.intervals: list[Interval] = []
        """Those that are over, in their order, without gaps."""
        self.due = FIRST_WIDTH
        """When the interval that is under way should end."""
        self._width = FIRST_WIDTH
        self._current = Interval(0.0)
        self._next_pair = MOST // 2
        self._statuses: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()

    def bins(self) -> list[Interval]:
        """The intervals, joined until each has enough latencies for its percentiles.

        They are longer where responses are few. Of a short run, there are some with
        enough for a p90 rather than one or two with enough for a p99.
        """
        total = sum(interval.latencies.total for interval in self.intervals)
        least = PERCENTILES[99 if total >= FEWEST_BINS * PERCENTILES[99] else 90]
        found: list[Interval] = []
        for interval in self.intervals:
            if not found or found[-1].latencies.total >= least:
                found.append(Interval(interval.began))
            found[-1].merge(interval)
        if len(found) > 1 and found[-1].latencies.total < least:
            last = found.pop()
            found[-1].merge(last)
        return found

    def add_latencies(self, seconds: array[float]) -> None:
        """Responses have come, so long after they were due."""
        self._current.latencies.add(seconds)

    def add_service(self, seconds: array[float]) -> None:
        """The same from when they were sent."""
        self._current.service.add(seconds)

    def cut(
        self,
        seconds: float,
        statuses: Mapping[int, int],
        errors: Mapping[tuple[str, str, str], int],
    ) -> None:
        """End the interval at `seconds`; the others are the totals of the run so far.

        Errors are by type, phase and message, of which the type is kept.
        """
        self._take_totals(statuses, errors)
        self._current.ended = max(seconds, self._current.began)
        self.intervals.append(self._current)
        if len(self.intervals) > MOST:
            self._merge_at(self._next_pair)
            self._next_pair += 1
        if len(self.intervals) == MOST and self._next_pair == MOST // 2:
            self._width *= 2
            self._next_pair = 0
        self._current = Interval(self._current.ended)
        self.due = self._current.began + self._width

    def close(self, seconds: float) -> None:
        """The run has ended at `seconds`, and its last interval was cut.

        One that is short would have a rate by chance: it joins the one before.
        """
        # The last response may have come before somebody came to look.
        while len(self.intervals) > 1 and self.intervals[-2].ended > seconds:
            self._merge_at(len(self.intervals) - 2)
        self.intervals[-1].ended = max(seconds, self.intervals[-1].began)
        if len(self.intervals) > 1 and self.intervals[-1].seconds < self._width / 2:
            self._merge_at(len(self.intervals) - 2)

    def _merge_at(self, place: int) -> None:
        self.intervals[place].merge(self.intervals.pop(place + 1))

    def _take_totals(
        self, statuses: Mapping[int, int], errors: Mapping[tuple[str, str, str], int]
    ) -> None:
        by_hundred: Counter[str] = Counter()
        for status, count in statuses.items():
            by_hundred[f"{status // 100}xx"] += count
        by_type: Counter[str] = Counter()
        for (kind, _, _), count in errors.items():
            by_type[kind] += count
        self._current.statuses = by_hundred - self._statuses
        self._current.errors = by_type - self._errors
        self._statuses, self._errors = by_hundred, by_type
