"""How long many requests took, in a histogram. Pure."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from hdrh.histogram import HdrHistogram

from nbtwisted.load.figures.json_values import as_count, as_object, as_seconds, as_text

__all__ = ["MICROSECONDS", "PERCENTILES", "Latencies"]

LONGEST = 3600
"""Seconds: what takes longer counts as this."""

MICROSECONDS = 1_000_000

LARGEST = LONGEST * MICROSECONDS

DIGITS = 3

FLUSHED = 20_000
"""Latencies that are kept before they are put into the histogram."""

LONGEST_TEXT = 300_000
"""Characters of a histogram: nine bytes for each of its counts, in base64."""

PERCENTILES = (10, 25, 50, 75, 90, 95, 99, 99.9, 99.99)
"""Those that are shown."""

POINTS = 20
"""Of a curve, for each nine more."""


class Latencies:
    """Seconds, in a histogram of three digits.

    Adding is the hot path, and only appends: to record each by itself takes 1.1 µs,
    and to count those that are alike, and record each kind, 0.4. `also` is given the
    same, at the latest when they are flushed.
    """

    def __init__(self, also: Callable[[array[float]], None] | None = None) -> None:
        # It takes 0.2 MB and 0.1 ms: there is none of nothing.
        self._made: Any = None
        self._also = also
        self._told = 0
        self._shortest = math.inf
        self._longest = 0.0
        self._pending = array("d")
        self.add = self._pending.append

    def tell(self) -> None:
        """Give to `also` what was added since it was last told.

        This takes a sixth of the time of a flush, which is the cheaper the more there
        is to flush.
        """
        if self._also is not None:
            self._also(self._pending[self._told :])
            self._told = len(self._pending)

    def flush(self) -> None:
        """Put into the histogram what was added."""
        self.tell()
        if not self._pending:
            return
        counts = Counter(int(seconds * MICROSECONDS) for seconds in self._pending)
        histogram = self._histogram
        for value, count in counts.items():
            histogram.record_value(min(max(value, 1), LARGEST), count)
        # The histogram has these to three digits, too.
        self._shortest = min(self._shortest, min(self._pending))
        self._longest = max(self._longest, max(self._pending))
        del self._pending[:]
        self._told = 0

    def merge(self, other: Latencies) -> None:
        """Count those as well, of which `also` is not told."""
        self.flush()
        if other.count:
            self._histogram.add(other.histogram)
        self._shortest = min(self._shortest, other._shortest)
        self._longest = max(self._longest, other._longest)

    def flush_if_many(self) -> None:
        """The same, if it is worth it."""
        if len(self._pending) >= FLUSHED:
            self.flush()

    @property
    def histogram(self) -> Any:
        """All of them, in microseconds: hdrhistogram's `HdrHistogram`."""
        self.flush()
        return self._histogram

    @property
    def _histogram(self) -> Any:
        if self._made is None:
            self._made = HdrHistogram(1, LARGEST, DIGITS)
        return self._made

    @property
    def count(self) -> int:
        """How many."""
        self.flush()
        return 0 if self._made is None else int(self._made.get_total_count())

    def percentile(self, percent: float) -> float:
        """Seconds that so many in a hundred were not longer than; 0 for none."""
        (seconds,) = self._percentiles((percent,))
        return seconds

    def figures(self) -> dict[str, float]:
        """Seconds: `mean`, `min`, `max`, and percentiles from `p10` to `p99.99`."""
        names = (f"p{percent:g}" for percent in PERCENTILES)
        return {
            "mean": self.mean(),
            "min": self.shortest(),
            "max": self.longest(),
            **dict(zip(names, self._percentiles(PERCENTILES), strict=True)),
        }

    def _percentiles(self, percents: Sequence[float]) -> list[float]:
        total = self.count
        if not total:
            return [0.0] * len(percents)
        # The library counts in Python, up to each anew, and rounds to the nearest: the
        # 99th of 51 would be the 50th of them.
        histogram = self._histogram
        passed = [*accumulate(histogram.counts)]
        shortest, longest = self.shortest(), self.longest()
        found = []
        for percent in percents:
            rank = max(math.ceil(percent * total / 100 - 1e-9), 1)
            lowest = histogram.get_value_from_index(bisect_left(passed, rank))
            value = histogram.get_highest_equivalent_value(lowest) / MICROSECONDS
            found.append(min(max(value, shortest), longest))
        return found

    def mean(self) -> float:
        """Seconds; 0 for none.

        The library's own takes 30 ms, because it looks at the counts one by one.
        """
        number = self.count
        if not number:
            return 0.0
        at = self._histogram.get_value_from_index
        total = sum(
            count * ((at(index) + at(index + 1)) // 2)
            for index, count in enumerate(self._histogram.counts)
            if count
        )
        return float(total) / number / MICROSECONDS

    def shortest(self) -> float:
        """Seconds, as they were; 0 for none."""
        return self._within_range(self._shortest) if self.count else 0.0

    def longest(self) -> float:
        """Seconds, as they were; 0 for none."""
        return self._within_range(self._longest) if self.count else 0.0

    @staticmethod
    def _within_range(seconds: float) -> float:
        return min(max(seconds, 1 / MICROSECONDS), LONGEST)

    def bins(self, number: int) -> list[tuple[float, int]]:
        """As many steps of equal width: their upper ends, and how many are in each."""
        shortest, longest = self.shortest(), self.longest()
        width = (longest - shortest) / number
        ends = [shortest + width * (i + 1) for i in range(number)]
        counts = [0] * number
        for item in self.histogram.get_recorded_iterator():
            seconds = item.value_iterated_to / MICROSECONDS
            place = int((seconds - shortest) / width) if width else 0
            counts[min(max(place, 0), number - 1)] += item.count_at_value_iterated_to
        return list(zip(ends, counts, strict=True))

    def curve(self) -> list[tuple[float, float]]:
        """The percentiles: shares from 0, and seconds that so many took at most.

        The shares are even on HdrHistogram's axis, which has as much room for each nine
        more. The last is all but one, and with it stands the longest of all; there are
        none where there are no latencies.
        """
        total = self.count
        points = math.ceil(POINTS * math.log10(total)) if total else 0
        shares = [1 - 10 ** (-point / POINTS) for point in range(points)]
        found = []
        items = iter(self.histogram.get_recorded_iterator())
        value, passed = 0, 0
        for share in shares:
            while passed < max(share * total, 1):
                item = next(items)
                value, passed = item.value_iterated_to, item.total_count_to_this_value
            found.append((share, min(value / MICROSECONDS, self.longest())))
        return [*found, (1 - 1 / total, self.longest())] if total else []

    def as_json(self) -> dict[str, Any] | None:
        """All of them as JSON values; None if there are none.

        The histogram is as hdrhistogram encodes it: 3 kB where a list of its counts
        takes 45, and a tenth of the time.
        """
        if not self.count:
            return None
        return {
            "min": self._shortest,
            "max": self._longest,
            "histogram": self._histogram.encode().decode("ascii"),
        }

    @classmethod
    def from_json(cls, given: Any) -> Latencies:
        """The inverse of `as_json`; raises `ValueError` for what that does not give."""
        latencies = cls()
        if given is None:
            return latencies
        given = as_object(given)
        latencies._made = _histogram(given.get("histogram"))
        latencies._shortest = as_seconds(given.get("min"))
        latencies._longest = as_seconds(given.get("max"))
        if latencies._shortest > latencies._longest:
            raise ValueError("latencies whose shortest is longer than the longest")
        return latencies


def _histogram(given: Any) -> Any:
    text = as_text(given)
    if len(text) > LONGEST_TEXT:
        raise ValueError("a histogram that is too long")
    try:
        found = HdrHistogram.decode(text)
    except Exception as error:
        # Among them are zlib's, and its own, which have no class in common.
        raise ValueError(f"no histogram: {error}") from None
    told = (
        found.lowest_trackable_value,
        found.highest_trackable_value,
        found.significant_figures,
    )
    if told != (1, LARGEST, DIGITS):
        raise ValueError("a histogram of another kind")
    as_count(found.get_total_count())
    return found
