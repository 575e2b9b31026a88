"""Counts durations by how long they are. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

__all__ = ["BOUNDS", "Histogram"]

BOUNDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Seconds: from what a small callback takes to what a user gives up at."""


class Histogram:
    """Durations, counted by the smallest bound that they do not exceed.

    total  the sum of all, in seconds
    """

    def __init__(self, bounds: Sequence[float] = BOUNDS) -> None:
        self.total = 0.0
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)

    def add(self, seconds: float) -> None:
        """One more."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self.total += seconds

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self._counts)

    def buckets(self) -> list[tuple[str, int]]:
        """As Prometheus wants it: each bound, and how many do not exceed it."""
        found, so_far = [], 0
        bounds = (*map(str, self._bounds), "+Inf")
        for bound, count in zip(bounds, self._counts, strict=True):
            so_far += count
            found.append((bound, so_far))
        return found
