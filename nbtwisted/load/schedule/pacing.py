"""How many requests a run makes, and when each is due. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain, islice, repeat

from nbtwisted.load.schedule.arrivals import Arrivals

__all__ = ["Pace"]

GRACE = 0.1
"""Seconds by which the last requests of a run may be late and still be made."""

MOST_COUNTED = 100_000
"""Of the requests that were never made, as many are counted one by one: that takes
20 ms."""


class Pace:
    """The requests of a run that begins at `began`, in seconds of some clock.

    At most `number` are made, in at most `seconds`. With `arrivals`, each is due at a
    moment that is known before (an open loop), and not when a connection is free (a
    closed one); how long the run is, their profile says. Those that are due in the
    first `warm_up` seconds are made besides, and not counted.
    """

    def __init__(
        self,
        began: float,
        *,
        number: float = math.inf,
        seconds: float = math.inf,
        warm_up: float = 0.0,
        arrivals: Arrivals | None = None,
    ) -> None:
        self.is_open = arrivals is not None
        """Whether this is an open loop."""
        self.counts_from = began + warm_up
        """When the run itself begins."""
        self._number = number
        self._counted = 0
        self._arrivals = arrivals
        moments: Iterator[float] = iter(())
        if arrivals is not None:
            seconds = arrivals.profile.seconds
            moments = chain(
                arrivals.before(warm_up).moments(began),
                islice(
                    arrivals.moments(self.counts_from),
                    None if number == math.inf else int(number),
                ),
            )
        # Never, when there are no more.
        self._next_moment = chain(moments, repeat(math.inf)).__next__
        self._next = self._next_moment()
        self._ends = self.counts_from + seconds
        self._latest = self._ends + GRACE

    def take(self, now: float) -> float | None:
        """When the next request is due, which may now be made; None if none may be."""
        if self.is_open:
            due = self._next
            if due > now or now >= self._latest:
                return None
            self._next = self._next_moment()
            return due
        if now >= self._ends or self._counted >= self._number:
            return None
        self._counted += now >= self.counts_from
        return now

    def wait(self, now: float) -> float | None:
        """Seconds until the next is due; None if there is none, or no rate."""
        if not self.is_open or self.is_over(now):
            return None
        return max(self._next - now, 0.0)

    def is_over(self, now: float) -> bool:
        """Whether there is none left."""
        if self.is_open:
            return self._next == math.inf or now >= self._latest
        return now >= self._ends or self._counted >= self._number

    def give_up(self, now: float) -> int:
        """Make no more; returns how many that count were due before and not made."""
        due, self._next = self._next, math.inf
        missed = 0
        while due < now:
            if missed >= MOST_COUNTED:
                return missed + self._estimate(due, now)
            missed += due >= self.counts_from
            due = self._next_moment()
        return missed

    def _estimate(self, due: float, now: float) -> int:
        """How many are due from one of them on: exactly, if they come evenly."""
        arrivals = self._arrivals
        assert arrivals is not None
        profile, step = arrivals.profile, arrivals.step
        end = min(
            profile.before(now - self.counts_from),
            arrivals.first + self._number * step,
        )
        left = (end - profile.before(due - self.counts_from)) / step
        # The way from a moment back to its position is not exact.
        return max(math.ceil(left - 1e-6), 1)
