"""Runs that might have been, made of the intervals of one that was. Pure."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from random import Random

from nbtwisted.load.figures.series import Interval
from nbtwisted.load.figures.steps import Steps, lower_end

__all__ = ["Resampling"]

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}

SHARE = 0.05
"""A column has no more than this of the latencies that are not below it, if steps are
as fine as that: so there are 20 for each factor of 2.7 in what is left above."""

MICROSECONDS = 1_000_000

_TOTALS = 5
"""Numbers of a row that are no column: see `_totals`."""


class Resampling:
    """Draws intervals of a run at random, and has the figures of all that are drawn.

    They are drawn in blocks of some that follow each other, because a bad moment may
    last for more than one. A block is one integer, a row, whose lanes are its totals
    and how many latencies are in each column: so to add up is one addition a block.
    """

    def __init__(self, intervals: Sequence[Interval]) -> None:
        whole = Steps()
        for interval in intervals:
            whole.merge(interval.latencies)
        self.latencies = whole.total
        """How many there are."""
        self._columns = [*_columns(whole.counts)]
        longest = (whole.figures() or {"max": 0.0})["max"]
        ends = [lower_end(step) for step in self._columns]
        self._ends = [*ends[1:], max(longest, ends[-1])] if ends else []
        self._begins = ends
        totals = [_totals(interval) for interval in intervals]
        columns = [self._by_column(interval.latencies) for interval in intervals]
        most = max((max(each, default=0) for each in columns), default=0)
        number = len(intervals)
        length = round(number ** (1 / 3))
        self.drawn = round(number / max(length, 1))
        """So many blocks make up a run."""
        # Lanes must hold the sum of any that are drawn.
        self._code = "I" if most * (number + length) < 2**32 else "Q"
        self._size = 8 * _TOTALS + array(self._code).itemsize * len(self._columns)
        rows = [
            int.from_bytes(
                array("Q", total).tobytes() + array(self._code, column).tobytes(),
                sys.byteorder,
            )
            for total, column in zip(totals, columns, strict=True)
        ]
        self._whole = sum(rows)
        # After the last comes the first: so each is in as many blocks.
        around = rows + rows[: length - 1]
        self._blocks = [sum(around[n : n + length]) for n in range(number)]

    def figures(self) -> dict[str, float]:
        """The figures of the run itself, as far as columns are precise."""
        return self._figures(self._whole)

    def draw(self, chance: Random) -> dict[str, float]:
        """The figures of about as many intervals as there are, drawn at random."""
        return self._figures(sum(chance.choices(self._blocks, k=self.drawn)))

    def _by_column(self, steps: Steps) -> list[int]:
        counts = steps.counts
        ends = [*self._columns[1:], len(counts)]
        return [
            sum(counts[first:end])
            for first, end in zip(self._columns, ends, strict=False)
        ]

    def _figures(self, row: int) -> dict[str, float]:
        lanes = row.to_bytes(self._size, sys.byteorder)
        totals = array("Q", lanes[: 8 * _TOTALS])
        microseconds, answered, failed, latencies, sum_of_latencies = totals
        passed = [*accumulate(array(self._code, lanes[8 * _TOTALS :]))]
        return {
            "mean": sum_of_latencies / latencies / MICROSECONDS if latencies else 0.0,
            **{name: self._at(passed, share) for name, share in PERCENTILES.items()},
            "rps": answered / microseconds * MICROSECONDS if microseconds else 0.0,
            "errors": failed / (answered + failed) if answered + failed else 0.0,
        }

    def _at(self, passed: list[int], share: float) -> float:
        """The latency that such a share is not above: within a column, by rank."""
        if not passed or not passed[-1]:
            return 0.0
        rank = passed[-1] * share
        place = bisect_left(passed, rank)
        below = passed[place - 1] if place else 0
        within = (rank - below) / (passed[place] - below)
        begin, end = self._begins[place], self._ends[place]
        return begin + within * (end - begin)


def _columns(counts: array[int]) -> Iterator[int]:
    """The first step of each column."""
    left = total = sum(counts)
    in_column = 0
    for step, count in enumerate(counts):
        if not count:
            continue
        if left == total or in_column + count > SHARE * (left + in_column):
            yield step
            in_column = 0
        in_column += count
        left -= count


def _totals(interval: Interval) -> tuple[int, int, int, int, int]:
    """How long it was, answered, failed, latencies, and their sum."""
    counts = interval.latencies.counts
    total = sum(
        count * (lower_end(step) + lower_end(step + 1)) / 2
        for step, count in enumerate(counts)
        if count
    )
    return (
        round(interval.seconds * MICROSECONDS),
        interval.statuses.total(),
        interval.errors.total(),
        sum(counts),
        round(total * MICROSECONDS),
    )
