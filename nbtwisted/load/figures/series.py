"""How the figures of a run went over time. Pure.

A run of any length is cut into at most `MOST` intervals. When there are as many, those
that follow are twice as long, and with each of them one pair of the older ones becomes
one interval: so there is never much to do at once, and when all pairs are merged it
begins anew. Merging loses nothing but where the boundary was. A series takes 1 to 6 MB.

An interval begins at a multiple of its width, counted from when the run began. So runs
that began at the same moment have the same intervals, and their series can be merged.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nbtwisted.load.figures.json_values import as_count, as_list, as_object, as_seconds
from nbtwisted.load.figures.steps import PERCENTILES, Steps

__all__ = ["Interval", "Series", "binned"]

FIRST_WIDTH = 0.1
"""Seconds of the first intervals."""

MOST = 200
"""Intervals: more could not be told apart in a picture. An even number."""

FEWEST_BINS = 5
"""If a p99 leaves no more than that of a run, its bins are for a p90."""

_PRECISION = 6
"""Digits of seconds behind the point: the boundaries have no more."""

_WIDTHS = frozenset(2**doublings for doublings in range(32))
"""In steps of the first."""


class Interval:
    """What ended from `began` to `ended`, which are seconds since the run began.

    What ended at a boundary belongs to the interval before it.
    """

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

    def merge(self, other: Interval) -> None:
        """Be the sum: with the one after it, or with the same of another run."""
        self.ended = max(self.ended, other.ended)
        self.latencies.merge(other.latencies)
        self.service.merge(other.service)
        # `Counter.update` takes ten times as long for so few.
        for status, count in other.statuses.items():
            self.statuses[status] += count
        for error, count in other.errors.items():
            self.errors[error] += count

    def copied(self) -> Interval:
        """Another that is the same."""
        copy = Interval(self.began)
        copy.merge(self)
        return copy

    def as_json(self, *, latencies: bool = True, steps: bool = False) -> dict[str, Any]:
        """The interval as JSON values; latencies are None where there was no response.

        So are percentiles of fewer responses than it takes. The `steps` are what they
        were made of, for `from_json`.
        """
        figures = {
            "latency": self.latencies.reliable_figures,
            "uncorrected": self.service.reliable_figures,
        }
        exact = {"latency": self.latencies, "uncorrected": self.service}
        return {
            "began": self.began,
            "ended": self.ended,
            "answered": self.statuses.total(),
            "failed": self.errors.total(),
            **({name: of() for name, of in figures.items()} if latencies else {}),
            "statuses": dict(sorted(self.statuses.items())),
            "errors": dict(sorted(self.errors.items())),
            **(
                {"steps": {name: each.as_json() for name, each in exact.items()}}
                if steps
                else {}
            ),
        }

    @classmethod
    def from_json(cls, given: Any) -> Interval:
        """The inverse of `as_json` with steps; raises `ValueError` for other values."""
        given = as_object(given)
        interval = cls(as_seconds(given.get("began")))
        interval.ended = as_seconds(given.get("ended"))
        steps = as_object(given.get("steps"))
        interval.latencies = Steps.from_json(steps.get("latency"))
        interval.service = Steps.from_json(steps.get("uncorrected"))
        for counter, name in (
            (interval.statuses, "statuses"),
            (interval.errors, "errors"),
        ):
            for kind, count in as_object(given.get(name)).items():
                counter[kind] = as_count(count)
        return interval


class Series:
    """The intervals of a run; see above. Times are seconds since the run began.

    It is told what came as soon as it was `due` that an interval ends, before anything
    is added that came later. If it is told late, the intervals between are empty.
    """

    def __init__(self) -> None:
        self.intervals: list[Interval] = []
        """Those that are over, in their order, without gaps."""
        self.due = FIRST_WIDTH
        """When the interval that is under way ends."""
        # In steps of the first width, as all that is on the grid.
        self._width = 1
        self._began = 0
        self._current = Interval(0.0)
        self._next_pair = MOST // 2
        self._news: list[Interval] | None = None
        """Those that nobody has asked for; None if nobody asks."""
        self._statuses: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()

    def bins(self) -> list[Interval]:
        """The intervals, joined until each has enough latencies: see `binned`."""
        return binned(self.intervals)

    def rates(self) -> list[Interval]:
        """The intervals, the last of which is long enough to have no rate by chance."""
        found = [*self.intervals]
        if len(found) > 1 and found[-1].seconds < found[0].seconds / 2:
            joined = Interval(found[-2].began)
            for interval in found[-2:]:
                joined.merge(interval)
            found[-2:] = [joined]
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
        """End the intervals that are over at `seconds`.

        The others are the totals of the run so far. Errors are by type, phase and
        message, of which the type is kept.
        """
        if seconds <= self.due:
            return
        self._take_totals(statuses, errors)
        while seconds > self.due:
            self._end_at(self.due)

    def close(
        self,
        seconds: float,
        statuses: Mapping[int, int],
        errors: Mapping[tuple[str, str, str], int],
    ) -> None:
        """The run has ended at `seconds`, and with it its last interval."""
        self.cut(seconds, statuses, errors)
        self._take_totals(statuses, errors)
        # The last response may have come before somebody came to look.
        while self.intervals and self._current.began >= seconds:
            self.intervals[-1].merge(self._current)
            self._current = self.intervals.pop()
        self._end_at(max(round(seconds, _PRECISION), self._current.began))
        self._merge_pairs()

    def news(
        self,
        seconds: float,
        statuses: Mapping[int, int],
        errors: Mapping[tuple[str, str, str], int],
    ) -> list[Interval]:
        """The intervals that ended since this was asked, of a run that goes on.

        Behind them is the one that is under way, as if the run had ended at `seconds`,
        with these totals.
        """
        ended = self.intervals if self._news is None else self._news
        self._news = []
        under_way = self._current.copied()
        self._count(under_way, statuses, errors)
        under_way.ended = max(round(seconds, _PRECISION), under_way.began)
        return [*ended, under_way]

    def add(self, interval: Interval) -> None:
        """Count the next of the intervals that another series had as `news`."""
        width = round(interval.seconds / FIRST_WIDTH)
        place = round(interval.began / FIRST_WIDTH)
        while self._width < width or place >= MOST * self._width:
            self._widen()
        self._put(place, interval)

    def merge(self, other: Series) -> None:
        """Be the series of both runs, which began at the same moment and are over."""
        while self._width < other._width:
            self._widen()
        for place, interval in enumerate(other.intervals):
            self._put(place * other._width, interval)

    def _put(self, step: int, interval: Interval) -> None:
        """Count an interval that begins so many steps after the run, and is no gap."""
        # Several may be one of ours.
        place = step // self._width
        if place == len(self.intervals):
            self.intervals.append(Interval(self._boundary(place * self._width)))
        self.intervals[place].merge(interval)

    def as_json(self, *, latencies: bool = True) -> list[dict[str, Any]]:
        """The intervals of a run that is over, as JSON values with all that they hold.

        Latencies can be left out: they are in the steps as well.
        """
        return [
            each.as_json(latencies=latencies, steps=True) for each in self.intervals
        ]

    @classmethod
    def from_json(cls, given: Any) -> Series:
        """The inverse of `as_json`; raises `ValueError` for what that does not give."""
        series = cls()
        intervals = [Interval.from_json(each) for each in as_list(given)]
        series.intervals = intervals
        if len(intervals) > 1:
            series._width = round(intervals[1].began / FIRST_WIDTH)
        if not 0 < len(intervals) <= MOST or series._width not in _WIDTHS:
            raise ValueError("intervals that are none of a run")
        width = series._width
        for place, interval in enumerate(intervals):
            is_last = place == len(intervals) - 1
            end = series._boundary((place + 1) * width)
            if interval.began != series._boundary(place * width) or not (
                interval.began <= interval.ended <= end
                if is_last
                else interval.ended == end
            ):
                raise ValueError(f"interval {place} is not where it should be")
        return series

    def _widen(self) -> None:
        """Be of intervals twice as long."""
        for place in range(len(self.intervals) // 2):
            self._merge_at(place)
        self._width *= 2

    def _end_at(self, seconds: float) -> None:
        """End the interval that is under way."""
        self._current.ended = seconds
        self.intervals.append(self._current)
        if self._news is not None:
            self._news.append(self._current.copied())
        self._began += self._width
        if len(self.intervals) > MOST:
            self._merge_at(self._next_pair)
            self._next_pair += 1
        if len(self.intervals) == MOST and self._next_pair == MOST // 2:
            self._width *= 2
            self._next_pair = 0
        self._current = Interval(self._boundary(self._began))
        self.due = self._boundary(self._began + self._width)

    def _merge_pairs(self) -> None:
        """Merge what is left of those that are half as long as others."""
        while self._next_pair < MOST // 2:
            # The last may be alone.
            if self._next_pair + 1 < len(self.intervals):
                self._merge_at(self._next_pair)
            self._next_pair += 1

    @staticmethod
    def _boundary(place: int) -> float:
        return round(place * FIRST_WIDTH, _PRECISION)

    def _merge_at(self, place: int) -> None:
        self.intervals[place].merge(self.intervals.pop(place + 1))

    def _take_totals(
        self, statuses: Mapping[int, int], errors: Mapping[tuple[str, str, str], int]
    ) -> None:
        self._statuses, self._errors = self._count(self._current, statuses, errors)

    def _count(
        self,
        interval: Interval,
        statuses: Mapping[int, int],
        errors: Mapping[tuple[str, str, str], int],
    ) -> tuple[Counter[str], Counter[str]]:
        """Give the interval under way what is new in the totals; returns these."""
        by_hundred: Counter[str] = Counter()
        for status, count in statuses.items():
            by_hundred[f"{status // 100}xx"] += count
        by_type: Counter[str] = Counter()
        for (kind, _, _), count in errors.items():
            by_type[kind] += count
        interval.statuses = by_hundred - self._statuses
        interval.errors = by_type - self._errors
        return by_hundred, by_type


def binned(intervals: Sequence[Interval]) -> list[Interval]:
    """Intervals, joined until each has enough latencies for its percentiles.

    They are longer where responses are few. Of a short run, there are some with enough
    for a p90 rather than one or two with enough for a p99.
    """
    totals = [interval.latencies.total for interval in intervals]
    least = PERCENTILES[99 if sum(totals) >= FEWEST_BINS * PERCENTILES[99] else 90]
    found: list[Interval] = []
    in_last = least
    for interval, total in zip(intervals, totals, strict=True):
        if in_last >= least:
            found.append(Interval(interval.began))
            in_last = 0
        found[-1].merge(interval)
        in_last += total
    if len(found) > 1 and in_last < least:
        last = found.pop()
        found[-1].merge(last)
    return found
