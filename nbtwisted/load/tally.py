"""What came of a run: latencies, statuses, errors. Pure."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable
from typing import Any

from hdrh.histogram import HdrHistogram

from nbtwisted.client.errors import DeadlinePassed, RequestError
from nbtwisted.load.series import Series

__all__ = ["Latencies", "Spread", "Tally"]

LONGEST = 3600
"""Seconds: what takes longer counts as this."""

MICROSECONDS = 1_000_000

FLUSHED = 20_000
"""Latencies that are kept before they are put into the histogram."""

MOST_ERRORS = 100
"""Kinds of errors that are told apart."""

POINTS = 20
"""Of a curve, for each nine more."""


class Latencies:
    """Seconds, in a histogram of three digits.

    Adding is the hot path, and only appends: to record each by itself takes 1.1 µs,
    and to count those that are alike, and record each kind, 0.4. `also` is given the
    same, at the latest when they are flushed.
    """

    def __init__(self, also: Callable[[array[float]], None] | None = None) -> None:
        self._histogram: Any = HdrHistogram(1, LONGEST * MICROSECONDS, 3)
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
        largest = LONGEST * MICROSECONDS
        counts = Counter(int(seconds * MICROSECONDS) for seconds in self._pending)
        for value, count in counts.items():
            self._histogram.record_value(min(max(value, 1), largest), count)
        # The histogram has these to three digits, too.
        self._shortest = min(self._shortest, min(self._pending))
        self._longest = max(self._longest, max(self._pending))
        del self._pending[:]
        self._told = 0

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
    def count(self) -> int:
        """How many."""
        count: int = self.histogram.get_total_count()
        return count

    def percentile(self, percent: float) -> float:
        """Seconds that so many in a hundred were not longer than; 0 for none."""
        total = self.count
        if not total:
            return 0.0
        # The library rounds to the nearest: the 99th of 51 would be the 50th of them.
        rank = max(math.ceil(percent * total / 100 - 1e-9), 1)
        found = self.histogram.get_value_at_percentile(100 * rank / total)
        value = float(found) / MICROSECONDS
        return min(max(value, self.shortest()), self.longest())

    def mean(self) -> float:
        """Seconds; 0 for none."""
        return (
            float(self.histogram.get_mean_value()) / MICROSECONDS if self.count else 0
        )

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


class Spread:
    """How long a phase took: how often, in all, and the extremes, in seconds."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.shortest = 0.0
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        """Once more."""
        self.shortest = min(self.shortest, seconds) if self.count else seconds
        self.longest = max(self.longest, seconds)
        self.count += 1
        self.total += seconds

    @property
    def mean(self) -> float:
        """Seconds; 0 for none."""
        return self.total / self.count if self.count else 0.0


class Tally:
    """The requests that are over. Times are in seconds.

    `latencies` count from when each was due, and `service` from when it was sent, which
    in a closed loop is the same and then empty. They are of responses, and of requests
    that ran out of time, whose latency is at least what they had. `lateness` is by how
    much timers of the client itself were late. `series`, if there is one, is told of
    the same as it goes.
    """

    def __init__(self, series: Series | None = None) -> None:
        self.series = series
        self.latencies = Latencies(None if series is None else series.add_latencies)
        self.service = Latencies(None if series is None else series.add_service)
        self.lateness = Latencies()
        self.connecting = Spread()
        self.receiving = Spread()
        self.responses: Counter[tuple[int, int]] = Counter()
        """Status, and bytes of the body, of those that came since the last `fold`."""
        self.statuses: Counter[int] = Counter()
        self.errors: Counter[tuple[str, str, str]] = Counter()
        self.bytes = 0
        self.timed_out = 0
        """Requests without a response in the time that they had."""
        self.cut_off_at = math.inf
        """The shortest such time: what took longer may have been cut off."""
        self.resent = 0
        """Requests made again, because their connection had been closed before."""
        self.waited_for_connection = 0
        """Requests that were due while all connections were busy."""
        self.not_sent = 0
        """Requests that were due in the time of the run, but no connection was free."""

    def fold(self) -> None:
        """Count what came: seldom, because each response pays for it.

        Most are alike.
        """
        for (status, size), count in self.responses.items():
            self.statuses[status] += count
            self.bytes += size * count
        self.responses.clear()
        self.latencies.flush_if_many()
        self.service.flush_if_many()
        self.lateness.flush_if_many()

    def look_at_series(self, seconds: float, *, is_end: bool = False) -> None:
        """So long has the run been going on: an interval of its series may be over."""
        series = self.series
        if series is None or not (is_end or seconds >= series.due):
            return
        self.fold()
        self.latencies.tell()
        self.service.tell()
        series.cut(seconds, self.statuses, self.errors)
        if is_end:
            series.close(seconds)

    @property
    def answered(self) -> int:
        """Requests with a whole response, of any status; as of the last `fold`."""
        return sum(self.statuses.values())

    @property
    def sent(self) -> int:
        """Requests that are over."""
        return self.answered + self.failed

    @property
    def failed(self) -> int:
        """Requests without a whole response."""
        return sum(self.errors.values())

    def fail(self, error: RequestError, *, within: float = math.inf) -> None:
        """A request has ended without one, that had to end `within` so many seconds."""
        if isinstance(error, DeadlinePassed):
            self.timed_out += 1
            self.cut_off_at = min(self.cut_off_at, within)
        kind = (type(error).__name__, error.phase, str(error))
        if kind not in self.errors and len(self.errors) >= MOST_ERRORS:
            kind = (*kind[:2], "(others)")
        self.errors[kind] += 1
