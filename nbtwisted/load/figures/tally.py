"""What came of a run: latencies, statuses, errors. Pure."""

from __future__ import annotations

import math
from collections import Counter

from nbtwisted.client.errors import DeadlinePassed, RequestError
from nbtwisted.load.figures.latencies import Latencies
from nbtwisted.load.figures.series import Series

__all__ = ["Spread", "Tally"]

MOST_ERRORS = 100
"""Kinds of errors that are told apart."""


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

    def merge(self, other: Spread) -> None:
        """As often as both."""
        if other.count:
            shortest = min(self.shortest, other.shortest)
            self.shortest = shortest if self.count else other.shortest
        self.longest = max(self.longest, other.longest)
        self.count += other.count
        self.total += other.total

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
    the same as it goes. `by_label` has the same figures for each label; none if no
    request has one.
    """

    def __init__(self, series: Series | None = None) -> None:
        self.series = series
        self.by_label: dict[str, Tally] = {}
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

    def merge(self, other: Tally) -> None:
        """Be of the requests of both; a series is merged if both have one."""
        self.fold()
        other.fold()
        self.latencies.merge(other.latencies)
        self.service.merge(other.service)
        self.lateness.merge(other.lateness)
        self.connecting.merge(other.connecting)
        self.receiving.merge(other.receiving)
        for status, count in other.statuses.items():
            self.statuses[status] += count
        for kind, count in other.errors.items():
            self.count_errors(kind, count)
        self.bytes += other.bytes
        self.timed_out += other.timed_out
        self.cut_off_at = min(self.cut_off_at, other.cut_off_at)
        self.resent += other.resent
        self.waited_for_connection += other.waited_for_connection
        self.not_sent += other.not_sent
        if self.series is not None and other.series is not None:
            self.series.merge(other.series)
        for label, tally in other.by_label.items():
            self.by_label.setdefault(label, Tally()).merge(tally)

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
        self.count_errors((type(error).__name__, error.phase, str(error)), 1)

    def count_errors(self, kind: tuple[str, str, str], number: int) -> None:
        """So many have ended with this: type, phase and message."""
        if kind not in self.errors and len(self.errors) >= MOST_ERRORS:
            kind = (*kind[:2], "(others)")
        self.errors[kind] += number
