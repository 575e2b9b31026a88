"""How many requests a run makes, and when each is due. Pure."""

from __future__ import annotations

import math

__all__ = ["Pace"]

GRACE = 0.1
"""Seconds by which the last requests of a run may be late and still be made."""


class Pace:
    """The requests of a run that begins at `began`, in seconds of some clock.

    At most `number` are made, in at most `seconds`. With a `rate`, a second, each is
    due at a moment that is known before (an open loop), and not when a connection is
    free (a closed one). Those that are due in the first `warm_up` seconds are made
    besides, and not counted.
    """

    def __init__(
        self,
        began: float,
        *,
        number: float = math.inf,
        seconds: float = math.inf,
        rate: float | None = None,
        warm_up: float = 0.0,
    ) -> None:
        self.rate = rate
        self.counts_from = began + warm_up
        """When the run itself begins."""
        self._began = began
        self._number = number
        self._ends = self.counts_from + seconds
        self._taken = 0
        self._counted = 0
        if rate is not None:
            first = math.ceil(rate * warm_up - 1e-9)
            # A run of 10 s at 1,000 a second makes 10,000 of them, whatever happens.
            in_time = rate * seconds
            if in_time < number:
                number = math.ceil(in_time - 1e-9)
            self._last = first + number

    def take(self, now: float) -> float | None:
        """When the next request is due, which may now be made; None if none may be."""
        if self.rate is not None:
            due = self._due
            if due is None or due > now or now >= self._ends + GRACE:
                return None
            self._taken += 1
            return due
        if now >= self._ends or self._counted >= self._number:
            return None
        self._counted += now >= self.counts_from
        return now

    def wait(self, now: float) -> float | None:
        """Seconds until the next is due; None if there is none, or no rate."""
        due = None if self.rate is None else self._due
        if due is None or self.is_over(now):
            return None
        return max(due - now, 0.0)

    def is_over(self, now: float) -> bool:
        """Whether there is none left."""
        if self.rate is not None:
            return self._due is None or now >= self._ends + GRACE
        return now >= self._ends or self._counted >= self._number

    @property
    def left(self) -> int:
        """Of a rate: how many of those that are due in its time were not taken."""
        if self.rate is None or self._ends == math.inf:
            return 0
        return int(self._last) - self._taken

    @property
    def _due(self) -> float | None:
        assert self.rate is not None
        if self._taken >= self._last:
            return None
        return self._began + self._taken / self.rate
